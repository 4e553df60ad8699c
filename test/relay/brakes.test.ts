/** The brakes through the relay's doors: what stops an agent, what the agent is told, who is alerted, how it is lifted. */
import { newCallId } from '@patchcord/call-protocol';
import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  adminToken,
  envelopes,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

let relay: RelayInTest;
afterEach(() => relay.closed());

const admin = { token: adminToken };
interface AlertRow {
  readonly id: string;
  readonly kind: string;
  readonly agent: string | null;
  readonly message: string;
  readonly acknowledgedBy: string | null;
}
const alerts = async (query = ''): Promise<readonly AlertRow[]> =>
  ((await (await relay.fetch(`/v1/admin/alerts?tenant=acme${query}`, admin)).json()) as { alerts: AlertRow[] }).alerts;

/** An outbound call to this number, as a panel tells it. */
function outbound(number: string, life: 'started' | 'talking' | 'ended', startAt = Date.now()) {
  const all = [
    { name: 'call.started' as const, data: { direction: 'outbound', farSide: { number, e164: number } }, at: startAt },
    { name: 'call.answered' as const, data: {}, at: startAt + 1_000 },
    {
      name: 'call.ended' as const,
      data: { outcome: 'answered', reason: 'You hung up', by: 'agent' },
      at: startAt + 61_000,
    },
  ];
  return envelopes(newCallId(), all.slice(0, life === 'started' ? 1 : life === 'talking' ? 2 : 3));
}

describe('the brakes', () => {
  it('stop who keeps trying costly numbers, say so in words, tell a person, and are lifted by one', async () => {
    relay = await startRelayInTest(testConfig());
    const session = await relay.signIn('ada');
    expect((await relay.fetch('/v1/credentials', { token: session.token, method: 'POST' })).status).toBe(201);
    const panel = await relay.connect(session.token);
    for (let n = 0; n < 6; n += 1) panel.publish(...outbound(`+1900555010${n}`, 'started'));
    await vi.waitFor(async () => expect((await alerts()).map(({ kind }) => kind)).toEqual(['refused-calls']), 5_000);
    for (let n = 0; n < 12; n += 1) panel.publish(...outbound(`+1876555010${n % 10}`, 'started'));
    await panel.closed;
    await vi.waitFor(
      async () => expect((await alerts()).map(({ kind }) => kind)).toContain('refused-calls-revoke'),
      5_000,
    );

    const again = await relay.signIn('ada');
    const refused = await relay.fetch('/v1/credentials', { token: again.token, method: 'POST' });
    expect(refused.status).toBe(403);
    expect(await refused.json()).toMatchObject({
      error: {
        code: 'credential.refused',
        message: expect.stringMatching(/Your calls are stopped.*Ask your administrator/),
      },
    });
    const other = await relay.signIn('bob');
    expect((await relay.fetch('/v1/credentials', { token: other.token, method: 'POST' })).status).toBe(201);

    const [first] = await alerts('&open=true');
    expect(first?.message).not.toMatch(/555010/);
    const acknowledged = await relay.fetch(`/v1/admin/alerts/${first?.id}/acknowledge`, { ...admin, method: 'POST' });
    expect(await acknowledged.json()).toEqual({ id: first?.id, first: true });
    expect((await alerts()).find(({ id }) => id === first?.id)?.acknowledgedBy).toBe('admin');
    expect((await alerts('&open=true')).some(({ id }) => id === first?.id)).toBe(false);

    const released = await relay.fetch('/v1/admin/agents/acme/ada/release', { ...admin, method: 'POST' });
    expect(released.status).toBe(200);
    expect((await relay.fetch('/v1/credentials', { token: again.token, method: 'POST' })).status).toBe(201);
  });

  it('hold everybody when the ceiling of the customer is reached, while the calls still run', async () => {
    relay = await startRelayInTest(
      testConfig({
        tenants: [
          testTenant({
            brakes: { spend: { currency: 'USD', rates: [{ prefix: '1', perMinute: 60 }], tenantDay: 50 } },
          }),
        ],
      }),
    );
    const session = await relay.signIn('ada');
    const panel = await relay.connect(session.token);
    panel.publish(...outbound('+14155550101', 'talking', Date.now() - 55_000));
    await vi.waitFor(async () => expect((await alerts()).map(({ kind }) => kind)).toContain('spend-day'), 10_000);
    const bob = await relay.signIn('bob');
    const refused = await relay.fetch('/v1/credentials', { token: bob.token, method: 'POST' });
    expect(await refused.json()).toMatchObject({ error: { message: expect.stringMatching(/ceiling of this day/) } });
    expect((await relay.fetch('/v1/admin/tenants/acme/release', { ...admin, method: 'POST' })).status).toBe(200);
    // Lifted for today: the next look does not stop them again, though the money is still spent.
    await relay.fetch('/v1/admin/tenants/acme/release', { ...admin, method: 'POST' });
    expect((await relay.fetch('/v1/credentials', { token: bob.token, method: 'POST' })).status).toBe(201);
  });

  it('keep their doors closed to strangers and to names nobody has', async () => {
    relay = await startRelayInTest(testConfig());
    expect((await relay.fetch('/v1/admin/alerts?tenant=acme')).status).toBe(401);
    expect((await relay.fetch('/v1/admin/alerts?tenant=other', admin)).status).toBe(400);
    for (const path of ['agents/acme/nobody/release', 'tenants/other/release', 'alerts/alert_none/acknowledge'])
      expect((await relay.fetch(`/v1/admin/${path}`, { ...admin, method: 'POST' })).status).toBe(400);
  });
});
