import { errorCode } from '@patchcord/call-protocol';
import type { SaidOfLimits } from '@patchcord/crm-adapters/relay';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { TenantConfig } from '../../../server/src/config.ts';
import { CrmLimits } from '../../../server/src/delivery/crm-limits.ts';

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const hubspot = (limits: Record<string, number> = {}) =>
  ({ id: 'acme', crm: { kind: 'hubspot', limits } }) as unknown as { id: string; crm: TenantConfig['crm'] };
const salesforce = () =>
  ({ id: 'acme', crm: { kind: 'salesforce', limits: {} } }) as unknown as { id: string; crm: TenantConfig['crm'] };

/** A CRM that counts as HubSpot does, and requests that take 100 ms. */
function portal(perTenSeconds: number) {
  let times: number[] = [];
  let refused = 0;
  return {
    async ask(gate: ReturnType<CrmLimits['gateOf']>, search = false): Promise<void> {
      const leave = await gate.pass({ search });
      const now = Date.now();
      times = times.filter((at) => at > now - 10_000);
      const full = times.length >= perTenSeconds;
      if (full) refused += 1;
      else times.push(now);
      await new Promise((resolve) => setTimeout(resolve, 100));
      leave(full ? { refused: { retryAfterMs: 10_000 } } : {});
    },
    refused: () => refused,
  };
}

async function pumped(
  limits: readonly CrmLimits[],
  perTenSeconds: number,
  ms: number,
): Promise<{ asked: number; refused: number }> {
  const crm = portal(perTenSeconds);
  let asked = 0;
  let running = true;
  for (const one of limits)
    for (let worker = 0; worker < 8; worker += 1)
      void (async () => {
        while (running) {
          await crm.ask(one.gateOf(hubspot()));
          asked += 1;
        }
      })();
  await vi.advanceTimersByTimeAsync(ms);
  running = false;
  return { asked, refused: crm.refused() };
}

describe('the limits of a CRM', () => {
  it('are used to more than 80 % and never overrun', async () => {
    const { asked, refused } = await pumped([new CrmLimits(Date.now)], 100, 100_000);
    expect(refused).toBe(0);
    expect(asked).toBeGreaterThanOrEqual(800);
    expect(asked).toBeLessThanOrEqual(1_000);
  });

  it('are shared by the relays of one store: together no more than one', async () => {
    const relays = [1, 2, 3].map(() => {
      const limits = new CrmLimits(Date.now);
      limits.shareWith(3);
      return limits;
    });
    const { asked, refused } = await pumped(relays, 100, 100_000);
    expect(refused).toBe(0);
    expect(asked).toBeGreaterThanOrEqual(800);
  });

  it('are those the CRM tells in its answers, unless the configuration sets them', async () => {
    const flow = async (tenant: ReturnType<typeof hubspot>): Promise<number> => {
      const gate = new CrmLimits(Date.now).gateOf(tenant);
      let asked = 0;
      for (let worker = 0; worker < 10; worker += 1)
        void (async () => {
          for (;;) {
            const leave = await gate.pass({});
            asked += 1;
            leave({ window: { limit: 200, remaining: 150, spanMs: 10_000 } });
          }
        })();
      await vi.advanceTimersByTimeAsync(50_000);
      return asked;
    };
    expect(await flow(hubspot())).toBeGreaterThan(800);
    expect(await flow(hubspot({ requests: 100 }))).toBeLessThan(460);
  });

  it('after a refusal nothing goes out for as long as the CRM says, and then little that grows', async () => {
    const limits = new CrmLimits(Date.now);
    const gate = limits.gateOf(hubspot());
    (await gate.pass({}))({ refused: { retryAfterMs: 3_000 } });
    expect(limits.pausedUntil('acme' as never)).toBe(1_003_000);
    const at: number[] = [];
    for (let n = 0; n < 60; n += 1)
      void gate.pass({}).then((leave) => {
        at.push(Date.now() - 1_000_000);
        leave({});
      });
    await vi.advanceTimersByTimeAsync(30_000);
    expect(at).toHaveLength(60);
    expect(at[0]).toBeGreaterThanOrEqual(3_000);
    const within = (from: number, to: number): number => at.filter((time) => time >= from && time < to).length;
    expect(within(3_000, 5_000)).toBeLessThanOrEqual(6);
    expect(within(7_000, 9_000)).toBeGreaterThan(within(3_000, 5_000));
  });

  it('let a person’s search go before what waits, and keep searches to their own limit', async () => {
    const gate = new CrmLimits(Date.now).gateOf(hubspot());
    const done: string[] = [];
    const ask = (name: string, request: { search?: boolean; urgent?: boolean }): void => {
      void gate.pass(request).then((leave) => {
        done.push(name);
        leave({});
      });
    };
    for (let n = 0; n < 10; n += 1) ask(`log ${n}`, {});
    for (let n = 0; n < 10; n += 1) ask('search', { search: true });
    ask('a person', { search: true, urgent: true });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done.indexOf('a person')).toBeLessThan(4);
    expect(done.filter((name) => name === 'search').length).toBeLessThanOrEqual(4);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(done).toHaveLength(21);
  });

  it('give up on a request that would wait too long, a person’s sooner', async () => {
    const gate = new CrmLimits(Date.now).gateOf(hubspot());
    (await gate.pass({}))({ refused: { retryAfterMs: 60_000 } });
    const why = (await gate.pass({ urgent: true }).catch((error: unknown) => error)) as { retryAfterMs: number };
    expect(errorCode(why)).toBe('crm.rate-limited');
    expect(why.retryAfterMs).toBe(60_000);
  });

  it('keep part of Salesforce’s day for look-ups', async () => {
    const gate = new CrmLimits(Date.now).gateOf(salesforce());
    const day = (used: number): SaidOfLimits => ({ day: { used, limit: 1_000 } });
    (await gate.pass({}))(day(899));
    (await gate.pass({}))(day(900));
    expect(errorCode(await gate.pass({}).catch((error: unknown) => error))).toBe('crm.rate-limited');
    (await gate.pass({ urgent: true }))(day(901));
    await vi.advanceTimersByTimeAsync(900_000);
    // one goes to look, and finds that the day has moved on
    (await gate.pass({}))(day(100));
    (await gate.pass({}))({});
  });

  it('are not looked at again and again while every place is taken', async () => {
    const gate = new CrmLimits(Date.now).gateOf(salesforce());
    for (let n = 0; n < 6; n += 1) gate.pass({ urgent: true }).catch(() => {});
    await vi.advanceTimersByTimeAsync(1);
    const looks = vi.spyOn(globalThis, 'setTimeout');
    await vi.advanceTimersByTimeAsync(3_000);
    expect(looks.mock.calls.length).toBeLessThanOrEqual(4);
    looks.mockRestore();
    // and who waits is told in time all the same
    const late = gate.pass({ urgent: true }).catch((error: unknown) => errorCode(error));
    await vi.advanceTimersByTimeAsync(4_000);
    expect(await late).toBe('crm.rate-limited');
  });

  it('of Salesforce let few requests run at once', async () => {
    const gate = new CrmLimits(Date.now).gateOf(salesforce());
    const leaves: ((said: SaidOfLimits) => void)[] = [];
    for (let n = 0; n < 8; n += 1) void gate.pass({}).then((leave) => leaves.push(leave));
    await vi.advanceTimersByTimeAsync(10);
    expect(leaves).toHaveLength(5);
    leaves[0]?.({});
    await vi.advanceTimersByTimeAsync(10);
    expect(leaves).toHaveLength(6);
  });

  const inPortal = (id: string, portalId: string) =>
    ({
      id,
      crm: { kind: 'hubspot', apiUrl: 'https://api.hubapi.com', portalId, appId: '99', limits: {} },
    }) as unknown as { id: string; crm: TenantConfig['crm'] };

  it('of one account serve its tenants in turn, and a ringing call first, however much one of them has to write', async () => {
    const limits = new CrmLimits(Date.now);
    const done: string[] = [];
    const ask = (tenant: { id: string; crm: TenantConfig['crm'] }, what: string, request = {}): void => {
      void limits
        .gateOf(tenant)
        .pass(request)
        .then((leave) => {
          done.push(`${tenant.id} ${what}`);
          leave({});
        });
    };
    const [busy, calm] = [inPortal('busy', '1'), inPortal('calm', '1')];
    for (let n = 0; n < 300; n += 1) ask(busy, `log ${n}`);
    await vi.advanceTimersByTimeAsync(1_000);
    const before = done.length;
    ask(calm, 'log 0');
    ask(calm, 'log 1');
    ask(busy, 'who calls', { urgent: true, search: true });
    await vi.advanceTimersByTimeAsync(1_000);
    expect(done.slice(before, before + 5)).toEqual([
      'busy who calls',
      'calm log 0',
      expect.stringMatching(/^busy log/),
      'calm log 1',
      expect.stringMatching(/^busy log/),
    ]);
    // Together no more than one account is granted.
    await vi.advanceTimersByTimeAsync(8_000);
    expect(done.length).toBeLessThanOrEqual(110);
    expect(done.length).toBeGreaterThan(85);
  });

  it('of another account are its own: nobody waits for a tenant there, nor for its pause', async () => {
    const limits = new CrmLimits(Date.now);
    const gate = limits.gateOf(inPortal('busy', '1'));
    (await gate.pass({}))({ refused: { retryAfterMs: 60_000 } });
    for (let n = 0; n < 100; n += 1) gate.pass({}).catch(() => {});
    const other = limits.gateOf(inPortal('calm', '2'));
    (await other.pass({}))({});
    expect(limits.pausedUntil('busy' as never)).toBe(1_060_000);
    expect(limits.pausedUntil('calm' as never)).toBe(0);
    // Two tenants in one account are paused together: it is one limit.
    limits.gateOf(inPortal('second', '1'));
    expect(limits.pausedUntil('second' as never)).toBe(1_060_000);
  });

  it('of searches stop searches alone', async () => {
    const gate = new CrmLimits(Date.now).gateOf(inPortal('acme', '1'));
    (await gate.pass({ search: true, urgent: true }))({ refused: { retryAfterMs: 1_000, searchesOnly: true } });
    const at: [string, number][] = [];
    const ask = (what: string, request: object): void => {
      void gate.pass(request).then((leave) => {
        at.push([what, Date.now() - 1_000_000]);
        leave({});
      });
    };
    ask('search', { search: true, urgent: true });
    ask('log', {});
    await vi.advanceTimersByTimeAsync(3_000);
    expect(at.map(([what]) => what)).toEqual(['log', 'search']);
    expect(at[1]?.[1]).toBeGreaterThanOrEqual(1_000);
  });

  it('of searches are five in any second, and nearly that many are used', async () => {
    const gate = new CrmLimits(Date.now).gateOf(inPortal('acme', '1'));
    const at: number[] = [];
    for (let worker = 0; worker < 8; worker += 1)
      void (async () => {
        for (;;) {
          const leave = await gate.pass({ search: true, urgent: worker % 2 === 0 }).catch(() => null);
          if (leave === null) continue;
          at.push(Date.now());
          await new Promise((resolve) => setTimeout(resolve, 80));
          leave({});
        }
      })();
    await vi.advanceTimersByTimeAsync(20_000);
    const most = Math.max(...at.map((from) => at.filter((time) => time >= from && time < from + 1_000).length));
    expect(most).toBe(5);
    expect(at.length).toBeGreaterThanOrEqual(80);
  });
});
