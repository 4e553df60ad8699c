/** Logs that wait together are written together, and what goes wrong with one is its own affair. */
import { randomUUID } from 'node:crypto';
import { PatchcordError } from '@patchcord/call-protocol';
import { afterEach, expect, it } from 'vitest';
import {
  adminToken,
  answeredCall,
  envelopes,
  type RelayInTest,
  startRelayInTest,
  testConfig,
} from './relay-in-test.ts';

let cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});
const away = new PatchcordError('crm.unavailable', 'The CRM answered 503.', { retryable: true });
const colleague = answeredCall.map((one) =>
  one.name === 'call.started' ? { ...one, data: { direction: 'inbound', farSide: { number: '202' } } } : one,
);

/** A relay whose CRM is away, with so many logs waiting, and a count of how they are written from now on. */
async function waiting(
  count: number,
  delivery = { leaseMs: 5_000, firstRetryMs: 200, longestRetryMs: 400, attempts: 20 },
) {
  const one = await startRelayInTest(testConfig({ delivery }));
  cleanups.push(one.closed);
  const panel = await one.connect((await one.signIn()).token);
  let open = false;
  const batches: number[] = [];
  const singles: string[] = [];
  const { writeLogs } = one.crm;
  const writeLog = one.crm.writeLog.bind(one.crm);
  if (writeLogs === undefined) throw new Error('the memory CRM takes batches');
  Object.assign(one.crm, {
    writeLog: (...args: Parameters<typeof writeLog>) => {
      if (!open) throw away;
      singles.push(args[0].callId);
      return writeLog(...args);
    },
    writeLogs: async (...args: Parameters<typeof writeLogs>) => {
      if (!open) throw away;
      batches.push(args[0].length);
      const before = singles.length;
      const written = await writeLogs(...args);
      singles.splice(before);
      return written;
    },
  });
  const callIds = Array.from({ length: count }, () => randomUUID());
  for (const callId of callIds) {
    panel.publish(...envelopes(callId, colleague));
    await panel.acknowledged();
  }
  return {
    one,
    panel,
    callIds,
    batches,
    singles,
    back: () => {
      open = true;
    },
  };
}
const depth = async (one: RelayInTest): Promise<string | undefined> =>
  /patchcord_outbox_effects\{kind="crm\.log",state="waiting"\} (\d+)/.exec(
    await (await one.fetch('/metrics')).text(),
  )?.[1];

it('writes what waited through an outage in batches, each once', async () => {
  const { one, callIds, batches, singles, back } = await waiting(40);
  back();
  await expect.poll(() => one.crm.logs().length, { timeout: 20_000 }).toBe(40);
  expect([...one.crm.logs().map(({ callId }) => callId)].sort()).toEqual([...callIds].sort());
  // one log saw that the CRM is back; the others came together
  expect(singles.length).toBeLessThanOrEqual(3);
  expect(batches.reduce((sum, size) => sum + size, 0)).toBeGreaterThanOrEqual(37);
});

it('asks a CRM that is down with one log at a time', async () => {
  const { one, back } = await waiting(12, { leaseMs: 5_000, firstRetryMs: 20, longestRetryMs: 40, attempts: 20 });
  const retried = async (): Promise<number> =>
    Number(
      /patchcord_deliveries_total\{kind="crm\.log",result="retried"\} (\d+)/.exec(
        await (await one.fetch('/metrics')).text(),
      )?.[1] ?? 0,
    );
  const before = await retried();
  await expect.poll(retried, { timeout: 20_000 }).toBeGreaterThan(before + 3);
  expect(await depth(one)).toBe('12');
  back();
  await expect.poll(() => one.crm.logs().length, { timeout: 20_000 }).toBe(12);
});

it('gives up the one log that the CRM refuses, and says why for that one alone', async () => {
  const { one, panel, back } = await waiting(10);
  back();
  one.crm.fail({ when: 'before', error: new PatchcordError('crm.invalid', 'No such field.') });
  await expect.poll(() => one.crm.logs().length, { timeout: 20_000 }).toBe(9);
  const list = (await (await one.fetch('/v1/admin/deliveries?tenant=acme', { token: adminToken })).json()) as {
    deliveries: { id: string; reason: string }[];
  };
  expect(list.deliveries).toMatchObject([{ reason: 'No such field.' }]);
  expect((await one.fetch('/v1/admin/deliveries/retry', { json: { tenant: 'acme' }, token: adminToken })).status).toBe(
    202,
  );
  await expect.poll(() => one.crm.logs().length, { timeout: 20_000 }).toBe(10);
  expect((await panel.event('log.saved')).subject).toBeDefined();
});

it('writes each for itself when a batch is refused as a whole', async () => {
  const { one, back, callIds } = await waiting(8);
  Object.assign(one.crm, {
    writeLogs: () => Promise.reject(new PatchcordError('crm.invalid', 'The request is too large.')),
  });
  back();
  await expect.poll(() => one.crm.logs().length, { timeout: 20_000 }).toBe(callIds.length);
});
