/**
 * Owns the reading of HubSpot's answers before anybody knows what they mean: objects, texts, lists, and how long it asks us to wait. Must never
 * trust a shape.
 */

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

/** A list inside an answer; empty where there is none. */
export function listOf(value: unknown, name: string): readonly unknown[] {
  const list = isObject(value) ? value[name] : undefined;
  return Array.isArray(list) ? list : [];
}

/** An id that HubSpot gives as a number here and as a text there; empty when it is neither. */
export function idOf(value: unknown): string {
  const id = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : text(value);
  return /^\d{1,20}$/.test(id) ? id : '';
}

/** The longest that HubSpot asks to be left alone: an account moves to another data centre (477). */
const longestWaitMs = 86_400_000;

/** RFC 9110 section 10.2.3: seconds or a date. */
export function retryAfterMs(headers: Headers): number | undefined {
  const value = headers.get('retry-after');
  if (value === null) return undefined;
  const seconds = Number(value);
  const ms = Number.isFinite(seconds) ? seconds * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), longestWaitMs) : undefined;
}
