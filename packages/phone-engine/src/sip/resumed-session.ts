/**
 * Owns a session of sip.js on a dialog that an earlier owner had (shortcoming 17): as if it had been up all the time. What comes in it is answered
 * from the first moment, and the next INVITE sent in it is a re-INVITE.
 * Must never send anything by itself.
 */
import { Inviter } from 'sip.js/lib/api/inviter.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { Dialog } from 'sip.js/lib/core/dialogs/dialog.js';
import { SessionDialog } from 'sip.js/lib/core/dialogs/session-dialog.js';
import type { OutgoingRequestMessage } from 'sip.js/lib/core/messages/outgoing-request-message.js';
import { SignalingState } from 'sip.js/lib/core/session/session.js';
import type { SessionDelegate } from 'sip.js/lib/core/session/session-delegate.js';
import type { InviteClientTransaction } from 'sip.js/lib/core/transactions/invite-client-transaction.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import type { KeptDialog } from '../ports.ts';

/** So many requests may have left that were not written down in time; and a late owner stays below it. */
export const sequenceRoom = 100;

export class ResumedSession extends Inviter {
  /** @throws where the dialog names an address that is none */
  constructor(userAgent: UserAgent, kept: KeptDialog) {
    const remoteURI = addressOf(kept.remoteUri);
    const localURI = addressOf(kept.localUri);
    const remoteTarget = addressOf(kept.remoteTarget);
    super(userAgent, remoteTarget, { params: { fromUri: localURI, toUri: remoteURI } });
    const core = userAgent.userAgentCore;
    const { callId, localTag, remoteTag, localSequence, remoteSequence, routes } = kept;
    const open = this as unknown as OpenSession;
    open.outgoingRequestMessage = core.makeOutgoingRequestMessage('INVITE', remoteTarget, localURI, remoteURI, {
      ...{ callId, toTag: remoteTag, fromTag: localTag, cseq: localSequence, routeSet: [...routes] },
    });
    const sessions = (userAgent as unknown as OpenUserAgent)._sessions;
    delete sessions[open._id];
    open._id = callId + localTag;
    sessions[open._id] = this;
    const dialog = new SessionDialog(
      // A dialog asks its first transaction only for the ACK of an INVITE that began it.
      { request: open.outgoingRequestMessage } as unknown as InviteClientTransaction,
      core,
      {
        ...{ id: callId + localTag + remoteTag, early: false, secure: false, callId, localTag, remoteTag },
        ...{ localURI, remoteURI, remoteTarget, routeSet: [...routes] },
        localSequenceNumber: localSequence + sequenceRoom,
        remoteSequenceNumber: remoteSequence ?? undefined,
      } as ConstructorParameters<typeof SessionDialog>[2],
      {
        onAck: (request) => open.onAckRequest(request),
        onBye: (request) => open.onByeRequest(request),
        onInfo: (request) => open.onInfoRequest(request),
        onInvite: (request) => open.onInviteRequest(request),
        onMessage: (request) => open.onMessageRequest(request),
        onNotify: (request) => open.onNotifyRequest(request),
        onPrack: (request) => open.onPrackRequest(request),
        onRefer: (request) => open.onReferRequest(request),
      } satisfies SessionDelegate,
    );
    // What was agreed is not known any more, only that something was.
    const agreed = { contentDisposition: 'session', contentType: 'application/sdp', content: '' };
    Object.assign(dialog, { _signalingState: SignalingState.Stable, _offer: agreed, _answer: agreed });
    open._dialog = dialog;
    open.stateTransition(SessionState.Established);
  }

  /** The registrar may have named us anew since this session was made. */
  tellContact(): void {
    const { contact } = this.userAgent;
    (this as unknown as OpenSession)._contact = contact.toString({ outbound: !contact.pubGruu });
  }
}

/** @throws where the text is no address */
export function addressOf(text: string): URI {
  const uri = UserAgent.makeURI(text);
  if (!uri) throw new Error('What was kept of the call names an address that is none.');
  return uri;
}

/** What sip.js keeps to itself, and the only way to it. */
interface OpenSession {
  outgoingRequestMessage: OutgoingRequestMessage;
  _id: string;
  _contact: string;
  _dialog: Dialog;
  stateTransition(state: SessionState): void;
  onAckRequest: NonNullable<SessionDelegate['onAck']>;
  onByeRequest: NonNullable<SessionDelegate['onBye']>;
  onInfoRequest: NonNullable<SessionDelegate['onInfo']>;
  onInviteRequest: NonNullable<SessionDelegate['onInvite']>;
  onMessageRequest: NonNullable<SessionDelegate['onMessage']>;
  onNotifyRequest: NonNullable<SessionDelegate['onNotify']>;
  onPrackRequest: NonNullable<SessionDelegate['onPrack']>;
  onReferRequest: NonNullable<SessionDelegate['onRefer']>;
}

interface OpenUserAgent {
  readonly _sessions: Record<string, unknown>;
}
