/** What an HTTP status or a WebSocket close means for a session. Must never repeat what the service wrote: it may hold a key, or what was said. */
import type { SpeechEnd } from '../speech-to-text.ts';

/** The end that an HTTP answer means. `retryAfter`: its header, in seconds or as a date (RFC 9110, 10.2.3). */
export function endOfStatus(status: number, retryAfter: string | null | undefined, now = Date.now()): SpeechEnd {
  const retryAfterMs = readRetryAfter(retryAfter, now);
  const asked = retryAfterMs === undefined ? {} : { retryAfterMs };
  if (status === 401 || status === 403) return end('refused', `does not take the key (HTTP ${status})`);
  if (status === 402) return end('refused', 'wants to be paid first (HTTP 402)');
  if (status === 429) return { ...end('limited', 'has too much to do for us (HTTP 429)'), ...asked };
  if (status === 408 || status === 425 || status === 409 || status >= 500)
    return { ...end('away', `has a fault (HTTP ${status})`), ...asked };
  return end('refused', `does not take the request: address, model or language (HTTP ${status})`);
}

/** The end that a close frame means where the protocol has no codes of its own (RFC 6455, 7.4.1). */
export function endOfClose(code: number): SpeechEnd {
  if (code === 1008) return end('refused', `does not take the request or the key (closed with ${code})`);
  if (code === 1013) return end('limited', `asks to come back later (closed with ${code})`);
  return end('away', `closed the connection (${code})`);
}

/** An end with its sentence; what it says follows "The speech-to-text service". */
export function end(why: SpeechEnd['why'], does: string): SpeechEnd {
  return { why, message: `The speech-to-text service ${does}.` };
}

function readRetryAfter(value: string | null | undefined, now: number): number | undefined {
  if (value === null || value === undefined) return undefined;
  const ms = /^\d{1,6}$/.test(value.trim()) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), 3_600_000) : undefined;
}
