/** What of an office phone an agent gets: from the configuration, through the relay, as the phone reads it. */
import { ProfileSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { afterEach, describe, expect, it } from 'vitest';
import { checkConfig } from '../../../server/src/index.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

let one: RelayInTest | null = null;
afterEach(async () => {
  await one?.closed();
  one = null;
});

type TenantInput = Parameters<typeof testTenant>[0];
async function profileOf(agent: string, tenant: TenantInput) {
  one = await startRelayInTest(testConfig({ tenants: [testTenant(tenant)] }));
  const { token } = await one.signIn(agent);
  const response = await one.fetch('/v1/profile', { token });
  expect(response.status).toBe(200);
  return v.parse(ProfileSchema, await response.json());
}
const problemsOf = (tenant: TenantInput): string => {
  try {
    checkConfig({ dataDir: '/nowhere', ...testConfig({ tenants: [testTenant(tenant)] }) });
    return '';
  } catch (error) {
    return (error as Error).message;
  }
};
const agents = [
  { id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: '1' },
  { id: 'bob', name: 'Bob Moog', extension: '1002', crmUserId: '2' },
  { id: 'zoe', name: 'Zoe', extension: 'zoe!', crmUserId: '3' },
] as const;

describe('the profile', () => {
  it('asks nothing of the phone system that nobody configured', async () => {
    const { features, media, sip } = await profileOf('ada', {});
    expect(features).toEqual({
      mostCalls: 6,
      callWaiting: true,
      busyCode: 486,
      declineCode: 486,
      conference: { mostMembers: 5, room: null },
      park: null,
      pickup: { directed: null, group: null, byDialog: false },
      forwarding: null,
      doNotDisturb: 'by-phone',
      autoAnswer: 'never',
      voicemail: null,
      callerIds: [],
      watch: [],
      moveTo: [],
      followTransfers: false,
      doNotCall: 'ask',
    });
    expect(media).toEqual({
      codecs: ['opus', 'G722', 'PCMU', 'PCMA'],
      opus: { fec: true, dtx: false },
      digits: 'rfc4733',
      noiseSuppression: 'browser',
    });
    expect(sip).toMatchObject({
      outboundProxy: null,
      failBackSeconds: 300,
      callerIdIn: 'p-preferred-identity',
      sessionSeconds: 0,
    });
  });

  it('tells what the tenant configured, with the agent’s own extension where one is meant', async () => {
    const sip = { ...testTenant().sip, outboundProxy: 'sip:edge.example.com;transport=ws;lr', failBackSeconds: 30 };
    const { features, sip: told } = await profileOf('ada', {
      agents,
      sip,
      features: {
        conference: { mostMembers: 3, room: '8{extension}' },
        park: { to: '700', slots: ['701', '702'] },
        pickup: { directed: '**{extension}', group: '*8' },
        forwarding: { on: '*72{number}', off: '*73' },
        doNotDisturb: { on: '*78', off: '*79' },
        voicemail: { number: '*97', deposit: 'vm-{extension}', watched: true, listed: true },
        watch: 'colleagues',
        callerIds: [{ number: '+14155550100', label: 'Main number' }],
        moveTo: [{ number: '99{extension}', label: 'My mobile' }],
      },
    });
    expect(features.conference).toEqual({ mostMembers: 3, room: '81001' });
    expect(features.park).toEqual({ to: '700', slots: ['701', '702'] });
    expect(features.pickup).toEqual({ directed: '**{extension}', group: '*8', byDialog: false });
    expect(features.forwarding).toEqual({ on: '*72{number}', off: '*73' });
    expect(features.voicemail).toEqual({ number: '*97', deposit: 'vm-1001', watched: true, listed: true });
    // A name in letters can't be watched as an extension.
    expect(features.watch).toEqual([{ extension: '1002', name: 'Bob Moog' }]);
    expect(features.callerIds).toEqual([{ number: '+14155550100', label: 'Main number' }]);
    expect(features.moveTo).toEqual([{ number: '991001', label: 'My mobile' }]);
    expect(told).toMatchObject({ outboundProxy: 'sip:edge.example.com;transport=ws;lr', failBackSeconds: 30 });
  });

  it('gives an agent what is theirs instead of the tenant’s', async () => {
    const own = {
      callerIds: [{ number: '+14155550177', label: 'Direct' }],
      watch: ['1001', { extension: '600', name: 'Sales queue' }],
      moveTo: [],
      autoAnswer: 'idle' as const,
    };
    const { features } = await profileOf('bob', {
      agents: [agents[0], { ...agents[1], features: own }],
      features: {
        callerIds: [{ number: '+14155550100', label: 'Main number' }],
        watch: 'colleagues',
        moveTo: [{ number: '99{extension}', label: 'My mobile' }],
      },
    });
    expect(features.callerIds).toEqual(own.callerIds);
    expect(features.watch).toEqual([
      { extension: '1001', name: 'Ada Byron' },
      { extension: '600', name: 'Sales queue' },
    ]);
    expect(features).toMatchObject({ moveTo: [], autoAnswer: 'idle' });
  });

  it('leaves out what an extension in letters and signs can’t dial, rather than break the phone', async () => {
    const { features } = await profileOf('zoe', {
      agents,
      features: { conference: { room: '8{extension}' }, moveTo: [{ number: '99{extension}', label: 'Mobile' }] },
    });
    expect(features.conference.room).toBeNull();
    expect(features.moveTo).toEqual([]);
  });
});

describe('settings that can’t be', () => {
  it('are each told by what is wrong with them', () => {
    const features = {
      mostCalls: 7,
      park: {},
      pickup: { directed: '**{number}' },
      forwarding: { on: '*72{number}', off: '*7 3' },
      callerIds: [{ number: '4155550100', label: 'Main' }],
      watch: ['1002', 'zoe!'],
    };
    const told = problemsOf({ features: features as never });
    for (const line of [
      'tenants.0.features.mostCalls: must be 6 at most',
      'tenants.0.features.park: needs "to"',
      'tenants.0.features.pickup.directed: may hold "{extension}", and no other',
      'tenants.0.features.forwarding.off: must be what a phone can dial',
      'tenants.0.features.callerIds.0.number: must be a number with its country code',
      'tenants.0.features.watch: must be "colleagues" or a list of extensions',
    ])
      expect(told).toContain(line);
    const aimless = problemsOf({ features: { pickup: { directed: '**' }, forwarding: { on: '*72', off: '*73' } } });
    expect(aimless).toContain('tenants.0.features.pickup.directed: must hold "{extension}"');
    expect(aimless).toContain('tenants.0.features.forwarding.on: must hold "{number}"');
  });

  it('are told for the way to the phone system and for sound as well', () => {
    const sip = { ...testTenant().sip, outboundProxy: 'https://edge.example.com', sessionSeconds: 20 };
    const told = problemsOf({ sip, media: { codecs: ['opus', 'opus'] } });
    expect(told).toContain('tenants.0.sip.outboundProxy: must be a SIP URI');
    expect(told).toContain('tenants.0.sip.sessionSeconds: must be 0, or 90 at least');
    expect(told).toContain('tenants.0.media.codecs: has two entries with the same name');
  });
});
