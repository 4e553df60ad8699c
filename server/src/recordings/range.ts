/** One range of bytes out of a request (RFC 9110 section 14). Pure. */

/** Bytes `from` (included) to `to` (not) of the whole; `part` when that is less than was there to ask for. */
interface Span {
  readonly from: number;
  readonly to: number;
  readonly part: boolean;
}

/**
 * What to send: everything where no range, several, or nonsense is asked for (all of which may be ignored), or where `If-Range` names another
 * version; null when the range lies beyond the end.
 * @param etag Strong, with its quotes
 */
export function spanOf(
  asked: { readonly range?: string | undefined; readonly ifRange?: string | undefined },
  size: number,
  etag: string,
): Span | null {
  const whole: Span = { from: 0, to: size, part: false };
  const match = /^bytes=\s*(\d{0,15})\s*-\s*(\d{0,15})\s*$/i.exec(asked.range ?? '');
  if (match === null || (asked.ifRange !== undefined && asked.ifRange.trim() !== etag)) return whole;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return whole;
  if (first === '') {
    const tail = Math.min(Number(last), size);
    return tail === 0 ? null : { from: size - tail, to: size, part: true };
  }
  const from = Number(first);
  if (last !== '' && Number(last) < from) return whole;
  if (from >= size) return null;
  return { from, to: last === '' ? size : Math.min(Number(last) + 1, size), part: true };
}
