/**
 * Sends the sound of one call to the relay, over a socket of its own, and keeps the last of it for one that starts anew. Owns the connection: who we
 * are, which call, what was had already, what is to be recorded, trying again. A socket that does not drain loses sound at its oldest end. Must never hold anything else up,
 * and never send a sound that a pause has forbidden.
 */
import {
  type CallId,
  encodeSoundFrame,
  type SoundAnswer,
  SoundAnswerSchema,
  type SoundFrame,
  type SoundMessage,
  soundFrameMs,
} from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import * as v from 'valibot';
import type { LiveSocket } from '../live-link.ts';
import type { RelaySocket } from '../relay-client.ts';
import { SoundRing } from './sound-ring.ts';

/** Whether words can come: the relay is being connected to, it hears us, its service is away or refuses, or nobody transcribes this call. */
export type SoundService =
  | { readonly state: 'connecting' | 'there' | 'over'; readonly message: '' }
  | { readonly state: 'away' | 'refused'; readonly message: string };

/** Whether what is to be recorded is being kept. */
export type SoundRecorder = Pick<Extract<SoundAnswer, { readonly type: 'recorder' }>, 'state' | 'message'>;

export interface SoundSenderOptions {
  readonly call: CallId;
  readonly relay: RelaySocket;
  readonly clock: ClockPort;
  readonly random: () => number;
  /** What must be there before the relay gets sound; null: it is. Asked once the relay has answered. Never rejects. */
  readonly ready: () => Promise<void> | null;
  /** The number of the next frame, where none was heard yet. */
  readonly next: () => number;
  readonly onService: (service: SoundService) => void;
  readonly onRecorder: (recorder: SoundRecorder) => void;
  /** The relay has had more frames of this call than we knew of: count on from so many later. */
  readonly onAhead: (frames: number) => void;
}

export interface SoundSender {
  hear(frame: SoundFrame): void;
  /** Nothing may be heard from this time of the call on, ms; null: it may again. */
  pause(atMs: number | null): void;
  /** The sound from this time of the call on is to be kept, ms. */
  record(fromMs: number): void;
  /** No longer, from this time of the call on; what was kept stays. */
  recordNoMore(atMs: number): void;
  /** The call is over: what is left is sent, for some seconds. */
  end(): void;
  /** Somebody else goes on with the call, or nobody wants it: not another word. */
  drop(): void;
  /** The relay seems to be there: do not wait for the next attempt. */
  nudge(): void;
}

const firstDelayMs = 500;
/** Longer would lose sound for nothing: 30 s are kept. */
const longestDelayMs = 8_000;
const joinMs = 10_000;
/** About a second of both sides on its way is enough; the rest waits where it can be forgotten. */
const mostBuffered = 64_000;
/** A socket that takes nothing for so long is dead. */
const stuckMs = 10_000;
/** After the call: to send what is left, and to hear that it was enough. */
const farewellMs = 15_000;
/** The call is not transcribed, or the stream goes on over another connection: asking again is no use. */
const finalCodes: readonly number[] = [4403, 4404, 4409];
const doneCode = 1_000;

/** Connects at once. */
export function createSoundSender(options: SoundSenderOptions): SoundSender {
  const { call, relay, clock } = options;
  const ring = new SoundRing();
  let socket: LiveSocket | null = null;
  let listening = false;
  /** The relay has said once where to go on. */
  let known = false;
  /** The number of the next frame to send. */
  let cursor = 0;
  let pausedAt: number | null = null;
  /** What was said of recording, in order: a relay that starts anew is told all of it. */
  const recording: Extract<SoundMessage, { readonly type: 'record' | 'record-end' }>[] = [];
  let failures = 0;
  let timer: unknown = null;
  let stuckSince: number | null = null;
  let state: 'hearing' | 'ending' | 'said' | 'over' = 'hearing';
  let refused = false;
  /** Counts attempts, so that what an old one still awaits can't touch a new one. */
  let attempt = 0;

  function tell(service: SoundService): void {
    if (state !== 'over') options.onService(service);
  }

  function disconnect(): void {
    attempt += 1;
    clock.clearTimeout(timer);
    const old = socket;
    socket = null;
    listening = false;
    stuckSince = null;
    if (old === null) return;
    old.onopen = old.onmessage = old.onclose = old.onerror = null;
    try {
      old.close();
    } catch {
      // It never opened; it is gone either way.
    }
  }

  function finish(): void {
    if (state === 'over') return;
    tell({ state: 'over', message: '' });
    state = 'over';
    clock.clearTimeout(pumpTimer);
    clock.clearTimeout(farewell);
    disconnect();
    ring.forgetFrom(Number.NEGATIVE_INFINITY);
  }

  function retryLater(): void {
    disconnect();
    if (state === 'said') finish();
    if (state === 'over') return;
    tell({ state: 'connecting', message: '' });
    const ceiling = Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(failures, 10));
    failures += 1;
    timer = clock.setTimeout(() => void join(), ceiling * (0.5 + options.random() / 2));
  }

  async function join(): Promise<void> {
    disconnect();
    const mine = attempt;
    timer = clock.setTimeout(retryLater, joinMs);
    try {
      const shown = await relay.authentication();
      if (mine !== attempt) return;
      const opened = relay.openSocket(relay.url);
      socket = opened;
      opened.onopen = () => say({ type: 'authenticate', ...shown });
      opened.onmessage = ({ data }) => receive(data);
      opened.onclose = ({ code }) => {
        if (finalCodes.includes(code) || (code === doneCode && state === 'said')) finish();
        else retryLater();
      };
      opened.onerror = retryLater;
    } catch {
      if (mine === attempt) retryLater();
    }
  }

  function begin(): void {
    const mine = attempt;
    const ready = options.ready();
    const name = (): void => {
      if (mine === attempt) say({ type: 'call', call, from: ring.first()?.number ?? options.next() });
    };
    if (ready === null) name();
    else void ready.then(name);
  }

  function say(message: SoundMessage): void {
    send(JSON.stringify(message));
  }

  function send(data: string | Uint8Array<ArrayBuffer>): void {
    try {
      socket?.send(data);
    } catch {
      retryLater();
    }
  }

  function receive(data: unknown): void {
    const answer = read(data);
    switch (answer?.type) {
      case 'authenticated':
        begin();
        return;
      case 'listening':
        clock.clearTimeout(timer);
        failures = 0;
        goOn(answer.next);
        return;
      case 'settled':
        ring.settle(answer.next);
        return;
      case 'service':
        refused = answer.state === 'refused';
        tell(
          answer.state === 'there' ? { state: 'there', message: '' } : { state: answer.state, message: answer.message },
        );
        pump();
        return;
      case 'recorder':
        if (state !== 'over') options.onRecorder({ state: answer.state, message: answer.message });
        return;
      case 'error':
        if (answer.code.startsWith('identity.')) relay.tokenRefused();
        return;
      default:
    }
  }

  function goOn(next: number): void {
    const ours = ring.first()?.number ?? options.next();
    // A page before this one, or another device by its own clock, has counted further.
    if (!known && next > ours) {
      ring.shift(next - ours, (next - ours) * soundFrameMs);
      options.onAhead(next - ours);
    }
    known = true;
    cursor = next;
    listening = true;
    refused = false;
    tell({ state: 'there', message: '' });
    for (const message of recording) say(message);
    if (pausedAt !== null) say({ type: 'pause', atMs: timeOf(pausedAt) });
    pump();
  }

  function sayRecording(message: (typeof recording)[number]): void {
    if (state !== 'hearing') return;
    recording.push(message);
    ring.recorded = true;
    if (listening) say(message);
    pump();
  }

  /** As much as the socket takes. Who makes no words of it may keep it all the same. */
  function pump(): void {
    while (listening && socket !== null && (!refused || recording.length > 0)) {
      const frame = ring.first(cursor);
      if (frame === undefined) {
        sayEnd();
        return;
      }
      if ((socket.bufferedAmount ?? 0) >= mostBuffered) {
        waitForSocket();
        return;
      }
      stuckSince = null;
      cursor = frame.number + 1;
      send(encodeSoundFrame(frame));
    }
  }

  let pumpTimer: unknown = null;
  let farewell: unknown = null;

  function waitForSocket(): void {
    stuckSince ??= clock.now();
    if (clock.now() - stuckSince >= stuckMs) {
      retryLater();
      return;
    }
    clock.clearTimeout(pumpTimer);
    pumpTimer = clock.setTimeout(pump, soundFrameMs);
  }

  function sayEnd(): void {
    if (state !== 'ending') return;
    state = 'said';
    say({ type: 'end' });
  }

  tell({ state: 'connecting', message: '' });
  void join();

  return {
    hear(frame) {
      if (state !== 'hearing') return;
      ring.add(frame);
      pump();
    },
    pause(atMs) {
      if (state !== 'hearing') return;
      pausedAt = atMs;
      if (atMs === null) return;
      ring.forgetFrom(atMs);
      if (listening) say({ type: 'pause', atMs: timeOf(atMs) });
    },
    record: (fromMs) => sayRecording({ type: 'record', fromMs: timeOf(fromMs) }),
    recordNoMore: (atMs) => sayRecording({ type: 'record-end', atMs: timeOf(atMs) }),
    end() {
      if (state !== 'hearing') return;
      state = 'ending';
      farewell = clock.setTimeout(finish, farewellMs);
      pump();
    },
    drop: finish,
    nudge() {
      if (socket !== null || state === 'over') return;
      failures = 0;
      void join();
    },
  };
}

/** As the wire has it. */
const timeOf = (ms: number): number => Math.max(0, Math.round(ms));

function read(data: unknown): SoundAnswer | null {
  try {
    return v.parse(SoundAnswerSchema, JSON.parse(String(data)));
  } catch {
    // A newer relay may say what this panel does not know.
    return null;
  }
}
