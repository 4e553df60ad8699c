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
const formed =
  (most: number, form: RegExp): Check =>
  (value) =>
    line(most)(value) && form.test(value as string);
// What a Call-ID is made of (RFC 3261 section 25.1, `word`); a `;` would begin a parameter of Replaces.
const callId = formed(512, /^[\w.!%*+`'~()<>:\\"/[\]?{}@-]+$/);
const tag = formed(512, /^[\w.!%*+`'~-]*$/);
const branch = formed(256, /^z9hG4bK[\w.!%*+`'~-]*$/);
const uri = formed(2_048, /^(?:sips?|tel):[^\s<>"]+$/i);
const route = formed(2_048, /^[^<>\s]*<sips?:[^\s<>"]+>[^\s<>"]*$/i);
const number =
  (most: number): Check =>
  (value) =>
    Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;
const oneOf =
  (...words: readonly unknown[]): Check =>
  (value) =>
    words.includes(value);
const flag = oneOf(true, false);
const either =
  (one: Check, other: Check): Check =>
  (value) =>
    one(value) || other(value);
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
  remoteTarget: either(oneOf(''), uri),
  routes: list(route, mostRoutes),
  localSequence: number(highestSequence),
  remoteSequence: either(oneOf(null), number(2 ** 31)),
  inviting: either(oneOf(null), fields({ uri, branch, routes: list(route, mostRoutes) })),
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
