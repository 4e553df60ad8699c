import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { type HttpServer, startHttpServer } from '../../../sandbox/src/http.ts';
import { demoOwners } from '../../../sandbox/src/hubspot/seed.ts';
import { signatureV3 } from '../../../sandbox/src/hubspot/signature.ts';
import { createSignedFetch } from '../../../sandbox/src/hubspot/signed-fetch.ts';

const secret = 'test-client-secret';
const signedFetch = createSignedFetch({ portalId: 24_500_123, appId: 99, clientSecret: secret });
const owner = demoOwners[0] ?? expect.fail('the portal has no owner');
let relay: HttpServer;
let asked: { url: string; signature: unknown; timestamp: string; body: string }[] = [];
let statuses: number[] = [];

beforeAll(async () => {
  relay = await startHttpServer({
    port: 0,
    host: 'localhost',
    handle: ({ path, query, headers, raw }) => {
      asked.push({
        url: `${relay.origin}${path}?${query}`,
        signature: headers['x-hubspot-signature-v3'],
        timestamp: `${headers['x-hubspot-request-timestamp']}`,
        body: raw.toString(),
      });
      return { status: statuses.shift() ?? 200, body: '{"code":"482 913"}' };
    },
  });
});
afterAll(() => relay.close());
beforeEach(() => {
  asked = [];
  statuses = [];
});

const ask = (path: string) => signedFetch({ owner, url: `${relay.origin}${path}`, method: 'POST', body: '{"a":1}' });

it('says who asks in the query, over what the card wrote there, and signs all of it', async () => {
  expect((await ask('/v1/hubspot/pairing-codes?userId=1&portalId=2')).status).toBe(200);
  const [request] = asked;
  if (!request) throw new Error('nothing was asked');
  expect(Object.fromEntries(new URL(request.url).searchParams)).toEqual({
    userId: '4201',
    portalId: '24500123',
    userEmail: 'robin@patchcord.example',
    appId: '99',
  });
  const { url, body, timestamp, signature } = request;
  expect(signature).toBe(signatureV3({ secret, method: 'POST', url, body, timestamp }));
});

it('asks once more after a 5xx, and only once', async () => {
  statuses = [503, 502, 200];
  expect((await ask('/v1/x')).status).toBe(502);
  expect(asked).toHaveLength(2);
  statuses = [400];
  expect((await ask('/v1/x')).status).toBe(400);
  expect(asked).toHaveLength(3);
});
