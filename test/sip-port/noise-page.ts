/**
 * Runs in the browser: the phone page with the agent's real choice of noise suppression beside it, and a microphone with a voice and noise in it. Owns
 * that microphone; must never decide what is suppressed.
 */
import './phone-page.ts';
import { signal } from '@preact/signals';
import { RnnoiseWorkletNode } from '@sapphi-red/web-noise-suppressor';
import { noiseWorkletAddress, rnnoiseAddress } from '../../packages/phone-engine/src/noise/addresses.ts';
import { createVoiceCare, type VoiceChoice } from '../../packages/softphone-ui/src/later/voice-care.ts';
import type { PhonePage } from './phone-page.ts';

/** Levels in dB of full scale. */
export interface Measured {
  /** Where nobody speaks. */
  readonly noise: { readonly before: number; readonly after: number };
  /** Where somebody does, 150 to 3,800 Hz. */
  readonly voice: { readonly before: number; readonly after: number };
  /** By which the voice is late, samples of 48 kHz. */
  readonly delay: number;
}

/** What the test calls through the browser. */
export interface NoisePage {
  /** What the microphone hears from now on. */
  speak(voice: boolean, noise: boolean): void;
  choose(change: Partial<VoiceChoice>): void;
  state(): {
    readonly choice: VoiceChoice;
    readonly trouble: string | null;
    readonly notices: readonly string[];
    /** Of each microphone that was opened, in order: what was asked of the browser. */
    readonly asked: readonly (boolean | null)[];
    /** Microphones that are open. */
    readonly open: number;
  };
  /** RNNoise as it is in the graph, over a voice with noise, in a rendering that no load of the machine changes. */
  measure(): Promise<Measured>;
}

const { phonePage } = window as unknown as { readonly phonePage: PhonePage };
const rate = 48_000;

/** A voice: harmonics with vibrato below two formants, in syllables that never quite fall silent. */
function voiceOf(seconds: number): Float32Array {
  const samples = new Float32Array(seconds * rate);
  let phase = 0;
  for (let n = 0; n < samples.length; n += 1) {
    const t = n / rate;
    const base = 130 * (1 + 0.04 * Math.sin(2 * Math.PI * 5 * t) + 0.12 * Math.sin(2 * Math.PI * 0.7 * t));
    phase += (2 * Math.PI * base) / rate;
    const first = 550 + 200 * Math.sin(2 * Math.PI * 1.9 * t);
    const second = 1_500 + 500 * Math.sin(2 * Math.PI * 1.3 * t);
    let sum = 0;
    for (let harmonic = 1; harmonic * base < 3_600; harmonic += 1) {
      const hz = harmonic * base;
      const formants = Math.exp(-(((hz - first) / 250) ** 2)) + 0.5 * Math.exp(-(((hz - second) / 350) ** 2)) + 0.02;
      sum += formants * Math.sin(harmonic * phase);
    }
    samples[n] = 0.12 * sum * (0.55 + 0.45 * Math.sin(2 * Math.PI * 4 * t));
  }
  return samples;
}

/**
 * A fan: noise that falls with the frequency, the same each time. (Of a hiss that is as loud at 20 kHz as at 100 Hz, as no room has it, RNNoise takes next
 * to nothing away while it is this low.)
 */
function noiseOf(seconds: number, level: number): Float32Array {
  const samples = new Float32Array(seconds * rate);
  let seed = 1;
  let slow = 0;
  for (let n = 0; n < samples.length; n += 1) {
    seed = (Math.imul(seed, 1_664_525) + 1_013_904_223) | 0;
    slow = 0.95 * slow + (0.3 * level * seed) / 2_147_483_648;
    samples[n] = slow;
  }
  return samples;
}

function player(context: BaseAudioContext, samples: Float32Array): AudioBufferSourceNode {
  const buffer = context.createBuffer(1, samples.length, rate);
  buffer.getChannelData(0).set(samples);
  const node = context.createBufferSource();
  node.buffer = buffer;
  node.loop = true;
  return node;
}

const context = new AudioContext({ sampleRate: rate });
const voice = context.createGain();
const noise = context.createGain();
for (const [gain, samples] of [
  [voice, voiceOf(10)],
  [noise, noiseOf(10, 0.02)],
] as const) {
  gain.gain.value = 0;
  const node = player(context, samples);
  node.connect(gain);
  node.start();
}
const asked: (boolean | null)[] = [];
const given: MediaStreamTrack[] = [];
navigator.mediaDevices.getUserMedia = async (wanted) => {
  const { noiseSuppression } = typeof wanted?.audio === 'object' ? wanted.audio : {};
  asked.push(typeof noiseSuppression === 'boolean' ? noiseSuppression : null);
  const output = context.createMediaStreamDestination();
  voice.connect(output);
  noise.connect(output);
  given.push(...output.stream.getTracks());
  return output.stream;
};

const notices: string[] = [];
const care = createVoiceCare({
  sound: phonePage.sound,
  profile: signal({ media: { noiseSuppression: 'rnnoise' } }) as never,
  role: signal('owner' as const),
  notify: (_tone, text) => void notices.push(text),
});
care.start();

const power = (samples: Float32Array, from: number, to: number): number => {
  let sum = 0;
  for (let n = from * rate; n < to * rate; n += 1) sum += (samples[n] ?? 0) ** 2;
  return 10 * Math.log10(sum / ((to - from) * rate) + 1e-20);
};

async function band(samples: Float32Array): Promise<Float32Array> {
  const offline = new OfflineAudioContext(1, samples.length, rate);
  const low = new BiquadFilterNode(offline, { type: 'highpass', frequency: 150 });
  const high = new BiquadFilterNode(offline, { type: 'lowpass', frequency: 3_800 });
  const node = player(offline, samples);
  node.connect(low).connect(high).connect(offline.destination);
  node.start();
  return (await offline.startRendering()).getChannelData(0);
}

async function suppressed(samples: Float32Array, rnnoise: ArrayBuffer, waitMs: number): Promise<Float32Array> {
  const offline = new OfflineAudioContext(1, samples.length, rate);
  await offline.audioWorklet.addModule(noiseWorkletAddress());
  // Its types ask for more of a context than it uses.
  const through = new RnnoiseWorkletNode(offline as BaseAudioContext as AudioContext, {
    maxChannels: 1,
    wasmBinary: rnnoise,
  });
  const node = player(offline, samples);
  node.connect(through).connect(offline.destination);
  node.start();
  const held = offline.suspend(128 / rate);
  const rendering = offline.startRendering();
  await held;
  // The processor says nothing when it has compiled RNNoise.
  await new Promise((resolve) => setTimeout(resolve, waitMs));
  void offline.resume();
  return (await rendering).getChannelData(0);
}

/** By which the second is behind the first, found where both are alike most. */
function lateness(one: Float32Array, other: Float32Array): number {
  let best = 0;
  let highest = 0;
  for (let late = 0; late < 2_400; late += 1) {
    let sum = 0;
    for (let n = 7 * rate; n < 7.5 * rate; n += 1) sum += (one[n] ?? 0) * (other[n + late] ?? 0);
    if (sum > highest) [highest, best] = [sum, late];
  }
  return best;
}

const page: NoisePage = {
  speak(voiceOn, noiseOn) {
    voice.gain.value = voiceOn ? 1 : 0;
    noise.gain.value = noiseOn ? 1 : 0;
  },
  choose: (change) => care.choose(change),
  state: () => ({
    choice: care.choice.value,
    trouble: care.trouble.value,
    notices,
    asked,
    open: given.filter(({ readyState }) => readyState === 'live').length,
  }),
  async measure() {
    // Two seconds of voice, two of noise alone, in turn; the noise goes on.
    const mixed = noiseOf(12, 0.02);
    const spoken = voiceOf(12);
    for (let n = 0; n < mixed.length; n += 1)
      if (Math.floor(n / rate / 2) % 2 === 1) mixed[n] = (mixed[n] ?? 0) + (spoken[n] ?? 0);
    const rnnoise = await (await fetch(rnnoiseAddress())).arrayBuffer();
    let after = new Float32Array();
    for (let waitMs = 500; waitMs < 20_000 && power(after, 2, 4) < -120; waitMs *= 3)
      after = new Float32Array(await suppressed(mixed, rnnoise, waitMs));
    const [voiceBefore, voiceAfter] = await Promise.all([band(mixed), band(after)]);
    return {
      noise: { before: power(mixed, 9, 10), after: power(after, 9, 10) },
      voice: { before: power(voiceBefore, 6.25, 7.75), after: power(voiceAfter, 6.25, 7.75) },
      delay: lateness(mixed, after),
    };
  },
};
Object.assign(window, { noisePage: page });
