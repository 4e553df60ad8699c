/**
 * Reads dialogs that an earlier owner wrote down. They come from sealed storage or from the relay, and are not trusted all the same: what does not
 * fit is dropped whole, and nothing that passes can break out of the header line it will stand in.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { KeptDialog } from './ports.ts';

/** As many as there may be calls, and room for what was just ending. */
const mostDialogs = 16;
const mostRoutes = 16;
/** A successor adds to them, and CSeq ends at 2^31 - 1 (RFC 3261 section 8.1.1.5). */
const highestSequence = 2_000_000_000;
const longestSession = 86_400;

/** Dialogs that can be taken up, each call once; empty for anything else. */
export function readDialogs(value: unknown): readonly KeptDialog[] {
  if (!Array.isArray(value) || value.length > mostDialogs) return [];
  const seen = new Set<string>();
  return value.filter(isDialog).filter(({ call }) => !seen.has(call) && seen.add(call));
}

type Check = (value: unknown) => boolean;

// Printable ASCII and letters beyond it: no line end, no control character.
const line =
  (most: number, least = 0): Check =>
  (value) =>
    typeof value === 'string' && value.length >= least && value.length <= most && !/[\p{Cc}\p{Zl}\p{Zp}]/u.test(value);
// What a Call-ID is made of (RFC 3261 section 25.1, `word`); a `;` would begin a parameter of Replaces.
const callId: Check = (value) => line(512, 1)(value) && /^[\w.!%*+`'~()<>:\\"/[\]?{}@-]+$/.test(value as string);
const tag: Check = (value) => line(512)(value) && /^[\w.!%*+`'~-]*$/.test(value as string);
const branch: Check = (value) => line(256, 1)(value) && /^z9hG4bK[\w.!%*+`'~-]*$/.test(value as string);
const uri: Check = (value) => line(2_048, 1)(value) && /^(?:sips?|tel):[^\s<>"]+$/i.test(value as string);
const route: Check = (value) => line(2_048, 1)(value) && /^[^<>\s]*<sips?:[^\s<>"]+>[^\s<>"]*$/i.test(value as string);
const flag: Check = (value) => typeof value === 'boolean';
const number =
  (most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    words.includes(value as string);
const either =
  (one: Check, other: Check): Check =>
  (value) =>
    one(value) || other(value);
const empty: Check = (value) => value === '';
const none: Check = (value) => value === null;
const list =
  (check: Check, most: number): Check =>
  (value) =>
    Array.isArray(value) && value.length <= most && value.every(check);
const fields =
  (shape: Readonly<Record<string, Check>>): Check =>
  (value) =>
    typeof value === 'object' &&
    value !== null &&
    Object.entries(shape).every(([name, check]) => Object.hasOwn(value, name) && check(Reflect.get(value, name)));

const shape = fields({
  call: line(128, 1),
  stage: oneOf('inviting', 'invited', 'confirmed'),
  direction: oneOf('inbound', 'outbound'),
  callId,
  localTag: tag,
  remoteTag: tag,
  localUri: uri,
  remoteUri: uri,
  remoteTarget: either(empty, uri),
  routes: list(route, mostRoutes),
  localSequence: number(highestSequence),
  remoteSequence: either(none, number(2 ** 31)),
  inviting: either(none, fields({ uri, branch })),
  number: line(256),
  supports: line(2_048),
  allows: line(2_048),
  peer: line(256),
  held: flag,
  farHeld: flag,
  muted: flag,
  sessionSeconds: number(longestSession),
});

function isDialog(value: unknown): value is KeptDialog & { readonly call: CallId } {
  if (!shape(value)) return false;
  const { stage, localTag, remoteTag, remoteTarget, inviting } = value as KeptDialog;
  if (stage === 'inviting') return inviting !== null && localTag !== '';
  if (stage === 'invited') return remoteTag !== '';
  return localTag !== '' && remoteTag !== '' && remoteTarget !== '';
}
