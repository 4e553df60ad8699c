/**
 * Owns how an address is read: SIP and other URIs, alone or with a display name. Must never look at the names of headers.
 */
import { NameAddrHeader } from 'sip.js/lib/grammar/name-addr-header.js';
import { URI } from 'sip.js/lib/grammar/uri.js';
import { at, blanks, host, port, quoted, type Scanner, unquoted } from './scanner.ts';

const hex = '%[\\da-f]{2}';
// Beyond RFC 3261: a bare # (feature codes) and letters outside of ASCII, which some servers do not escape.
const userPart = `((?:[\\w.!~*'()&=+$,;?/#\\x80-\\uffff-]|${hex})+(?::(?:[\\w.!~*'()&=+$,-]|${hex})*)?)@`;
const sipUri = at(`(sips?):(?:${userPart})?${host}(?::${port})?`);
const inUri = `(?:[\\w.!~*'()[\\]/:&+$-]|${hex})+`;
const uriParameter = at(`;(${inUri})(?:=(${inUri}))?`);
const inHeader = `(?:[\\w.!~*'()[\\]/?:+$-]|${hex})`;
const uriHeader = `(${inHeader}+)=(${inHeader}*)`;
const firstHeader = at(`\\?${uriHeader}`);
const nextHeader = at(`&${uriHeader}`);
const otherScheme = '(?!sips?:)([a-z][a-z\\d+.-]*):';
const otherUri = at(`${otherScheme}([^\\s<>",;?]+)`);
const otherUriInBrackets = at(`${otherScheme}([^\\s<>"]+)`);
// Names without quotes are tokens in RFC 3261; real ones hold commas and letters outside of ASCII.
const inName = '[^\\x00-\\x08\\n-\\x1f"<>:;@\\\\\\x7f]';
const name = `(?:(?![ \\t])${inName}(?:${inName}|\\r\\n[ \\t])*)?`;
const opening = at(`${blanks}(?:(${quoted})${blanks}|(${name}))<`);
const closing = at(`>${blanks}`);

/** Which URIs may stand in a place: SIP's only, or any (`tel:` in From and P-Asserted-Identity). */
export type Schemes = 'sip' | 'any';

/** A URI of another scheme. sip.js wants a host in every URI; this one is written again as it came. */
class OtherUri extends URI {
  constructor(scheme: string, text: string) {
    super(scheme, text, 'other.invalid');
  }
  override clone(): URI {
    return new OtherUri(this.scheme, this.user ?? '');
  }
  override toRaw(): string {
    return `${this.scheme}:${this.user}`;
  }
  override toString(): string {
    return this.toRaw();
  }
}

/** A URI that stands alone or between angle brackets: with its parameters and headers. @throws GrammarError */
export function uri(scanner: Scanner, schemes: Schemes): URI {
  const found = scanner.take(sipUri);
  if (!found) {
    const other = schemes === 'any' && scanner.take(otherUriInBrackets);
    return other ? new OtherUri(other[1] ?? '', other[2] ?? '') : scanner.fail();
  }
  const read = sipUriOf(scanner, found);
  for (let next = scanner.take(uriParameter); next; next = scanner.take(uriParameter)) {
    const name = (next[1] ?? '').toLowerCase();
    // Only these two are compared in whatever case they come (RFC 3261 section 19.1.4).
    read.setParam(name, (/^(transport|user)$/.test(name) ? next[2]?.toLowerCase() : next[2]) ?? null);
  }
  for (let next = scanner.take(firstHeader); next; next = scanner.take(nextHeader))
    noteHeader(read, next[1] ?? '', next[2] ?? '');
  return read;
}

function noteHeader(to: URI, name: string, value: string): void {
  const before = to.getHeader(name);
  if (before) before.push(value);
  else to.setHeader(name, [value]);
}

/** `"Name" <uri>`, or (`bare`) the URI alone, after which parameters are the header's. @throws GrammarError */
export function nameAddress(scanner: Scanner, schemes: Schemes = 'any', bare = true): NameAddrHeader {
  const open = scanner.take(opening);
  let address: URI;
  let name: string | undefined;
  if (open) {
    name = open[1] === undefined ? open[2]?.trim() || undefined : unquoted(open[1]);
    address = uri(scanner, schemes);
    scanner.need(closing);
  } else {
    const found = bare ? scanner.take(sipUri) : scanner.fail();
    const other = !found && schemes === 'any' ? scanner.take(otherUri) : null;
    if (found) address = sipUriOf(scanner, found);
    else if (other) address = new OtherUri(other[1] ?? '', other[2] ?? '');
    else scanner.fail();
  }
  const header = new NameAddrHeader(address, name as string, {});
  for (const [key, value] of Object.entries(scanner.parameters())) header.setParam(key, value ?? null);
  return header;
}

function sipUriOf(scanner: Scanner, [, scheme = '', user, hostName, portText]: readonly (string | undefined)[]): URI {
  return new URI(
    scheme,
    (user === undefined ? undefined : decodedUser(scanner, user)) as string,
    scanner.host(hostName),
    portText ? Number(portText) : undefined,
  );
}

/** As sip.js keeps it: decoded. A user with a percent sign of its own stays encoded, since sip.js decodes once more when it writes. */
function decodedUser(scanner: Scanner, user: string): string {
  try {
    const decoded = decodeURIComponent(user);
    return decoded.includes('%') ? user : decoded;
  } catch {
    return scanner.fail();
  }
}
