/**
 * Owns a sound port for a call that nobody shall hear yet: everything works, but what it plays waits for `open`. Must never silence the call that is
 * heard in its place.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CallFlow, MicrophoneTreatment, SentMixer, SoundDevices, SoundPort, Tone } from '../ports.ts';

export class GatedSound implements SoundPort {
  readonly #sound: SoundPort;
  readonly #waiting = new Map<CallId, MediaStream>();
  readonly #sending = new Map<CallId, readonly [MediaStreamTrack | null, (() => void)?]>();
  #open = false;

  constructor(sound: SoundPort) {
    this.#sound = sound;
  }

  /** From here on it is the port behind it. */
  open(): void {
    this.#open = true;
    for (const [call, stream] of this.#waiting) this.#sound.play(call, stream);
    this.#waiting.clear();
    for (const [call, sent] of this.#sending) this.#sound.sends(call, ...sent);
    this.#sending.clear();
  }

  play(call: CallId, stream: MediaStream): void {
    if (this.#open) this.#sound.play(call, stream);
    else this.#waiting.set(call, stream);
  }
  silence(call: CallId): void {
    if (this.#open) this.#sound.silence(call);
    else this.#waiting.delete(call);
  }
  sends(call: CallId, track: MediaStreamTrack | null, again?: () => void): MediaStreamTrack | null {
    if (this.#open) return this.#sound.sends(call, track, again);
    this.#sending.set(call, again ? [track, again] : [track]);
    return track;
  }
  mixSent(call: CallId, mixer: SentMixer | null): void {
    this.#sound.mixSent(call, mixer);
  }
  flowOf(call: CallId): CallFlow {
    return this.#sound.flowOf(call);
  }
  onFlow(listener: () => void): () => void {
    return this.#sound.onFlow(listener);
  }
  microphone(): Promise<MediaStreamTrack> {
    return this.#sound.microphone();
  }
  onMicrophoneChanged(listener: () => void): () => void {
    return this.#sound.onMicrophoneChanged(listener);
  }
  treat(treatment: MicrophoneTreatment): void {
    this.#sound.treat(treatment);
  }
  devices(): Promise<SoundDevices> {
    return this.#sound.devices();
  }
  choose(kind: Parameters<SoundPort['choose']>[0], id: string): Promise<void> {
    return this.#sound.choose(kind, id);
  }
  onDevicesChanged(listener: () => void): () => void {
    return this.#sound.onDevicesChanged(listener);
  }
  setTone(tone: Tone): void {
    this.#sound.setTone(tone);
  }
  close(): void {}
}
