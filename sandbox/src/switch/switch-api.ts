/** What the sandbox switch offers: its options, and what can be asked of it while it runs. Holds types only. */
import type { CallDescription } from './call-book.ts';
import type { CallerDescription, CallerKind } from './caller.ts';
import type { Colleague } from './colleagues.ts';
import type { DigestAlgorithm } from './credentials.ts';
import type { Diverted } from './diversions.ts';
import type { FaultPanel } from './faults.ts';
import type { AutoAnswerStyle } from './number-plan.ts';
import type { SoundStyle } from './sound.ts';
import type { SwitchEmitter } from './switch-events.ts';
import type { TemperName } from './temper.ts';

export type SwitchOptions = {
  /** Default 127.0.0.1. */
  host?: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** SIP domain and digest realm. */
  domain: string;
  /** Shared with the relay, which mints `<unix expiry>:<extension>` credentials with it. */
  credentialSecret: string;
  /** Replaces the demo directory. */
  callers?: readonly CallerDescription[];
  /** Only these host addresses are offered for sound; absent: every interface and loopback. Tests give ['127.0.0.1']. */
  iceAddresses?: readonly string[];
  /** Default 'pleasant'. Tests take 'tones': every voice is one sine. */
  sound?: SoundStyle;
  /** Digest algorithms offered, best first. Default ['MD5']. */
  digestAlgorithms?: readonly DigestAlgorithm[];
  /** How long a 200 waits for its ACK, and a reliable 18x for its PRACK, before the call is ended. Default 32 s. */
  ackDeadlineMs?: number;
  /** A parked call comes back to who parked it after this time. Default 60 s; Infinity: never. */
  parkReturnMs?: number;
  /**
   * Calls to an extension that are not answered in this time, or are refused, go to its mailbox. Absent: they are refused;
   * `*97` and redirections to it work either way.
   */
  voicemailAfterMs?: number;
  /** Messages end by themselves after this time. Default 60 s. */
  longestMessageMs?: number;
  /** How `*80` and `*81` ask a phone to answer by itself. Default Call-Info and Alert-Info. */
  autoAnswer?: readonly AutoAnswerStyle[];
  /** What watching phones get after the first full state: everything again, or what changed. Default 'full'. */
  dialogState?: 'full' | 'partial';
  /** Whose manners it has where connections are lost, calls replaced and transferred. Default 'own'. */
  behaveLike?: TemperName;
  /** Colleagues' phones ring and talk by themselves, one step in this time. Absent: only when a test makes them. */
  colleaguesStepMs?: number;
};

export type CallAgentOptions = {
  callerNumber: string;
  callerName?: string;
  /** Default: as listed in the directory, else 'person'. */
  kind?: CallerKind;
  toneHz?: number;
  /** Gives up (CANCEL) when nobody has answered after this many seconds; default 60. */
  ringSeconds?: number;
  /** Further headers of the INVITE, for instance Alert-Info or Call-Info. */
  headers?: Record<string, string>;
  /** The call was for somebody else first: Diversion and History-Info say so, oldest first. */
  diverted?: readonly Diverted[];
  /** What a network says of the caller's number (STIR), for instance `TN-Validation-Passed`; in P-Asserted-Identity and From. */
  verstat?: string;
  /** Name and number in P-Asserted-Identity, when they differ from those in From; null: no such header. */
  asserted?: { number: string; name?: string } | null;
};

/** A call that a caller has made to an agent. */
export type PlacedCall = {
  readonly id: string;
  /** True when an agent answered; false when nobody did. */
  readonly answered: Promise<boolean>;
  /** How the call ended; where it was sent on before anybody answered, how the last part of its way did. */
  readonly ended: Promise<CallDescription>;
  describe(): CallDescription;
  /** Before the answer this is CANCEL, after it BYE; `reason` becomes its Reason header (RFC 3326), for instance `Q.850;cause=16`. */
  hangUp(reason?: string): void;
  /** The caller puts the agent on hold: the agent hears music. */
  hold(): void;
  resume(): void;
  heard(windowMs?: number): Hearing;
};

/** What a party has received; levels are parts of full scale, 0 to 1. */
export type Hearing = { readonly rms: number; levelAt(hz: number): number };

export type Switch = {
  /** ws://host:port, subprotocol `sip`. */
  readonly url: string;
  readonly domain: string;
  readonly directory: readonly CallerDescription[];
  readonly events: SwitchEmitter;
  readonly faults: FaultPanel;
  /** Resolves once the agent's devices have been called. Rejects when nobody is registered for the extension. */
  callAgent(extension: string, options: CallAgentOptions): Promise<PlacedCall>;
  registered(): { extension: string; contact: string; expiresAt: number }[];
  /** Live and finished calls, oldest first. */
  calls(): CallDescription[];
  /** What the far side received lately: by call id, caller number, or extension. Default window 500 ms. */
  heard(reference: string, windowMs?: number): Hearing;
  /** Keys pressed by the agent in this call (id or far-side number). */
  digits(reference: string): string;
  /** The far side hangs up, with a Reason header (RFC 3326) if one is given. Throws when no such call is live. */
  hangUp(reference: string, reason?: string): void;
  /** The far side holds or resumes the call. Throws when no such call is live. */
  hold(reference: string, held: boolean): void;
  /** Credentials of this extension are refused from now on and its devices forgotten; running calls go on. */
  revoke(extension: string): void;
  allow(extension: string): void;
  /** A working credential, as the relay would mint it. */
  credential(extension: string, validForSeconds?: number): { username: string; password: string; expiresAt: number };
  /** A colleague's phone. Throws when the directory has no colleague with this extension. */
  colleague(extension: string): Colleague;
  /** Who is parked: slot, number and who parked. */
  parked(): { slot: string; number: string; by: string }[];
  /** Who is in a conference room (`8<extension>`) now. */
  roomMembers(room: string): { number: string; name: string | undefined }[];
  voicemail(extension: string): Voicemail;
  /** What the extension has asked for by feature codes. */
  wishes(extension: string): { doNotDisturb: boolean; forwardTo: string | undefined };
  /** Live subscriptions. */
  subscriptions(): { extension: string; event: string; resource: string; expiresAt: number }[];
  /** Ends subscriptions (of one extension, or all) with a reason of RFC 6665 section 4.1.3, for instance `deactivated`. */
  endSubscriptions(reason: string, extension?: string): void;
  /** Tells the phone of a call who is at the other end now, or nothing new: UPDATE, or re-INVITE. Resolves to its status. */
  refreshCall(reference: string, how: 'update' | 're-invite'): Promise<number>;
  /** A request outside a call to every device of an extension, for instance OPTIONS. Resolves to their statuses. */
  ask(extension: string, method: string, headers?: Record<string, string>, body?: string): Promise<number[]>;
  /** Cuts all WebSockets; the switch goes on listening. */
  dropSockets(): void;
  close(): Promise<void>;
};

/** One extension's mailbox, for tests. */
export type Voicemail = {
  readonly fresh: number;
  readonly old: number;
  /** Oldest first. `levelAt` is how loud a frequency is in the whole message. */
  readonly messages: readonly {
    from: string;
    name: string | undefined;
    at: number;
    durationMs: number;
    fresh: boolean;
    levelAt(hz: number): number;
  }[];
  /** Leaves a message as if a caller had spoken: in "tones" style one tone. Default one second. */
  leave(from: { number: string; name?: string }, toneHz: number, durationMs?: number): void;
};
