/**
 * The panel half of a CRM adapter: what the phone asks of the page that frames it, whatever that page is (Open CTI, a HubSpot calling
 * extension, Salesforce Voice, a plain page). Owns the contract only. Everything a host sends is untrusted: an adapter checks origin,
 * source and shape before it calls a listener, and bounds every wait with its own deadline.
 */
import type {
  CallOutcome,
  CrmName,
  Direction,
  IdentityProof,
  PageCommand,
  PageNews,
  Party,
  RecordRef,
} from '@patchcord/call-protocol';

/** What this host can do; the phone hides or replaces what it can't. */
export interface PanelCan {
  /** Brings its own proof of who the agent is; otherwise the phone asks for a pairing code. */
  readonly proveIdentity: boolean;
  /** What it can open; empty where nothing. */
  readonly pops: readonly PopTarget['kind'][];
  /** Numbers on the page dial by a click. */
  readonly clickToDial: boolean;
  /** Can bring the panel to the front on ring. */
  readonly raise: boolean;
  /** The page can make the log of a call itself; who makes it is asked of the relay, call by call. Absent: it can't. */
  readonly createsLogs?: boolean;
}

/** What is opened in front of the agent. */
export type PopTarget =
  | { readonly kind: 'record'; readonly record: RecordRef }
  /** The host's own search for a text of three characters and more. */
  | { readonly kind: 'search'; readonly text: string }
  /** The form of a new record; it covers the page, so only after the answer. */
  | {
      readonly kind: 'new-record';
      readonly object: string;
      /** By the CRM's own field names. */
      readonly fields: Readonly<Record<string, string>>;
      /** Whose number it is about; the host knows in which field of the object a number stands. */
      readonly number?: string;
    }
  | { readonly kind: 'flow'; readonly name: string; readonly variables: Readonly<Record<string, string>> }
  /** A path of the CRM, starting with one "/". */
  | { readonly kind: 'url'; readonly url: string };

export interface PopWish {
  /** Asked right before it opens, where a host makes a pop wait; false: it is dropped, and nobody is told. */
  readonly wanted?: () => boolean;
  /** The agent asked in person: it need not wait for a form they are filling in. */
  readonly byAgent?: boolean;
  /** A call lives on this page: what would leave it opens elsewhere, or is refused. */
  readonly keepPage?: boolean;
}

/** The page's message channel, where a host has one: state and transcript out, wishes in. */
export interface PageChannel {
  /** Tells every component of the page. Never fails: who is not there hears nothing. */
  publish(news: PageNews): void;
  /** A wish of a component. Its shape was checked, its sender can't be: the phone decides by its policy. */
  onCommand(listener: (command: PageCommand) => void): () => void;
}

/** One thing of the set-up that can be looked at. */
export interface SelfCheck {
  readonly id: string;
  /** What is looked at, in a few words. */
  readonly title: string;
  /** Never throws and never takes longer than the host's deadline. */
  run(): Promise<SelfCheckResult>;
}
export interface SelfCheckResult {
  readonly verdict: 'good' | 'bad' | 'unsure';
  /** What was found. */
  readonly found: string;
  /** What to do, when it is not good. */
  readonly advice?: string;
}

/** A wish to dial that came from the host page. The phone still decides: the number is as typed, unchecked. */
export interface DialRequest {
  readonly number: string;
  /** ISO 3166-1 alpha-2 country the host knows for the number. */
  readonly country?: string;
  /** The record that is called, not merely viewed. */
  readonly record?: RecordRef;
  /** The record in front of the agent when they clicked, where the host tells: at most what the call is about as well. */
  readonly viewed?: RecordRef;
  /** What the component that was clicked added, as it stands. */
  readonly params?: string;
}

/** One call as a host wants to hear of it. */
export interface HostCall {
  readonly id: string;
  readonly direction: Direction;
  readonly farSide: Party;
  /** The agent's own number or extension, where known. */
  readonly nearNumber?: string;
  readonly startedAt: number;
  /** The page shall make the log of this call. Only where `can.createsLogs` and the relay said so. */
  readonly pageCreatesLog?: boolean;
  /** The log the page made, as far as the phone knows it; a frame that was loaded anew learns it here. */
  readonly logId?: string;
}

/** What became of a log that the page was to make; `certain` where it makes none, and not only said nothing so far. */
export type LogCreation = { readonly logId: string } | { readonly reason: string; readonly certain: boolean };

export interface PanelHost {
  readonly crm: CrmName;
  readonly can: PanelCan;
  /**
   * Shakes hands with the host page.
   * @throws PatchcordError `host.absent` (not framed or wrong page), `host.not-authentic` (wrong origin or parameters), `host.silent` (no
   * answer before the deadline). The message tells a person what to do.
   */
  start(): Promise<void>;
  /** A fresh proof of who the agent is, or null when the host has none. @throws PatchcordError `host.*` */
  proveIdentity(): Promise<IdentityProof | null>;
  /**
   * Whom this page is for, once `start` is through: frames that say the same sign each other in, so that a code is typed once and not once a
   * tab. Need not be proven, it only narrows. null while the host has not said it; absent where the host proves every agent itself.
   */
  readonly audienceKey?: () => string | null;
  /** The agent is signed in and ready (or not) to take calls. */
  showAvailability(state: { readonly signedIn: boolean; readonly available: boolean }): void;
  /**
   * Opens something in front of the agent; one at a time, in the order asked for. While a form of a new record is open, everything waits that
   * the agent did not ask for in person.
   * @throws PatchcordError `host.refused` (also what `can.pops` does not name), `host.silent`, `crm.not-found`
   */
  pop(target: PopTarget, wish?: PopWish): Promise<void>;
  /** Absent where the page has no message channel. */
  readonly channel?: PageChannel;
  /** What can be looked at on the host's side, in the order to look; works before `start` and after it failed. */
  readonly selfChecks?: () => Promise<readonly SelfCheck[]>;
  /**
   * Whether this frame may own the line and the sound, once `start` is through. `never`: another frame of the same page does (HubSpot's calling
   * window), and this one shows and commands. Absent: it may.
   */
  readonly holdsLine?: () => 'elected' | 'never';
  /**
   * Opens the frame that owns the line, where this one may not. Must be called while a click is handled.
   * @returns false when the browser refused the window
   */
  readonly openPhoneWindow?: () => boolean;
  /** Tells what became of the log that the page was to make; absent where `can.createsLogs` is. */
  readonly onLogCreated?: (listener: (call: string, creation: LogCreation) => void) => () => void;
  /** Life of a call, told in order; adapters that don't care do nothing. */
  callStarted(call: HostCall): void;
  callAnswered(call: HostCall): void;
  /** The far side went on to somebody else by a transfer; the end follows. Absent where the page need not know. */
  readonly callTransferred?: (call: HostCall) => void;
  callEnded(call: HostCall, outcome: CallOutcome): void;
  /** Wrap-up submitted; the host may close the panel or refresh its timeline. `logId` when the relay already told it. */
  callCompleted(call: HostCall): void;
  /** A log reached the CRM: refresh what the agent sees. */
  logSaved(call: { readonly id: string }, logId: string): void;
  /** Label and icon outside the panel; `ringing` also raises the panel where the host can. */
  showState(state: 'offline' | 'ready' | 'ringing' | 'in-call' | 'wrap-up', label: string): void;
  onDialRequested(listener: (request: DialRequest) => void): () => void;
  /** The record in front of the agent changed; null when none is. Who listens late hears at once what is already known. */
  onRecordShown(listener: (record: RecordRef | null) => void): () => void;
  /** The agent came to this page or does something on it, as far as the host tells; absent where it tells nothing. */
  readonly onLookedAt?: (listener: () => void) => () => void;
  /** The host asks for the call to be ended (HubSpot END_CALL). */
  onHangUpRequested(listener: () => void): () => void;
  /** The host found records for a caller by itself (HubSpot caller-id match); `reason` says so. */
  onMatchesFound(listener: (call: string, records: readonly RecordRef[]) => void): () => void;
  stop(): void;
}

/** What an adapter gets to work with. Window and document come in, so that tests can bring their own. */
export interface PanelHostOptions {
  readonly window: Window;
  /** Exact origins that may frame us, from the relay (`data-host-origins` on the page); never `*`. */
  readonly hostOrigins: readonly string[];
  /** Audience of identity assertions: the relay's public origin. */
  readonly audience: string;
  /** Deadline of one host call, ms. */
  readonly hostTimeoutMs?: number;
}

/** One line per adapter in the registry. */
export type CreatePanelHost = (options: PanelHostOptions) => PanelHost;
