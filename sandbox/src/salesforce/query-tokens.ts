/** Owns the words of a SOQL query, and where in it each of them stands. Must never know an object. */
import { Refusal } from './refusal.ts';

/** A literal of a query. `quoted` says how it was written: SOQL minds. */
export interface Literal {
  readonly value: string | number | boolean | null;
  readonly quoted: boolean;
  /** `TODAY`, `LAST_N_DAYS:7`. */
  readonly relativeDate?: boolean;
}

export interface Tokens {
  /** Takes the symbol when it is next. */
  take(symbol: string): boolean;
  need(symbol: string): void;
  keyword(word: string): void;
  takeKeyword(word: string): boolean;
  /** Whether this keyword is next. */
  sees(word: string): boolean;
  word(): string;
  operator(): string;
  number(): number;
  literal(): Literal;
  end(): void;
  /** The next token as it is written. */
  raw(): string;
  /** A refusal about the token read last, with Salesforce's caret under it. */
  wrong(code: string, message: string): Refusal;
}

const relativeDates =
  /^(YESTERDAY|TODAY|TOMORROW|THIS_WEEK|LAST_WEEK|THIS_MONTH|LAST_MONTH|THIS_YEAR|(LAST|NEXT)_N_DAYS:\d+)$/i;

/** @param prefix how many characters of the whole query were read before `source` */
export function tokenise(source: string, prefix = 0): Tokens {
  const pattern = /'(?:[^'\\]|\\.)*'|[\w.]+(?:[-:+][\w.:+-]+)?|[<>!]=|<>|[=<>(),]|\S/g;
  const tokens = [...source.matchAll(pattern)].map((match) => ({ text: match[0], at: match.index }));
  let next = 0;
  const peek = (): string => tokens[next]?.text ?? '';
  const placed = (code: string, message: string, index: number): Refusal => {
    const at = tokens[index]?.at ?? source.length;
    const from = Math.max(0, at - 40);
    const piece = source.slice(from, at + 20).replace(/\s/g, ' ');
    return new Refusal(
      code,
      `\n${piece}\n${' '.repeat(at - from)}^\nERROR at Row:1:Column:${prefix + at + 1}\n${message}`,
    );
  };
  const malformed = (): Refusal =>
    peek() === ''
      ? new Refusal('MALFORMED_QUERY', "unexpected token: '<EOF>'")
      : placed('MALFORMED_QUERY', `unexpected token: '${peek()}'`, next);
  const advance = (): string => {
    const token = peek();
    if (token === '') throw malformed();
    next += 1;
    return token;
  };
  const self: Tokens = {
    take(symbol) {
      if (peek() !== symbol) return false;
      next += 1;
      return true;
    },
    need(symbol) {
      if (!self.take(symbol)) throw malformed();
    },
    sees: (word) => peek().toUpperCase() === word,
    takeKeyword(word) {
      if (!self.sees(word)) return false;
      next += 1;
      return true;
    },
    keyword(word) {
      if (!self.takeKeyword(word)) throw malformed();
    },
    word() {
      if (!/^[A-Za-z_][\w.]*$/.test(peek())) throw malformed();
      return advance();
    },
    operator() {
      if (!['=', '!=', '<>', '<', '<=', '>', '>='].includes(peek())) throw malformed();
      return advance();
    },
    number() {
      if (!/^\d+$/.test(peek())) throw malformed();
      return Number(advance());
    },
    literal() {
      const token = advance();
      if (token.startsWith("'")) {
        if (!token.endsWith("'") || token.length < 2) {
          next -= 1;
          throw malformed();
        }
        return { value: token.slice(1, -1).replace(/\\(.)/g, '$1'), quoted: true };
      }
      if (/^(true|false)$/i.test(token)) return { value: token.toLowerCase() === 'true', quoted: false };
      if (/^null$/i.test(token)) return { value: null, quoted: false };
      if (relativeDates.test(token)) return { value: token.toUpperCase(), quoted: false, relativeDate: true };
      if (/^-?\d+(\.\d+)?$/.test(token)) return { value: Number(token), quoted: false };
      if (/^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:?\d{2}))?$/i.test(token))
        return { value: token, quoted: false };
      next -= 1;
      throw malformed();
    },
    end() {
      if (peek() !== '') throw malformed();
    },
    raw: advance,
    wrong: (code, message) => placed(code, message, Math.max(0, next - 1)),
  };
  return self;
}
