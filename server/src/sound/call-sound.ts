/**
 * The sound of one call on its way to the speech service and to its recording: frames into two channels, each frame once and in order, what did not
 * arrive marked, and from where on a relay that starts anew needs it again. Owns that order. Never waits, and never says that there is too much: what
 * a service does not take costs words, not the call.
 */
import { recordedSoundKeptMs, type SoundBytes, soundKeptMs, type TranscriptLine } from '@patchcord/call-protocol';
import type { Channel, ChannelOptions } from '../speech/channel-contract.ts';
import type { SpeechRequest, SpeechToText } from '../speech/speech-to-text.ts';
import type { SoundPosition } from '../store/contract.ts';
import { addedTime } from './added-time.ts';
import type { CallRecorder } from './call-recorder.ts';
import { Side, shortestGapMs } from './side.ts';
import { Allowance } from './sound-allowance.ts';
import type { SoundMetrics } from './sound-metrics.ts';

type ServiceState = 'there' | 'away' | 'refused';

export interface CallSoundOptions {
  readonly service: SpeechToText;
  readonly request: SpeechRequest;
  readonly createChannel: (options: ChannelOptions) => Channel;
  /** Null: nothing of this call was heard before. */
  readonly position: SoundPosition | null;
  /** Null: this call is not to be recorded. */
  readonly recorder: CallRecorder | null;
  /** Resolves when a final line stays as it is, wherever it stays. Never rejects. */
  readonly tell: (line: TranscriptLine) => Promise<void>;
  /** What was heard from `atMs` of the call on and is still held back must not be told. */
  readonly forget: (atMs: number) => void;
  /** A change only. */
  readonly onService: (state: ServiceState, message: string) => void;
  readonly metrics: SoundMetrics;
  readonly now: () => number;
  readonly random: () => number;
}

/** Of new sound that may come at once: what a phone keeps, and some of the next. */
const aheadMs = 15_000;
/** Frames that are remembered until they are settled: more than a phone keeps of them. */
const mostFrames = 8_192;
/** No call is longer. */
const longestCallMs = 86_400_000;
const samplesPerMs = 16;
const bytesPerMs = 2 * samplesPerMs;
const states: readonly ServiceState[] = ['there', 'away', 'refused'];

function wellService(): { state: ServiceState; message: string } {
  return { state: 'there', message: '' };
}

export class CallSound {
  readonly #options: CallSoundOptions;
  readonly #agent: Side;
  readonly #farSide: Side;
  readonly #added: ReturnType<typeof addedTime>;
  readonly #allowance: Allowance;
  readonly #service = { agent: wellService(), farSide: wellService() };
  #told: ServiceState = 'there';
  /** Frames that are not settled, oldest first. */
  #frames: { readonly number: number; readonly endMs: number }[] = [];
  /** The frame that comes next. */
  #next: number;
  #heardTo: number;
  /** Nothing between the last frame and the next one can have been kept by the page: it is another page, or the same one anew. */
  #isBroken = false;
  #pausedAt: number | null = null;
  #settled: { next: number; ms: number };

  constructor(options: CallSoundOptions) {
    const from = options.position ?? { next: 0, ms: 0, agent: { line: 0, ms: 0 }, farSide: { line: 0, ms: 0 } };
    this.#options = options;
    this.#next = from.next;
    this.#heardTo = from.ms;
    this.#settled = { next: from.next, ms: from.ms };
    this.#allowance = new Allowance(
      (options.recorder === null ? soundKeptMs : recordedSoundKeptMs) + aheadMs,
      1.1,
      options.now(),
    );
    this.#added = addedTime(options.service, options.metrics);
    this.#agent = this.#side('agent', from.agent);
    this.#farSide = this.#side('far-side', from.farSide);
  }

  /** A page is there with this call's sound, perhaps another one. @returns the frame to begin with */
  attach(): number {
    if (this.#heardTo > 0) this.#isBroken = true;
    const missingMs = this.#options.recorder?.attach(this.#heardTo) ?? null;
    const missing = missingMs === null ? undefined : this.#frames.find(({ endMs }) => endMs > missingMs);
    return missing?.number ?? this.#next;
  }

  /**
   * Takes a frame. `repeated`: it was heard before, and is dropped. `too-much`: a call can't have that much sound; whoever sends it is no phone.
   * `malformed`: it can't be of this call.
   */
  take(frame: SoundBytes): 'heard' | 'repeated' | 'too-much' | 'malformed' {
    const { frames } = this.#options.metrics;
    const result = this.#take(frame);
    frames.inc({ result: result === 'heard' || result === 'repeated' ? result : 'refused' });
    return result;
  }

  /** Nothing is to be heard from `atMs` of the call on, until a frame begins later. */
  pause(atMs: number): void {
    if (this.#pausedAt !== null && this.#pausedAt <= atMs) return;
    this.#pausedAt = atMs;
    this.#options.forget(atMs);
    this.#options.recorder?.forget(atMs);
    for (const side of [this.#agent, this.#farSide]) side.forget(atMs);
  }

  /** What is done, for whoever goes on with this call. */
  position(): SoundPosition {
    const agent = this.#agent.position(this.#heardTo);
    const farSide = this.#farSide.position(this.#heardTo);
    const recordedMs = this.#options.recorder?.settledMs(this.#heardTo) ?? this.#heardTo;
    const ms = Math.min(agent.ms, farSide.ms, recordedMs);
    let done = 0;
    for (const { number, endMs } of this.#frames) {
      if (endMs > ms) break;
      this.#settled = { next: number + 1, ms: endMs };
      done += 1;
    }
    if (done > 0) this.#frames = this.#frames.slice(done);
    return { ...this.#settled, agent, farSide };
  }

  get service(): { readonly state: ServiceState; readonly message: string } {
    const { agent, farSide } = this.#service;
    return states.indexOf(agent.state) >= states.indexOf(farSide.state) ? agent : farSide;
  }

  /**
   * Waits for the last words; what is held back because more may follow is for the caller to let go.
   * @param isLast Nobody is expected to go on with this call: what was not heard is marked
   */
  async finish(withinMs: number, isLast: boolean): Promise<void> {
    const recorded = this.#options.recorder?.finish(withinMs);
    await Promise.all([this.#agent.finish(withinMs, isLast), this.#farSide.finish(withinMs, isLast), recorded]);
  }

  /** Resolves when every final line is where it stays. */
  async settled(): Promise<void> {
    await Promise.all([this.#agent.settled(), this.#farSide.settled()]);
  }

  /** Ends at once; nothing is told any more. */
  drop(): void {
    this.#agent.drop();
    this.#farSide.drop();
    this.#options.recorder?.drop();
  }

  #take(frame: SoundBytes): 'heard' | 'repeated' | 'too-much' | 'malformed' {
    const lengthMs = frame.samples / samplesPerMs;
    const endMs = frame.startMs + lengthMs;
    if (frame.number < this.#next) {
      // What the recording lacks is sent again; it knows what it has. More than was heard of the call it can't be.
      if (endMs <= this.#heardTo) this.#record(frame, endMs);
      return 'repeated';
    }
    if (endMs > longestCallMs) return 'malformed';
    if (!this.#allowance.take(lengthMs, this.#options.now())) return 'too-much';
    const missing = frame.number > this.#next;
    this.#next = frame.number + 1;
    // A clock that went back, or a frame that overlaps the one before: a channel hears each moment once.
    if (endMs <= this.#heardTo) return 'repeated';
    this.#mark(frame.startMs, missing || this.#isBroken);
    this.#isBroken = false;
    this.#hear(frame, endMs);
    this.#heardTo = endMs;
    this.#frames.push({ number: frame.number, endMs });
    if (this.#frames.length > mostFrames) this.#frames = this.#frames.slice(mostFrames / 2);
    return 'heard';
  }

  #hear(frame: SoundBytes, endMs: number): void {
    const from = Math.max(frame.startMs, this.#heardTo);
    const to = Math.min(endMs, this.#pausedAt ?? endMs);
    const first = Math.round(from - frame.startMs) * bytesPerMs;
    const last = Math.round(to - frame.startMs) * bytesPerMs;
    this.#record(frame, endMs);
    this.#added.arrived();
    const hear = (side: Side, pcm: Uint8Array | null): void => {
      if (pcm === null || first >= last) return;
      side.hear(
        first === 0 && last >= pcm.byteLength ? pcm : pcm.subarray(first, last),
        frame.startMs + first / bytesPerMs,
      );
    };
    hear(this.#agent, frame.agent);
    hear(this.#farSide, frame.farSide);
    this.#added.passed();
  }

  #record(frame: SoundBytes, endMs: number): void {
    this.#options.recorder?.hear(frame, Math.min(endMs, this.#pausedAt ?? endMs));
  }

  /** Says what was not heard between the last frame and this one. A page that sends nothing for a while, with no frame missing, heard nothing. */
  #mark(startMs: number, isLost: boolean): void {
    const from = this.#heardTo;
    const paused = this.#pausedAt;
    if (paused !== null && startMs >= paused) {
      this.#pausedAt = null;
      // Sound before the pause that is missing is less than what the pause itself tells.
      this.#gap('paused', Math.min(paused, startMs), startMs);
    } else if (isLost) this.#gap('lost', from, startMs);
  }

  /** A gap is of both sides, and told once: what the far side said is what nobody can ask for again. */
  #gap(why: 'lost' | 'paused', startMs: number, endMs: number): void {
    if (endMs <= startMs) return;
    if (why === 'paused' || endMs - startMs >= shortestGapMs) this.#farSide.mark(why, startMs, endMs);
  }

  #side(speaker: 'agent' | 'far-side', from: SoundPosition['agent']): Side {
    const { request, createChannel, tell, metrics, now, random } = this.#options;
    const own = speaker === 'agent' ? this.#service.agent : this.#service.farSide;
    const side = new Side({
      speaker,
      from,
      tell: (line) => {
        if (line.gap !== undefined) metrics.gaps.inc({ why: line.gap });
        else if (line.text !== '') metrics.lines.inc({ kind: line.final ? 'final' : 'partial' });
        const told = tell(line);
        this.#added.told();
        return told;
      },
      openChannel: (firstLine, onLine) =>
        createChannel({
          service: this.#added.service,
          request,
          firstLine,
          onLine,
          onService: (state, message) => {
            Object.assign(own, { state, message });
            side.serviceIs(state);
            const { state: worst, message: why } = this.service;
            if (worst === this.#told) return;
            this.#told = worst;
            this.#options.onService(worst, why);
          },
          now,
          random,
        }),
    });
    return side;
  }
}
