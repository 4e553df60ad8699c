/**
 * Owns what is put right in a SIP message between the socket and sip.js, because sip.js would drop it. Pure text in, text out.
 * Must never change what a message means, and leaves every message alone that needs nothing.
 */

const headEnd = /\r?\n\r?\n/;

/** A SIP message as sip.js can take it. */
export function mendIncoming(message: string): string {
  if (!message.startsWith('SIP/2.0 ')) return message;
  const status = Number(message.slice(8, 11));
  if (status > 100 && status < 200) return mendProvisional(message);
  if (status === 401 || status === 407) return preferMd5(message);
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
 * sip.js shortcoming 16: it answers the first challenge only and knows MD5 only. Where a server offers several (RFC 8760 section 2.4), the MD5 one is
 * put in front; a server that offers SHA-256 alone stays refused, and the line says so.
 */
function preferMd5(message: string): string {
  const end = message.search(headEnd);
  const head = end < 0 ? message : message.slice(0, end);
  const lines = head.split(/\r?\n/);
  const isChallenge = (line: string) => /^(?:www|proxy)-authenticate\s*:/i.test(line);
  const isMd5 = (line: string) => !/algorithm\s*=/i.test(line) || /algorithm\s*=\s*"?MD5"?\s*(,|$)/i.test(line);
  const challenges = lines.filter(isChallenge);
  if (challenges.length < 2 || !challenges.some(isMd5)) return message;
  const kept = lines.filter((line) => !isChallenge(line) || isMd5(line));
  return kept.join('\r\n') + (end < 0 ? '' : message.slice(end));
}
