/** What of a phone system's own numbers and codes passes the call rules, and that no outside number hides behind one of them. */
import type { Extension } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { destinationsOf, judge } from '../../../server/src/brakes/destinations.ts';
import { edgeLists } from '../../../server/src/brakes/edge-rules.ts';
import { rulesOf } from '../../../server/src/brakes/rules.ts';
import { checkConfig, type RelayConfigInput } from '../../../server/src/config.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

type TenantInput = RelayConfigInput['tenants'][number];

const office: NonNullable<TenantInput['features']> = {
  conference: { room: '8{extension}' },
  park: { to: '700', slots: ['701', '702'] },
  pickup: { directed: '**{extension}', group: '*8' },
  forwarding: { on: '*72{number}', off: '*73' },
  doNotDisturb: { on: '*7800000', off: '*79' },
  voicemail: { number: '*97', deposit: '*98{extension}' },
  moveTo: [{ number: '99{extension}', label: 'Desk phone' }],
  watch: ['2001', '305', { extension: '306', name: 'Front door' }],
};

function tenantWith(change: Partial<TenantInput>) {
  const [tenant] = checkConfig(testConfig({ tenants: [testTenant(change)] })).tenants;
  if (tenant === undefined) throw new Error('the configuration of tests has a tenant');
  return tenant;
}
const rulesWith = (features: TenantInput['features'], brakes: TenantInput['brakes'] = {}) =>
  rulesOf(tenantWith({ ...(features === undefined ? {} : { features }), brakes })).standard.destinations;
const said = (rules: ReturnType<typeof rulesWith>, dialled: string): string => {
  const judgement = judge(rules, dialled);
  if (judgement.kind === 'refused') return judgement.why;
  return judgement.kind === 'allowed' ? judgement.e164 : judgement.kind;
};

describe('numbers of the phone system', () => {
  const rules = rulesWith(office);

  it.each([
    ...['700', '701', '702', '81001', '8-1001', '**1001', '*8', '*73', '*7800000', '*79', '*97', '*981001', '*98 1001'],
    ...['991001', '2001', '305', '306'],
  ])('as the features name them are free: %s', (dialled) => {
    expect(said(rules, dialled)).toBe('internal');
    expect(said(rulesWith(undefined), dialled)).toBe(
      /^\d{4}$|^[*#].{0,5}$/.test(dialled) ? 'internal' : dialled.startsWith('*') ? 'service-code' : 'short-code',
    );
  });

  it.each([
    ['703', 'short-code'],
    ['600', 'short-code'],
    ['*801001', 'service-code'],
    ['*7800001', 'service-code'],
    ['8100', 'internal'],
    ['810011', 'short-code'],
    ['71001', 'short-code'],
    ['*9810012', 'service-code'],
    ['*989005550100', 'service-code'],
    ['*98+19005550100', 'service-code'],
    ['89005550100', 'country'],
    ['+81001', 'country'],
  ])('let nothing else through: %s is %s', (dialled, verdict) => {
    expect(said(rules, dialled)).toBe(verdict);
  });

  it('are also what the configuration adds to them', () => {
    const more = rulesWith(office, { internalNumbers: ['600', '*80{extension}', '*8100000', '5{extension}'] });
    for (const dialled of ['600', '*801001', '*8100000', '51001']) expect(said(more, dialled)).toBe('internal');
    expect(said(more, '601')).toBe('short-code');
    for (const wrong of ['+14155550100', '9005550', '*72{number}', 'echo', '{extension}', '123456{extension}'])
      expect(() => tenantWith({ brakes: { internalNumbers: [wrong] } })).toThrow(/must be 2 to 6 digits/);
  });

  it('are no number of the outside, however they are configured', () => {
    const careless = rulesWith({
      park: { to: '9005550100', slots: ['+19005550100', '1900555'] },
      voicemail: { number: '0119005550', deposit: '9005550{extension}' },
      moveTo: [{ number: '19005550100', label: 'Hotline' }],
    });
    for (const dialled of ['9005550100', '+19005550100', '19005550100', '90055501001'])
      expect(judge(careless, dialled).kind).toBe('refused');
    expect(careless.own).toBeUndefined();
  });

  it('do not begin with the way out of the house', () => {
    const withLine = rulesWith(office, { outsideLine: '9' });
    expect(said(withLine, '991001')).toBe('short-code');
    expect(said(withLine, '81001')).toBe('internal');
    expect(said(rulesWith(office, { outsideLine: '81' }), '81234')).toBe('short-code');
  });

  it('are those of the agent where the agent has own ones', () => {
    const tenant = tenantWith({ features: office });
    const [ada, bob] = tenant.agents;
    if (ada === undefined || bob === undefined) throw new Error('the configuration of tests has two agents');
    const rules = rulesOf(tenant);
    expect(rules.of(bob)).toBe(rules.standard);
    const own = rules.of({
      ...ada,
      features: { moveTo: [{ number: '55{extension}', label: 'Car' }], watch: ['411' as Extension] },
    });
    expect([said(own.destinations, '551001'), said(own.destinations, '411')]).toEqual(['internal', 'internal']);
    expect([said(own.destinations, '991001'), said(own.destinations, '305')]).toEqual(['short-code', 'short-code']);
    expect(own.list).not.toBe(rules.standard.list);
  });
});

describe('forwarding', () => {
  const rules = rulesWith(office, { outsideLine: '9' });

  it.each([
    ['*721001', 'internal'],
    ['*72700', 'internal'],
    ['*7281001', 'internal'],
    ['*72+14155550101', '+14155550101'],
    ['*72 (415) 555-0101', '+14155550101'],
    ['*72914155550101', '+14155550101'],
    ['*7214155550101#', '+14155550101'],
    ['*7219005550100', 'premium'],
    ['*72919005550100', 'premium'],
    ['*72+37167123456', 'country'],
    ['*7201137167123456', 'country'],
    ['*72+8816123456', 'satellite'],
    ['*72911', 'service-code'],
    ['*729911', 'internal'],
    ['*7290', 'short-code'],
    ['*7211833', 'short-code'],
    ['*72*981001', 'service-code'],
    ['*72++14155550101', 'service-code'],
    ['*721001#1', 'service-code'],
    ['*72', 'internal'],
    ['*72#', 'internal'],
  ])('is judged as a call to the number behind the code: %s is %s', (dialled, verdict) => {
    expect(said(rules, dialled)).toBe(verdict);
  });

  it('has the longest code that fits, and the code may have a sign behind the number', () => {
    const two = rulesWith({ forwarding: { on: '*21*{number}#', off: '#21#' } });
    expect(said(two, '*21*1001#')).toBe('internal');
    expect(said(two, '*21*+19005550100#')).toBe('premium');
    expect(said(two, '*2119005550100')).toBe('service-code');
    const own = { exact: [], behind: [], forwards: ['*7', '*72'] };
    const destinations = destinationsOf({
      ...{ country: 'US', countries: ['US'], allowedPrefixes: [], refusedPrefixes: [], emergencyNumbers: ['911'] },
      ...{ outsideLine: '', internalDigits: [4], numberForm: 'as-dialled', own },
    });
    expect(said(destinations, '*7214155550101')).toBe('+14155550101');
  });

  it('is told apart from a code that begins alike', () => {
    const alike = rulesWith({
      forwarding: { on: '*7{number}', off: '*73' },
      voicemail: { deposit: '*72{extension}' },
      doNotDisturb: { on: '*78', off: '*79' },
    });
    expect(said(alike, '*78')).toBe('internal');
    // What may be read as forwarding is: to 21001, which is nobody.
    expect(said(alike, '*721001')).toBe('short-code');
  });

  it('by the phone, or not at all, leaves every such code refused', () => {
    for (const features of [{ forwarding: 'by-phone' as const }, { doNotDisturb: 'by-phone' as const }, undefined]) {
      expect(said(rulesWith(features), '*7214155550101')).toBe('service-code');
      expect(said(rulesWith(features), '*721001')).toBe('service-code');
    }
  });
});

describe('the lists of an edge', () => {
  it('hold what is dialled inside', () => {
    const lists = new Map(edgeLists('l', rulesWith(office, { internalNumbers: ['600'] })));
    expect(lists.get('l::own')).toBe('*7800000,305,306,600,700,701,702');
    expect(lists.get('l::behind')).toBe('5.8,6.99,7.*98');
    expect(lists.get('l::forwards')).toBe('*72');
    expect(new Map(edgeLists('l', rulesWith({ park: { to: '700' } }))).get('l::forwards')).toBe('-');
  });

  it('are the same as before where there is nothing of the kind', () => {
    const rules = rulesOf(tenantWith({})).standard;
    expect(Object.keys(rules.destinations)).not.toContain('own');
    expect([...new Map(edgeLists('l', rules.destinations)).keys()]).not.toContain('l::own');
    expect(rulesOf(tenantWith({ features: { pickup: { group: '*8' } } })).standard.list).toBe(rules.list);
  });
});
