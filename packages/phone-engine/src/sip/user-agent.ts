/**
 * Owns how sip.js is set up for one account: what its user agent is told, and what is put in the place of its own parts. Must never let it act by
 * itself: it neither reconnects, nor registers, rings or logs.
 */
import type { Session } from 'sip.js/lib/api/session.js';
import type { SessionDescriptionHandler } from 'sip.js/lib/api/session-description-handler.js';
import { UserAgent } from 'sip.js/lib/api/user-agent.js';
import type { UserAgentDelegate } from 'sip.js/lib/api/user-agent-delegate.js';
import { SIPExtension } from 'sip.js/lib/api/user-agent-options.js';
import type { IncomingRequest } from 'sip.js/lib/core/messages/incoming-request.js';
import type { IncomingRequestMessage } from 'sip.js/lib/core/messages/incoming-request-message.js';
import { URI } from 'sip.js/lib/grammar/uri.js';
import type { SipAccount, SipCredential } from '../ports.ts';
import { serveDialogRequests } from './dialog-requests.ts';
import { md5 } from './digest.ts';
import { answerChallenges } from './sign-in.ts';
import { SipSocket, type SipSocketOptions } from './sip-socket.ts';
import { followAnsweredContact } from './target-refresh.ts';
import { preloadedRoute } from './transport-rule.ts';

/** A PBX decides how long it lets a phone ring; this only keeps a forgotten INVITE from ringing for ever. */
const ringSeconds = 180;

/**
 * @param ownerOf who takes a request inside a dialog that sip.js has no place for; undefined: nobody
 * @throws where the account's domain or extension cannot stand in an address
 */
export function makeUserAgent(
  account: SipAccount,
  credential: SipCredential,
  socketOptions: SipSocketOptions,
  delegate: UserAgentDelegate,
  ownerOf: (message: IncomingRequestMessage) => ((request: IncomingRequest) => void) | undefined,
): UserAgent {
  // The same after a reload: a server takes the CANCEL of an INVITE that an earlier page sent (RFC 3261 section 17.2.3 asks for the same sent-by), and
  // one binding takes the place of the other. Nobody can tell the device from it.
  const name = md5(`contact ${account.instance}`);
  const userAgent = new UserAgent({
    viaHost: `${name.slice(0, 12)}.invalid`,
    contactName: name.slice(12, 24),
    uri: new URI('sip', account.extension, account.domain),
    authorizationUsername: credential.username,
    authorizationPassword: credential.password,
    displayName: account.displayName.replace(/["\\\r\n]/g, ''),
    instanceId: account.instance,
    preloadedRouteSet: preloadedRoute(account.outboundProxy),
    transportConstructor: SipSocket as unknown as NonNullable<
      NonNullable<ConstructorParameters<typeof UserAgent>[0]>['transportConstructor']
    >,
    transportOptions: socketOptions,
    sessionDescriptionHandlerFactory: (session: Session) => session.data as SessionDescriptionHandler,
    // Shortcoming 12: off by default, and the header is then ignored.
    sipExtensionReplaces: SIPExtension.Supported,
    sipExtension100rel: SIPExtension.Supported,
    sipExtensionExtraSupported: ['timer', 'answermode'],
    // Ringing is the call's to tell, once it may ring at all.
    sendInitialProvisionalResponse: false,
    allowLegacyNotifications: true,
    noAnswerTimeout: ringSeconds,
    gracefulShutdown: false,
    userAgentString: 'Patchcord',
    // sip.js logs dialog ids, which are secrets.
    logBuiltinEnabled: false,
    logConfiguration: false,
    logLevel: 'error',
    delegate,
  });
  followAnsweredContact(userAgent.userAgentCore);
  serveDialogRequests(userAgent.userAgentCore, ownerOf);
  answerChallenges(userAgent.userAgentCore, () => ({
    username: userAgent.configuration.authorizationUsername,
    password: userAgent.configuration.authorizationPassword,
  }));
  return userAgent;
}
