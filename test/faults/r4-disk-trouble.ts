/**
 * R4: the disk is full, may only be read, is held by somebody else, or comes back with a torn end. A real relay with a small disk of its own: while
 * it can't keep anything it must acknowledge nothing and say that it is not ready; when the trouble is over it must go on without a restart
 * and without a hand, with everything it ever acknowledged. Mounts a small file system, so it needs root.
 */
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { appendFile, mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type CallId, errorCode, type RelayMessage } from '@patchcord/call-protocol';
import { openStore } from '../../server/src/store/open.ts';
import type { Drill } from '../drill.ts';
import { startWriter } from '../store/writer.ts';
import {
  answeredCall,
  envelopes,
  type Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
} from '../unit/server/relay-in-test.ts';
import { seeded } from './office.ts';

interface Counts {
  acknowledged: number;
  /** Publications that were refused, as they should be. */
  refused: number;
  lost: number;
  /** Said to be ready while it could keep nothing, or the other way round. */
  wrongHealth: number;
  notRecovered: number;
}

class Stage {
  readonly relay: RelayInTest;
  readonly counts: Counts;
  readonly kept: CallId[] = [];
  #panel: Panel | undefined;
  constructor(relay: RelayInTest, counts: Counts) {
    this.relay = relay;
    this.counts = counts;
  }

  /** Before the trouble: to sign in is to write, too. */
  async signIn(): Promise<void> {
    this.#panel = await this.relay.connect((await this.relay.signIn()).token);
  }

  /** Publishes one call; whether it was acknowledged. */
  async publish(noteBytes = 0): Promise<boolean> {
    const panel = this.#panel;
    if (panel === undefined) throw new Error('nobody is signed in');
    const callId = randomUUID() as CallId;
    const note = noteBytes === 0 ? [] : [{ name: 'wrap-up.saved', data: { note: 'x'.repeat(noteBytes) } } as const];
    panel.publish(...envelopes(callId, [...answeredCall, ...note]));
    const answer = await panel.next<RelayMessage>(({ type }) => type === 'acknowledged' || type === 'error');
    if (answer.type === 'acknowledged') {
      this.kept.push(callId);
      this.counts.acknowledged += 1;
      return true;
    }
    this.counts.refused += 1;
    return false;
  }

  async ready(): Promise<boolean> {
    return (await this.relay.fetch('/readyz')).status === 200;
  }

  /** Health must become this within the time, without anybody's help. */
  async becomes(ready: boolean, withinMs = 15_000): Promise<void> {
    const end = Date.now() + withinMs;
    while ((await this.ready()) !== ready) {
      if (Date.now() > end) {
        this.counts[ready ? 'notRecovered' : 'wrongHealth'] += 1;
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  async countLost(folder: string): Promise<void> {
    const store = await openStore({ kind: 'sqlite', folder });
    const found = await store.calls.readCalls(this.kept);
    this.counts.lost += this.kept.filter((id) => (found.get(id)?.events.length ?? 0) < answeredCall.length).length;
    await store.close();
  }
}

async function smallDisk<T>(folder: string, work: (disk: string) => Promise<T>): Promise<T> {
  const disk = join(folder, `disk-${randomUUID()}`);
  await mkdir(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m,mode=0700', 'tmpfs', disk]);
  try {
    return await work(disk);
  } finally {
    execFileSync('umount', [disk]);
  }
}

const remount = (disk: string, options: string): void => void execFileSync('mount', ['-o', `remount,${options}`, disk]);

/** Fills the disk by calls with long notes until one is refused, gives it room again. */
async function diskFull(folder: string, counts: Counts): Promise<void> {
  await smallDisk(folder, async (disk) => {
    const stage = new Stage(await startRelayInTest(testConfig(), { folder: disk }), counts);
    try {
      await stage.signIn();
      for (let n = 0; n < 400 && (await stage.publish(24_000)); n += 1);
      await stage.becomes(false);
      // Full is full: whatever is tried now is refused or truly kept.
      for (let n = 0; n < 3; n += 1) await stage.publish(24_000);
      remount(disk, 'size=64m');
      await stage.becomes(true);
      if (!(await stage.publish())) counts.notRecovered += 1;
    } finally {
      await stage.relay.closed();
    }
    await stage.countLost(disk);
  });
}

/** A disk that may only be read: the relay does not start, says so, and starts when it may be written. */
async function readOnly(folder: string, counts: Counts): Promise<void> {
  await smallDisk(folder, async (disk) => {
    remount(disk, 'ro');
    const refused: unknown = await startRelayInTest(testConfig(), { folder: disk }).catch((error: unknown) => error);
    if (errorCode(refused) === 'store.unavailable') counts.refused += 1;
    else counts.wrongHealth += 1;
    remount(disk, 'rw,size=16m');
    const stage = new Stage(await startRelayInTest(testConfig(), { folder: disk }), counts);
    await stage.signIn();
    if (!(await stage.publish())) counts.notRecovered += 1;
    await stage.relay.closed();
    await stage.countLost(disk);
  });
}

/** Another process holds the write lock for longer than the relay has patience. */
async function locked(folder: string, counts: Counts): Promise<void> {
  const data = join(folder, `locked-${randomUUID()}`);
  await mkdir(data);
  const stage = new Stage(await startRelayInTest(testConfig(), { folder: data }), counts);
  const holder = new DatabaseSync(join(data, 'patchcord.sqlite'), { timeout: 5_000 });
  try {
    await stage.signIn();
    await stage.publish();
    holder.exec('begin immediate');
    const [ready, published] = await Promise.all([stage.ready(), stage.publish()]);
    if (ready) counts.wrongHealth += 1;
    if (published) counts.lost += 1;
    holder.exec('rollback');
    await stage.becomes(true);
    if (!(await stage.publish())) counts.notRecovered += 1;
  } finally {
    holder.close();
    await stage.relay.closed();
  }
  await stage.countLost(data);
}

/** A power cut tears the page that was being written: the end of the log is half a frame, or noise. */
async function tornEnd(folder: string, counts: Counts, random: () => number, tears: number): Promise<void> {
  for (let tear = 0; tear < tears; tear += 1) {
    const data = join(folder, `torn-${tear}`);
    const writer = await startWriter({ location: { kind: 'sqlite', folder: data }, agent: 'ada', writers: 4 });
    await writer.until(20 + Math.floor(random() * 60));
    writer.child.kill('SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 20));
    const kept = [...writer.kept] as CallId[];
    await writer.kill();
    const log = join(data, 'patchcord.sqlite-wal');
    const noise = Buffer.from(
      Array.from({ length: 1 + Math.floor(random() * 9_000) }, () => Math.floor(random() * 256)),
    );
    // A torn frame that begins like the one before it: its header is right, its page is not.
    const file = await open(log, 'r');
    const { size } = await file.stat();
    const frame = Buffer.alloc(24 + 4_096);
    await file.read(frame, 0, frame.length, Math.max(32, size - frame.length));
    await file.close();
    await appendFile(log, tear % 2 === 0 ? noise : Buffer.concat([frame.subarray(0, 500), noise]));
    const store = await openStore({ kind: 'sqlite', folder: data });
    counts.acknowledged += kept.length;
    counts.lost += kept.length - (await store.calls.readCalls(kept)).size;
    await store.check().catch(() => {
      counts.notRecovered += 1;
    });
    await store.close();
  }
}

export const drill: Drill = {
  about:
    'the disk is full, read-only, locked or torn: nothing acknowledged that is not kept, health says so, recovers by itself',
  async run({ seed, short, say }) {
    if (process.getuid?.() !== 0) throw new Error('It mounts a small disk of its own: run it as root.');
    const folder = await mkdtemp(join(tmpdir(), 'patchcord-r4-'));
    const counts: Counts = { acknowledged: 0, refused: 0, lost: 0, wrongHealth: 0, notRecovered: 0 };
    try {
      for (let round = 0; round < (short ? 1 : 5); round += 1) await diskFull(folder, counts);
      say(`full disk: ${counts.acknowledged} acknowledged, ${counts.refused} refused`);
      await readOnly(folder, counts);
      for (let round = 0; round < (short ? 1 : 3); round += 1) await locked(folder, counts);
      say(`read-only and locked: ${counts.refused} refused`);
      await tornEnd(folder, counts, seeded(seed), short ? 2 : 20);
      const { acknowledged, refused, lost, wrongHealth, notRecovered } = counts;
      return {
        passed: lost + wrongHealth + notRecovered === 0 && acknowledged > 0 && refused > 0,
        n: acknowledged + refused,
        lost,
        failed: wrongHealth + notRecovered,
        acknowledged,
        refused,
        wrongHealth,
        notRecovered,
      };
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
};
