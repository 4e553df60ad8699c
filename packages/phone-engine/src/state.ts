/**
 * The phone's whole state and everything that may change it. Plain JSON: mirrors, replay, crash recovery and tests come for free.
 * Owns shapes only; the rules are in `transition.ts`.
 */
import type {
  CallId,
  CallOutcome,
  Direction,
  Match,
  Party,
  PhoneEvent,
  RecordingMode,
  RecordRef,
} from '@patchcord/call-protocol';

/**
 * ```
 * offline → connecting → ready ⇄ reconnecting
 *               └→ rejected          calls outlive a lost line
 * ```
 */
export interface LineState {
  readonly status: 'offline' | 'connecting' | 'ready' | 'reconnecting' | 'rejected';
  /** Plain words; empty while all is well. */
  readonly reason: string;
}

/**
 * ```
 * (dial)    dialing → ringing ───┐             while active:  hold off → placing → on → lifting → off
 *              └─────────────────┼→ active → ending → ended
 * (invited) incoming → answering ┘             any live phase → ended
 * (taken up) incoming, answering, active or ending, `recovering` until `sip.recovered` or the end
 * ```
 */
export type CallPhase = 'dialing' | 'ringing' | 'incoming' | 'answering' | 'active' | 'ending' | 'ended';

export type DeclineCode = 480 | 486 | 600 | 603;

/** How an interrupted call is taken up again: a re-INVITE in its old dialog, or an INVITE that replaces it (RFC 3891). */
export type RecoveryWay = 'resume' | 'replaces';

export interface CallState {
  readonly id: CallId;
  readonly direction: Direction;
  readonly farSide: Party;
  /** Whom the call was for before it came here (RFC 5806 Diversion, RFC 7044 History-Info); null when it was for us. */
  readonly diverted: null | { readonly from: Party; readonly reason: string };
  /** What the network says of the caller's number (STIR, the `verstat` parameter); null when it says nothing. */
  readonly verified: null | 'passed' | 'failed';
  readonly phase: CallPhase;
  /** Its page went, or its connection did: it is just being taken up again. */
  readonly recovering: boolean;
  /**
   * Of a call whose owner went: in which phase, and when it was seen alive last (epoch ms). Kept after it is up again only where it was being
   * transferred, because what became of that is not known.
   */
  readonly recovery?: null | {
    readonly from: CallPhase;
    readonly seenAt: number;
    readonly transfer: CallState['transfer'];
  };
  readonly hold: 'off' | 'placing' | 'on' | 'lifting';
  /** The far side holds us. */
  readonly farHold: boolean;
  readonly muted: boolean;
  /** Remote sound before the answer; local ringback stays silent then. */
  readonly earlyMedia: boolean;
  readonly transfer:
    | null
    | {
        readonly kind: 'blind';
        readonly to: string;
        readonly status: TransferStatus;
        readonly purpose: TransferPurpose;
      }
    | {
        readonly kind: 'attended';
        readonly to: string;
        readonly consult: CallId;
        readonly status: TransferStatus;
      };
  /** The call this one was placed for, to consult before a transfer. */
  readonly consultFor: CallId | null;
  /** The call this one takes the place of (RFC 3891); it is hung up when this one is answered. */
  readonly replaces: CallId | null;
  /** It rings without a sound: the agent does not want to hear it. */
  readonly ignored: boolean;
  /** When the call answers itself (intercom, paging), epoch ms; null when it does not. */
  readonly answersAt: number | null;
  /** One of the calls that hear each other; each may be on hold with all others. */
  readonly inConference: boolean;
  /** Its sound reaches nobody. */
  readonly silenced: boolean;
  /** The agent lets nobody hear it for a while: it is neither transcribed nor recorded. Absent: it was never asked for. */
  readonly soundPaused?: boolean;
  /** When that pause ends by itself, epoch ms; null or absent: only the agent ends it. */
  readonly soundResumesAt?: number | null;
  /** What holds for recording it, and with whom at the far side that was decided. Absent: nobody has said, and it is not recorded. */
  readonly recordingRule?: {
    readonly mode: RecordingMode;
    /** A pause ends by itself after this time; 0: never. */
    readonly resumeAfterMs: number;
    readonly farSide: string;
  };
  /**
   * ```
   * absent → asking → on ⇄ off          absent: not recorded so far
   *     │       └───→ refused → on      the far side may change its mind, either way
   *     └→ on                           by the policy, or by the agent
   * ```
   */
  readonly recording?: 'off' | 'asking' | 'on' | 'refused';
  /** Of a call that is or was recorded: since when, ms from the answer. */
  readonly recordedFromMs?: number;
  /** This is a room at the phone system: who was sent there from here, and the calls that still are to be. */
  readonly room: null | { readonly members: readonly Party[]; readonly gathers: readonly CallId[] };
  /** The extension that the call was picked up from. */
  readonly pickedUpFrom: string | null;
  /** SIP Call-ID, once known: joins PBX call records to this call. */
  readonly sipCallId: string | null;
  /** Digits sent so far, for the display. */
  readonly digits: string;
  /** Epoch ms. */
  readonly startedAt: number;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
  readonly end: null | {
    readonly outcome: CallOutcome;
    readonly reason: string;
    readonly by: 'agent' | 'far-side' | 'network';
  };
  /** Where the last refused hold, transfer or digit went wrong; plain words, null when nothing did. */
  readonly trouble: string | null;
  readonly matches: readonly Match[];
  /** It was looked for, and nobody has the number. Absent before. */
  readonly unknown?: boolean;
  readonly record: RecordRef | null;
  /** What the call is about, beside whom it is with: a case, a deal. */
  readonly about: RecordRef | null;
  readonly note: string;
  readonly disposition: string | null;
  /** When the time for the wrap-up began, epoch ms: the call's own end, or that of a talk that came between. null before the end. */
  readonly wrapUpSince: number | null;
  /** How often the agent asked for more time. */
  readonly moreTime: number;
}

/** `cancelling`: it was taken back, and the far side has not agreed yet. */
export type TransferStatus = 'asked' | 'ringing' | 'cancelling';

/** What a blind transfer is for: to hand the call over, to park it, to go on at another device of the same agent, to send it into a room. */
export type TransferPurpose = 'transfer' | 'park' | 'move' | 'room';

/** What the profile lets this phone do, as far as the call machine asks. */
export interface CallRules {
  /** Calls at once, the ringing ones included: 1 to 6. */
  readonly mostCalls: number;
  /** A second inbound call rings; false: it is told busy. */
  readonly callWaiting: boolean;
  readonly busyCode: DeclineCode;
  readonly declineCode: DeclineCode;
  /** Intercom and paging: answered by itself never, while no other call is in progress, or always (which puts the live one on hold). */
  readonly autoAnswer: 'never' | 'idle' | 'always';
  /** Calls that may be mixed here, 0: none. */
  readonly mostMembers: number;
  /** Feature codes of the phone system; null: the phone does it by itself. `{number}` stands for the target. */
  readonly codes: {
    readonly doNotDisturb: null | { readonly on: string; readonly off: string };
    readonly forwarding: null | { readonly on: string; readonly off: string };
  };
}

export const defaultRules: CallRules = {
  mostCalls: 6,
  callWaiting: true,
  busyCode: 486,
  declineCode: 486,
  autoAnswer: 'never',
  mostMembers: 5,
  codes: { doNotDisturb: null, forwarding: null },
};

/** Where inbound calls go instead of ringing here. */
export interface Forwarding {
  readonly to: string;
  readonly when: 'always' | 'busy' | 'no-answer';
  /** For `no-answer`: how long it rings first, seconds. */
  readonly afterSeconds: number;
}

/** An extension or park slot of the phone system that is watched. */
export interface Watched {
  readonly extension: string;
  /** `unknown` until the phone system says something, and while it can't be asked. */
  readonly status: 'unknown' | 'free' | 'ringing' | 'busy' | 'held';
  /** Who is at the other end there, when the phone system tells. */
  readonly farSide: Party | null;
  /** Seen from the watched extension. */
  readonly direction: Direction | null;
  /** Its call can be taken over as it stands, without a feature code. */
  readonly canTake: boolean;
}

export interface Mailbox {
  readonly waiting: boolean;
  readonly newMessages: number;
  readonly oldMessages: number;
}

/** More time for one wrap-up can be asked for this often. */
export const mostMoreTime = 3;

/** An act that goes on by itself as soon as no other call is live: that one is being put on hold first. */
export type Waiting =
  | { readonly act: 'answer' | 'resume'; readonly call: CallId }
  | { readonly act: 'dial'; readonly call: CallId; readonly target: string; readonly callerId: string | null }
  | { readonly act: 'pick-up'; readonly call: CallId; readonly extension: string; readonly code: string | null };

export interface PhoneState {
  readonly line: LineState;
  readonly available: boolean;
  /** Oldest first. An ended call stays until its wrap-up is submitted; an inbound call that nobody answered leaves at once. */
  readonly calls: readonly CallState[];
  readonly waiting: Waiting | null;
  readonly rules: CallRules;
  readonly forwarding: Forwarding | null;
  /** In the order of the profile. */
  readonly watched: readonly Watched[];
  /** null: not watched, or the phone system has not said. */
  readonly mailbox: Mailbox | null;
  /** Why colleagues or the mailbox can't be watched, or a feature code was refused; plain words, empty while all is well. */
  readonly featureTrouble: string;
}

export const emptyPhone: PhoneState = {
  line: { status: 'offline', reason: '' },
  available: true,
  calls: [],
  waiting: null,
  rules: defaultRules,
  forwarding: null,
  watched: [],
  mailbox: null,
  featureTrouble: '',
};

/** What an agent (or a mirror, or a host) asks of the phone. `at` is epoch ms, set by whoever sends it. */
export type Command =
  | { readonly type: 'line.connect' }
  | { readonly type: 'line.disconnect' }
  /** Not available is what a telephone calls do not disturb: told to the phone system where the profile has a code for it, and to the CRM. */
  | { readonly type: 'agent.set-available'; readonly available: boolean }
  /** null: calls ring here. */
  | { readonly type: 'agent.forward'; readonly forwarding: Forwarding | null }
  | {
      readonly type: 'call.dial';
      readonly call: CallId;
      /** What goes into the Request-URI's user part: E.164 or an extension. */
      readonly target: string;
      readonly farSide: Party;
      readonly record?: RecordRef;
      /** Dialled from a record that is no person: what the call is about. */
      readonly about?: RecordRef;
      readonly consultFor?: CallId;
      /** A click on the page around the phone: several frames may hear the same one. */
      readonly fromPage?: boolean;
      /** A number of the profile that the far side shall see. */
      readonly callerId?: string;
    }
  /** Takes the call that rings at, or was parked or held by, `extension`; `code` is dialled where the phone system does not show it. */
  | {
      readonly type: 'call.pick-up';
      readonly call: CallId;
      readonly extension: string;
      readonly code: string | null;
      readonly farSide: Party;
    }
  /** Dials the room of the phone system `target`, and sends these calls there once it answers. */
  | {
      readonly type: 'call.gather';
      readonly call: CallId;
      readonly target: string;
      readonly farSide: Party;
      readonly calls: readonly CallId[];
    }
  | { readonly type: 'call.answer'; readonly call: CallId }
  | { readonly type: 'call.decline'; readonly call: CallId }
  /** Sends a ringing call somewhere else: to a number, or to voicemail by its number. */
  | { readonly type: 'call.redirect'; readonly call: CallId; readonly to: string }
  /** Lets it ring without a sound. */
  | { readonly type: 'call.ignore'; readonly call: CallId }
  | { readonly type: 'call.hang-up'; readonly call: CallId }
  | { readonly type: 'call.hold'; readonly call: CallId }
  | { readonly type: 'call.resume'; readonly call: CallId }
  /** Holds the live call and resumes this one, which is held. */
  | { readonly type: 'call.swap'; readonly call: CallId }
  | { readonly type: 'call.mute'; readonly call: CallId; readonly muted: boolean }
  | { readonly type: 'call.send-digits'; readonly call: CallId; readonly digits: string }
  | {
      readonly type: 'call.transfer';
      readonly call: CallId;
      readonly to: string;
      /** Default: to hand it over. */
      readonly purpose?: TransferPurpose;
    }
  /** Takes back a transfer that the target has not answered. */
  | { readonly type: 'call.cancel-transfer'; readonly call: CallId }
  /** Brings this call, which is on hold, into the conversation with the live one: everyone hears all others. */
  | { readonly type: 'call.merge'; readonly call: CallId }
  /** Takes this call out of the conference and puts it on hold. */
  | { readonly type: 'call.split'; readonly call: CallId }
  /** Nobody hears this member of the conference. */
  | { readonly type: 'call.silence'; readonly call: CallId; readonly silenced: boolean }
  /** Joins the held call with the consult call placed for it. `call` is either of the two. */
  | { readonly type: 'call.complete-transfer'; readonly call: CallId }
  /** What the look-up of the far side came to; no match at all: nobody has the number. */
  | { readonly type: 'call.found'; readonly call: CallId; readonly matches: readonly Match[] }
  | {
      readonly type: 'call.choose-record';
      readonly call: CallId;
      readonly record: RecordRef;
      readonly by: 'agent' | 'only-match' | 'dialled-from';
    }
  /** Says what the call is about; null: nothing after all. */
  | { readonly type: 'call.associate'; readonly call: CallId; readonly record: RecordRef | null }
  | { readonly type: 'call.write-note'; readonly call: CallId; readonly note: string }
  | { readonly type: 'call.set-disposition'; readonly call: CallId; readonly disposition: string }
  /** Lets nobody hear the call from now on, or again: neither transcript nor recording has what is said meanwhile. */
  | { readonly type: 'call.pause-sound'; readonly call: CallId; readonly paused: boolean }
  /** Records the call from now on, or no longer. */
  | { readonly type: 'call.record'; readonly call: CallId; readonly on: boolean }
  /** What the far side said when the agent asked whether it may be recorded. */
  | { readonly type: 'call.consent'; readonly call: CallId; readonly given: boolean }
  /** As much time for the wrap-up again. */
  | { readonly type: 'call.more-time'; readonly call: CallId }
  | { readonly type: 'call.submit-wrap-up'; readonly call: CallId };

/** What the line or the far side did; the only way a SIP outcome reaches the state. */
export type SipSignal =
  | { readonly type: 'sip.connecting'; readonly server: string }
  | { readonly type: 'sip.registered'; readonly server: string }
  /** The socket or the registration is gone; the port keeps trying by itself. */
  | { readonly type: 'sip.lost'; readonly reason: string }
  /** The registrar refused us; the port waits for a new credential or account. */
  | { readonly type: 'sip.rejected'; readonly code: number; readonly reason: string }
  | { readonly type: 'sip.stopped' }
  | {
      readonly type: 'sip.invited';
      readonly call: CallId;
      readonly from: Party;
      readonly sipCallId: string;
      readonly replaces?: CallId;
      readonly diverted?: { readonly from: Party; readonly reason: string };
      readonly verified?: 'passed' | 'failed';
      /** The caller asks that the phone answers by itself (RFC 5373, Call-Info answer-after, Alert-Info), after so many ms. */
      readonly answersAfterMs?: number;
    }
  /** The INVITE left. */
  | { readonly type: 'sip.dialing'; readonly call: CallId; readonly sipCallId: string }
  | { readonly type: 'sip.ringing'; readonly call: CallId; readonly earlyMedia: boolean }
  | { readonly type: 'sip.answered'; readonly call: CallId }
  /** The network says who the far side is now (P-Asserted-Identity of an answer, a re-INVITE or an UPDATE); a transfer at the far side. */
  | { readonly type: 'sip.identified'; readonly call: CallId; readonly farSide: Party }
  | { readonly type: 'sip.held'; readonly call: CallId }
  | { readonly type: 'sip.resumed'; readonly call: CallId }
  | { readonly type: 'sip.hold-refused'; readonly call: CallId; readonly reason: string }
  | { readonly type: 'sip.far-held'; readonly call: CallId }
  | { readonly type: 'sip.far-resumed'; readonly call: CallId }
  | { readonly type: 'sip.transfer-ringing'; readonly call: CallId }
  | { readonly type: 'sip.transferred'; readonly call: CallId }
  | { readonly type: 'sip.transfer-refused'; readonly call: CallId; readonly reason: string }
  | { readonly type: 'sip.digits-refused'; readonly call: CallId; readonly reason: string }
  | {
      readonly type: 'sip.ended';
      readonly call: CallId;
      readonly by: 'agent' | 'far-side' | 'network';
      /** Final SIP status, 0 when the call was ended by BYE or CANCEL. */
      readonly code: number;
      readonly reason: string;
      /** CANCEL said that another device took the call (RFC 3326). */
      readonly elsewhere?: boolean;
    }
  /** A call of an earlier owner is up again, with sound: by this way, or because the caller's INVITE rang here once more. */
  | {
      readonly type: 'sip.recovered';
      readonly call: CallId;
      readonly way: RecoveryWay | 'rung-again';
      readonly peer: string;
    }
  /** One way of taking it up was tried. */
  | {
      readonly type: 'sip.recovery-tried';
      readonly call: CallId;
      readonly way: RecoveryWay;
      readonly peer: string;
      readonly worked: boolean;
    }
  /** All that is watched, in the order it was asked for. */
  | { readonly type: 'sip.watched'; readonly watched: readonly Watched[] }
  | { readonly type: 'sip.mailbox'; readonly mailbox: Mailbox | null }
  /** The phone system lets nothing be watched, or says nothing; empty: it does again. */
  | { readonly type: 'sip.watch-trouble'; readonly reason: string }
  | { readonly type: 'sip.code-done'; readonly code: string }
  | { readonly type: 'sip.code-refused'; readonly code: string; readonly reason: string };

/** The phone's own deadlines. */
export type TimerSignal =
  | { readonly type: 'timer.ending-expired'; readonly call: CallId }
  /** An intercom call answers itself now. */
  | { readonly type: 'timer.answers'; readonly call: CallId }
  /** Nobody answered in time: the call is forwarded. */
  | { readonly type: 'timer.unanswered'; readonly call: CallId }
  /** It could not be taken up in all this time. */
  | { readonly type: 'timer.recovery-expired'; readonly call: CallId }
  /** The pause of its sound is over. */
  | { readonly type: 'timer.sound-resumes'; readonly call: CallId };

/** What only the owner's surroundings tell: the profile, and the calls of an earlier owner. */
export type OwnerInput =
  | { readonly type: 'rules.set'; readonly rules: CallRules }
  /** What holds for recording this call, with the far side it has now. Said again by each owner, and whenever one of these changes. */
  | {
      readonly type: 'recording.rule';
      readonly call: CallId;
      readonly mode: RecordingMode;
      /** A pause of its sound ends by itself after this time, ms; 0: never. */
      readonly resumeAfterMs: number;
    }
  | {
      readonly type: 'calls.take-up';
      /** As they stood last. */
      readonly calls: readonly CallState[];
      /** Those with a dialog that can be taken up. */
      readonly resumable: readonly CallId[];
      /** When they were seen alive last, epoch ms: what can't be taken up ended then. */
      readonly seenAt: number;
    };

export type Input = (Command | SipSignal | TimerSignal | OwnerInput) & { readonly at: number };

/** One call in a conference that is mixed here. */
export interface MixedCall {
  readonly call: CallId;
  /** Heard by nobody; hears everyone. */
  readonly silenced: boolean;
}

/** `auto-answer` warns that the microphone opens by itself in a moment. */
export type Tone = 'none' | 'ring' | 'ringback' | 'call-waiting' | 'auto-answer';

/** What the runtime must do after a transition, in this order. */
export type Effect =
  | { readonly type: 'sip.start' }
  | { readonly type: 'sip.stop' }
  | { readonly type: 'sip.dial'; readonly call: CallId; readonly target: string; readonly callerId: string | null }
  | { readonly type: 'sip.pick-up'; readonly call: CallId; readonly extension: string; readonly code: string | null }
  | { readonly type: 'sip.answer'; readonly call: CallId }
  | { readonly type: 'sip.decline'; readonly call: CallId; readonly code: DeclineCode }
  | { readonly type: 'sip.redirect'; readonly call: CallId; readonly to: string }
  | { readonly type: 'sip.cancel-transfer'; readonly call: CallId }
  | { readonly type: 'sip.send-code'; readonly code: string }
  | { readonly type: 'sip.hang-up'; readonly call: CallId }
  | { readonly type: 'sip.hold'; readonly call: CallId; readonly on: boolean }
  | { readonly type: 'sip.mute'; readonly call: CallId; readonly muted: boolean }
  | { readonly type: 'sip.send-digits'; readonly call: CallId; readonly digits: string }
  | { readonly type: 'sip.transfer'; readonly call: CallId; readonly to: string }
  | { readonly type: 'sip.transfer-attended'; readonly call: CallId; readonly consult: CallId }
  /** Takes these calls of an earlier owner up. */
  | { readonly type: 'sip.take-up'; readonly calls: readonly CallId[] }
  /** One deadline of each kind for a call; it goes with its call. */
  | { readonly type: 'timer.start'; readonly call: CallId; readonly signal: TimerSignal['type']; readonly ms: number }
  | { readonly type: 'emit'; readonly event: PhoneEvent }
  /** A command that could not be taken: the state is the same object. */
  | {
      readonly type: 'refuse';
      readonly command: Command['type'];
      readonly code: 'call.unknown' | 'call.not-allowed' | 'line.not-ready';
      readonly reason: string;
    };
