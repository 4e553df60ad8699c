/**
 * Owns everything this frame hears and says: microphone, one player per call, ringer, tones, and the choice of devices.
 * Must never hold the microphone open by itself, and never let a missing device or a blocked player break a call.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { CallFlow, MicrophoneTreatment, SentMixer, SoundDevice, SoundDevices, SoundPort, Tone } from '../ports.ts';
import { ChosenDevices, type DeviceRole } from './chosen-devices.ts';
import { openMicrophone } from './microphone.ts';
import { Tones } from './tones.ts';

type Sinkable = { setSinkId?: (id: string) => Promise<void> };

const gestures = ['pointerdown', 'keydown', 'touchend'] as const;

/** Creates the sound of one frame. Nothing is opened before it is needed. */
export function createSound(window: Window & typeof globalThis): SoundPort {
  return new FrameSound(window);
}

class FrameSound implements SoundPort {
  readonly #window: Window & typeof globalThis;
  readonly #chosen: ChosenDevices;
  readonly #tones: Tones;
  readonly #players = new Map<CallId, HTMLAudioElement>();
  readonly #sent = new Map<CallId, MediaStreamTrack>();
  /** What each call sends goes through its own, and how it is told that this is another one. */
  readonly #mixers = new Map<CallId, SentMixer>();
  readonly #again = new Map<CallId, () => void>();
  readonly #flowListeners = new Set<() => void>();
  readonly #microphoneListeners = new Set<() => void>();
  readonly #deviceListeners = new Set<() => void>();
  readonly #disposers: (() => void)[] = [];
  #context: AudioContext | undefined;
  #ringerPlayer: HTMLAudioElement | undefined;
  #ringerNode: MediaStreamAudioDestinationNode | undefined;
  /** Tracks handed out; the one that ends by itself lost its device. */
  readonly #given = new Set<MediaStreamTrack>();
  /** The microphone in use went; what there is instead stands in for the chosen one. */
  #microphoneLost = false;
  #treatment: MicrophoneTreatment = (take) => take({});
  #closed = false;

  constructor(window: Window & typeof globalThis) {
    this.#window = window;
    this.#chosen = new ChosenDevices(() => window.localStorage);
    this.#tones = new Tones(
      () => this.#audio(),
      (context, tone) => (tone === 'ring' ? this.#ringer(context) : context.destination),
    );
    const onDevices = () => void this.#devicesChanged();
    window.navigator.mediaDevices?.addEventListener('devicechange', onDevices);
    this.#disposers.push(() => window.navigator.mediaDevices?.removeEventListener('devicechange', onDevices));
    // Browsers keep sound back until the agent touched the page; then everything that waits may start.
    const unlock = () => this.#unlock();
    for (const gesture of gestures) {
      window.addEventListener(gesture, unlock, { capture: true, passive: true });
      this.#disposers.push(() => window.removeEventListener(gesture, unlock, { capture: true }));
    }
  }

  async microphone(): Promise<MediaStreamTrack> {
    const track = await this.#treatment((instead) =>
      openMicrophone(this.#window, this.#chosen.get('microphone'), instead),
    );
    for (const given of this.#given) if (given.readyState === 'ended') this.#given.delete(given);
    this.#given.add(track);
    track.addEventListener('ended', () => this.#lostMicrophone(track), { once: true });
    return track;
  }

  onMicrophoneChanged(listener: () => void): () => void {
    this.#microphoneListeners.add(listener);
    return () => this.#microphoneListeners.delete(listener);
  }

  treat(treatment: MicrophoneTreatment): void {
    this.#treatment = treatment;
    this.#tell(this.#microphoneListeners);
  }

  play(call: CallId, stream: MediaStream): void {
    if (this.#closed) return;
    const player = this.#players.get(call) ?? this.#newPlayer();
    this.#players.set(call, player);
    player.srcObject = stream;
    void this.#route(player, 'speaker');
    this.#startPlayer(player);
    this.#tell(this.#flowListeners);
  }

  silence(call: CallId): void {
    const player = this.#players.get(call);
    this.#players.delete(call);
    if (player) this.#removePlayer(player);
    this.#tell(this.#flowListeners);
  }

  sends(call: CallId, track: MediaStreamTrack | null, again?: () => void): MediaStreamTrack | null {
    const mixer = this.#mixers.get(call);
    const sent = track && again && mixer ? this.#mixed(mixer, track) : track;
    if (sent) this.#sent.set(call, sent);
    else this.#sent.delete(call);
    if (again) this.#again.set(call, again);
    else if (!track) {
      this.#again.delete(call);
      this.#mixers.delete(call);
    }
    this.#tell(this.#flowListeners);
    return sent;
  }

  mixSent(call: CallId, mixer: SentMixer | null): void {
    if (mixer) this.#mixers.set(call, mixer);
    else this.#mixers.delete(call);
    this.#again.get(call)?.();
  }

  #mixed(mixer: SentMixer, track: MediaStreamTrack): MediaStreamTrack {
    try {
      return mixer(track, this.#audio());
    } catch {
      // A browser without an audio context: the agent is to be heard all the same.
      return track;
    }
  }

  flowOf(call: CallId): CallFlow {
    const heard = this.#players.get(call)?.srcObject as MediaStream | undefined;
    return { sent: this.#sent.get(call) ?? null, heard: heard?.getAudioTracks()[0] ?? null };
  }

  onFlow(listener: () => void): () => void {
    this.#flowListeners.add(listener);
    return () => this.#flowListeners.delete(listener);
  }

  async devices(): Promise<SoundDevices> {
    const all = await this.#list();
    const of = (kind: MediaDeviceKind): SoundDevice[] =>
      all
        .filter((device) => device.kind === kind && device.deviceId !== '')
        .map((device, index) => ({
          id: device.deviceId,
          // Without permission the browser tells no names.
          label: device.label || `${kind === 'audioinput' ? 'Microphone' : 'Speaker'} ${index + 1}`,
        }));
    const microphones = of('audioinput');
    const speakers = of('audiooutput');
    // A device that is not there (any more) is not in use, even if it will be again when it is plugged back in.
    const inUse = (role: DeviceRole, present: readonly SoundDevice[]): string =>
      present.some(({ id }) => id === this.#chosen.get(role)) ? this.#chosen.get(role) : 'default';
    return {
      microphones,
      speakers,
      microphone: inUse('microphone', microphones),
      speaker: inUse('speaker', speakers),
      ringer: inUse('ringer', speakers),
      canChooseSpeaker: 'setSinkId' in this.#window.HTMLMediaElement.prototype,
    };
  }

  async choose(role: DeviceRole, id: string): Promise<void> {
    if (this.#chosen.get(role) === id) return;
    this.#chosen.set(role, id);
    if (role === 'microphone') {
      this.#microphoneLost = false;
      this.#tell(this.#microphoneListeners);
    }
    if (role === 'speaker') {
      await Promise.all([...this.#players.values()].map((player) => this.#route(player, 'speaker')));
      await this.#routeContext();
    }
    if (role === 'ringer' && this.#ringerPlayer) await this.#route(this.#ringerPlayer, 'ringer');
    this.#tell(this.#deviceListeners);
  }

  onDevicesChanged(listener: () => void): () => void {
    this.#deviceListeners.add(listener);
    return () => this.#deviceListeners.delete(listener);
  }

  setTone(tone: Tone): void {
    if (this.#closed) return;
    try {
      this.#tones.set(tone);
    } catch {
      // A browser without a sound device has no audio context; the screen still shows the call.
    }
  }

  close(): void {
    if (this.#closed) return;
    this.setTone('none');
    this.#closed = true;
    for (const dispose of this.#disposers.splice(0)) dispose();
    for (const call of [...this.#players.keys()]) this.silence(call);
    if (this.#ringerPlayer) this.#removePlayer(this.#ringerPlayer);
    for (const track of this.#given) track.stop();
    this.#given.clear();
    this.#microphoneListeners.clear();
    this.#deviceListeners.clear();
    void this.#context?.close().catch(() => {});
  }

  async #list(): Promise<MediaDeviceInfo[]> {
    try {
      return (await this.#window.navigator.mediaDevices?.enumerateDevices()) ?? [];
    } catch {
      return [];
    }
  }

  #newPlayer(): HTMLAudioElement {
    const player = this.#window.document.createElement('audio');
    player.autoplay = true;
    // Chromium plays elements outside the document too; Safari does not.
    player.hidden = true;
    this.#window.document.body?.append(player);
    return player;
  }

  #removePlayer(player: HTMLAudioElement): void {
    player.pause();
    player.srcObject = null;
    player.remove();
  }

  #startPlayer(player: HTMLAudioElement): void {
    // Refused before the first gesture; `#unlock` tries again.
    player.play().catch(() => {});
  }

  async #route(player: HTMLAudioElement, role: 'speaker' | 'ringer'): Promise<void> {
    const sinkable = player as Sinkable;
    if (!sinkable.setSinkId) return;
    const id = this.#chosen.get(role);
    try {
      await sinkable.setSinkId(id === 'default' ? '' : id);
    } catch {
      // The device is gone: the system's own is better than silence.
      await sinkable.setSinkId('').catch(() => {});
    }
  }

  async #routeContext(): Promise<void> {
    const sinkable = this.#context as (AudioContext & Sinkable) | undefined;
    const id = this.#chosen.get('speaker');
    await sinkable?.setSinkId?.(id === 'default' ? '' : id).catch(() => sinkable.setSinkId?.('').catch(() => {}));
  }

  #audio(): AudioContext {
    if (!this.#context) {
      this.#context = new this.#window.AudioContext();
      void this.#routeContext();
    }
    if (this.#context.state === 'suspended') void this.#context.resume().catch(() => {});
    return this.#context;
  }

  /** The ringer has its own device, so the ring leaves the context through a player of its own. */
  #ringer(context: AudioContext): AudioNode {
    this.#ringerNode ??= context.createMediaStreamDestination();
    if (!this.#ringerPlayer) {
      this.#ringerPlayer = this.#newPlayer();
      this.#ringerPlayer.srcObject = this.#ringerNode.stream;
    }
    void this.#route(this.#ringerPlayer, 'ringer');
    this.#startPlayer(this.#ringerPlayer);
    return this.#ringerNode;
  }

  #unlock(): void {
    if (this.#context?.state === 'suspended') void this.#context.resume().catch(() => {});
    for (const player of [...this.#players.values(), ...(this.#ringerPlayer ? [this.#ringerPlayer] : [])])
      if (player.paused) this.#startPlayer(player);
  }

  #lostMicrophone(track: MediaStreamTrack): void {
    // `ended` comes only when the device went, never from stop().
    this.#given.delete(track);
    if (this.#closed) return;
    this.#microphoneLost = true;
    this.#tell(this.#microphoneListeners);
    this.#tell(this.#deviceListeners);
  }

  async #devicesChanged(): Promise<void> {
    if (this.#closed) return;
    for (const role of ['speaker', 'ringer'] as const) {
      // An unplugged output falls back at once; its choice is kept and works again when it is plugged back in.
      if (this.#chosen.get(role) === 'default') continue;
      const players = role === 'speaker' ? [...this.#players.values()] : this.#ringerPlayer ? [this.#ringerPlayer] : [];
      for (const player of players) await this.#route(player, role);
      if (role === 'speaker') await this.#routeContext();
    }
    await this.#microphoneBack();
    this.#tell(this.#deviceListeners);
  }

  /** The chosen microphone is there again, or any at all where none was chosen. */
  async #microphoneBack(): Promise<void> {
    if (!this.#microphoneLost) return;
    const chosen = this.#chosen.get('microphone');
    const all = await this.#list();
    const back = all.some(
      ({ kind, deviceId }) => kind === 'audioinput' && (chosen === 'default' || deviceId === chosen),
    );
    if (!back || this.#closed) return;
    this.#microphoneLost = false;
    this.#tell(this.#microphoneListeners);
  }

  #tell(listeners: ReadonlySet<() => void>): void {
    for (const listener of [...listeners]) {
      try {
        listener();
      } catch {
        // One listener's mistake must not keep the others from a device change.
      }
    }
  }
}
