/**
 * The phone: runs the transition, tells subscribers, performs effects in order. Owns the loop; knows no rule, no SIP, no DOM.
 */
import type { ErrorCode, PhoneEvent } from '@patchcord/call-protocol';
import type { IceServer, SipAccount, SipCredential } from './ports.ts';
import type { Command, PhoneState } from './state.ts';

export type CommandResult =
  | { readonly ok: true }
  | { readonly ok: false; readonly code: ErrorCode; readonly reason: string };

/** The one face of a phone: the owner's own, and what every mirror sees of it. */
export interface Phone {
  state(): PhoneState;
  /** Called after every change, with the state that is already in place. */
  onState(listener: (state: PhoneState) => void): () => void;
  /** Every event once, in order, in the frame that owns the phone; never in a mirror. */
  onEvent(listener: (event: PhoneEvent) => void): () => void;
  send(command: Command): Promise<CommandResult>;
}

/** What only the owner can do. */
export interface OwnedPhone extends Phone {
  setAccount(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[]): void;
  renew(credential: SipCredential, iceServers: readonly IceServer[]): void;
  close(): Promise<void>;
}
