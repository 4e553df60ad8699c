/**
 * Listens along: what a call sends and what is heard of its far side, as two channels, in frames on the call's clock. Owns the audio graph for that.
 * It stands beside the way of the sound, never in it: whatever becomes of it, the call is heard as before.
 */
import type { CallId, SoundFrame } from '@patchcord/call-protocol';
import type { SoundPort } from '../ports.ts';
import { Ear } from './ear.ts';
import { FrameClock } from './frame-clock.ts';
import { workletAddress } from './worklet-address.ts';

export interface SoundTapOptions {
  readonly sound: Pick<SoundPort, 'flowOf' | 'onFlow'>;
  readonly newAudioContext?: () => AudioContext;
}

export interface TappedCall {
  /** The call's clock was put forward. */
  clockMoved(): void;
  /** Tells the frame that was held back, and then no more. */
  stop(): void;
}

export interface SoundTap {
  /**
   * Hears a call until it is stopped: every frame once, in order, 100 ms after it was heard. A side that is silent is left out of it.
   * @param callMs how long ago the call was answered, by a clock that never jumps
   * @param failed nothing is heard: this browser can't
   */
  listen(call: CallId, callMs: () => number, hear: (frame: SoundFrame) => void, failed: () => void): TappedCall;
  /** Opens what the first call would wait for. */
  prepare(): void;
  /** Nobody is to be heard for a while: lets go of the audio, unless a call is heard. */
  rest(): void;
  close(): void;
}

const gestures = ['pointerdown', 'keydown'] as const;

/** Opens nothing before it is asked to listen, or to prepare. */
export function createSoundTap(options: SoundTapOptions): SoundTap {
  const { sound, newAudioContext = () => new AudioContext() } = options;
  const ears = new Set<Ear>();
  let opening: Promise<AudioContext> | null = null;
  let opened: AudioContext | null = null;

  function open(): Promise<AudioContext> {
    if (opening !== null) return opening;
    const mine = load().catch((error: unknown) => {
      if (opening === mine) shut();
      throw error;
    });
    opening = mine;
    return mine;
  }

  async function load(): Promise<AudioContext> {
    const context = newAudioContext();
    opened = context;
    await context.audioWorklet.addModule(workletAddress());
    if (opened !== context) throw new Error('Nobody wants to listen any more.');
    context.addEventListener('statechange', changed);
    for (const gesture of gestures) globalThis.addEventListener?.(gesture, resume, { capture: true });
    resume();
    return context;
  }

  function changed(): void {
    for (const ear of ears) ear.stoodStill();
    resume();
  }

  /** A page that was never clicked, or a phone call to the same device, stops a context. */
  function resume(): void {
    if (opened !== null && opened.state !== 'running') void opened.resume().catch(() => {});
  }

  function shut(): void {
    for (const gesture of gestures) globalThis.removeEventListener?.(gesture, resume, { capture: true });
    opened?.removeEventListener('statechange', changed);
    void opened?.close().catch(() => {});
    opened = null;
    opening = null;
  }

  const stopFlow = sound.onFlow(() => {
    for (const ear of ears) ear.follow();
  });

  return {
    listen(call, callMs, hear, failed) {
      const clock = new FrameClock();
      let ear: Ear | null = null;
      let over = false;
      open()
        .then((context) => {
          if (over) return;
          ear = new Ear(context, () => sound.flowOf(call), clock, callMs, hear);
          ears.add(ear);
        })
        .catch(() => {
          if (!over) failed();
        });
      return {
        clockMoved: () => clock.forget(),
        stop() {
          over = true;
          ear?.close();
          if (ear !== null) ears.delete(ear);
        },
      };
    },
    prepare: () => void open().catch(() => {}),
    rest() {
      if (ears.size === 0) shut();
    },
    close() {
      stopFlow();
      for (const ear of ears) ear.close();
      ears.clear();
      shut();
    },
  };
}
