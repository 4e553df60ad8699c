/**
 * Owns what sip.js's core leaves out or does wrong inside a dialog: UPDATE (RFC 3311) and PRACK (RFC 3262) reach their call, Allow and Require
 * say and mean what is true, and a challenged request keeps the dialog's sequence.
 * Must never decide what a request means: that is its call's business.
 */
import { Dialog } from 'sip.js/lib/core/dialogs/dialog.js';
import { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import type { Body } from 'sip.js/lib/core/messages/body.js';
import type { IncomingRequest } from 'sip.js/lib/core/messages/incoming-request.js';
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import type { OutgoingRequestDelegate } from 'sip.js/lib/core/messages/outgoing-request.js';
import { SessionState, SignalingState } from 'sip.js/lib/core/session/session.js';
import { NonInviteClientTransaction } from 'sip.js/lib/core/transactions/non-invite-client-transaction.js';
import { NonInviteServerTransaction } from 'sip.js/lib/core/transactions/non-invite-server-transaction.js';
import { AllowedMethods } from 'sip.js/lib/core/user-agent-core/allowed-methods.js';
import type { UserAgentCore } from 'sip.js/lib/core/user-agent-core/user-agent-core.js';
import { UserAgentClient } from 'sip.js/lib/core/user-agents/user-agent-client.js';
import { UserAgentServer } from 'sip.js/lib/core/user-agents/user-agent-server.js';
import { valuesOf } from './caller-headers.ts';

/** What this phone does something with. */
const methods = ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'INFO', 'NOTIFY', 'REFER', 'PRACK', 'UPDATE'];
/** Option tags beyond those that sip.js was told of, which nobody offers but a far side may insist on. */
const understood = ['norefersub', 'histinfo', 'tdialog'];

/** Who takes a request of a dialog; undefined when no call owns the dialog. */
type Owner = (message: IncomingRequestMessage) => undefined | ((request: IncomingRequest) => void);

/** From now on UPDATE and PRACK go to the call that `ownerOf` names. */
export function serveDialogRequests(core: UserAgentCore, ownerOf: Owner): void {
  AllowedMethods.splice(0, AllowedMethods.length, ...methods);
  keepSequence();
  leaveNoneUnanswered();
  const make = core.makeOutgoingRequestMessage.bind(core);
  core.makeOutgoingRequestMessage = (method, target, from, to, options, extraHeaders, body) =>
    make(method, target, from, to, options, extraHeaders?.map(trueAllow), body);
  const receive = core.receiveIncomingRequestFromTransport.bind(core);
  core.receiveIncomingRequestFromTransport = (message) => {
    const { method, toTag, callId, fromTag } = message;
    if (method === 'INVITE' && !toTag) {
      const known = [...core.configuration.supportedOptionTags, ...understood];
      const strange = valuesOf(message, 'require').filter((tag) => !known.includes(tag.toLowerCase()));
      const extraHeaders = [`Unsupported: ${strange.join(', ')}`];
      if (strange.length > 0) return void core.replyStateless(message, { statusCode: 420, extraHeaders });
    }
    // sip.js throws here instead of answering.
    if (method === 'INVITE' && !message.hasHeader('contact'))
      return void core.replyStateless(message, { statusCode: 400 });
    // sip.js says 480.
    if (method === 'REFER' && !message.hasHeader('refer-to'))
      return void core.replyStateless(message, { statusCode: 400 });
    // The offer of an UPDATE is still being answered: sip.js would take in both at once, and end the call (RFC 3261 section 14.2).
    if (method === 'INVITE' && answersUpdate(core.dialogs.get(callId + toTag + fromTag)))
      return void core.replyStateless(message, { statusCode: 500, extraHeaders: ['Retry-After: 1'] });
    if (method !== 'UPDATE' && method !== 'PRACK') return receive(message);
    const again = core.userAgentServers.get(message.viaBranch);
    if (again) return again.transaction.receiveRequest(message);
    const dialog = core.dialogs.get(callId + toTag + fromTag) as unknown as GuardedDialog | undefined;
    const take = dialog && ownerOf(message);
    if (!take) return void core.replyStateless(message, { statusCode: 481 });
    if (!dialog.sequenceGuard(message)) return;
    // Notes the sequence number; what the session dialog does on top of it is to refuse what it does not know.
    Dialog.prototype.receiveRequest.call(dialog as unknown as Dialog, message);
    take(new UserAgentServer(NonInviteServerTransaction, core, message) as IncomingRequest);
  };
}

function answersUpdate(dialog: Dialog | undefined): boolean {
  if (!(dialog instanceof SessionDialog) || dialog.reinviteUserAgentServer) return false;
  return dialog.sessionState === SessionState.Confirmed && dialog.signalingState === SignalingState.HaveRemoteOffer;
}

/** The dialog that a request arrived in. */
export function dialogOf(core: UserAgentCore, message: IncomingRequestMessage): Dialog | undefined {
  return core.dialogs.get(message.callId + message.toTag + message.fromTag);
}

/** Sends a request inside a dialog. Never throws; `onFinal` gets the final response. */
export function sendInside(
  dialog: Dialog,
  method: string,
  extraHeaders: string[],
  onFinal: (response: IncomingResponseMessage) => void,
  body?: Body,
): void {
  const final = ({ message }: { message: IncomingResponseMessage }) => onFinal(message);
  const delegate: OutgoingRequestDelegate = { onAccept: final, onRedirect: final, onReject: final };
  try {
    const message = dialog.createOutgoingRequestMessage(method, { extraHeaders, ...(body && { body }) });
    new UserAgentClient(NonInviteClientTransaction, dialog.userAgentCore, message, delegate);
  } catch {
    // The connection went away between the look and the act; whoever sends this has a deadline.
  }
}

/** Protected in sip.js. */
interface GuardedDialog {
  sequenceGuard(message: IncomingRequestMessage): boolean;
}

function trueAllow(header: string): string {
  return /^Allow\s*:/i.test(header) ? `Allow: ${methods}` : header;
}

/** Guarded by sip.js as protected; there is no other way to it. */
interface OpenClient {
  readonly core: UserAgentCore;
  readonly message: { readonly callId: string; readonly fromTag: string; readonly toTag: string | undefined };
  authenticationGuard(message: IncomingResponseMessage, dialog?: Dialog): boolean;
}

let keepsSequence = false;

/**
 * After 401 or 407 sip.js sends BYE, REFER, INFO, PRACK and NOTIFY again with a number that the dialog does not know it used: the next request of
 * the dialog would carry it once more and be refused (500). The re-INVITE alone does it right, by naming its dialog; here all do.
 */
function keepSequence(): void {
  if (keepsSequence) return;
  keepsSequence = true;
  const open = UserAgentClient.prototype as unknown as OpenClient;
  const guard = open.authenticationGuard;
  open.authenticationGuard = function (this: OpenClient, message, dialog) {
    const { callId, fromTag, toTag } = this.message;
    return guard.call(this, message, dialog ?? this.core.dialogs.get(callId + fromTag + toTag));
  };
}

/** Kept by sip.js from its users. */
interface OpenServer extends Omit<UserAgentServer, 'accept' | 'progress' | 'reject'> {
  readonly rejectable: boolean;
  accept(): unknown;
  progress(): unknown;
  reject(): unknown;
}

let answersAll = false;

/**
 * A description that still waits for its answer when its dialog ends is refused (RFC 3261 section 15.1.2). sip.js says nothing, and its core would keep
 * the request with its call, connection and sound for as long as the page lives. What takes the request up later is told that this was the answer.
 */
function leaveNoneUnanswered(): void {
  if (answersAll) return;
  answersAll = true;
  const { dispose } = SessionDialog.prototype;
  SessionDialog.prototype.dispose = function (this: SessionDialog) {
    dispose.call(this);
    const { userAgentServers } = this.userAgentCore;
    for (const server of [...userAgentServers.values()] as unknown as OpenServer[]) {
      const { method, callId, toTag, fromTag } = server.message;
      if (!/^(?:INVITE|UPDATE)$/.test(method) || !toTag || callId + toTag + fromTag !== this.id) continue;
      if (!server.rejectable) continue;
      const answer = UserAgentServer.prototype.reject.call(server as unknown as UserAgentServer, { statusCode: 487 });
      server.accept = server.progress = server.reject = () => answer;
    }
  };
}
