/**
 * Microphone, speaker and ringer without hardware. Remembers what it was told; its pedals plug devices and refuse the microphone.
 * Runs without a DOM: the microphone is a plain object that answers like a track where the engine looks.
 */
import { type CallId, PatchcordError } from '@patchcord/call-protocol';
import type { CallFlow, MicrophoneTreatment, SentMixer, SoundDevice, SoundDevices, SoundPort } from '../ports.ts';

type Tone = Parameters<SoundPort['setTone']>[0];
type MicrophoneFault = 'media.denied' | 'media.no-device' | 'media.failed';

export class FakeSound implements SoundPort {
  /** What rings now. */
  tone: Tone = 'none';
  /** Every change of tone, in order. */
  readonly tones: Tone[] = [];
  /** Calls whose far side can be heard. */
  readonly playing = new Map<CallId, MediaStream>();
  /** What calls send. */
  readonly sending = new Map<CallId, MediaStreamTrack>();
  /** The calls whose sound goes through a mixer. */
  readonly mixed = new Set<CallId>();
  /** How microphones are to be opened; null: as ever. Nothing is made of it here. */
  treatment: MicrophoneTreatment | null = null;
  closed = false;
  #microphones: readonly SoundDevice[] = [{ id: 'microphone-1', label: 'Headset microphone' }];
  #speakers: readonly SoundDevice[] = [{ id: 'speaker-1', label: 'Headset' }];
  #chosen = { microphone: 'default', speaker: 'default', ringer: 'default' };
  #fault: MicrophoneFault | null = null;
  readonly #flowListeners = new Set<() => void>();
  readonly #microphoneListeners = new Set<() => void>();
  readonly #deviceListeners = new Set<() => void>();

  microphone(): Promise<MediaStreamTrack> {
    if (this.#fault !== null) {
      return Promise.reject(new PatchcordError(this.#fault, 'The microphone can’t be used. Check the settings.'));
    }
    const track = {
      kind: 'audio',
      enabled: true,
      readyState: 'live',
      stop() {
        track.readyState = 'ended';
      },
    };
    return Promise.resolve(track as unknown as MediaStreamTrack);
  }

  onMicrophoneChanged(listener: () => void): () => void {
    this.#microphoneListeners.add(listener);
    return () => this.#microphoneListeners.delete(listener);
  }

  treat(treatment: MicrophoneTreatment): void {
    this.treatment = treatment;
    for (const listener of this.#microphoneListeners) listener();
  }

  play(call: CallId, stream: MediaStream): void {
    this.playing.set(call, stream);
  }

  silence(call: CallId): void {
    this.playing.delete(call);
  }

  sends(call: CallId, track: MediaStreamTrack | null): MediaStreamTrack | null {
    if (track === null) this.sending.delete(call);
    else this.sending.set(call, track);
    for (const listener of this.#flowListeners) listener();
    return track;
  }

  mixSent(call: CallId, mixer: SentMixer | null): void {
    if (mixer === null) this.mixed.delete(call);
    else this.mixed.add(call);
  }

  flowOf(call: CallId): CallFlow {
    return { sent: this.sending.get(call) ?? null, heard: this.playing.get(call)?.getAudioTracks()[0] ?? null };
  }

  onFlow(listener: () => void): () => void {
    this.#flowListeners.add(listener);
    return () => this.#flowListeners.delete(listener);
  }

  devices(): Promise<SoundDevices> {
    return Promise.resolve({
      microphones: this.#microphones,
      speakers: this.#speakers,
      ...this.#chosen,
      canChooseSpeaker: true,
    });
  }

  choose(kind: 'microphone' | 'speaker' | 'ringer', id: string): Promise<void> {
    this.#chosen = { ...this.#chosen, [kind]: id };
    if (kind === 'microphone') for (const listener of [...this.#microphoneListeners]) listener();
    return Promise.resolve();
  }

  onDevicesChanged(listener: () => void): () => void {
    this.#deviceListeners.add(listener);
    return () => this.#deviceListeners.delete(listener);
  }

  setTone(tone: Tone): void {
    if (tone === this.tone) return;
    this.tone = tone;
    this.tones.push(tone);
  }

  close(): void {
    this.setTone('none');
    this.playing.clear();
    this.closed = true;
  }

  /** Pedal: from now on the microphone fails like this; null makes it work again. */
  failMicrophone(fault: MicrophoneFault | null): void {
    this.#fault = fault;
  }

  /** Pedal: other devices are plugged in. A chosen device that is gone falls back to the system's. */
  plug(microphones: readonly SoundDevice[], speakers: readonly SoundDevice[]): void {
    const lost = (id: string, among: readonly SoundDevice[]): boolean =>
      id !== 'default' && !among.some((device) => device.id === id);
    const microphoneLost = lost(this.#chosen.microphone, microphones);
    this.#microphones = microphones;
    this.#speakers = speakers;
    this.#chosen = {
      microphone: microphoneLost ? 'default' : this.#chosen.microphone,
      speaker: lost(this.#chosen.speaker, speakers) ? 'default' : this.#chosen.speaker,
      ringer: lost(this.#chosen.ringer, speakers) ? 'default' : this.#chosen.ringer,
    };
    for (const listener of [...this.#deviceListeners]) listener();
    if (microphoneLost) for (const listener of [...this.#microphoneListeners]) listener();
  }
}
