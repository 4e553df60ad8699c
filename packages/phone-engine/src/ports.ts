/** The seams of the engine: what it needs from SIP and from sound. A port's comments are obligations its implementations are tested for. */
import type { CallId } from '@patchcord/call-protocol';
import type { SipSignal } from './state.ts';

/** A short-lived SIP credential. Lives in memory only. */
export interface SipCredential {
  readonly username: string;
  readonly password: string;
  /** Epoch ms. */
  readonly expiresAt: number;
}

export interface IceServer {
  readonly urls: readonly string[];
  readonly username?: string;
  readonly credential?: string;
}

export interface SipAccount {
  readonly domain: string;
  /** WSS URLs in order of preference. `ws:` is refused unless the host is loopback. */
  readonly servers: readonly string[];
  readonly extension: string;
  readonly displayName: string;
  readonly registerSeconds: number;
  /** UUID of this device: `+sip.instance` (RFC 5626 section 4.1). */
  readonly instance: string;
  readonly candidates: 'first-host' | 'full';
  readonly iceTransportPolicy: 'all' | 'relay';
}

/**
 * SIP and its media. Commands return at once; every outcome comes back as a signal. Each call that was dialled or signalled as invited ends
 * with exactly one `sip.ended`, also when the socket is gone.
 */
export interface SipPort {
  /** Connects and registers, keeps both up with back-off and jitter until `stop`. Calling it again with another account replaces the first. */
  start(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[]): void;
  /** Takes a new credential (and TURN credentials) in place: no call and no registration is lost. After `sip.rejected` it registers at once. */
  renew(credential: SipCredential, iceServers: readonly IceServer[]): void;
  /** Ends all calls, unregisters and closes. Resolves when the socket is closed or after 2 s. Signals `sip.stopped`. */
  stop(): Promise<void>;
  dial(call: CallId, target: string): void;
  answer(call: CallId): void;
  decline(call: CallId, code: 486 | 603 | 480): void;
  /** CANCEL, BYE or a final refusal: whatever the phase of the call wants. */
  hangUp(call: CallId): void;
  /** Held means: the far side is told (a=sendonly or inactive) and not one microphone packet leaves. */
  hold(call: CallId, on: boolean): void;
  /** Muted means silence packets, not no packets; holds through device changes. */
  mute(call: CallId, muted: boolean): void;
  /** RFC 4733 events. Digits are 0-9 * # A-D; `,` waits two seconds. */
  sendDigits(call: CallId, digits: string): void;
  /** REFER (RFC 3515). Ends the call once the transfer is accepted by the target. */
  transfer(call: CallId, to: string): void;
  /** REFER with Replaces (RFC 3891, RFC 5589): the far side of `call` joins the far side of `consult`. Ends both when done. */
  transferAttended(call: CallId, consult: CallId): void;
  onSignal(listener: (signal: SipSignal) => void): () => void;
}

export interface SoundDevice {
  readonly id: string;
  readonly label: string;
}
export interface SoundDevices {
  readonly microphones: readonly SoundDevice[];
  readonly speakers: readonly SoundDevice[];
  /** Chosen device ids; `default` follows the system. */
  readonly microphone: string;
  readonly speaker: string;
  readonly ringer: string;
  /** False where the browser can't choose outputs. */
  readonly canChooseSpeaker: boolean;
}

/** Microphone, speaker and ringer of this frame. Only the owner of the phone uses it. */
export interface SoundPort {
  /**
   * The live microphone track for one call; each caller gets its own clone and stops it.
   * @throws PatchcordError `media.denied`, `media.no-device`, `media.failed`; the message says which setting to change.
   */
  microphone(): Promise<MediaStreamTrack>;
  /** Told when another microphone was chosen or the old one was unplugged; senders replace their track. */
  onMicrophoneChanged(listener: () => void): () => void;
  play(call: CallId, stream: MediaStream): void;
  silence(call: CallId): void;
  devices(): Promise<SoundDevices>;
  choose(kind: 'microphone' | 'speaker' | 'ringer', id: string): Promise<void>;
  onDevicesChanged(listener: () => void): () => void;
  /** Continuous conditions, reconciled from the state: repeated calls with the same value do nothing. */
  setTone(tone: 'none' | 'ring' | 'ringback' | 'call-waiting'): void;
  close(): void;
}

/** Time and timers, so that tests hold the clock. */
export interface ClockPort {
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}
