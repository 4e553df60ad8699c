/** Owns the names of wishes, by which the relay knows a repeat. */

/** The name of one wish: made once per click and kept when it is asked again, so that a repeat changes nothing. A UUID of version 4. */
export function newWish(): string {
  if (typeof crypto === 'object' && typeof crypto.randomUUID === 'function') return crypto.randomUUID();
  const hex = (length: number) => Array.from({ length }, () => Math.floor(Math.random() * 16).toString(16)).join('');
  return `${hex(8)}-${hex(4)}-4${hex(3)}-a${hex(3)}-${hex(12)}`;
}
