/**
 * Owns the rule that a person's edit wins: which fields of a log may be written again. Beside the log, in a field of ours, stands a
 * fingerprint of every value we wrote last; a field that no longer carries our value was changed by somebody else and stays as it is.
 * Fingerprints instead of values, so that no note is stored twice. Must never know a CRM.
 */
import { createHash } from 'node:crypto';

export type FieldValue = string | number | null;
export type Fields = Readonly<Record<string, FieldValue>>;
/** Field name → fingerprint of the value we wrote last. */
export type LastWritten = Readonly<Record<string, string>>;

/** Brings a value into the spelling in which the CRM gives it back; the default trims and unifies line ends. */
export type Spelling = (field: string, value: unknown) => string;

export const plainSpelling: Spelling = (_field, value) =>
  value === null || value === undefined ? '' : String(value).replace(/\r\n?/g, '\n').trim();

/** Fingerprints of all values of a first write. */
export function fingerprints(fields: Fields, spelling: Spelling = plainSpelling): LastWritten {
  return Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, fingerprint(spelling(name, value))]));
}

/**
 * Compares what we want with what stands there and with what we wrote last.
 *
 * Fingerprints are stored together with every value of ours, also those that stand there already: two relays may write at once when one of them
 * stood still, and a value of one beside the fingerprint of the other would pass for a person's from then on. What a person
 * changes between the read and the write that follows is therefore overwritten: no CRM here can tell.
 * @returns `changes`: the fields that have to be written; none, and there is nothing to do. `own`: all that are ours, to send with the fingerprints.
 * `written`: the fingerprints
 */
export function ownChanges(
  wanted: Fields,
  current: Readonly<Record<string, unknown>>,
  written: LastWritten,
  spelling: Spelling = plainSpelling,
): { readonly changes: Fields; readonly own: Fields; readonly written: LastWritten } {
  const changes: Record<string, FieldValue> = {};
  const own: Record<string, FieldValue> = {};
  const next: Record<string, string> = { ...written };
  for (const [name, value] of Object.entries(wanted)) {
    const want = spelling(name, value);
    const have = spelling(name, current[name]);
    const ours = written[name] === fingerprint(have) || (written[name] === undefined && have === '');
    if (want !== have && !ours) continue;
    if (want !== have) changes[name] = value;
    own[name] = value;
    next[name] = fingerprint(want);
  }
  return { changes, own, written: next };
}

/** The stored form. */
export function toStored(written: LastWritten): string {
  return JSON.stringify(written);
}

/** Reads the stored form; anything unreadable counts as "nothing known", so that a person's text is never overwritten by mistake. */
export function fromStored(text: unknown): LastWritten {
  if (typeof text !== 'string' || text === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return {};
    return Object.fromEntries(
      Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    );
  } catch {
    return {};
  }
}

/** 96 bits are plenty to notice an edit; the field that keeps them is small. */
function fingerprint(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('base64url').slice(0, 16);
}
