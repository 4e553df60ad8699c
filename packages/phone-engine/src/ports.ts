/** The seams of the engine: what it needs from SIP and from sound. A port's comments are obligations its implementations are tested for. */
import type { CallId } from '@patchcord/call-protocol';
import type { DeclineCode, MixedCall, RecoveryWay, SipSignal, Tone } from './state.ts';

export type { MixedCall, RecoveryWay, Tone } from './state.ts';

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
  /** Every request that begins something goes through here first (RFC 3261 section 8.1.2): a SIP URI. null: none. */
  readonly outboundProxy: string | null;
  /** On a later server of the list, how long until the first is tried again, seconds; 0: not before the later one fails. */
  readonly failBackSeconds: number;
  /** What is offered and answered, best first; others are left out. */
  readonly codecs: readonly Codec[];
  readonly opus: { readonly fec: boolean; readonly dtx: boolean };
  /** How digits leave: as RFC 4733 events, as INFO, or as tones in the sound. The first falls back to the others where the far side can't. */
  readonly digits: 'rfc4733' | 'info' | 'in-band';
  /** A call whose far side sends REFER goes where that points, inside the own domain only. */
  readonly followTransfers: boolean;
  /** How the agent's choice of a caller ID is told. */
  readonly callerIdIn: 'p-preferred-identity' | 'from';
  /** RFC 4028: how long a call may go without a sign of life, seconds; 0: only what the far side asks for. */
  readonly sessionSeconds: number;
  readonly recovery: {
    /** `auto`: what the far side says of itself, and what is known of it, decides. */
    readonly way: 'auto' | RecoveryWay;
    /** Numbers that an application of the phone system answers (menu, mailbox): such a call must not be replaced, it would end. */
    readonly applications: readonly string[];
    readonly known: readonly RecoveryKnowledge[];
  };
}

export type Codec = 'opus' | 'G722' | 'PCMU' | 'PCMA';

/** What the phone watches at the phone system. */
export interface Watching {
  /** Dialog event package (RFC 4235). */
  readonly extensions: readonly string[];
  /** Message summary of the own mailbox (RFC 3842). */
  readonly mailbox: boolean;
}

/**
 * One dialog of a call, as whoever takes the call up again must know it. Its identifiers let anybody who knows them take the call: sealed
 * wherever it is kept, never shown, logged or told to other frames. Plain JSON.
 */
export interface KeptDialog {
  readonly call: CallId;
  /** `inviting`: our INVITE has no final answer. `invited`: theirs has none. `confirmed`: the call is up, or as good as up. */
  readonly stage: 'inviting' | 'invited' | 'confirmed';
  readonly direction: 'inbound' | 'outbound';
  readonly callId: string;
  readonly localTag: string;
  /** Empty while unknown: of an INVITE of ours until something rings. */
  readonly remoteTag: string;
  readonly localUri: string;
  readonly remoteUri: string;
  /** The far side's Contact; empty while unknown. */
  readonly remoteTarget: string;
  /** In the order in which it is sent. */
  readonly routes: readonly string[];
  /** The highest CSeq sent in it so far, and the highest received (null: none). A successor leaves room above the first. */
  readonly localSequence: number;
  readonly remoteSequence: number | null;
  /** What a CANCEL of our unanswered INVITE must repeat: its Request-URI, the branch of its Via, its Routes. null in the other stages. */
  readonly inviting: null | { readonly uri: string; readonly branch: string; readonly routes: readonly string[] };
  /** What was dialled, or who called: the user part. */
  readonly number: string;
  /** The far side's Supported and Allow, and its Server or User-Agent; empty while unknown. */
  readonly supports: string;
  readonly allows: string;
  readonly peer: string;
  /** On hold from here. */
  readonly held: boolean;
  readonly farHeld: boolean;
  readonly muted: boolean;
  /** Session timer (RFC 4028) agreed upon, seconds; 0: none. */
  readonly sessionSeconds: number;
}

/** What is known of taking up calls with a far side, from earlier times and from the profile. */
export interface RecoveryKnowledge {
  /** What the far side calls itself, up to the first `/`, space or version; as `KeptDialog.peer` begins. */
  readonly peer: string;
  readonly way: RecoveryWay;
  readonly worked: boolean;
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
  /** @param callerId a number of the profile that the far side shall see */
  dial(call: CallId, target: string, callerId?: string): void;
  /**
   * Takes a call that rings at, or is parked or held by, another extension: INVITE with Replaces where its dialog is watched, else by dialling
   * `code`. The call is outbound, with all signals of one.
   */
  pickUp(call: CallId, extension: string, code: string | null): void;
  answer(call: CallId): void;
  decline(call: CallId, code: DeclineCode): void;
  /** 302 with `to` as the contact (RFC 3261 section 21.3.3). */
  redirect(call: CallId, to: string): void;
  /** CANCEL, BYE or a final refusal: whatever the phase of the call wants. */
  hangUp(call: CallId): void;
  /** Held means: the far side is told (a=sendonly or inactive) and not one microphone packet leaves. */
  hold(call: CallId, on: boolean): void;
  /** Muted means silence packets, not no packets; holds through device changes. */
  mute(call: CallId, muted: boolean): void;
  /** In the account's way. Digits are 0-9 * # A-D; `,` waits two seconds. */
  sendDigits(call: CallId, digits: string): void;
  /** REFER (RFC 3515). Ends the call once the transfer is accepted by the target. */
  transfer(call: CallId, to: string): void;
  /**
   * REFER with Replaces (RFC 3891, RFC 5589): the far side of `call` joins the far side of `consult`. Ends both when done. Where the far side of
   * `consult` can't be replaced, the consult call ends first and the transfer goes on without it.
   */
  transferAttended(call: CallId, consult: CallId): void;
  /** Takes back a transfer whose target has not answered; `sip.transfer-refused` or `sip.transferred` follows all the same. */
  cancelTransfer(call: CallId): void;
  /** These calls hear each other and the agent; none other does. An empty list: no conference. Asked again with the same list it does nothing. */
  mix(members: readonly MixedCall[]): void;
  /** Replaces what was watched before; kept over a lost line. */
  watch(watching: Watching): void;
  /** Dials a feature code without microphone or sound, and hangs up by itself. `sip.code-done` or `sip.code-refused` follows. */
  sendCode(code: string): void;
  /**
   * Takes up calls that an earlier owner had, as soon as the line is ready: `sip.recovered` or `sip.ended` follows for each, and a
   * `sip.recovery-tried` for each way that was tried. `inviting` ones are cancelled and end; `invited` ones are waited for.
   */
  takeUp(dialogs: readonly KeptDialog[]): void;
  /** Told after every change of what a successor must know, once per task at most, with all of them. */
  onDialogs(listener: (dialogs: readonly KeptDialog[]) => void): () => void;
  /**
   * Lets go of all calls and the line at once, without a word to anybody on the network: somebody else has them, or will. The line is not
   * unregistered. No signal follows. Resolves to the dialogs as they stand, when sound and socket are closed.
   */
  handOver(): Promise<readonly KeptDialog[]>;
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

/** The sound of a call both ways, as it is just now; null: none. */
export interface CallFlow {
  /** As the far side gets it: after mute, hold and conference. */
  readonly sent: MediaStreamTrack | null;
  readonly heard: MediaStreamTrack | null;
}

/**
 * How a microphone is opened: `take` takes it from the device, with constraints instead of the usual ones (echo cancellation, noise suppression and
 * gain control on); the track that is returned may be made of that one, and ends it when it is stopped.
 * @throws what `take` throws
 */
export type MicrophoneTreatment = (
  take: (instead: MediaTrackConstraints) => Promise<MediaStreamTrack>,
) => Promise<MediaStreamTrack>;

/** Makes another track of what a call would send; `context` is this frame's own, heard on the agent's speaker. */
export type SentMixer = (track: MediaStreamTrack, context: AudioContext) => MediaStreamTrack;

/** Microphone, speaker and ringer of this frame. Only the owner of the phone uses it. */
export interface SoundPort {
  /**
   * The live microphone track for one call; each caller gets its own clone and stops it.
   * @throws PatchcordError `media.denied`, `media.no-device`, `media.failed`; the message says which setting to change.
   */
  microphone(): Promise<MediaStreamTrack>;
  /** Told when another microphone was chosen or the old one was unplugged; senders replace their track. */
  onMicrophoneChanged(listener: () => void): () => void;
  /** Microphones are opened in this way from now on, and those in use anew. */
  treat(treatment: MicrophoneTreatment): void;
  play(call: CallId, stream: MediaStream): void;
  silence(call: CallId): void;
  /**
   * What a call sends from now on; null: nothing (hold, its end). Noted for whoever listens along.
   * @param again is called whenever something else is to be sent; absent: the track itself is to be sent, whatever is mixed into others
   * @returns what is to be sent in its place
   */
  sends(call: CallId, track: MediaStreamTrack | null, again?: () => void): MediaStreamTrack | null;
  /** What this call sends goes through the mixer from now on, until its end; null: as it is. */
  mixSent(call: CallId, mixer: SentMixer | null): void;
  flowOf(call: CallId): CallFlow;
  /** Told whenever the flow of a call may be another one. */
  onFlow(listener: () => void): () => void;
  devices(): Promise<SoundDevices>;
  choose(kind: 'microphone' | 'speaker' | 'ringer', id: string): Promise<void>;
  onDevicesChanged(listener: () => void): () => void;
  /** Continuous conditions, reconciled from the state: repeated calls with the same value do nothing. */
  setTone(tone: Tone): void;
  close(): void;
}

/** Time and timers, so that tests hold the clock. */
export interface ClockPort {
  now(): number;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(handle: unknown): void;
}
