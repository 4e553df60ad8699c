/**
 * Runs in the browser: the phone page with the real tap and the real way to the relay beside it. Owns a microphone that a test switches on and off;
 * must never decide what is streamed.
 */
import './phone-page.ts';
import type { CallId } from '@patchcord/call-protocol';
import { type CallState, emptyPhone, type OwnedPhone, type PhoneState } from '@patchcord/phone-engine';
import { createNoticeTones, createSoundTap } from '@patchcord/phone-engine/audio';
import { createCallStreams } from '../../packages/softphone-ui/src/transcription/call-streams.ts';
import type { PhonePage } from './phone-page.ts';

/** What the test calls through the browser. */
export interface TapPage {
  /** Streams to this relay from now on what `calls` says. */
  begin(relay: string): void;
  calls(calls: readonly Partial<CallState>[]): void;
  /** Instead of the browser's own microphone: a tone, off at first. */
  bringMicrophone(hz: number): void;
  /** @returns when, epoch ms, on the clock of the page */
  speak(on: boolean): number;
  /** In these calls, and in no other, both sides hear that they are recorded. */
  notice(calls: readonly CallId[]): void;
  /** What the page's audio plays on the speaker just now, beside the players of calls: how much of this frequency in the last 0.1 s. */
  spoken(hz: number): number;
  /** What the agent hears of a notice, computed by the browser as fast as it can instead of played: no busy machine can tear it. 8 kHz. */
  renderNotice(seconds: number): Promise<readonly number[]>;
  stop(): void;
}

const { phonePage } = window as unknown as { readonly phonePage: PhonePage };
const renderedRate = 8_000;
let state: PhoneState = emptyPhone;
const listeners = new Set<(state: PhoneState) => void>();
/** Beside whatever leads to the speaker. */
let speaker: AnalyserNode | undefined;
const connect = AudioNode.prototype.connect as (this: AudioNode, to: AudioNode, ...rest: unknown[]) => AudioNode;
Object.assign(AudioNode.prototype, {
  connect(this: AudioNode, to: AudioNode, ...rest: unknown[]): AudioNode {
    if (to instanceof AudioDestinationNode && this instanceof GainNode) {
      speaker = this.context.createAnalyser();
      speaker.fftSize = 4_096;
      connect.call(this, speaker);
    }
    return connect.call(this, to, ...rest);
  },
});
const notices = createNoticeTones(phonePage.sound);
let streams: ReturnType<typeof createCallStreams> | undefined;
let voice: GainNode | undefined;

const page: TapPage = {
  begin(relay) {
    streams = createCallStreams({
      phone: {
        state: () => state,
        onState: (listener) => {
          listeners.add(listener);
          return () => listeners.delete(listener);
        },
        owned: () => ({}) as OwnedPhone,
        onRole: () => () => undefined,
      },
      profile: () => ({ transcription: 'on' }) as never,
      tap: createSoundTap({ sound: phonePage.sound }),
      relay: {
        url: relay,
        openSocket: (url) => new WebSocket(url),
        authentication: () => Promise.resolve({ token: 'token', proof: 'proof' }),
        tokenRefused: () => undefined,
      },
      ready: () => null,
      clock: {
        now: () => Date.now(),
        setTimeout: (run, ms) => setTimeout(run, ms),
        clearTimeout: (handle) => clearTimeout(handle as ReturnType<typeof setTimeout>),
      },
      random: Math.random,
      steadyMs: () => performance.now(),
      onService: () => undefined,
      onRecorder: () => undefined,
    });
  },
  calls(calls) {
    state = { ...emptyPhone, calls: calls as readonly CallState[] };
    for (const listener of listeners) listener(state);
  },
  bringMicrophone(hz) {
    const context = new AudioContext();
    const oscillator = context.createOscillator();
    oscillator.frequency.value = hz;
    voice = context.createGain();
    voice.gain.value = 0;
    const output = context.createMediaStreamDestination();
    oscillator.connect(voice).connect(output);
    oscillator.start();
    navigator.mediaDevices.getUserMedia = () => Promise.resolve(output.stream.clone());
  },
  speak(on) {
    if (voice !== undefined) voice.gain.value = on ? 0.1 : 0;
    return performance.timeOrigin + performance.now();
  },
  notice: (calls) => notices.only(calls),
  spoken(hz) {
    if (speaker === undefined) return 0;
    const samples = new Float32Array(speaker.fftSize);
    speaker.getFloatTimeDomainData(samples);
    const turn = (2 * Math.PI * hz) / speaker.context.sampleRate;
    const [sine, cosine] = [Math.sin, Math.cos].map((wave) =>
      samples.reduce((sum, sample, n) => sum + sample * wave(turn * n), 0),
    );
    return (2 * Math.hypot(sine ?? 0, cosine ?? 0)) / samples.length;
  },
  async renderNotice(seconds) {
    const context = new OfflineAudioContext(1, seconds * renderedRate, renderedRate);
    const microphone = await navigator.mediaDevices.getUserMedia({ audio: true });
    let asked = false;
    const tones = createNoticeTones({
      mixSent(_call, mixer) {
        const [track] = microphone.getAudioTracks();
        if (track !== undefined && !asked) mixer?.(track, context as unknown as AudioContext);
        asked = true;
      },
    });
    tones.only(['rendered' as CallId]);
    const rendered = await context.startRendering();
    tones.close();
    return [...rendered.getChannelData(0)];
  },
  stop() {
    notices.close();
    streams?.stop();
  },
};
Object.assign(window, { tapPage: page });
