/**
 * Owns what is put right in a SIP message between the socket and sip.js, because sip.js would drop it. Pure text in, text out.
 * Must never change what a message means, and leaves every message alone that needs nothing.
 */
import { parse } from './grammar/grammar.ts';

/** Put before the name of a challenge's header field. */
export const offered = 'Offered-';

/** What the contacts of a redirect are called on this side of the socket. */
export const redirectHeader = 'Redirect-To';

/** Put before the name of a header field that no sense can be made of. */
const unreadable = 'Unreadable-';

const headEnd = /\r?\n\r?\n/;
/** The longest that makes sense: an INVITE with many candidates and a passport (RFC 8224) is a tenth of it. */
const longestMessage = 131_072;
/** A session description, however it is spelled; not where the line goes on in the next. */
const describedType = /^((?:content-type|c)[ \t]*:[ \t]*)application\/sdp[ \t]*(?:;[^\r\n]*)?(?![^\r\n]|\r?\n[ \t])/im;
/** Compact forms (RFC 3261 section 7.3.3, RFC 4028, RFC 3892) that sip.js would take for other headers. */
const compact: Readonly<Record<string, string>> = { k: 'Supported', x: 'Session-Expires', b: 'Referred-By' };

function spelledOut(message: string): string {
  const end = message.search(headEnd);
  const head = end < 0 ? message : message.slice(0, end);
  if (!/^[kxb][ \t]*:/im.test(head)) return message;
  const spelled = head.replace(/^([kxb])[ \t]*:/gim, (_line, name: string) => `${compact[name.toLowerCase()]}:`);
  return spelled + message.slice(head.length);
}

/**
 * sip.js throws, where nobody catches, at a body that nobody named: no phone may leave that out (RFC 3261 section 20.15), and what it is shows. And it
 * knows a description only by the bare name in small letters, which is not all that may be written (RFC 3261 section 7.3.1).
 */
function nameBody(message: string): string {
  const end = message.search(headEnd);
  const body = end < 0 ? '' : message.slice(end).trimStart();
  if (body === '') return message;
  const head = message.slice(0, end);
  if (/^(?:content-type|c)[ \t]*:/im.test(head))
    return head.replace(describedType, '$1application/sdp') + message.slice(end);
  const type = body.startsWith('v=0') ? 'application/sdp' : 'application/octet-stream';
  return `${head}\r\nContent-Type: ${type}${message.slice(end)}`;
}

/**
 * A SIP message as sip.js can take it.
 * @throws Error for one that is longer than 128 KiB
 */
export function mendIncoming(text: string): string {
  if (text.length > longestMessage) throw new Error('a message longer than any phone needs');
  const message = nameBody(spelledOut(text));
  if (message.startsWith('REFER ')) return mendRefer(message);
  if (!message.startsWith('SIP/2.0 ')) return message;
  const status = Number(message.slice(8, 11));
  if (status > 100 && status < 200) return mendProvisional(message);
  if (status >= 300 && status < 400) return mendRedirect(message);
  if (status === 401 || status === 407) return setChallengesAside(message);
  return message;
}

/**
 * sip.js shortcoming 14: a 180 or 183 to INVITE without Contact is dropped, so the agent would hear no ringing. RFC 3261 table 2 makes the header
 * optional there. The To URI stands in for it; the 2xx brings the real one before anything is sent to it. A missing To tag gets one too.
 */
function mendProvisional(message: string): string {
  const end = message.search(headEnd);
  const head = end < 0 ? message : message.slice(0, end);
  const rest = end < 0 ? '' : message.slice(end);
  if (!/^cseq\s*:\s*\d+\s+INVITE\s*$/im.test(head)) return message;
  const to = /^(?:to|t)\s*:\s*(.+)$/im.exec(head);
  if (!to?.[1]) return message;
  let mended = head;
  if (!/;\s*tag\s*=/i.test(to[1])) {
    mended = mended.replace(to[0], () => `${to[0].trimEnd()};tag=unstated`);
  }
  if (!/^(?:contact|m)\s*:/im.test(mended)) {
    const uri = /<([^>]+)>/.exec(to[1])?.[1] ?? to[1].split(';')[0]?.trim();
    mended += `\r\nContact: <${uri}>`;
  }
  return mended === head ? message : mended + rest;
}

/**
 * sip.js keeps one challenge of each kind and drops the whole message when it cannot read one (shortcoming 16). Under another name it leaves all of
 * them as they came, for `sign-in.ts`.
 */
function setChallengesAside(message: string): string {
  const end = message.search(headEnd);
  const head = end < 0 ? message : message.slice(0, end);
  const renamed = head.replace(/^(?=(?:www|proxy)-authenticate\s*:)/gim, offered);
  return end < 0 ? renamed : renamed + message.slice(end);
}

/** sip.js drops a REFER, unanswered, when it cannot read where to. Without the header it is answered: see `dialog-requests.ts`. */
function mendRefer(message: string): string {
  const end = message.search(headEnd);
  const head = end < 0 ? message : message.slice(0, end);
  const [value, ...others] = [...head.matchAll(/^(?:refer-to|r)[ \t]*:((?:[^\r\n]|\r?\n[ \t])*)/gim)].map(
    (it) => it[1],
  );
  // Exactly one (RFC 3515 section 2.4.1).
  if (value !== undefined && others.length === 0 && isReferTo(value)) return message;
  return head.replace(/^(?=(?:refer-to|r)[ \t]*:)/gim, unreadable) + message.slice(head.length);
}

function isReferTo(value: string): boolean {
  try {
    parse(value.replace(/\r?\n[ \t]+/g, ' ').trim(), { startRule: 'Refer_To' });
    return true;
  } catch {
    return false;
  }
}

/** sip.js drops a whole response for one contact that it cannot read (`tel:`, for one). Nothing but `redirection.ts` reads those of a redirect. */
function mendRedirect(message: string): string {
  const end = message.search(headEnd);
  const head = end < 0 ? message : message.slice(0, end);
  return head.replace(/^(?:contact|m)[ \t]*:/gim, `${redirectHeader}:`) + message.slice(head.length);
}
