/** Owns the way of an agent's digits into a call: what may be sent, and the INFO where the sound carries none. Must never send on a call that is not up. */
import type { Session } from 'sip.js/lib/api/session.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { CallDialog } from './call-dialog.ts';
import type { CallMedia } from './call-media.ts';
import { DigitSender } from './digit-sender.ts';
import { parseDigits } from './digits.ts';

/** @returns why not, in plain words, or an empty text; never rejects */
export async function sendCallDigits(
  digits: string,
  media: CallMedia,
  session: Session | undefined,
  dialog: CallDialog | undefined,
  connected: () => boolean,
): Promise<string> {
  const sendable = parseDigits(digits);
  if (sendable === null) return 'Only 0-9, *, #, A-D and a comma for a pause can be sent.';
  if (session?.state !== SessionState.Established) return 'The call is not connected.';
  return media.sendDigits(DigitSender, sendable, {
    takesInfo: () => dialog?.allows('INFO'),
    info: (content) => (connected() ? sendInfo(session, content) : Promise.resolve(0)),
  });
}

/** Resolves with the final status, 0 when the request could not leave. */
function sendInfo(session: Session, content: string): Promise<number> {
  const body = { contentDisposition: 'render', contentType: 'application/dtmf-relay', content };
  return new Promise((resolve) => {
    const settle = ({ message }: { message: { statusCode?: number | undefined } }) => resolve(message.statusCode ?? 0);
    session
      .info({ requestOptions: { body }, requestDelegate: { onAccept: settle, onReject: settle } })
      .catch(() => resolve(0));
  });
}
