/**
 * Digits in what was said, however a speech service wrote them: as numerals, as words one by one ("four one one one"), doubled ("double four"), or
 * by twos ("forty-one eleven"). Owns the number words of seven languages; what the digits mean is for others to say.
 */

/** A digit, or a word that is none. Positions are of the text. */
export interface Spoken {
  /** Null: a word. */
  readonly digit: number | null;
  readonly start: number;
  readonly end: number;
  /** Whether a number may begin here: not in the middle of numerals, and not behind a "+". */
  readonly begins: boolean;
}

interface Words {
  /** 0 to 19, each with its other forms. */
  readonly small: readonly string[];
  /** 20, 30, … 90. */
  readonly tens: readonly string[];
  /** The words of tens and units together, unless they simply follow each other. */
  readonly joined?: (tens: string, unit: string, unitValue: number) => readonly string[];
  /** What there is besides: words → digits. */
  readonly more?: Readonly<Record<string, string>>;
  readonly twice: readonly string[];
  readonly thrice: readonly string[];
}

const spaced = (tens: string, unit: string): readonly string[] => [`${tens} ${unit}`];

/** Without accents, lower case; other forms of a word behind a "/". */
const languages: Readonly<Record<string, Words>> = {
  en: {
    small:
      'zero/oh/o/nought/naught one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen'.split(
        ' ',
      ),
    tens: 'twenty thirty forty/fourty fifty sixty seventy eighty ninety'.split(' '),
    twice: ['double'],
    thrice: ['triple', 'treble'],
  },
  de: {
    small:
      'null eins/ein zwei/zwo drei vier funf/fuenf sechs sieben acht neun zehn elf zwolf/zwoelf dreizehn vierzehn funfzehn/fuenfzehn sechzehn siebzehn achtzehn neunzehn'.split(
        ' ',
      ),
    tens: 'zwanzig dreißig/dreissig vierzig funfzig/fuenfzig sechzig siebzig achtzig neunzig'.split(' '),
    joined: (tens, unit) => (unit === 'eins' ? [] : [`${unit}und${tens}`, `${unit} und ${tens}`]),
    twice: ['doppel', 'doppelt', 'doppelte'],
    thrice: ['dreifach'],
  },
  fr: {
    small:
      'zero un/une deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix+sept dix+huit dix+neuf'.split(
        ' ',
      ),
    tens: 'vingt trente quarante cinquante soixante septante huitante/octante nonante'.split(' '),
    joined: (tens, unit, value) => (value === 1 ? [`${tens} et ${unit}`, `${tens} ${unit}`] : [`${tens} ${unit}`]),
    more: frenchBeyondSixty(),
    twice: ['double'],
    thrice: ['triple'],
  },
  es: {
    small:
      'cero uno/un/una dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciseis diecisiete dieciocho diecinueve'.split(
        ' ',
      ),
    tens: 'veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa'.split(' '),
    joined: (tens, unit) => (tens === 'veinte' ? [`veinti${unit}`] : [`${tens} y ${unit}`, `${tens} ${unit}`]),
    twice: ['doble'],
    thrice: ['triple'],
  },
  pt: {
    small:
      'zero um/uma dois/duas tres quatro cinco seis/meia sete oito nove dez onze doze treze catorze/quatorze quinze dezesseis/dezasseis dezessete/dezassete dezoito dezenove/dezanove'.split(
        ' ',
      ),
    tens: 'vinte trinta quarenta cinquenta sessenta setenta oitenta noventa'.split(' '),
    joined: (tens, unit) => [`${tens} e ${unit}`, `${tens} ${unit}`],
    twice: ['duplo', 'dobro'],
    thrice: ['triplo'],
  },
  it: {
    small:
      'zero uno/un due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici diciassette diciotto diciannove'.split(
        ' ',
      ),
    tens: 'venti trenta quaranta cinquanta sessanta settanta ottanta novanta'.split(' '),
    joined: (tens, unit, value) => [
      `${value === 1 || value === 8 ? tens.slice(0, -1) : tens}${unit}`,
      `${tens} ${unit}`,
    ],
    twice: ['doppio', 'doppia'],
    thrice: ['triplo'],
  },
  nl: {
    small:
      'nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien achttien negentien'.split(
        ' ',
      ),
    tens: 'twintig dertig veertig vijftig zestig zeventig tachtig negentig'.split(' '),
    joined: (tens, unit) => [`${unit}en${tens}`, `${unit} en ${tens}`],
    twice: ['dubbel', 'dubbele'],
    thrice: ['driedubbel', 'driedubbele'],
  },
};

/** Soixante-dix to soixante-dix-neuf, quatre-vingts to quatre-vingt-dix-neuf. */
function frenchBeyondSixty(): Record<string, string> {
  const small =
    'zero un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix+sept dix+huit dix+neuf'
      .replaceAll('+', '-')
      .split(' ');
  const found: Record<string, string> = { 'quatre vingts': '80', 'quatre vingt': '80' };
  for (const [value, word] of small.entries()) {
    const said = word.replaceAll('-', ' ');
    if (value > 0) found[`quatre vingt ${said}`] = String(80 + value);
    if (value >= 10) found[`soixante ${said}`] = String(60 + value);
  }
  found['soixante et onze'] = '71';
  return found;
}

interface Table {
  readonly numbers: ReadonlyMap<string, string>;
  readonly times: ReadonlyMap<string, number>;
  /** The most words that make one number. */
  readonly longest: number;
}

const tables = new Map<string, Table>();

/** The words of one language; of all for one that is not among them. */
function tableOf(language: string): Table {
  const base = language.toLowerCase().split('-')[0] ?? '';
  const key = base in languages ? base : '';
  const known = tables.get(key);
  if (known !== undefined) return known;
  const numbers = new Map<string, string>();
  const times = new Map<string, number>();
  for (const [name, words] of Object.entries(languages)) {
    if (key !== '' && key !== name) continue;
    for (const [said, digits] of numbersOf(words)) numbers.set(said, digits);
    for (const word of words.twice) times.set(word, 2);
    for (const word of words.thrice) times.set(word, 3);
  }
  const longest = Math.max(...[...numbers.keys()].map((said) => said.split(' ').length));
  const table = { numbers, times, longest };
  tables.set(key, table);
  return table;
}

function* numbersOf({ small, tens, joined = spaced, more = {} }: Words): Iterable<readonly [string, string]> {
  const forms = (word: string): readonly string[] => word.split('/').map((form) => form.replaceAll('+', ' '));
  for (const [value, word] of small.entries()) for (const form of forms(word)) yield [form, String(value)];
  for (const [index, word] of tens.entries()) {
    for (const ten of forms(word)) {
      yield [ten, `${index + 2}0`];
      for (const [value, unit] of small.slice(0, 10).entries())
        if (value > 0)
          for (const form of forms(unit))
            for (const said of joined(ten, form, value)) yield [said, `${index + 2}${value}`];
    }
  }
  yield* Object.entries(more);
}

interface Token {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

/** Said before a telephone number; a card never has it. */
const international = new Set(['plus', 'piu', 'mas', 'mais']);
const tokens = /\p{Nd}|[\p{L}\p{M}]+/gu;

/** Every digit and every word of a text, in order. @param language BCP 47 */
export function spokenIn(text: string, language: string): readonly Spoken[] {
  const { numbers, times, longest } = tableOf(language);
  const all: Token[] = [...text.matchAll(tokens)].map(({ 0: found, index }) => ({
    text: plain(found),
    start: index,
    end: index + found.length,
  }));
  const spoken: Spoken[] = [];
  const put = (digits: string, start: number, end: number): void => {
    for (const digit of digits) spoken.push({ digit: Number(digit), start, end, begins: true });
  };
  /** The number that begins with this token. */
  const numberAt = (at: number): { readonly digits: string; readonly count: number } | null => {
    for (let count = Math.min(longest, all.length - at); count > 0; count -= 1) {
      const digits = numbers.get(
        all
          .slice(at, at + count)
          .map((token) => token.text)
          .join(' '),
      );
      if (digits !== undefined) return { digits, count };
    }
    return null;
  };
  for (let at = 0; at < all.length; ) {
    const token = all[at] as Token;
    if (/^\d$/.test(token.text)) {
      const before = all[at - 1];
      const inNumerals = before !== undefined && before.end === token.start && /^\d$/.test(before.text);
      const isInternational = text[token.start - 1] === '+' || international.has(before?.text ?? '');
      spoken.push({
        digit: Number(token.text),
        start: token.start,
        end: token.end,
        begins: !inNumerals && !isInternational,
      });
      at += 1;
      continue;
    }
    const repeats = times.get(token.text);
    const next = all[at + 1];
    if (repeats !== undefined && next !== undefined) {
      const once = /^\d$/.test(next.text) ? next.text : numbers.get(next.text);
      if (once?.length === 1) {
        put(once.repeat(repeats), token.start, next.end);
        at += 2;
        continue;
      }
    }
    const number = numberAt(at);
    if (number === null) {
      spoken.push({ digit: null, start: token.start, end: token.end, begins: false });
      at += 1;
    } else {
      put(number.digits, token.start, (all[at + number.count - 1] as Token).end);
      at += number.count;
    }
  }
  return spoken;
}

/** Without capitals and accents; a digit of any script as ASCII. */
function plain(text: string): string {
  if (/^\p{Nd}$/u.test(text)) return String(digitValue(text));
  return text.toLowerCase().normalize('NFD').replace(/\p{M}/gu, '');
}

/** Every script has its ten digits in a row that begins at a multiple of sixteen, or six beyond one. */
function digitValue(digit: string): number {
  const code = digit.codePointAt(0) ?? 0;
  const low = code & 0xf;
  return low >= 6 && code > 0x39 ? low - 6 : low;
}
