/**
 * Owns who is calling, read from SIP headers: P-Asserted-Identity (RFC 3325) before From, and nothing at all when the caller withholds it.
 * Must never trust the text: names are trimmed, control characters removed, lengths bounded.
 */
import type { Party } from '@patchcord/call-protocol';

/** What a name-addr header says (RFC 3261 section 25.1): display name and the user part of its URI. */
export interface NameAddress {
  readonly displayName: string | undefined;
  readonly user: string | undefined;
  readonly host: string;
}

const longestName = 255;
const longestNumber = 128;

/**
 * The far side of an incoming call.
 * @param asserted what the network vouches for, when it does.
 * @param from what the caller's own device says.
 * @param withheld the caller asked for privacy (RFC 3323: `Privacy: id`, `user` or `header`).
 */
export function callerOf(asserted: NameAddress | undefined, from: NameAddress, withheld: boolean): Party {
  const identity = asserted && !isAnonymous(asserted) ? asserted : from;
  if (withheld || isAnonymous(identity)) return { number: '' };
  const number = plain(unescapeUser(identity.user ?? ''), longestNumber);
  const name = plain(identity.displayName ?? '', longestName);
  return name === '' || name === number ? { number } : { number, name };
}

/** True when a `Privacy` header (RFC 3323 section 4.2) asks that the caller's identity stays hidden. */
export function wantsPrivacy(header: string | undefined): boolean {
  return header !== undefined && /(^|[;,\s])(id|user|header)\b/i.test(header);
}

function isAnonymous(address: NameAddress): boolean {
  const user = address.user?.toLowerCase() ?? '';
  return (
    user === '' || user === 'anonymous' || user === 'unavailable' || address.host.toLowerCase() === 'anonymous.invalid'
  );
}

function unescapeUser(user: string): string {
  // `+14155550101;phone-context=…` and visual separators belong to the notation, not to the number (RFC 3966).
  const [digits = ''] = safeDecode(user).split(';');
  return digits.trim();
}

function safeDecode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Foreign text as it may be shown: nothing invisible in it, and not longer than `longest`. */
export function plain(text: string, longest: number): string {
  // Control and direction-changing characters could make a name read as another one on the screen.
  return text
    .replace(/[\p{Cc}\p{Cf}]/gu, '')
    .trim()
    .slice(0, longest);
}
