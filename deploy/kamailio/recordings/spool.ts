/**
 * rtpengine's folder of recordings, looked through again and again: each call that is over goes to the relay, and leaves. Owns the folder. Must never remove
 * what the relay neither has nor refuses, nor keep what it refuses.
 *
 *   pcaps/<name>.pcap                     the packets, from the first ring on
 *   metadata/rtpengine-meta-<name>.txt    written when the call is over
 *   tmp/rtpengine-meta-<name>.tmp         the same before
 *   refused/                              what can never be taken, with the reason beside it
 */
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { soundOf } from './call-sound.ts';
import { handOver, type Verdict } from './hand-over.ts';
import { readRecordedCall } from './recorded-call.ts';

export interface SpoolOptions {
  /** rtpengine's `recording-dir`. */
  readonly folder: string;
  /** `https://relay.example.com/v1/recordings/<tenant>/kamailio` */
  readonly url: string;
  /** Value of the Authorization header. */
  readonly authorization: string;
  readonly say: (line: string) => void;
  readonly now: () => number;
  /** A call that the relay does not know is asked about again after this long. Default 60 s. */
  readonly againMs?: number;
}

/** A call that nobody told the relay of for so long, while the relay answers, is none of its agents'. */
const unknownMs = 86_400_000;
/** What was begun so long ago and goes on no more was left behind by an rtpengine that died. */
const abandonedMs = 86_400_000;

export class Spool {
  readonly #options: SpoolOptions;
  /** Calls that the relay does not know (all of), since when, and when it is asked again. */
  readonly #unknown = new Map<string, { readonly since: number; readonly again: number }>();
  #said = '';

  constructor(options: SpoolOptions) {
    this.#options = options;
  }

  /** Goes through the folder once, oldest first, until the relay is away. @throws Error where the folder can't be read or written */
  async look(): Promise<void> {
    const { folder, now } = this.#options;
    await mkdir(join(folder, 'refused'), { recursive: true, mode: 0o700 });
    for (const name of await byAge(join(folder, 'metadata'), '.txt')) {
      if ((this.#unknown.get(name)?.again ?? 0) > now()) continue;
      if (!(await this.#ship(name))) return;
    }
    await this.#forgetAbandoned();
  }

  /** @returns false where the rest can wait as well */
  async #ship(name: string): Promise<boolean> {
    const { folder, say, now, againMs = 60_000 } = this.#options;
    const path = join(folder, 'metadata', name);
    let verdict: Verdict;
    let pcap = '';
    try {
      const call = readRecordedCall(await readFile(path, 'utf8'));
      pcap = join(folder, 'pcaps', basename(call.pcap));
      verdict = await this.#offer(call, pcap);
    } catch (error) {
      // It may have been handed over before a crash: the packets go first.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') verdict = { kind: 'taken', why: '' };
      else if ((error as NodeJS.ErrnoException).code === undefined)
        verdict = { kind: 'refused', why: String((error as Error).message) };
      else throw error;
    }
    if (verdict.kind === 'away') {
      this.#sayOnce(`the relay did not take a recording, it is kept: ${verdict.why}`);
      return false;
    }
    this.#said = '';
    if (verdict.kind === 'unknown') {
      const since = this.#unknown.get(name)?.since ?? now();
      this.#unknown.set(name, { since, again: now() + againMs });
      if (now() - since < unknownMs) return true;
    }
    if (verdict.kind === 'refused') await this.#putAside(path, pcap, verdict.why);
    else {
      await rm(pcap, { force: true });
      await rm(path, { force: true });
    }
    this.#unknown.delete(name);
    if (verdict.why !== '') say(`${name}: ${verdict.kind === 'refused' ? 'put aside' : 'removed'}: ${verdict.why}`);
    return true;
  }

  async #offer(call: ReturnType<typeof readRecordedCall>, pcap: string): Promise<Verdict> {
    const { url, authorization, say } = this.#options;
    if (call.answered === null) return { kind: 'unwanted', why: '' };
    const file = await open(pcap);
    try {
      const sound = await soundOf(call, file);
      if (sound.unreadable > 0)
        say(`${basename(pcap)}: ${sound.unreadable} packets are neither PCMU, PCMA nor Opus; their time is silence`);
      if (sound.bytes === 0) return { kind: 'unwanted', why: 'nothing was said in it that can be decoded' };
      const target = new URL(`${url}/sip/${encodeURIComponent(call.answered.sipCallId)}?channels=caller,callee`);
      return await handOver(target, authorization, sound.read(), sound.bytes);
    } finally {
      await file.close();
    }
  }

  async #putAside(metadata: string, pcap: string, why: string): Promise<void> {
    const aside = join(this.#options.folder, 'refused');
    await writeFile(join(aside, `${basename(metadata)}.why`), `${why}\n`, { mode: 0o600 });
    for (const path of [pcap, metadata]) {
      if (path !== '')
        await rename(path, join(aside, basename(path))).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error;
        });
    }
  }

  /** What rtpengine did not bring to an end, and never will. */
  async #forgetAbandoned(): Promise<void> {
    const { folder, now, say } = this.#options;
    const known = new Set((await byAge(join(folder, 'metadata'), '.txt')).map(nameOf));
    for (const pcap of await byAge(join(folder, 'pcaps'), '.pcap')) {
      const path = join(folder, 'pcaps', pcap);
      const touched = await stat(path).catch(() => null);
      if (known.has(nameOf(pcap)) || touched === null || now() - touched.mtimeMs < abandonedMs) continue;
      await rm(path, { force: true });
      await rm(join(folder, 'tmp', `rtpengine-meta-${nameOf(pcap)}.tmp`), { force: true });
      say(`${pcap}: removed: rtpengine did not bring it to an end`);
    }
  }

  #sayOnce(line: string): void {
    if (line !== this.#said) this.#options.say(line);
    this.#said = line;
  }
}

const nameOf = (file: string): string => file.replace(/^rtpengine-meta-/, '').replace(/\.[a-z]+$/, '');

/** Files of a folder that end so, the oldest first; none where there is no such folder yet. */
async function byAge(folder: string, end: string): Promise<readonly string[]> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  const found = names.filter((name) => name.endsWith(end));
  const aged = await Promise.all(
    found.map(async (name) => ({ name, at: (await stat(join(folder, name)).catch(() => null))?.mtimeMs ?? 0 })),
  );
  return aged.sort((a, b) => a.at - b.at).map(({ name }) => name);
}
