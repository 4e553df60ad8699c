/**
 * Owns the words of SIP's grammar (RFC 3261 section 25.1) and the place in a text up to where it was read. Every pattern is matched where the
 * reading stands and has one way to match, so that a text is read in a time that grows with its length and no further. Must never know a header.
 */

/** What cannot be read. Says where it stands, never what: headers hold secrets. */
export class GrammarError extends Error {
  override readonly name = 'SyntaxError';
}

/** Linear white space, as much as there is: a line may be folded (a break, then a blank). */
export const blanks = '(?:\\r\\n[ \\t]|[ \\t])*';
export const blank = '(?:\\r\\n[ \\t]|[ \\t])+';
export const token = "[\\w.!%*+`'~-]+";
const plain = '[^\\x00-\\x08\\n-\\x1f"\\\\\\x7f]';
/** With its quotes; a backslash takes the next letter along. */
export const quoted = `"(?:${plain}|\\r\\n[ \\t]|\\\\[^\\r\\n])*"`;
const brackets = '\\[[\\da-f:.]+\\]';
/** A name, a dotted number or an IPv6 reference; `Scanner.host` has the last word. */
export const host = `([\\w-]+(?:\\.[\\w-]+)*\\.?|${brackets})`;
export const port = '(\\d{0,5})';

/** The pattern, at the place where the reading stands, in letters of any case. */
export const at = (pattern: string): RegExp => new RegExp(pattern, 'iy');

// An IPv6 address without brackets is what `received` may hold (RFC 3261, via-received).
const value = `[\\da-f]*:[\\da-f]*:[\\da-f:.]*|${token}|${quoted}|${brackets}`;
const parameter = at(`${blanks};${blanks}(${token})(?:${blanks}=${blanks}(${value}))?`);
const comma = at(`${blanks},${blanks}`);
const address = /^(?:(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(?:\.(?!$)|$)){4}$/;

export type Found = readonly (string | undefined)[];
export type Parameters = Record<string, string | undefined>;

export class Scanner {
  /** How far the text is read. */
  at = 0;
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Reads on over the pattern, when it is next. */
  take(pattern: RegExp): Found | null {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found;
  }

  /** The same for what has to be there. @throws GrammarError */
  need(pattern: RegExp): Found {
    return this.take(pattern) ?? this.fail();
  }

  fail(): never {
    throw new GrammarError(`Not readable as SIP from letter ${this.at}.`);
  }

  /** Reads one thing after the other for as long as commas follow. */
  list<T>(one: () => T): T[] {
    const all = [one()];
    while (this.take(comma)) all.push(one());
    return all;
  }

  /** Header parameters, the names in small letters; of several of one name the last. A quoted value keeps its quotes. */
  parameters(): Parameters {
    const all: Parameters = {};
    for (let found = this.take(parameter); found; found = this.take(parameter))
      all[(found[1] ?? '').toLowerCase()] = found[2];
    return all;
  }

  /** A host that a pattern found: numbers have to be an address, and so has what stands in brackets. @throws GrammarError */
  host(found = ''): string {
    const isAddress = found.startsWith('[')
      ? URL.canParse(`http://${found}`)
      : !/^[\d.]+$/.test(found) || address.test(found);
    return isAddress ? found : this.fail();
  }
}

/** Without the quotes around it, when there are. What a backslash hides stays hidden, as sip.js writes it again between quotes. */
export const unquoted = (text = ''): string => (text.startsWith('"') ? text.slice(1, -1) : text);
