/**
 * Two mouths that say what a test wants, when it wants it, in the language of tones: one of a caller, one in the place of the agent's microphone. Owns
 * what is being said; must know no call.
 */
import type { BrowserContext, Frame } from 'playwright-core';
import type { Voice } from '../../sandbox/src/switch/sound.ts';
import { SAMPLE_RATE } from '../../sandbox/src/switch/sound.ts';
import { toBytes } from '../speech/decode.ts';
import { speak, syllables } from '../speech/tone-alphabet.ts';
import { until } from './telephony.ts';

/** Long enough that a syllable is known although a busy processor tore it. */
export const syllableTimes = { toneMs: 140, gapMs: 60 } as const;
export const syllableMs = syllableTimes.toneMs + syllableTimes.gapMs;

/** What a caller of the sandbox switch says; silent in between. */
export class CallerVoice implements Voice {
  #samples = new Int16Array(0);
  #at = 0;
  /** ms of sound, silence and all, since somebody first heard this caller. */
  heardMs = 0;

  /** After what is being said already. */
  say(words: readonly string[]): void {
    const more = speak(words, { alphabet: 'far', rate: SAMPLE_RATE, ...syllableTimes });
    const left = this.#samples.subarray(this.#at);
    this.#samples = new Int16Array(left.length + more.length);
    this.#samples.set(left);
    this.#samples.set(more, left.length);
    this.#at = 0;
  }

  get isSilent(): boolean {
    return this.#at >= this.#samples.length;
  }

  fill(frame: Int16Array): void {
    const now = this.#samples.subarray(this.#at, this.#at + frame.length);
    frame.fill(0);
    frame.set(now);
    this.#at += now.length;
    this.heardMs += (frame.length * 1_000) / SAMPLE_RATE;
  }
}

/** Puts a mouth into every page of a browser, where a microphone is asked for. The real one is opened too: what depends on the permission is as ever. */
export async function giveMouths(context: BrowserContext): Promise<void> {
  await context.addInitScript(installMouth);
}

const rate = 16_000;

/** The agent says this into the microphone of the frame that holds the call, once that is open, and after what is being said already. */
export async function sayInto(frame: Frame, words: readonly string[]): Promise<void> {
  if (words.length === 0) return;
  await until(
    'an open microphone',
    async () =>
      (await frame.evaluate(() => (window as unknown as { patchcordMouth: Mouth }).patchcordMouth.isOpen()))
        ? true
        : undefined,
    30_000,
  );
  const pcm = Buffer.from(toBytes(speak(words, { alphabet: 'near', rate, ...syllableTimes }))).toString('base64');
  await frame.evaluate(
    ([samples, hz]) => (window as unknown as { patchcordMouth: Mouth }).patchcordMouth.say(samples, hz),
    [pcm, rate] as const,
  );
}

/** Resolves when the agent has said everything. */
export async function saidBy(frame: Frame): Promise<void> {
  await until(
    'the end of what the agent says',
    async () =>
      (await frame.evaluate(() => (window as unknown as { patchcordMouth: Mouth }).patchcordMouth.isSilent()))
        ? true
        : undefined,
    120_000,
  );
}

interface Mouth {
  isOpen(): boolean;
  say(pcm: string, rate: number): void;
  isSilent(): boolean;
}

/** Runs in every frame before its scripts. */
function installMouth(): void {
  if (navigator.mediaDevices === undefined) return;
  const devices = navigator.mediaDevices;
  const open = devices.getUserMedia.bind(devices);
  let context: AudioContext | undefined;
  let lips: MediaStreamAudioDestinationNode | undefined;
  let breathes = false;
  let until = 0;
  devices.getUserMedia = async (wanted) => {
    await open(wanted);
    context ??= new AudioContext();
    lips ??= context.createMediaStreamDestination();
    if (!breathes) {
      // A context that is wholly silent for 30 s loses the sound card, and with it its even pace.
      const breath = new ConstantSourceNode(context, { offset: 1e-7 });
      breath.connect(context.destination);
      breath.start();
      breathes = true;
    }
    // The phone stops its track; the next call gets another one.
    return lips.stream.clone();
  };
  const mouth: Mouth = {
    isOpen: () => lips !== undefined,
    say(pcm, rate) {
      if (context === undefined || lips === undefined) throw new Error('This frame has no microphone open.');
      const view = new DataView(Uint8Array.from(atob(pcm), (byte) => byte.charCodeAt(0)).buffer);
      const buffer = context.createBuffer(1, view.byteLength / 2, rate);
      const samples = buffer.getChannelData(0);
      for (let at = 0; at < samples.length; at += 1) samples[at] = view.getInt16(at * 2, true) / 32_768;
      const source = context.createBufferSource();
      source.buffer = buffer;
      source.connect(lips);
      until = Math.max(until, context.currentTime + 0.1);
      source.start(until);
      until += buffer.duration;
    },
    isSilent: () => context === undefined || context.currentTime >= until,
  };
  Object.defineProperty(window, 'patchcordMouth', { value: mouth });
}

/** The first syllable of each side says only that somebody can be heard; texts are made of the others. */
export const opener = { near: syllables('near')[0] ?? '', far: syllables('far')[0] ?? '' } as const;

/** A text that no two tests have in common: `count` syllables, none twice in a row, the same for the same seed. */
export function textOf(alphabet: 'near' | 'far', count: number, seed: number): readonly string[] {
  const all = syllables(alphabet).slice(1);
  let state = seed;
  let last = -1;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    const next = (state >>> 16) % (last < 0 ? all.length : all.length - 1);
    last = last >= 0 && next >= last ? next + 1 : next;
    return all[last] ?? '';
  });
}
