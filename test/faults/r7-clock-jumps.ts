/**
 * R7: the clock of a relay jumps, by an hour and by more than a day, both ways, while it works. Counts what was accepted although its time was over
 * or it had been used, what was refused although its time had not come, and what got stuck: a log that waits for a time that has become
 * far. The relay is a real one, its clock is given to it.
 */
import { randomUUID } from 'node:crypto';
import { type Credentials, PatchcordError } from '@patchcord/call-protocol';
import { type CrmRelay, createMemoryRelay } from '@patchcord/crm-adapters/relay';
import type { Drill } from '../drill.ts';
import { answeredCall, envelopes, phoneKey, startRelayInTest, testConfig } from '../unit/server/relay-in-test.ts';

const hourMs = 3_600_000;
/** A log that nobody holds up is written within this, real time. */
const patienceMs = 8_000;

interface Counts {
  tried: number;
  acceptedLate: number;
  refusedEarly: number;
  replayed: number;
  stuck: number;
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function jumpBy(jumpMs: number, counts: Counts): Promise<void> {
  let offset = 0;
  const now = (): number => Date.now() + offset;
  let down = false;
  const memory = createMemoryRelay();
  const whenUp = <T>(write: () => T): T => {
    if (down) throw new PatchcordError('crm.unavailable', 'The CRM is away.', { retryable: true });
    return write();
  };
  const crm: CrmRelay = {
    ...memory,
    writeLog: (log, writer, logId) => whenUp(() => memory.writeLog(log, writer, logId)),
    ...(memory.writeLogs === undefined
      ? {}
      : { writeLogs: (batch) => whenUp(() => memory.writeLogs?.(batch) ?? Promise.resolve([])) }),
  };
  const relay = await startRelayInTest(
    testConfig({ delivery: { leaseMs: 2_000, firstRetryMs: 500, longestRetryMs: 1_000, attempts: 50 } }),
    { now, connectCrm: () => crm, housekeepingMs: 200 },
  );
  const expect = (kind: 'acceptedLate' | 'refusedEarly' | 'replayed' | 'stuck', good: boolean): void => {
    counts.tried += 1;
    if (!good) counts[kind] += 1;
  };
  const isKnown = async (token: string): Promise<boolean> => (await relay.fetch('/v1/calls', { token })).status === 200;
  const useCode = async (code: string): Promise<boolean> =>
    (await relay.fetch('/v1/sessions', { json: { device: randomUUID(), proof: { kind: 'pairing-code', code } } }))
      .status === 201;
  /** The same proof of possession as before. */
  const replay = async (token: string, headers: Readonly<Record<string, string>>): Promise<number> =>
    (await fetch(`${relay.relay.url}/v1/calls`, { headers: { ...headers, 'x-of': token.slice(0, 1) } })).status;
  const written = async (callId: string): Promise<boolean> => {
    const end = Date.now() + patienceMs;
    while (Date.now() < end) {
      if (memory.logs().some((log) => log.callId === callId)) return true;
      await sleep(50);
    }
    return false;
  };

  try {
    const { token, expiresAt } = await relay.signIn();
    let panel = await relay.connect(token);
    /** A socket may have ended with its session: whoever publishes after a jump has signed in again. */
    const signInAgain = async (): Promise<void> => {
      panel = await relay.connect((await relay.signIn()).token);
    };
    const publish = async (): Promise<string> => {
      const callId = randomUUID();
      panel.publish(...envelopes(callId, answeredCall));
      await panel.acknowledged();
      return callId;
    };
    const unused = await relay.relay.createPairingCode('acme', 'bob');
    const used = await relay.relay.createPairingCode('acme', 'bob');
    expect('refusedEarly', await useCode(used.code));
    const headers = phoneKey.headers({ method: 'GET', url: `${relay.relay.url}/v1/calls`, token, now: now() });
    expect('refusedEarly', (await replay(token, headers)) === 200);
    expect('replayed', (await replay(token, headers)) === 401);

    // A log that backs off when the clock jumps, and one under way.
    down = true;
    const waiting = await publish();
    await sleep(700);

    offset = jumpMs;
    // Housekeeping forgets in between what it may forget.
    await sleep(500);
    down = false;
    expect('stuck', await written(waiting));
    await signInAgain();
    const fresh = await publish();
    expect('stuck', await written(fresh));
    if (jumpMs > 0) {
      expect('acceptedLate', !(await useCode(unused.code)));
      // Sessions say themselves when they end.
      if (expiresAt < now()) expect('acceptedLate', !(await isKnown(token)));
    }
    expect('replayed', !(await useCode(used.code)));
    expect('replayed', (await replay(token, headers)) === 401);
    const again = await relay.signIn('bob').catch(() => null);
    expect('refusedEarly', again !== null);
    if (again !== null) {
      const response = await relay.fetch('/v1/credentials', { method: 'POST', token: again.token, json: {} });
      const credentials =
        response.status === 201 || response.status === 200 ? ((await response.json()) as Credentials) : null;
      const lives = (credentials?.sip?.expiresAt ?? 0) - now();
      // As long as it is meant to live on the clock that the edge reads, and no longer.
      expect('acceptedLate', lives <= 605_000);
      expect('refusedEarly', lives > 500_000);
    }

    // The clock is put right again: nothing that was used or ended works once more, and nothing waits for the future it saw.
    down = true;
    const between = await publish();
    await sleep(700);
    offset = 0;
    await sleep(500);
    down = false;
    expect('stuck', await written(between));
    await signInAgain();
    expect('stuck', await written(await publish()));
    expect('replayed', (await replay(token, headers)) === 401);
    expect('replayed', !(await useCode(used.code)));
  } finally {
    await relay.closed();
  }
}

export const drill: Drill = {
  about:
    'the clock jumps by ±1 h and ±25 h and back: nothing used or ended is accepted, nothing waits for a time that has become far',
  async run({ short, say }) {
    const counts: Counts = { tried: 0, acceptedLate: 0, refusedEarly: 0, replayed: 0, stuck: 0 };
    const jumps = short ? [25 * hourMs, -25 * hourMs] : [hourMs, -hourMs, 25 * hourMs, -25 * hourMs];
    for (const jumpMs of jumps) {
      await jumpBy(jumpMs, counts);
      say(`${jumpMs / hourMs} h: ${JSON.stringify(counts)}`);
    }
    const { tried, ...wrong } = counts;
    const failed = Object.values(wrong).reduce((sum, count) => sum + count, 0);
    return {
      passed: failed === 0 && tried > 0,
      n: tried,
      lost: counts.stuck,
      duplicated: counts.replayed,
      failed,
      ...wrong,
    };
  },
};
