/**
 * The phone's whole state and everything that may change it. Plain JSON: mirrors, replay, crash recovery and tests come for free.
 * Owns shapes only; the rules are in `transition.ts`.
 */
import type { CallId, CallOutcome, Direction, Match, Party, PhoneEvent, RecordRef } from '@patchcord/call-protocol';

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
 * ```
 */
export type CallPhase = 'dialing' | 'ringing' | 'incoming' | 'answering' | 'active' | 'ending' | 'ended';

export interface CallState {
  readonly id: CallId;
  readonly direction: Direction;
  readonly farSide: Party;
  readonly phase: CallPhase;
  readonly hold: 'off' | 'placing' | 'on' | 'lifting';
  /** The far side holds us. */
  readonly farHold: boolean;
  readonly muted: boolean;
  /** Remote sound before the answer; local ringback stays silent then. */
  readonly earlyMedia: boolean;
  readonly transfer:
    | null
    | { readonly kind: 'blind'; readonly to: string; readonly status: 'asked' | 'ringing' }
    | {
        readonly kind: 'attended';
        readonly to: string;
        readonly consult: CallId;
        readonly status: 'asked' | 'ringing';
      };
  /** The call this one was placed for, to consult before a transfer. */
  readonly consultFor: CallId | null;
  /** The call this one takes the place of (RFC 3891); it is hung up when this one is answered. */
  readonly replaces: CallId | null;
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

/** More time for one wrap-up can be asked for this often. */
export const mostMoreTime = 3;

/** An act that goes on by itself as soon as no other call is live: that one is being put on hold first. */
export type Waiting =
  | { readonly act: 'answer' | 'resume'; readonly call: CallId }
  | { readonly act: 'dial'; readonly call: CallId; readonly target: string };

export interface PhoneState {
  readonly line: LineState;
  readonly available: boolean;
  /** Oldest first. An ended call stays until its wrap-up is submitted; an inbound call that nobody answered leaves at once. */
  readonly calls: readonly CallState[];
  readonly waiting: Waiting | null;
}

export const emptyPhone: PhoneState = {
  line: { status: 'offline', reason: '' },
  available: true,
  calls: [],
  waiting: null,
};

/** What an agent (or a mirror, or a host) asks of the phone. `at` is epoch ms, set by whoever sends it. */
export type Command =
  | { readonly type: 'line.connect' }
  | { readonly type: 'line.disconnect' }
  | { readonly type: 'agent.set-available'; readonly available: boolean }
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
    }
  | { readonly type: 'call.answer'; readonly call: CallId }
  | { readonly type: 'call.decline'; readonly call: CallId }
  | { readonly type: 'call.hang-up'; readonly call: CallId }
  | { readonly type: 'call.hold'; readonly call: CallId }
  | { readonly type: 'call.resume'; readonly call: CallId }
  /** Holds the live call and resumes this one, which is held. */
  | { readonly type: 'call.swap'; readonly call: CallId }
  | { readonly type: 'call.mute'; readonly call: CallId; readonly muted: boolean }
  | { readonly type: 'call.send-digits'; readonly call: CallId; readonly digits: string }
  | { readonly type: 'call.transfer'; readonly call: CallId; readonly to: string }
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
    }
  /** The INVITE left. */
  | { readonly type: 'sip.dialing'; readonly call: CallId; readonly sipCallId: string }
  | { readonly type: 'sip.ringing'; readonly call: CallId; readonly earlyMedia: boolean }
  | { readonly type: 'sip.answered'; readonly call: CallId }
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
    };

/** The phone's own deadlines. */
export type TimerSignal = { readonly type: 'timer.ending-expired'; readonly call: CallId };

export type Input = (Command | SipSignal | TimerSignal) & { readonly at: number };

/** What the runtime must do after a transition, in this order. */
export type Effect =
  | { readonly type: 'sip.start' }
  | { readonly type: 'sip.stop' }
  | { readonly type: 'sip.dial'; readonly call: CallId; readonly target: string }
  | { readonly type: 'sip.answer'; readonly call: CallId }
  | { readonly type: 'sip.decline'; readonly call: CallId; readonly code: 486 | 603 | 480 }
  | { readonly type: 'sip.hang-up'; readonly call: CallId }
  | { readonly type: 'sip.hold'; readonly call: CallId; readonly on: boolean }
  | { readonly type: 'sip.mute'; readonly call: CallId; readonly muted: boolean }
  | { readonly type: 'sip.send-digits'; readonly call: CallId; readonly digits: string }
  | { readonly type: 'sip.transfer'; readonly call: CallId; readonly to: string }
  | { readonly type: 'sip.transfer-attended'; readonly call: CallId; readonly consult: CallId }
  | { readonly type: 'timer.start'; readonly call: CallId; readonly ms: number }
  | { readonly type: 'timer.cancel'; readonly call: CallId }
  | { readonly type: 'emit'; readonly event: PhoneEvent }
  /** A command that could not be taken: the state is the same object. */
  | {
      readonly type: 'refuse';
      readonly command: Command['type'];
      readonly code: 'call.unknown' | 'call.not-allowed' | 'line.not-ready';
      readonly reason: string;
    };
