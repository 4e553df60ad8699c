/** What a call needs of the port around it. Owns no behaviour. */
import type { CallId } from '@patchcord/call-protocol';
import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { ClockPort, IceServer, KeptDialog, SipAccount, SoundPort } from '../ports.ts';
import type { SipSignal } from '../state.ts';
import type { SipLog } from './sip-log.ts';
import type { FollowedTarget } from './transfer-request.ts';

export interface CallSurroundings {
  readonly account: SipAccount;
  readonly userAgent: UserAgent;
  readonly sound: SoundPort;
  readonly clock: ClockPort;
  readonly random: () => number;
  readonly log: SipLog;
  readonly newPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  readonly newAudioContext: () => AudioContext;
  iceServers(): readonly IceServer[];
  /** The candidate policy for the server in use, with what was learned about it. */
  candidates(): SipAccount['candidates'];
  /** The server in use refused an offer with host candidates only. */
  learnFullCandidates(): void;
  connected(): boolean;
  /** Resolves when it is known whether requests reach the server; the line has another connection then, or is lost, if they did not. */
  prove(): Promise<void>;
  signal(signal: SipSignal): void;
  /** Called once, right after `sip.ended`. */
  over(call: { readonly id: CallId }): void;
  /**
   * This dialog is over here, and its other end may not know: a successor is told of it too, and over another connection it is ended once more.
   * @param call whose it is, when it may be another call's by now
   * @returns what says that the other end has heard
   */
  owe(kept: KeptDialog, call?: { readonly id: CallId }): () => void;
  /** Ends, over the connection there is by then, an INVITE whose answers went down with another one. */
  endLost(kept: KeptDialog): void;
  /** Runs when the line is ready again; dropped if that takes longer than a minute. */
  whenReady(run: () => void): void;
  /** Places the call that the far side asks for in the place of this one. Undefined where that is not possible. */
  follow(call: SentCall, target: FollowedTarget): Following | undefined;
}

export type EndedBy = 'agent' | 'far-side' | 'network';

/** A call whose far side sends it on, as far as its successor has to know it. */
export interface SentCall {
  readonly id: CallId;
  readonly held: boolean;
  readonly muted: boolean;
  readonly farHeld: boolean;
  /** Ends without a word to the agent: the successor goes on under the same id. */
  retire(): void;
  /** The far side hung up, and there is no successor. */
  farSideGone(reason: string): void;
}

/** A call on its way to where the far side sent us. */
export interface Following {
  /** The far side of the old call hung up: what becomes of the new one is all that counts. */
  farSideLeft(): void;
  giveUp(): void;
}
