/** Accounts that are connected by their OAuth page, where HubSpot gives the same refresh token for a repeated grant. */
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { checkConfig, type TenantConfig } from '../../../server/src/config.ts';
import { CrmTokens } from '../../../server/src/crm-tokens.ts';
import { CrmConnections } from '../../../server/src/identity/crm-connections.ts';
import type { Store } from '../../../server/src/store/contract.ts';
import { openStore } from '../../../server/src/store/open.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { Vault } from '../../../server/src/vault.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

let folder: string;
let store: Store;
let hubspot: Server;
let apiUrl: string;
/** Refresh tokens that were given back. */
let revoked: string[];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-connections-'));
  store = await openStore({ kind: 'sqlite', folder });
  revoked = [];
  hubspot = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const piece of request) text += String(piece);
      const form = new URLSearchParams(text);
      const answer = (body: object): void =>
        void response.setHeader('content-type', 'application/json').end(JSON.stringify(body));
      if (request.url?.endsWith('/revoke')) {
        revoked.push(form.get('token') ?? '');
        response.writeHead(204).end();
      } else if (request.url?.endsWith('/introspect')) {
        const portal = (form.get('token') ?? '').replace('access-', '');
        answer({ active: true, user_id: 7, hub_id: Number(portal), app_id: 99, scopes: ['oauth'] });
      } else {
        // The code names the account; the account has one refresh token for this app.
        const portal = form.get('code');
        answer({ access_token: `access-${portal}`, refresh_token: `refresh-${portal}`, expires_in: 1_800 });
      }
    })();
  });
  hubspot.listen(0, '127.0.0.1');
  await once(hubspot, 'listening');
  apiUrl = `http://127.0.0.1:${(hubspot.address() as AddressInfo).port}`;
});
afterEach(async () => {
  hubspot.closeAllConnections();
  hubspot.close();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function relayWith(portals: Readonly<Record<string, { readonly portalId: number; readonly refreshToken?: string }>>) {
  const app = { kind: 'hubspot', apiUrl, appId: 99, clientId: 'client', clientSecret: 'a-client-secret' } as const;
  const inputs = Object.entries(portals).map(([id, portal]) => testTenant({ id, crm: { ...app, ...portal } }));
  const { tenants: configs } = checkConfig({ dataDir: folder, ...testConfig({ tenants: inputs }) });
  const tenants = new Tenants(configs, () => createMemoryRelay());
  const ring = [{ id: 'one', key: randomBytes(32) }];
  const tokens = new CrmTokens(new Vault(store.vault, () => ring, Date.now), Date.now);
  const redirectUri = (): string => 'http://127.0.0.1/v1/sign-in/back';
  const connections = new CrmConnections({ tenants, tokens, redirectUri, now: Date.now });
  const config = (id: string): TenantConfig => {
    const found = tenants.find(id);
    if (found === undefined) throw new Error('no such tenant');
    return found.config;
  };
  return {
    /** Somebody allowed this account at the tenant's page. */
    connect: (id: string, portal: number) => connections.connect(config(id), String(portal), 'verifier'),
    disconnect: (id: string) => connections.disconnect(config(id)),
  };
}

it('the wrong account’s token goes back, unless another tenant is connected by it', async () => {
  const relay = relayWith({ acme: { portalId: 1 }, globex: { portalId: 2 } });
  await relay.connect('acme', 1);
  // An administrator of both chose the wrong account at the other one's page.
  expect(await relay.connect('globex', 1).catch(errorCode)).toBe('identity.refused');
  expect(revoked).toEqual([]);
  expect(await relay.connect('globex', 3).catch(errorCode)).toBe('identity.refused');
  expect(revoked).toEqual(['refresh-3']);
});

it('the token of an account that two tenants share goes back with the last of them', async () => {
  const relay = relayWith({ acme: { portalId: 1 }, globex: { portalId: 1 } });
  await relay.connect('acme', 1);
  await relay.connect('globex', 1);
  expect(await relay.disconnect('acme')).toEqual({ connected: true, givenBack: false });
  expect(revoked).toEqual([]);
  expect(await relay.disconnect('globex')).toEqual({ connected: true, givenBack: true });
  expect(revoked).toEqual(['refresh-1']);
});

it('a token that stands in the configuration of another tenant is left alone', async () => {
  const relay = relayWith({ acme: { portalId: 1, refreshToken: 'refresh-1' }, globex: { portalId: 2 } });
  expect(await relay.connect('globex', 1).catch(errorCode)).toBe('identity.refused');
  expect(revoked).toEqual([]);
});
