/** A portal, a panel's page and a checkout for `npm run hubspot`. Owns test equipment only. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';
import { hubspotCommand } from '../../../scripts/hubspot/command.ts';

export interface StandIn {
  readonly sandbox: HubSpotSandbox;
  /** Origin of the relay whose page the frame shows. */
  readonly relay: string;
  readonly folder: string;
  /** What the panel's page answers from now on. */
  page(status: number, headers: Readonly<Record<string, string>>): void;
  /** An access token of the account, of this moment. */
  token(): Promise<string>;
  run(
    args: readonly string[],
    more?: { readonly env?: Readonly<Record<string, string>>; readonly fetcher?: typeof fetch },
  ): Promise<{ readonly code: number; readonly text: string }>;
  close(): Promise<void>;
}

const goodPage = {
  'content-type': 'text/html;charset=utf-8',
  'content-security-policy': "default-src 'self'; frame-ancestors https://app.hubspot.com https://app-eu1.hubspot.com",
};

export async function startStandIn(): Promise<StandIn> {
  let page: { status: number; headers: Readonly<Record<string, string>> } = { status: 200, headers: goodPage };
  const server = createServer((_request, response) => {
    response.writeHead(page.status, page.headers);
    response.end('<!doctype html>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const relay = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const sandbox = await startHubSpotSandbox({
    panelUrl: `${relay}/hubspot/`,
    relayUrl: relay,
    clientSecret: 'command-client-secret',
    appId: 99,
    calling: null,
    searchDelayMs: 0,
    inboundDelayMs: 0,
    rateLimits: { perTenSeconds: 10_000, searchesPerSecond: 10_000 },
    host: '127.0.0.1',
  });
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-hubspot-'));
  const app = join(folder, 'hubspot-extension', 'src', 'app');
  mkdirSync(app, { recursive: true });
  const permittedUrls = { iframe: [relay], fetch: [relay] };
  writeFileSync(join(app, 'app-hsmeta.json'), JSON.stringify({ uid: 'x', type: 'app', config: { permittedUrls } }));
  const developer = { HUBSPOT_DEVELOPER_API_KEY: sandbox.calling.developer.apiKey };
  return {
    sandbox,
    relay,
    folder,
    page: (status, headers) => {
      page = { status, headers: { ...goodPage, ...headers } };
    },
    async token() {
      const response = await fetch(`${sandbox.apiUrl}/oauth/2026-03/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'refresh_token',
          client_id: sandbox.oauth.clientId,
          client_secret: sandbox.oauth.clientSecret,
          refresh_token: sandbox.oauth.refreshToken,
        }),
      });
      return String(((await response.json()) as { access_token: string }).access_token);
    },
    async run(args, { env = developer, fetcher } = {}) {
      const lines: string[] = [];
      const code = await hubspotCommand([...args, '--api-url', sandbox.apiUrl], {
        root: folder,
        folder,
        env,
        log: (line) => lines.push(line),
        pause: () => Promise.resolve(),
        ...(fetcher === undefined ? {} : { fetcher }),
      });
      return { code, text: lines.join('\n') };
    },
    async close() {
      server.closeAllConnections();
      server.close();
      rmSync(folder, { recursive: true, force: true });
      await sandbox.close();
    },
  };
}
