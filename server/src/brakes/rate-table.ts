/**
 * What a call costs: longest prefix of the E.164 number → price per minute and per call. Owns reading the table and the sum; amounts are
 * whole micro-units (1,000,000 = one unit of the tenant's currency), so that sums are exact. Must never guess a price of nothing: a number
 * that no row covers costs the fallback.
 */
import { readFileSync } from 'node:fs';
import { PatchcordError } from '@patchcord/call-protocol';

export interface Rate {
  /** Micro-units per minute; charged by the second. */
  readonly perMinute: number;
  /** Micro-units once, when the call is answered. */
  readonly connection: number;
}

export interface RateRow {
  /** Digits that the number begins with, without the plus. */
  readonly prefix: string;
  /** Price of a minute, in the tenant's currency. */
  readonly perMinute: number;
  readonly connection: number;
}

export const micro = 1_000_000;

/** Longest prefix that still has to be looked at. */
const longest = 15;

export class RateTable {
  readonly #rates = new Map<string, Rate>();
  readonly #fallback: Rate;

  constructor(rows: readonly RateRow[], fallbackPerMinute: number) {
    for (const { prefix, perMinute, connection } of rows) {
      this.#rates.set(prefix, { perMinute: Math.round(perMinute * micro), connection: Math.round(connection * micro) });
    }
    this.#fallback = { perMinute: Math.round(fallbackPerMinute * micro), connection: 0 };
  }

  /** The price of a number in E.164 digits (no plus). */
  of(digits: string): Rate {
    for (let length = Math.min(longest, digits.length); length > 0; length -= 1) {
      const rate = this.#rates.get(digits.slice(0, length));
      if (rate !== undefined) return rate;
    }
    return this.#fallback;
  }
}

/** Micro-units for a call that was answered and has lasted this long. */
export function costOf(rate: Rate, answeredMs: number): number {
  return rate.connection + Math.ceil((rate.perMinute * Math.max(0, answeredMs)) / 60_000);
}

/**
 * Reads a table in CSV: `prefix,perMinute,connection` a line, the last column optional; a first line of words and lines that begin with "#" are passed over.
 * @throws PatchcordError `config.invalid`, naming the line
 */
export function readRateFile(path: string): readonly RateRow[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new PatchcordError(
      'config.invalid',
      `brakes.spend.ratesFile: the file ${path} cannot be read. Check that it exists and who may read it.`,
      { cause },
    );
  }
  const rows: RateRow[] = [];
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#') || (index === 0 && /^[a-z"]/i.test(line))) continue;
    const [prefix = '', perMinute = '', connection = '0'] = line
      .split(',')
      .map((cell) => cell.trim().replace(/^"|"$/g, ''));
    const row = {
      prefix: prefix.replace(/^\+/, ''),
      perMinute: Number(perMinute),
      connection: Number(connection || '0'),
    };
    if (!/^\d{1,15}$/.test(row.prefix) || perMinute === '' || !(row.perMinute >= 0) || !(row.connection >= 0)) {
      throw new PatchcordError(
        'config.invalid',
        `brakes.spend.ratesFile: line ${index + 1} of ${path} must be "prefix,price per minute,connection fee", for instance "49,0.012,0". Correct it.`,
      );
    }
    rows.push(row);
  }
  return rows;
}
