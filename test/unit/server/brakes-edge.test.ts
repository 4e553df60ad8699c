/** The brakes against an edge and a store they cannot trust to stand still: what is counted, priced, told and said once. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentId, CallId, CallLog, TenantId } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Alert } from '../../../server/src/alerts.ts';
import { Audit } from '../../../server/src/audit.ts';
import { Brakes } from '../../../server/src/brakes/brakes.ts';
import { tellEdge } from '../../../server/src/brakes/edge-rules.ts';
import { rulesOf } from '../../../server/src/brakes/rules.ts';
import { Usage } from '../../../server/src/brakes/usage.ts';
import type { CallReport } from '../../../server/src/call-log/call-report.ts';
import { checkConfig, type RelayConfigInput } from '../../../server/src/config.ts';
import { createLog } from '../../../server/src/logging.ts';
import { createMetrics } from '../../../server/src/metrics.ts';
import type { BrakeStore, Store } from '../../../server/src/store/contract.ts';
import { openStore } from '../../../server/src/store/open.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { FakeEdge } from './fake-edge.ts';
import { sipSecret, testConfig, testTenant } from './relay-in-test.ts';

const acme = 'acme' as TenantId;
const hour = 3_600_000;
const notAllowed = 'Calls to this country are not allowed';
type TenantInput = RelayConfigInput['tenants'][number];

let folder: string;
let store: Store;
let edge: FakeEdge;
let now: number;
let alerts: Alert[];
let revoked: string[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-brakes-'));
  store = await openStore({ kind: 'sqlite', folder });
  edge = await FakeEdge.start();
  now = Date.parse('2026-11-10T10:00:00Z');
  alerts = [];
  revoked = [];
});
afterEach(async () => {
  await edge.stop();
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

const behindEdge = (url = edge.url): Pick<TenantInput, 'sip'> => ({
  sip: {
    domain: 'sip.example.com',
    servers: ['wss://sip.example.com:8443'],
    credential: { kind: 'kamailio-ephemeral', secret: sipSecret },
    revocation: { kamailioRpcUrl: url },
  },
});

function brakesOf(...tenants: TenantInput[]): Brakes {
  const log = createLog('silent');
  const config = checkConfig(testConfig({ tenants }));
  return new Brakes({
    tenants: new Tenants(config.tenants, () => createMemoryRelay()),
    store,
    alerts: {
      raise: async (alert) => {
        alerts.push(alert);
        return true;
      },
    },
    audit: new Audit(store.audit, log),
    metrics: createMetrics(),
    log,
    now: () => now,
    revoke: async (_tenant, agent) => {
      revoked.push(agent);
    },
  });
}

const callAtEdge = (begun: number, answered: number, ended: number, tags = 'a,b'): string =>
  `1001|14155550101|${begun}|${answered}|${ended}|${tags}`;
const spent = async (): Promise<number> =>
  (await store.brakes.days(acme, '2026-11-01')).reduce((sum, day) => sum + day.spent, 0) / 1_000_000;
const priced = { spend: { currency: 'USD', rates: [{ prefix: '1', perMinute: 60 }], agentDay: 100 } } as const;

function panelLog(number: string, change: Partial<CallLog> = {}): CallLog {
  return {
    callId: '00000000-0000-4000-8000-000000000001' as CallId,
    tenant: acme,
    agent: 'ada' as AgentId,
    direction: 'outbound',
    farSide: { number, e164: number as NonNullable<CallLog['farSide']['e164']> },
    nearNumber: '1001',
    startedAt: now,
    answeredAt: null,
    endedAt: null,
    talkMs: 0,
    outcome: null,
    reason: '',
    record: null,
    note: '',
    disposition: null,
    transferredTo: null,
    consultFor: null,
    joinedWith: null,
    sipCallId: 'call-1',
    stage: 'live',
    ...change,
  };
}

function report(pbx: CallReport['pbx'], change: Partial<CallReport> = {}): CallReport {
  return {
    tenant: acme,
    pbx,
    reportId: 'r1',
    state: 'ended',
    sipCallId: 'call-1',
    conversation: 'call-1',
    extension: '1001',
    device: null,
    direction: 'outbound',
    farSide: { number: '+14155550101', e164: '+14155550101' },
    startedAt: now,
    answeredAt: now,
    endedAt: now + 60_000,
    cause: 16,
    outcome: 'answered',
    ...change,
  } as CallReport;
}

describe('whose word counts', () => {
  it('is the edge’s where there is one: a panel or a report neither prices a call nor ends it', async () => {
    const brakes = brakesOf(
      testTenant({ ...behindEdge(), brakes: priced, callRecords: { kamailio: { secret: 's'.repeat(32) } } }),
    );
    const begun = Math.floor(now / 1_000);
    await brakes.hearLog(panelLog('+14155550101', { answeredAt: now, endedAt: now }));
    await brakes.hear(report('kamailio', { endedAt: now }));
    edge.table('brake_call').set('call-1', callAtEdge(begun, begun, 0));
    await brakes.tick();
    await brakes.hearLog(panelLog('+14155550101', { answeredAt: now, endedAt: now }));
    await brakes.hear(report('kamailio', { endedAt: now }));
    expect(await store.brakes.live(acme)).toHaveLength(1);
    edge.table('brake_call').set('call-1', callAtEdge(begun, begun, begun + 60));
    await brakes.tick();
    expect(await spent()).toBe(60);
  });

  it('is the phone system’s where it reports, and the panel’s only where nobody else speaks', async () => {
    const reporting = brakesOf(testTenant({ brakes: priced, callRecords: { asterisk: { secret: 's'.repeat(32) } } }));
    await reporting.hearLog(panelLog('+14155550101', { answeredAt: now, endedAt: now }));
    await reporting.hear(report('asterisk'));
    expect(await spent()).toBe(60);
    const alone = brakesOf(testTenant({ brakes: priced }));
    await alone.hearLog(panelLog('+14155550101', { answeredAt: now, endedAt: now + 30_000 }));
    expect(await spent()).toBe(90);
  });

  it('prices a Call-ID that is used again as another call', async () => {
    const brakes = brakesOf(testTenant({ ...behindEdge(), brakes: priced }));
    const begun = Math.floor(now / 1_000);
    edge.table('brake_call').set('again', callAtEdge(begun, begun, begun + 30));
    await brakes.tick();
    edge.table('brake_call').set('again', callAtEdge(begun + 40, begun + 40, begun + 100));
    await brakes.tick();
    await brakes.tick();
    expect(await spent()).toBe(90);
  });

  it('is remembered for a number of calls that does not grow', async () => {
    let begun = 0;
    const fake = {
      begun: async () => {
        begun += 1;
        return { isNew: true, newCountry: false };
      },
      begunSince: async () => 0,
      days: async () => [],
    } as unknown as BrakeStore;
    const usage = new Usage(fake, () => now);
    const [tenant] = checkConfig(testConfig()).tenants;
    if (tenant === undefined) throw new Error('The configuration has no tenant.');
    const hear = (key: string) =>
      usage.hear(
        {
          tenant: acme,
          agent: 'ada' as AgentId,
          key,
          digits: '37167',
          startedAt: now,
          answeredAt: null,
          endedAt: null,
        },
        rulesOf(tenant),
      );
    for (let n = 0; n <= 20_000; n += 1) await hear(`call-${n}`);
    expect(begun).toBe(20_001);
    await hear('call-20000');
    expect(begun).toBe(20_001);
    await hear('call-0');
    expect(begun).toBe(20_002);
  });
});

describe('refused calls', () => {
  it('that an edge counted before the relay started are not held against anybody', async () => {
    const brakes = brakesOf(testTenant(behindEdge()));
    edge.table('brake_refused').set(`1001::${notAllowed}`, 40);
    await brakes.tick();
    edge.table('brake_refused').set(`1001::${notAllowed}`, 44);
    await brakes.tick();
    expect(alerts).toEqual([]);
    edge.table('brake_refused').set(`1001::${notAllowed}`, 45);
    await brakes.tick();
    expect(alerts.map(({ kind }) => kind)).toEqual(['refused-calls']);
    edge.table('brake_refused').set(`1001::${notAllowed}`, 55);
    await brakes.tick();
    expect(revoked).toEqual(['ada']);
  });

  it('count once for a call, however often it is told', async () => {
    const brakes = brakesOf(testTenant());
    for (let n = 0; n < 20; n += 1) await brakes.hearLog(panelLog('+19005550100', { note: `${n}` }));
    expect(alerts).toEqual([]);
  });

  it('count when they were tried, not when a journal comes late', async () => {
    const brakes = brakesOf(testTenant());
    for (let n = 0; n < 20; n += 1)
      await brakes.hearLog(panelLog('+19005550100', { callId: `old-${n}` as CallId, startedAt: now - hour }));
    expect(alerts).toEqual([]);
    for (let n = 0; n < 5; n += 1)
      await brakes.hearLog(panelLog('+19005550100', { callId: `new-${n}` as CallId, endedAt: now, answeredAt: now }));
    expect(alerts.map(({ kind }) => kind)).toEqual(['refused-calls']);
  });
});

describe('an edge that several customers share', () => {
  const two = () => [
    testTenant(behindEdge(edge.url)),
    testTenant({
      id: 'other',
      agents: [{ id: 'eve', name: 'Eve', extension: '2001', crmUserId: '005000000000009' }],
      ...behindEdge(`${edge.url.replace('http:', 'HTTP:')}/`),
    }),
  ];

  it('is one edge however its address is spelled, and knows no rule for who is nobody’s', async () => {
    const brakes = brakesOf(...two());
    await brakes.tick();
    const rows = edge.table('brake');
    expect([...rows.keys()].sort()).toEqual(['1001', '1002', '2001', 'default', 'relay']);
    expect(rows.get('default')).toMatch(/^No rules for this extension\|/);
    expect(rows.get('1001')).toMatch(/^-\|/);
    const before = edge.writes;
    await brakes.tick();
    expect(edge.writes).toBe(before);
  });
});

describe('telling an edge', () => {
  it('is told which numbers each phone may show, and of no other', async () => {
    const ids = (...numbers: string[]) => numbers.map((number) => ({ number, label: number }));
    const [ada, bob] = testTenant().agents;
    if (ada === undefined || bob === undefined) throw new Error('the configuration of tests has two agents');
    const tenant = (features: TenantInput['features'], own: ReturnType<typeof ids>) =>
      testTenant({
        ...behindEdge(),
        ...(features === undefined ? {} : { features }),
        agents: [ada, { ...bob, features: { callerIds: own } }],
      });
    edge.table('caller_id').set('1009', '+14155550199');
    await brakesOf(tenant({ callerIds: ids('+14155550100', '+14155550101') }, ids('+14155550177'))).tick();
    expect([...edge.table('caller_id')]).toEqual([
      ['1001', '+14155550100,+14155550101'],
      ['1002', '+14155550177'],
    ]);
    const writes = edge.writes;
    await brakesOf(tenant({ callerIds: ids('+14155550100', '+14155550101') }, ids('+14155550177'))).tick();
    expect(edge.writes).toBe(writes);
    await brakesOf(tenant(undefined, [])).tick();
    expect([...edge.table('caller_id')]).toEqual([]);
  });

  it('of an older recipe is told everything else, once', async () => {
    edge.missing.add('caller_id');
    const tenant = () =>
      testTenant({ ...behindEdge(), features: { callerIds: [{ number: '+14155550100', label: 'Main' }] } });
    await brakesOf(tenant()).tick();
    expect(edge.table('brake').has('default')).toBe(true);
    const writes = edge.writes;
    await brakesOf(tenant()).tick();
    expect(edge.writes).toBe(writes);
  });

  it('is not marked as done while somebody else changes its rows', async () => {
    const control = { url: edge.url, token: undefined };
    const rows = { brake: new Map([['default', 'new']]), lists: new Map([['l::plan', '1|||']]), callerIds: new Map() };
    edge.afterWrite = (table, key) => {
      if (table !== 'brake' || key !== 'default') return;
      edge.afterWrite = null;
      edge.table('brake').set('default', 'old');
    };
    await tellEdge(control, rows);
    expect(edge.table('brake').has('relay')).toBe(false);
    await tellEdge(control, rows);
    expect(edge.table('brake').get('default')).toBe('new');
    expect(edge.table('brake').has('relay')).toBe(true);
  });
});

describe('a ceiling', () => {
  const spend = { currency: 'USD', rates: priced.spend.rates, agentMonth: 10 };
  async function days(brakes: Brakes, talkMs: number): Promise<void> {
    await brakes.hearLog(panelLog('+14155550101', { answeredAt: now, endedAt: now + talkMs }));
    for (let look = 0; look < 30; look += 1) {
      await brakes.tick();
      now += hour;
    }
  }

  it('that is near is told once in its month, not at every look', async () => {
    await days(brakesOf(testTenant({ brakes: { spend } })), 9_000);
    expect(alerts.map(({ kind }) => kind)).toEqual(['spend-near-month']);
  });

  it('that stops nobody by configuration is told once as well', async () => {
    const brakes = { spend, anomalies: { spend: 'alert' } } as const;
    await days(brakesOf(testTenant({ brakes })), 20_000);
    expect(alerts.map(({ kind }) => kind)).toEqual(['spend-month']);
    expect((await store.brakes.states(now)).filter(({ level }) => level !== 'none')).toEqual([]);
  });
});
