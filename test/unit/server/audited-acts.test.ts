/** Acts of an administrator that leave an entry, and what a stranger learns from the door for call records. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { adminToken, type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

const secret = `whsec_${Buffer.from('a secret that only this test knows').toString('base64')}`;
const hook = 'https://127.0.0.1:1/a-path-that-is-a-secret';
let one: RelayInTest;
beforeAll(async () => {
  one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          webhooks: [{ url: hook, secret }],
          callRecords: { asterisk: { secret: 'a secret of the phone system, long enough' } },
        }),
      ],
    }),
  );
});
afterAll(() => one.closed());

const admin = (path: string, json?: unknown) =>
  one.fetch(path, { token: adminToken, ...(json === undefined ? {} : { json }) });
async function entries(): Promise<string> {
  const answer = await admin('/v1/admin/audit?tenant=acme&limit=1000');
  return await answer.text();
}

it('a pairing code leaves who made it and for whom, and not the code', async () => {
  const answer = await admin('/v1/admin/pairing-codes', { tenant: 'acme', agent: 'bob' });
  const { code } = (await answer.json()) as { code: string };
  const audit = await entries();
  expect(audit).toMatch(/"actor":"admin","act":"pairing-code\.created","subject":"agent:bob"/);
  expect(audit).not.toContain(code);
});

it('a delivery that is asked for again, and a webhook that is tried, leave an entry without an address', async () => {
  expect((await admin('/v1/admin/deliveries/retry', { tenant: 'acme' })).status).toBe(202);
  expect((await admin('/v1/admin/webhooks/test', { tenant: 'acme', url: hook })).status).toBe(200);
  const audit = await entries();
  expect(audit).toContain('"act":"deliveries.retried"');
  expect(audit).toContain('"act":"webhook.tested"');
  expect(audit).not.toContain('a-path-that-is-a-secret');
});

it('the door for call records says the same to a stranger, whatever tenant and phone system are there', async () => {
  const answers = await Promise.all(
    ['acme/asterisk', 'acme/freeswitch', 'acme/telepathy', 'nobody/asterisk'].map(async (path) => {
      const answer = await one.fetch(`/v1/call-records/${path}`, {
        json: [],
        headers: { authorization: 'Bearer guessed' },
      });
      return `${answer.status} ${await answer.text()}`;
    }),
  );
  expect(answers[0]).toMatch(/^401 /);
  expect(new Set(answers).size).toBe(1);
});
