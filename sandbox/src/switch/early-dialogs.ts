/**
 * What an agent's phone says before it answers: the dialogs that its provisional answers begin, and the PRACKs that the
 * reliable ones want (RFC 3262). Owns those dialogs until the answer; must never send anything itself.
 */
import { Dialog } from './dialog.ts';
import type { Flow } from './sip-endpoint.ts';
import { hasToken, header, parseNameAddress, type SipRequest, type SipResponse, sequence } from './sip-message.ts';

export class EarlyDialogs {
  /** The session description of a reliable answer: the 2xx behind it has none. */
  description = '';
  /** By the phone's tag. */
  readonly #dialogs = new Map<string, Dialog>();

  all(): Dialog[] {
    return [...this.#dialogs.values()];
  }

  /** Takes note of a 101 to 199; gives the PRACK for it where one is due. */
  progress(invite: SipRequest, response: SipResponse, flow: Flow): SipRequest | undefined {
    const tag = tagOf(response);
    if (tag === '') return undefined;
    const dialog = this.#dialogs.get(tag) ?? Dialog.calling(invite, response, flow);
    this.#dialogs.set(tag, dialog);
    const number = header(response, 'RSeq');
    if (number === undefined || !hasToken(response, 'Require', '100rel')) return undefined;
    if (response.body !== '') this.description = response.body;
    return dialog.request('PRACK', [{ name: 'RAck', value: `${number} ${sequence(invite).number} INVITE` }]);
  }

  /** The dialog that this 2xx confirms, when it was begun before. */
  confirmed(response: SipResponse): Dialog | undefined {
    return this.#dialogs.get(tagOf(response))?.confirmed(response);
  }
}

function tagOf(response: SipResponse): string {
  return parseNameAddress(header(response, 'To') ?? '').params.get('tag') ?? '';
}
