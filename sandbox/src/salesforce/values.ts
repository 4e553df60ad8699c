/** Owns what one value of one field may be, and Salesforce's spelling of ids and instants. Must never know a record. */
import type { Field } from './field.ts';
import { Refusal } from './refusal.ts';

export type Value = string | number | boolean | null;
export type Row = Readonly<Record<string, Value>>;

/** A JSON value as the field keeps it. Throws {@link Refusal}: wrong type, too long, not in a restricted picklist, out of range. */
export function converted(name: string, field: Field, value: unknown): Value {
  if (value === null || value === '') return null;
  const wrong = (wanted: string): Refusal =>
    new Refusal(
      'JSON_PARSER_ERROR',
      `Cannot deserialize instance of ${wanted} from value ${JSON.stringify(value)} for field ${name}`,
    );
  switch (field.type) {
    case 'int':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw wrong('int');
      return value;
    case 'double':
    case 'currency':
      if (typeof value !== 'number' || !Number.isFinite(value)) throw wrong('double');
      return inRange(name, field, value);
    case 'boolean':
      if (typeof value !== 'boolean') throw wrong('boolean');
      return value;
    case 'date':
      if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}$/.test(value) || Number.isNaN(Date.parse(value)))
        throw wrong('date');
      return value;
    case 'datetime':
      if (typeof value !== 'string' || !/^\d{4}-\d{2}-\d{2}T/.test(value) || Number.isNaN(Date.parse(value)))
        throw wrong('datetime');
      return instant(new Date(value));
    default:
      if (typeof value !== 'string') throw wrong('string');
      return fitting(name, field, value);
  }
}

/** Too many digits before the point are refused, too many behind it are rounded, as the platform does. */
function inRange(name: string, field: Field, value: number): number {
  if (field.precision === undefined) return value;
  const [digits, decimals] = field.precision;
  const rounded = Math.round(value * 10 ** decimals) / 10 ** decimals;
  if (Math.abs(rounded) >= 10 ** (digits - decimals))
    throw new Refusal(
      'NUMBER_OUTSIDE_VALID_RANGE',
      `${name}: value outside of valid range on numeric field: ${value}`,
      [name],
    );
  return rounded;
}

function fitting(name: string, field: Field, value: string): string {
  const limit = field.length ?? (field.type === 'picklist' ? 255 : 18);
  if (value.length > limit)
    throw new Refusal(
      'STRING_TOO_LONG',
      `${name}: data value too large: ${value.slice(0, 20)}… (max length=${limit})`,
      [name],
    );
  if (field.restricted && !(field.values ?? []).includes(value))
    throw new Refusal(
      'INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST',
      `${name}: bad value for restricted picklist field: ${value}`,
      [name],
    );
  if (field.type === 'email' && !/^\S+@\S+\.\S+$/.test(value))
    throw new Refusal('INVALID_EMAIL_ADDRESS', `${name}: invalid email address: ${value}`, [name]);
  return value;
}

/** `2026-11-21T10:00:00.000+0000`: Salesforce's spelling of UTC. */
export function instant(date: Date): string {
  return date.toISOString().replace('Z', '+0000');
}

/** The 18-character form of a 15-character id: three letters that carry which of the others are capitals. */
export function eighteen(id: string): string {
  if (id.length !== 15) return id;
  const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ012345';
  let suffix = '';
  for (let block = 0; block < 3; block += 1) {
    let bits = 0;
    for (let index = 0; index < 5; index += 1) if (/[A-Z]/.test(id.charAt(block * 5 + index))) bits |= 1 << index;
    suffix += letters.charAt(bits);
  }
  return id + suffix;
}

/** The text of a value that names something; undefined when it names nothing. */
export function named(value: Value | undefined): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
