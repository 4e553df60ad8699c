/**
 * Owns one correction in sip.js's core: the Contact of a 2xx is where the dialog goes on (RFC 3261 section 12.2.1.2), also when a 18x named another
 * one before. sip.js keeps the first, so that ACK and BYE of a call through a forking proxy, or after a 18x without Contact, go astray.
 * Must never touch a dialog that is not being answered right now.
 */
import type { UserAgentCore } from 'sip.js/lib/core/user-agent-core/user-agent-core.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';

/** From now on every INVITE that this core sends takes the remote target from its 2xx, before the ACK leaves. */
export function followAnsweredContact(core: UserAgentCore): void {
  const invite = core.invite.bind(core);
  core.invite = (request, delegate) =>
    invite(request, {
      ...delegate,
      onAccept: (response) => {
        refreshTarget(response.session, response.message);
        delegate?.onAccept?.(response);
      },
    });
}

/** From here on the dialog's requests go to the Contact of this message, if it has one. */
export function refreshTarget(dialog: object, message: { parseHeader(name: string): unknown }): void {
  const contact = message.parseHeader('contact') as { readonly uri?: URI } | undefined;
  // `dialogState` is protected in sip.js; there is no other way to it.
  if (contact?.uri) (dialog as OpenDialog).dialogState.remoteTarget = contact.uri;
}

interface OpenDialog {
  readonly dialogState: { remoteTarget: URI };
}
