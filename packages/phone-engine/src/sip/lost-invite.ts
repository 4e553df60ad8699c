/**
 * Owns the end of an INVITE whose answers go to a connection or a page that is gone: it is cancelled over the new connection, as if the old one still were
 * (RFC 3261 section 9.1); and a call that was answered all the same is hung up, whether its answer comes here or went down with the old connection, so that
 * nobody talks to nobody.
 * Must never be heard or told of.
 */
import type { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import type { IncomingResponse } from 'sip.js/lib/core/messages/incoming-response.js';
import type { IncomingResponseMessage } from 'sip.js/lib/core/messages/incoming-response-message.js';
import { NonInviteClientTransaction } from 'sip.js/lib/core/transactions/non-invite-client-transaction.js';
import { UserAgentClient } from 'sip.js/lib/core/user-agents/user-agent-client.js';
import type { ClockPort, KeptDialog } from '../ports.ts';
import { reasonHeader } from './reason.ts';
import { addressOf, ResumedSession } from './resumed-session.ts';

/** A far side repeats its answer for so long (RFC 3261 section 13.3.1.4). */
const answerMs = 32_000;
/** What was cancelled has usually said so by then. */
const cancelledMs = 500;

/** Cancels it. Never throws. @param over runs when nobody waits at the other end any more, or nobody who can be told */
export function cancelLost(kept: KeptDialog, userAgent: UserAgent, clock: ClockPort, over: () => void): void {
  const { inviting, callId, localTag } = kept;
  const core = userAgent.userAgentCore;
  if (!inviting) return;
  const begun = cancel(kept, userAgent);
  const receive = core.receiveIncomingResponseFromTransport.bind(core);
  let acknowledge: ((answer: IncomingResponseMessage) => void) | undefined;
  let awaited = true;
  let answered = false;
  core.receiveIncomingResponseFromTransport = (response) => {
    const { method, statusCode = 0 } = response;
    const isFinal = method === 'INVITE' && statusCode >= 200;
    if (!awaited || !isFinal || response.callId !== callId || response.fromTag !== localTag) return receive(response);
    answered = true;
    over();
    // A page that is still there takes the answer to its own INVITE, and ends the call itself.
    if (statusCode >= 300 || core.userAgentClients.has(`${inviting.branch}INVITE`)) return receive(response);
    try {
      acknowledge ??= takeAndEnd(kept, response, userAgent);
      acknowledge(response);
    } catch {
      // Not an answer that anything can be sent to.
    }
  };
  clock.setTimeout(() => {
    if (!answered) hangUp(begun(), userAgent, over);
  }, cancelledMs);
  clock.setTimeout(() => {
    awaited = false;
    over();
  }, answerMs);
}

/**
 * Sends it. @returns the dialog that has begun at the far side, as far as is known by then: it rang once, or its answer to the CANCEL has its tag (section 9.2).
 */
function cancel(kept: KeptDialog, userAgent: UserAgent): () => KeptDialog {
  const { inviting, callId, localTag, localSequence } = kept;
  let begun = kept;
  if (!inviting) return () => begun;
  try {
    const core = userAgent.userAgentCore;
    const message = core.makeOutgoingRequestMessage(
      'CANCEL',
      addressOf(inviting.uri),
      addressOf(kept.localUri),
      addressOf(kept.remoteUri),
      { callId, fromTag: localTag, cseq: localSequence, routeSet: [...inviting.routes] },
      [reasonHeader(487, 'The connection of the caller is gone')],
    );
    message.branch = inviting.branch;
    new UserAgentClient(NonInviteClientTransaction, core, message, {
      onAccept: ({ message: { toTag } }) => {
        if (kept.remoteTarget === '' && toTag)
          begun = { ...kept, remoteTag: toTag, remoteTarget: inviting.uri, routes: inviting.routes };
      },
    });
  } catch {
    // The connection went away between the look and the act.
  }
  return () => begun;
}

/** Of an answer that went down with the old connection nothing comes here, and the far side would wait for its ACK. A BYE needs none (section 15). */
function hangUp(kept: KeptDialog, userAgent: UserAgent, over: () => void): void {
  // Nobody knows what the far side calls it: there is nothing to name in a BYE.
  if (kept.remoteTarget === '') return;
  // What sip.js made up itself, because the connection was lost or nobody answered, has no Via.
  const heard = ({ message }: IncomingResponse) => {
    if (message.getHeader('via') !== undefined) over();
  };
  try {
    void new ResumedSession(userAgent, kept)
      .bye({ requestDelegate: { onAccept: heard, onReject: heard } })
      .catch(() => {});
  } catch {
    // What was kept cannot be called.
  }
}

/** @returns what acknowledges the answer, each time it comes */
function takeAndEnd(kept: KeptDialog, answer: IncomingResponseMessage, userAgent: UserAgent): () => void {
  const contact = answer.parseHeader('contact') as { readonly uri: { toString(): string } };
  const session = new ResumedSession(userAgent, {
    ...kept,
    remoteTag: answer.toTag,
    remoteTarget: contact.uri.toString(),
    routes: answer.getHeaders('record-route').reverse(),
  });
  const { transport } = userAgent.userAgentCore;
  const dialog = session.dialog as SessionDialog;
  const ack = dialog.createOutgoingRequestMessage('ACK', { cseq: answer.cseq });
  ack.setViaHeader(`z9hG4bK${crypto.randomUUID()}`, transport.protocol);
  let ended = false;
  return () => {
    transport.send(ack.toString()).catch(() => {});
    if (!ended) void session.bye().catch(() => {});
    ended = true;
  };
}
