import { randomUUID } from 'node:crypto';
import { ProfileSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { afterEach, describe, expect, it } from 'vitest';
import { productOf } from '../../../server/src/recoveries.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  type Life,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from './relay-in-test.ts';

let running: RelayInTest[] = [];
async function relay(tenant = testTenant()): Promise<RelayInTest> {
  const one = await startRelayInTest(testConfig({ tenants: [tenant, testTenant({ id: 'globex' })] }));
  running.push(one);
  return one;
}
afterEach(async () => {
  await Promise.all(running.map((one) => one.closed()));
  running = [];
});

const tried = (way: string, peer: string, worked: boolean): Life => ({
  name: 'call.recovery-tried',
  data: { way, peer, worked },
});
const recovered = (way: string, peer: string): Life => ({ name: 'call.recovered', data: { way, peer, afterMs: 700 } });

async function profileOf(one: RelayInTest, token: string) {
  return v.parse(ProfileSchema, await (await one.fetch('/v1/profile', { token })).json());
}

async function tells(one: RelayInTest, ...life: readonly Life[]): Promise<string> {
  const { token } = await one.signIn();
  const panel = await one.connect(token);
  const events = envelopes(randomUUID(), [...answeredCall.slice(0, 3), ...life, ...answeredCall.slice(3)]);
  panel.publish(...events);
  await panel.acknowledged();
  // A repeat counts nothing.
  panel.publish(...events);
  await panel.acknowledged();
  return token;
}

describe('what worked in taking calls up again', () => {
  it('is counted by far side and way, told to the tenant’s phones and administrators, and to no other tenant', async () => {
    const one = await relay();
    const freeswitch = 'FreeSWITCH-mod_sofia/1.10.12-release~64bit';
    await tells(
      one,
      tried('resume', freeswitch, false),
      tried('replaces', freeswitch, true),
      recovered('replaces', freeswitch),
    );
    await tells(one, tried('replaces', freeswitch, true), recovered('replaces', freeswitch));
    await tells(one, recovered('rung-again', 'Kamailio'), tried('resume', '', true));
    const token = await tells(one, recovered('resume', 'baresip v3.9.0 (x86_64/Linux)'));
    const known = [
      { peer: 'baresip', way: 'resume', worked: true },
      { peer: 'FreeSWITCH-mod_sofia', way: 'replaces', worked: true },
      { peer: 'FreeSWITCH-mod_sofia', way: 'resume', worked: false },
    ];
    await expect
      .poll(async () => (await profileOf(one, token)).sip.recovery.known)
      .toEqual(expect.arrayContaining(known) as unknown);
    const answer = await one.fetch('/v1/admin/recovery?tenant=acme', { token: adminToken });
    const { way, endAfterSeconds, farSides } = (await answer.json()) as {
      way: string;
      endAfterSeconds: number;
      farSides: Record<string, unknown>[];
    };
    expect([way, endAfterSeconds]).toEqual(['auto', 30]);
    expect(farSides).toHaveLength(4);
    expect(farSides).toEqual(
      expect.arrayContaining([
        expect.objectContaining({
          peer: 'FreeSWITCH-mod_sofia',
          way: 'replaces',
          worked: 2,
          failed: 0,
          lastWorked: true,
        }),
        expect.objectContaining({
          peer: 'FreeSWITCH-mod_sofia',
          way: 'resume',
          worked: 0,
          failed: 1,
          lastWorked: false,
        }),
        expect.objectContaining({ peer: 'baresip', way: 'resume', worked: 1 }),
        expect.objectContaining({ peer: '', way: 'resume', worked: 1 }),
      ]),
    );
    const other = await one.signIn('ada', undefined, 'globex');
    expect((await profileOf(one, other.token)).sip.recovery.known).toEqual([]);
    const metrics = await (await one.fetch('/metrics')).text();
    expect(metrics).toContain('patchcord_recoveries_total{way="replaces",result="worked"} 2');
    expect(metrics).not.toContain('FreeSWITCH');
  });

  it('is shown for a tenant of the configuration only', async () => {
    const one = await relay();
    expect((await one.fetch('/v1/admin/recovery?tenant=nobody', { token: adminToken })).status).toBe(400);
    expect((await one.fetch('/v1/admin/recovery', { token: adminToken })).status).toBe(400);
    expect((await one.fetch('/v1/admin/recovery?tenant=acme')).status).toBe(401);
  });

  it('tells what kind of thing a far side is, not which version', () => {
    const products = {
      'FreeSWITCH-mod_sofia/1.10.12-release': 'FreeSWITCH-mod_sofia',
      'Asterisk PBX 20.5.0': 'Asterisk',
      'kamailio (5.7.4 (x86_64/linux))': 'kamailio',
      'Linphone-Desktop/5.2.4 (host) ubuntu/22.04': 'Linphone-Desktop',
      'some-phone-3.4.1': 'some-phone',
      SIPp: 'SIPp',
      x1lite: 'x1lite',
      '': '',
    };
    for (const [peer, product] of Object.entries(products)) expect(productOf(peer)).toBe(product);
    expect(productOf('y'.repeat(120))).toHaveLength(60);
  });
});

describe('sip.recovery', () => {
  it('has the numbers that applications of the phone system answer, with the agent’s own in them', async () => {
    const { sip, ...rest } = testTenant();
    const one = await relay({
      ...rest,
      sip: { ...sip, recovery: { way: 'resume', applications: ['9664', '*43'] } },
      features: {
        voicemail: { number: '*97', deposit: '7{extension}' },
        park: { to: '700', slots: ['701', '702'] },
        conference: { room: '8{extension}' },
        forwarding: { on: '*72{number}', off: '*73' },
        doNotDisturb: { on: '*78', off: '*79' },
      },
    });
    const { token } = await one.signIn();
    const { way, applications } = (await profileOf(one, token)).sip.recovery;
    expect(way).toBe('resume');
    expect([...applications].sort()).toEqual(
      ['9664', '*43', '*97', '71001', '700', '701', '702', '81001', '*73', '*78', '*79'].sort(),
    );
  });

  it('is automatic where nothing is configured, and knows no application then', async () => {
    const one = await relay();
    const { token } = await one.signIn();
    expect((await profileOf(one, token)).sip.recovery).toEqual({ way: 'auto', applications: [], known: [] });
  });

  it.each([
    [{ way: 'both' }, /sip\.recovery\.way: must be "auto"/],
    [{ applications: ['12 34'] }, /sip\.recovery\.applications\.0: must be what a phone can dial/],
    [{ endAfterSeconds: 5 }, /sip\.recovery\.endAfterSeconds: must be 0, or 10 at least/],
    [{ endAfterSeconds: 4_000 }, /sip\.recovery\.endAfterSeconds: must be 3600 at most/],
    [{ colour: 'blue' }, /sip\.recovery\.colour: is not a setting/],
  ])('refuses %j', async (recovery, problem) => {
    const { sip, ...rest } = testTenant();
    await expect(relay({ ...rest, sip: { ...sip, recovery } } as never)).rejects.toThrow(problem);
  });
});
