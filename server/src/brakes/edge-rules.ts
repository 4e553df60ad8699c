/**
 * The call rules at the Kamailio edge: what its tables must hold, and bringing them to it. Owns the form of the rows, which
 * `deploy/kamailio/kamailio.cfg` reads; the edge enforces them without asking anybody. Also reads back what the edge saw: calls, refusals.
 */
import { createHash } from 'node:crypto';
import { callEdge, type EdgeControl } from '../credentials/kamailio.ts';
import type { Destinations } from './destinations.ts';
import { networkCodes } from './destinations.ts';
import { type Hours, windowsAround } from './hours.ts';
import type { AgentRules } from './rules.ts';

/** Rows of the tables `brake`, `brake_list` and `caller_id`. */
export interface EdgeRows {
  readonly brake: ReadonlyMap<string, string>;
  readonly lists: ReadonlyMap<string, string>;
  /** Extension → the numbers its phone may show, with commas between them. */
  readonly callerIds: ReadonlyMap<string, string>;
}

/** In place of an extension: whoever has no row. */
export const everyExtension = 'default';
/** Names the whole of what was told; taken away first and written last, so that an edge that was told half is told again. */
const mark = 'relay';

/** A call as the edge saw it. Times are epoch ms, to the second. */
export interface EdgeCall {
  readonly sipCallId: string;
  readonly extension: string;
  /** Digits, country code first. */
  readonly digits: string;
  readonly startedAt: number;
  readonly answeredAt: number | null;
  readonly endedAt: number | null;
}

/** A request in a running dialog must have a higher number than the last: the edge lets no phone count this far. */
const lateSequence = 1_000_000_000;
const sequenceEpoch = 1_700_000_000;
/** As long as the edge keeps a call. */
const endWithinSeconds = 14_400;
/** An edge with an older recipe has no table for calls that must end: it ends those that are answered by now. Nor has it one for caller IDs. */
const optionalTables: ReadonlySet<string> = new Set(['brake_end', 'caller_id']);
const noTable = /no such|not found|exist|empty|failed to set the item/i;

export interface EdgeRefusals {
  readonly extension: string;
  readonly why: string;
  readonly count: number;
}

/** The row of one extension. */
export function edgeRow(
  rules: AgentRules,
  now: number,
  state: { readonly stopped: string | null; readonly callsPerMinute: number },
): string {
  return [
    state.stopped === null ? '-' : plainText(state.stopped),
    Math.min(rules.callsPerMinute, state.callsPerMinute),
    rules.callsPerHour,
    rules.concurrentCalls,
    rules.list,
    rules.hours === null ? '*' : openTimes(rules.hours, now),
  ].join('|');
}

/** The rows of a set of destinations. */
export function edgeLists(name: string, destinations: Destinations): [string, string][] {
  const { callingCode, trunk, trunkOptional, outsideLine, numberForm, own } = destinations;
  const digits = [...'123456789'];
  const under = (prefixes: readonly string[], digit: string) => prefixes.filter((prefix) => prefix.startsWith(digit));
  const rows: [string, readonly (string | number)[]][] = [
    ['emergency', destinations.emergencyNumbers],
    ['internal', destinations.internalDigits],
    ['international', destinations.international],
    ['networks', networkCodes],
    ['lengths', destinations.lengths],
    // An edge with an older recipe does not look at these, and refuses what they would let through.
    ...(own === undefined
      ? []
      : Object.entries({ own: own.exact, behind: own.behind, forwards: own.forwards }).map(
          ([list, values]): [string, readonly string[]] => [list, values],
        )),
    ...digits.map((digit): [string, readonly string[]] => [`allowed${digit}`, under(destinations.allowed, digit)]),
    ...digits.map((digit): [string, readonly string[]] => [`premium${digit}`, under(destinations.premium, digit)]),
  ];
  return [
    [`${name}::plan`, [callingCode, trunk, trunkOptional ? 1 : 0, outsideLine, numberForm].join('|')],
    // An empty value would be no row: a dash begins no number.
    ...rows.map(([list, values]): [string, string] => [
      `${name}::${list}`,
      values.length === 0 ? '-' : values.join(','),
    ]),
  ];
}

/**
 * Brings the edge to these rows, if it is not there already; an edge that restarted has lost its mark. One at a time for one edge.
 * @returns how many rows were written or removed
 * @throws PatchcordError `sip.unreachable`, `sip.refused`
 */
export async function tellEdge(edge: EdgeControl, rows: EdgeRows): Promise<number> {
  const wanted = digest(rows);
  if ((await readOne(edge, 'brake', mark)) === wanted) return 0;
  await callEdge(edge, 'htable.delete', ['brake', mark], /not found|exist/i);
  const changed =
    (await bring(edge, 'brake_list', rows.lists, false)) +
    (await bring(edge, 'caller_id', rows.callerIds, true)) +
    (await bring(edge, 'brake', rows.brake, true));
  await callEdge(edge, 'htable.sets', ['brake', mark, wanted]);
  const callerIds = await dump(edge, 'caller_id');
  // Another relay may have written in between: without the mark the next look of either writes again.
  if (
    !holds(await dump(edge, 'brake'), rows.brake, true) ||
    !holds(await dump(edge, 'brake_list'), rows.lists, false) ||
    // Empty is what an edge says that has no such table: it is not told again and again.
    (callerIds.size > 0 && !holds(callerIds, rows.callerIds, true))
  )
    await callEdge(edge, 'htable.delete', ['brake', mark], /not found|exist/i);
  return changed;
}

/**
 * Ends the calls to outside that these extensions have now. One that still rings is ended by `endCallsAtEdge` when it is answered.
 * @returns how many were asked to end
 * @throws PatchcordError `sip.unreachable`, `sip.refused`
 */
export async function endCallsOf(edge: EdgeControl, extension: string): Promise<number> {
  for (const [callId, value] of await dump(edge, 'brake_call')) {
    const [caller, , , , over] = String(value).split('|');
    if (caller === extension && over === '0')
      await callEdge(edge, 'htable.setxs', ['brake_end', callId, '1', endWithinSeconds], noTable);
  }
  return endCallsAtEdge(edge, new Set([extension]));
}

/**
 * Ends these calls to outside, as far as the edge knows them.
 * @returns how many were asked to end
 * @throws PatchcordError `sip.unreachable`, `sip.refused`
 */
export async function endCallsNamed(edge: EdgeControl, sipCallIds: readonly string[]): Promise<number> {
  const wanted = new Set(sipCallIds);
  let found = 0;
  for (const [callId, value] of await dump(edge, 'brake_call')) {
    if (!wanted.has(callId) || String(value).split('|')[4] !== '0') continue;
    await callEdge(edge, 'htable.setxs', ['brake_end', callId, '1', endWithinSeconds], noTable);
    found += 1;
  }
  if (found > 0) await endCallsAtEdge(edge, new Set());
  return found;
}

/**
 * Sends BYE (RFC 3261 section 15) to both ends, in the name of the other, of the answered calls to outside that these extensions have or that
 * `endCallsOf` met ringing. The edge notes the end when the far side has confirmed it: to be repeated until none is left.
 * @returns how many were asked to end
 * @throws PatchcordError `sip.unreachable`, `sip.refused`
 */
export async function endCallsAtEdge(edge: EdgeControl, extensions: ReadonlySet<string>): Promise<number> {
  const condemned = await dump(edge, 'brake_end');
  if (extensions.size === 0 && condemned.size === 0) return 0;
  let asked = 0;
  for (const [callId, value] of await dump(edge, 'brake_call')) {
    const fields = String(value).split('|');
    const [caller = '', , , , over, tags = '', far = '', from = '', to = '', hop = '', browser = ''] = fields;
    if (over !== '0' || far === '' || !(extensions.has(caller) || condemned.has(callId))) continue;
    const [fromTag = '', toTag = ''] = tags.split(',');
    const near = `<${text(from)}>;tag=${fromTag}`;
    const away = `<${text(to)}>;tag=${toTag}`;
    await bye(edge, callId, { uri: text(far), hop: '.', from: near, to: away });
    await bye(edge, callId, { uri: text(browser), hop, from: away, to: near }).catch(() => {
      // The browser may be gone; what costs money has ended.
    });
    asked += 1;
  }
  return asked;
}

async function bye(
  edge: EdgeControl,
  callId: string,
  way: { readonly uri: string; readonly hop: string; readonly from: string; readonly to: string },
): Promise<void> {
  // Higher each second, or a repeat would be an old request.
  const sequence = lateSequence + Math.max(0, Math.floor(Date.now() / 1_000) - sequenceEpoch);
  const headers = [
    `From: ${way.from}`,
    `To: ${way.to}`,
    `Call-ID: ${callId}`,
    `CSeq: ${sequence} BYE`,
    'Max-Forwards: 70',
  ];
  await callEdge(edge, 'tm.t_uac_start', ['BYE', way.uri, way.hop, '.', `${headers.join('\r\n')}\r\n`, '']);
}

/** What the edge keeps in hexadecimal, since it comes from outside; a line of it, for it goes into a header. */
function text(hex: string): string {
  return Buffer.from(hex, 'hex')
    .toString()
    .replace(/[\p{Cc}<>]/gu, '');
}

/** Every call the edge holds, those that ended less than half a minute ago included. */
export async function callsAtEdge(edge: EdgeControl): Promise<readonly EdgeCall[]> {
  const calls: EdgeCall[] = [];
  for (const [sipCallId, value] of await dump(edge, 'brake_call')) {
    const [extension = '', digits = '', started, answered, ended] = String(value).split('|');
    calls.push({
      sipCallId,
      extension,
      digits,
      startedAt: Number(started) * 1_000,
      answeredAt: Number(answered) > 0 ? Number(answered) * 1_000 : null,
      endedAt: Number(ended) > 0 ? Number(ended) * 1_000 : null,
    });
  }
  return calls;
}

/** How often whom was refused what, counted since the edge heard of it first. */
export async function refusalsAtEdge(edge: EdgeControl): Promise<readonly EdgeRefusals[]> {
  return [...(await dump(edge, 'brake_refused'))].map(([key, value]) => {
    const [extension = '', why = ''] = key.split('::');
    return { extension, why, count: Number(value) };
  });
}

async function bring(
  edge: EdgeControl,
  table: string,
  wanted: ReadonlyMap<string, string>,
  removeOthers: boolean,
): Promise<number> {
  const there = await dump(edge, table);
  let changed = 0;
  for (const [key, value] of wanted) {
    if (String(there.get(key)) === value) continue;
    await callEdge(edge, 'htable.sets', [table, key, value], table === 'caller_id' ? noTable : undefined);
    changed += 1;
  }
  // Lists nobody names any more do no harm, and a relay with yesterday's configuration may still name them.
  if (!removeOthers) return changed;
  for (const key of there.keys()) {
    if (wanted.has(key) || key === mark) continue;
    await callEdge(edge, 'htable.delete', [table, key], /not found|exist/i);
    changed += 1;
  }
  return changed;
}

function holds(
  there: ReadonlyMap<string, unknown>,
  wanted: ReadonlyMap<string, string>,
  nothingElse: boolean,
): boolean {
  for (const [key, value] of wanted) if (String(there.get(key)) !== value) return false;
  return !nothingElse || [...there.keys()].every((key) => wanted.has(key) || key === mark);
}

async function readOne(edge: EdgeControl, table: string, key: string): Promise<string | null> {
  const answer = await callEdge(edge, 'htable.get', [table, key], /exist|not found/i);
  const value = (answer as { readonly item?: { readonly value?: unknown } } | null)?.item?.value;
  return value === undefined ? null : String(value);
}

/** A whole table; Kamailio answers with a list of slots, each a list of items. */
async function dump(edge: EdgeControl, table: string): Promise<ReadonlyMap<string, unknown>> {
  const found = new Map<string, unknown>();
  const walk = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    const { name, value } = node as { readonly name?: unknown; readonly value?: unknown };
    if (typeof name === 'string' && value !== undefined) found.set(name, value);
    else Object.values(node).forEach(walk);
  };
  walk(await callEdge(edge, 'htable.dump', [table], optionalTables.has(table) ? noTable : /empty|no such entry/i));
  return found;
}

function openTimes(hours: Hours, now: number): string {
  const windows = windowsAround(hours, now).map(({ from, to }) => `${from}-${to}`);
  return windows.length === 0 ? '0-0' : windows.join(',');
}

/** What may stand in a row and in a SIP reason: one line without the row's own marks. */
function plainText(text: string): string {
  return text.replace(/[|"\\\p{Cc}]/gu, ' ').slice(0, 160);
}

function digest(rows: EdgeRows): string {
  // Without any it is the digest that a relay of the version before makes: the two must not tell the edge in turns.
  const callerIds = rows.callerIds.size === 0 ? [] : [[...rows.callerIds].sort()];
  return createHash('sha256')
    .update(JSON.stringify([[...rows.brake].sort(), [...rows.lists].sort(), ...callerIds]))
    .digest('hex')
    .slice(0, 24);
}
