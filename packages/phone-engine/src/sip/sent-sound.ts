/**
 * Owns what one call sends: the microphone, mute, hold, and what may take the microphone's place for a while (a conference's mix, key tones).
 * Must never send a sound on a held call, and never keep a microphone open that nobody uses.
 */
import { type CallId, PatchcordError } from '@patchcord/call-protocol';
import type { ClockPort, SoundPort } from '../ports.ts';

/** A telephone event that has begun needs this long to say that it is over: its tone, and the last packets (RFC 4733 section 2.5.1.4). */
const keyEndsMs = 200;
/** A microphone prompt that nobody answers ends the call instead of holding it for ever. */
const microphoneMs = 60_000;

export class SentSound {
  readonly #call: CallId;
  readonly #sound: SoundPort;
  readonly #clock: ClockPort;
  readonly #onMicrophone: () => void;
  readonly #forgetMicrophone: () => void;
  #sender: RTCRtpSender | undefined;
  #microphone: MediaStreamTrack | undefined;
  #ready: Promise<void> | undefined;
  #mixed: MediaStreamTrack | undefined;
  #keyTones: MediaStreamTrack | undefined;
  /** Until then telephone events may be leaving, by the clock. */
  #keysUntil = 0;
  #keyEnds: Promise<void> | undefined;
  #held = false;
  #muted = false;
  #closed = false;
  readonly #again = (): void => void this.#put().catch(() => {});

  /** @param onMicrophone told whenever the call has another microphone track than before */
  constructor(call: CallId, sound: SoundPort, clock: ClockPort, onMicrophone: () => void) {
    this.#call = call;
    this.#sound = sound;
    this.#clock = clock;
    this.#onMicrophone = onMicrophone;
    this.#forgetMicrophone = sound.onMicrophoneChanged(() => void this.#changeMicrophone());
  }

  get microphone(): MediaStreamTrack | undefined {
    return this.#microphone;
  }
  get held(): boolean {
    return this.#held;
  }
  /** What the sender sends, or null for nothing. */
  get track(): MediaStreamTrack | null {
    return this.#held ? null : (this.#keyTones ?? this.#mixed ?? this.#microphone ?? null);
  }

  /**
   * Asks for the microphone. Idempotent.
   * @throws PatchcordError of the sound port, or `media.denied` when the prompt stays unanswered.
   */
  open(): Promise<void> {
    this.#ready ??= this.#takeMicrophone();
    return this.#ready;
  }

  /** From here on this sender sends it. */
  async through(sender: RTCRtpSender | undefined): Promise<void> {
    this.#sender = sender;
    await this.#put();
  }

  /** A key that is just leaving ends first, in silence: without its end the far side would hear it for as long as the hold lasts. */
  async hold(on: boolean): Promise<void> {
    this.#held = on;
    if (on && this.#keysUntil > this.#clock.now()) this.#keyEnds = this.#endKey();
    if (on) await this.#keyEnds;
    await this.#put();
  }

  /** Telephone events leave for so many ms from now on. */
  keysLeave(ms: number): void {
    this.#keysUntil = this.#clock.now() + ms;
  }

  mute(muted: boolean): void {
    this.#muted = muted;
    if (this.#microphone) this.#microphone.enabled = !muted;
  }

  /** The mix that one member of a conference hears, the microphone included; undefined: the microphone alone. */
  async mix(track: MediaStreamTrack | undefined): Promise<void> {
    if (this.#mixed === track) return;
    this.#mixed = track;
    await this.#put();
  }

  /** Key tones instead of everything else, also of silence; undefined: what was sent before. */
  async press(track: MediaStreamTrack | undefined): Promise<void> {
    this.#keyTones = track;
    await this.#put();
  }

  close(): void {
    this.#closed = true;
    this.#forgetMicrophone();
    this.#microphone?.stop();
    this.#sender = undefined;
    this.#mixed = undefined;
    this.#keyTones = undefined;
    this.#sound.sends(this.#call, null);
  }

  async #endKey(): Promise<void> {
    this.#keysUntil = 0;
    if (this.#microphone) this.#microphone.enabled = false;
    // What has not begun to leave does not.
    this.#sender?.dtmf?.insertDTMF('');
    await new Promise<void>((resolve) => this.#clock.setTimeout(resolve, keyEndsMs));
    this.mute(this.#muted);
  }

  async #put(): Promise<void> {
    // Key tones are understood by a machine: nothing may be mixed into them.
    const sent = this.#sound.sends(this.#call, this.track, this.#keyTones ? undefined : this.#again);
    await this.#sender?.replaceTrack(sent);
  }

  async #takeMicrophone(): Promise<void> {
    let deadline: unknown;
    const unanswered = new Promise<never>((_, reject) => {
      deadline = this.#clock.setTimeout(
        () =>
          reject(
            new PatchcordError(
              'media.denied',
              'The browser is still asking for the microphone. Allow it and call again.',
              { retryable: true },
            ),
          ),
        microphoneMs,
      );
    });
    const asked = this.#sound.microphone();
    try {
      await this.#use(await Promise.race([asked, unanswered]));
    } catch (error) {
      // A late answer to the prompt must not leave the microphone open.
      asked.then(
        (track) => track.stop(),
        () => {},
      );
      throw error;
    } finally {
      this.#clock.clearTimeout(deadline);
    }
  }

  async #use(track: MediaStreamTrack): Promise<void> {
    if (this.#closed) return track.stop();
    const old = this.#microphone;
    this.#microphone = track;
    track.enabled = !this.#muted;
    this.#onMicrophone();
    await this.#put();
    old?.stop();
  }

  async #changeMicrophone(): Promise<void> {
    if (this.#microphone === undefined || this.#closed) return;
    try {
      await this.#use(await this.#sound.microphone());
    } catch {
      // The old track stays; the sound port has told the agent what is wrong with the new device.
    }
  }
}
