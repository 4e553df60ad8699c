/**
 * A speech-to-text service without a wire, on whatever clock the test has: a run of equal samples is a word that is named by its value, so that what was
 * sent twice, not at all or cut is seen in the words. Silence (zeros) ends an utterance.
 */
import type {
  Heard,
  SpeechEnd,
  SpeechListener,
  SpeechSession,
  SpeechToText,
} from '../../../../server/src/speech/speech-to-text.ts';

/** Samples of a word; its number is at least 0, at most 30000. */
const firstValue = 1_000;
const rate = 16;
const mostEarly = 32_000;
/** Less of a word is no word. */
const leastMs = 50;

/** 16 kHz PCM16 that a fake service hears as this word. */
export function wordSound(number: number, ms: number): Uint8Array {
  return new Uint8Array(new Int16Array(ms * rate).fill(firstValue + number).buffer);
}

export interface FakeSession {
  /** Sound that was sent, ms, and the words in it whether told or not. */
  readonly soundMs: number;
  readonly isOver: boolean;
  readonly isFinishing: boolean;
  readonly words: readonly string[];
  end(end: SpeechEnd): void;
  hear(words: Heard): void;
  waitingBytes: number;
}

export interface FakeService extends SpeechToText {
  readonly sessions: FakeSession[];
  /** The one that is open. */
  readonly current: FakeSession | undefined;
  /** From the end of an utterance to its final; null: never. */
  finalAfterMs: () => number | null;
  /** An utterance ends after so much silence, or so many words. */
  pauseMs: number;
  mostWords: number;
  mute: boolean;
  openWith: SpeechEnd | undefined;
  /** Until it takes sound. Before that a session keeps a second, and what is older is gone. */
  answerAfterMs: number;
}

interface Word {
  readonly text: string;
  readonly startMs: number;
  readonly endMs: number;
}

export function createFakeService(): FakeService {
  const sessions: FakeSession[] = [];
  const service: FakeService = {
    sessions,
    get current() {
      return sessions.findLast((session) => !session.isOver);
    },
    finalAfterMs: () => 300,
    pauseMs: 300,
    mostWords: 12,
    mute: false,
    openWith: undefined,
    answerAfterMs: 20,
    open: (_request, listener) => openFake(service, listener),
  };
  return service;
}

function openFake(service: FakeService, listener: SpeechListener): SpeechSession {
  let samples = 0;
  let run = { value: 0, length: 0 };
  let silent = 0;
  let utterance = 0;
  let words: Word[] = [];
  const all: string[] = [];
  let isOver = false;
  let isFinishing = false;
  let pending = 0;
  let finalAt = 0;
  const timers = new Set<NodeJS.Timeout>();

  const end = (why: SpeechEnd): void => {
    if (isOver) return;
    isOver = true;
    for (const timer of timers) clearTimeout(timer);
    listener.ended(why);
  };
  const say = (heard: Heard): void => {
    if (!isOver && !service.mute) listener.heard(heard);
  };
  const told = (final: boolean): Heard => ({
    utterance: String(utterance),
    text: words.map((word) => word.text).join(' '),
    startMs: words[0]?.startMs ?? 0,
    endMs: words.at(-1)?.endMs ?? 0,
    final,
  });
  const close = (): void => {
    if (words.length === 0) return;
    const heard = told(true);
    utterance++;
    words = [];
    const afterMs = service.finalAfterMs();
    if (afterMs === null) return;
    pending++;
    // finals come in the order of their sound
    finalAt = Math.max(finalAt, Date.now() + afterMs);
    const timer = setTimeout(() => {
      timers.delete(timer);
      pending--;
      say(heard);
      finishIfTold();
    }, finalAt - Date.now());
    timers.add(timer);
  };
  const endRun = (): void => {
    const { value, length } = run;
    run = { value: 0, length: 0 };
    if (value < firstValue || length < leastMs * rate) return;
    const word = {
      text: `w${value - firstValue}`,
      startMs: Math.round((samples - length) / rate),
      endMs: Math.round(samples / rate),
    };
    words.push(word);
    all.push(word.text);
    say(told(false));
    if (words.length >= service.mostWords) close();
  };
  const finishIfTold = (): void => {
    if (isFinishing && pending === 0) end({ why: 'finished', message: 'told everything' });
  };

  const session: FakeSession = {
    get soundMs() {
      return samples / rate;
    },
    get isOver() {
      return isOver;
    },
    get isFinishing() {
      return isFinishing;
    },
    words: all,
    end,
    hear: say,
    waitingBytes: 0,
  };
  service.sessions.push(session);
  let early: Uint8Array[] | null = [];
  const earlyBytes = (): number => (early ?? []).reduce((sum, pcm) => sum + pcm.byteLength, 0);
  const take = (pcm: Uint8Array): void => {
    const view = new DataView(pcm.buffer, pcm.byteOffset, pcm.byteLength);
    for (let at = 0; at < pcm.byteLength; at += 2) {
      const value = view.getInt16(at, true);
      if (value !== run.value) endRun();
      run = { value, length: run.length + 1 };
      samples++;
      silent = value === 0 ? silent + 1 : 0;
      if (silent === service.pauseMs * rate) close();
    }
  };
  const conclude = (): void => {
    endRun();
    close();
    if (service.finalAfterMs() !== null) setTimeout(finishIfTold, 10);
  };
  const answer = setTimeout(() => {
    timers.delete(answer);
    if (service.openWith !== undefined) return end(service.openWith);
    if (!service.mute) listener.opened?.();
    const kept = early ?? [];
    early = null;
    for (const pcm of kept) take(pcm);
    if (isFinishing) conclude();
  }, service.answerAfterMs);
  timers.add(answer);

  return {
    send(pcm) {
      if (isOver) return;
      if (early === null) return take(pcm);
      early.push(pcm);
      while (earlyBytes() > mostEarly && early.length > 1) early.shift();
    },
    get waitingBytes() {
      return session.waitingBytes + earlyBytes();
    },
    finish(withinMs) {
      isFinishing = true;
      const timer = setTimeout(() => end({ why: 'away', message: 'late' }), withinMs);
      timers.add(timer);
      if (early === null) conclude();
    },
    drop() {
      isOver = true;
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
