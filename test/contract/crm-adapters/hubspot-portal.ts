/** One emulated portal with the relay half over it, for tests of what HubSpot answers. Owns test equipment only. */
import type { CrmAgent, CrmRelay } from '@patchcord/crm-adapters/relay';
import { createHubSpotRelay, type HubSpotRelayOptions } from '@patchcord/crm-adapters/relay';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';

export interface TestPortal {
  readonly hubspot: HubSpotSandbox;
  readonly robin: CrmAgent;
  readonly robinsOwnerId: string;
  /** What an administrator was told. */
  readonly notices: string[];
  /** A relay that knows nothing yet of earlier answers. */
  freshRelay(change?: Partial<HubSpotRelayOptions>): CrmRelay;
  /** A way to HubSpot on which the requests that match are answered by the test: `POST …/batch/upsert`. */
  answering(pattern: RegExp, answer: (body: string) => Response | null): typeof fetch;
  close(): Promise<void>;
}

export async function startTestPortal(): Promise<TestPortal> {
  const hubspot = await startHubSpotSandbox({
    panelUrl: 'http://localhost:1/hubspot/',
    relayUrl: 'http://localhost:1',
    clientSecret: 'portal-client-secret',
    appId: 99,
    searchDelayMs: 0,
    rateLimits: { perTenSeconds: 100_000, searchesPerSecond: 10_000 },
  });
  const [robin] = hubspot.owners;
  if (robin === undefined) throw new Error('The sandbox portal has no owner.');
  const notices: string[] = [];
  return {
    hubspot,
    robin: { crmUserId: String(robin.userId), name: 'Robin Avery' },
    robinsOwnerId: robin.id,
    notices,
    freshRelay: (change = {}) =>
      createHubSpotRelay({
        apiUrl: hubspot.apiUrl,
        accessToken: hubspot.oauth,
        portalId: hubspot.portalId,
        appId: 99,
        timeoutMs: 5_000,
        notice: (text) => notices.push(text),
        ...change,
      }),
    answering: (pattern, answer) => async (input, init) => {
      const body = typeof init?.body === 'string' ? init.body : '';
      const wanted = pattern.test(`${init?.method ?? 'GET'} ${String(input)}`) ? answer(body) : null;
      return wanted ?? fetch(input, init);
    },
    close: () => hubspot.close(),
  };
}

/** An answer as HubSpot gives it. */
export function answer(status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const type = typeof body === 'string' ? 'text/html' : 'application/json;charset=utf-8';
  const empty = body === undefined || status === 204;
  return new Response(empty ? null : text, { status, headers: { 'content-type': type, ...headers } });
}
