/** Seeded inputs for attacks on parsers: good ones broken in small ways, and rubbish. Owns how something is broken; must never judge. */
import { seeded } from './card-samples.ts';

/** Makes inputs: a good one broken in up to four places, or rubbish. */
export class Mutations {
  readonly #random: () => number;
  constructor(seed: number) {
    this.#random = seeded(seed);
  }

  below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T;
  }

  /** Text that means something to some parser. */
  text(): string {
    const kind = this.below(8);
    if (kind === 0) return String.fromCharCode(...Array.from({ length: this.below(40) }, () => this.below(0x10000)));
    if (kind === 1)
      return this.pick(['9', '-', ' ', '[', '{', '"', '\\', '\u0000', '\ud800', 'a', '%', '=', '.']).repeat(
        this.below(3_000),
      );
    return this.pick(dictionary);
  }

  /** A JSON value broken somewhere. */
  json(value: unknown, depth = 0): unknown {
    const chance = this.below(10);
    if (chance === 0) return this.rubbish();
    if (typeof value === 'object' && value !== null && depth < 8) {
      if (Array.isArray(value)) return value.map((item) => this.json(item, depth + 1));
      const entries = Object.entries(value).map(([key, item]): [string, unknown] => [
        this.below(25) === 0 ? this.text() : key,
        this.json(item, depth + 1),
      ]);
      if (this.below(10) === 0)
        entries.push([this.pick(['__proto__', 'constructor', 'toString', this.text()]), this.rubbish()]);
      // JSON.parse makes "__proto__" a property of its own, which is what a request does.
      return JSON.parse(
        `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${JSON.stringify(item) ?? 'null'}`).join(',')}}`,
      );
    }
    return typeof value === 'string' && this.below(4) === 0 ? this.string(value) : value;
  }

  /** A text with a few characters cut, doubled or replaced. */
  string(value: string): string {
    let text = value;
    for (let count = this.below(4); count >= 0; count -= 1) {
      const at = this.below(text.length + 1);
      const cut = this.below(3) === 0 ? this.below(12) : 0;
      text = `${text.slice(0, at)}${this.below(2) === 0 ? this.text() : ''}${text.slice(at + cut)}`;
    }
    return text;
  }

  rubbish(): unknown {
    const deep = (levels: number): unknown => (levels === 0 ? [] : [deep(levels - 1)]);
    return this.pick<() => unknown>([
      () => null,
      () => this.text(),
      () => this.pick([0, -1, 1e308, -0, 2 ** 53, 0.1, 1e21]),
      () => [],
      () => ({}),
      () => this.pick([true, false]),
      () => deep(this.below(200)),
      () => Array.from({ length: this.below(50) }, () => this.text()),
      () => ({ [this.text()]: { [this.text()]: this.text() } }),
    ])();
  }
}

const dictionary = [
  'https://[::1]:65536/%2e%2e/',
  '\r\nX-Injected: 1',
  'DPoP a.b.c',
  '+14155550101',
  '2026-13-45T99:99:99Z',
  '1970-01-01T00:00:00.000Z',
  '__proto__',
  'dev.patchcord.call.ended.v1',
  'dev.patchcord.__proto__.v1',
  'dev.patchcord..v1',
  '4111 1111 1111 1111',
  '-1',
  '1e309',
  'NaN',
  '\u202e',
  '٤٢',
  'Ａ',
  '..',
  '%00',
  'eyJhbGciOiJub25lIn0.e30.',
  'whsec_',
  '00000000-0000-0000-0000-000000000000',
  'Infinity',
  "' or 1=1 --",
  '<script>',
  '=cmd()',
  '#{7*7}',
  '{{7*7}}',
] as const;
