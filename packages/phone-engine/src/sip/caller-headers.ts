/**
 * Owns what a SIP message says about people: who the far side is (RFC 3325), for whom the call was (RFC 5806, RFC 7044), whether the network
 * checked the number (3GPP TS 24.229 `verstat`), and whether the phone shall answer by itself. Pure reading.
 * Must never trust the text: what is read is bounded, and what can't be read counts as not said.
 */
import type { Party } from '@patchcord/call-protocol';
import { callerOf, type NameAddress, plain, wantsPrivacy } from './party.ts';

/** What a message of sip.js offers to its readers. */
export interface HeaderSource {
  getHeader(name: string): string | undefined;
  getHeaders(name: string): string[];
}

/** An address of a header, with its URI as written and what follows it. */
export interface ReadAddress extends NameAddress {
  readonly uri: string;
  /** The header's own parameters, as written. */
  readonly parameters: string;
}

const longestHeader = 4_096;
const mostAddresses = 20;
const longestWaitMs = 60_000;

/** Longest SIP Call-ID an event carries. A PBX may send longer ones; they are cut, which still joins its own call records by their start. */
const longestCallId = 255;

/** A Call-ID as it may stand in an event. */
export function tellableCallId(callId: string): string {
  return callId.slice(0, longestCallId);
}

/** The values of a header that may hold several (RFC 3261 section 7.3.1), one by one; at most 20. */
export function valuesOf(message: HeaderSource, name: string): string[] {
  const values: string[] = [];
  for (const line of message.getHeaders(name)) {
    for (const [value] of line.slice(0, longestHeader).matchAll(/(?:"(?:[^"\\]|\\.)*"|<[^>]*>|[^,"<]|["<])+/g)) {
      if (value.trim() !== '' && values.length < mostAddresses) values.push(value.trim());
    }
  }
  return values;
}

/** What stands after `;name=` in a header value (RFC 3261 section 7.3.1), without quotes, at most 100 characters; undefined when it is not there. */
export function parameter(text: string, name: string): string | undefined {
  const [, quoted, bare] =
    new RegExp(`;\\s*${name}\\s*=\\s*(?:"([^"]{0,100})|([^";,\\s]{1,100}))`, 'i').exec(text) ?? [];
  return quoted ?? bare;
}

/** A parameter that counts; undefined when it does not. */
const countOf = (text: string, name: string): number | undefined => {
  const digits = /^\d{1,6}/.exec(parameter(text, name) ?? '')?.[0];
  return digits === undefined ? undefined : Number(digits);
};

/** Reads a name-addr or addr-spec (RFC 3261 section 25.1) with a sip, sips or tel URI; null when it is none. */
export function readAddress(text: string): ReadAddress | null {
  const bracketed = /^\s*(?:"((?:[^"\\]|\\.)*)"|([^<"]*))\s*<([^<>\s]+)>(.*)$/s.exec(text.slice(0, longestHeader));
  const bare = bracketed ? null : /^\s*([^\s;,<>]+)(.*)$/s.exec(text.slice(0, longestHeader));
  const uri = bracketed?.[3] ?? bare?.[1] ?? '';
  const sip = /^sips?:(?:([^@?]*)@)?(\[[^\]]*\]|[^:;?]+)/i.exec(uri);
  const tel = /^tel:([^?]+)/i.exec(uri);
  if (!sip && !tel) return null;
  return {
    displayName: bracketed?.[1]?.replace(/\\(.)/g, '$1') ?? bracketed?.[2]?.trim(),
    user: tel?.[1] ?? sip?.[1]?.split(':')[0],
    host: sip?.[2] ?? '',
    uri,
    parameters: bracketed?.[4] ?? bare?.[2] ?? '',
  };
}

function addresses(message: HeaderSource, name: string): ReadAddress[] {
  return valuesOf(message, name).flatMap((value) => readAddress(value) ?? []);
}

/** What the network vouches for: P-Asserted-Identity, or the Remote-Party-ID that FreeSWITCH and older Asterisk send in its place. */
export function assertedAddress(message: HeaderSource): ReadAddress | undefined {
  const asserted = addresses(message, 'p-asserted-identity');
  const all = asserted.length > 0 ? asserted : addresses(message, 'remote-party-id').filter(isOpen);
  // A SIP address has the name; the telephone number beside it often has none.
  return all.find(({ displayName }) => displayName !== undefined && displayName !== '') ?? all[0];
}

const isOpen = ({ parameters }: ReadAddress): boolean => !/;\s*privacy\s*=\s*"?(?:full|uri)\b/i.test(parameters);

/** Who the far side is by now, as the network says; undefined when it says nothing, or keeps it to itself. */
export function identified(message: HeaderSource): Party | undefined {
  const address = assertedAddress(message);
  if (!address || wantsPrivacy(message.getHeader('privacy'))) return undefined;
  const party = callerOf(address, address, false);
  return party.number === '' ? undefined : party;
}

/** What the network found when it checked the caller's number (STIR): the `verstat` of the identity it vouches for, or of From. */
export function verification(message: HeaderSource): 'passed' | 'failed' | undefined {
  for (const name of ['p-asserted-identity', 'from']) {
    for (const { uri, parameters } of addresses(message, name)) {
      // Some networks put it beside the URI, and some add the level of attestation to it (`-A`).
      const stated = /;\s*verstat\s*=\s*"?(?:TN-Validation-(Passed|Failed)|No-TN-Validation)/i.exec(uri + parameters);
      if (stated) return stated[1]?.toLowerCase() as 'passed' | 'failed' | undefined;
    }
  }
  return undefined;
}

/** Causes of RFC 4458 section 6, in the words of RFC 5806 section 4.2. */
const causes: Readonly<Record<string, string>> = {
  302: 'unconditional',
  404: 'unknown',
  408: 'no answer',
  480: 'deflection',
  486: 'busy',
  487: 'deflection',
  503: 'unavailable',
};

/** For whom the call was before it was sent here, and why it was; undefined when it was for us. */
export function diversion(message: HeaderSource): { readonly from: Party; readonly reason: string } | undefined {
  // The topmost value is the latest diversion (RFC 5806 section 5).
  const latest = addresses(message, 'diversion')[0];
  if (!latest) return fromHistory(message);
  const token = parameter(latest.parameters, 'reason') ?? '';
  return { from: callerOf(latest, latest, !isOpen(latest)), reason: reasonWords(token) };
}

function fromHistory(message: HeaderSource): ReturnType<typeof diversion> {
  const entries = addresses(message, 'history-info').map((address) => ({
    address,
    index: parameter(address.parameters, 'index') ?? '',
    // The target was changed to another one, and this is the entry it was changed from (RFC 7044 section 5.2).
    mapped: parameter(address.parameters, 'mp'),
    cause: /[;?]\s*cause(?:=|%3d)(\d{3})/i.exec(address.uri)?.[1],
    private: /privacy(?:=|%3d)/i.test(address.uri),
  }));
  for (let at = entries.length - 1; at > 0; at -= 1) {
    const entry = entries[at];
    if (entry === undefined || (entry.mapped === undefined && entry.cause === undefined)) continue;
    const before = entries.find(({ index }) => index !== '' && index === entry.mapped) ?? entries[at - 1];
    if (before === undefined) continue;
    const cause = entry.cause ?? /cause(?:=|%3d)(\d{3})/i.exec(before.address.uri)?.[1] ?? '';
    return { from: callerOf(before.address, before.address, before.private), reason: causes[cause] ?? '' };
  }
  return undefined;
}

function reasonWords(token: string): string {
  const words = plain(token.toLowerCase().replace(/-/g, ' '), 60);
  return words === 'user busy' ? 'busy' : words;
}

/**
 * After how many ms the caller asks the phone to answer by itself; undefined when it does not ask.
 * RFC 5373 `Answer-Mode` and `Priv-Answer-Mode`, `Call-Info` with `answer-after` (seconds), and the `Alert-Info` that desk phones understand.
 */
export function answersAfter(message: HeaderSource): number | undefined {
  const mode = message.getHeader('priv-answer-mode') ?? message.getHeader('answer-mode');
  if (mode !== undefined) return /^\s*auto\b/i.test(mode) ? 0 : undefined;
  for (const value of valuesOf(message, 'call-info')) {
    const seconds = countOf(value, 'answer-after');
    if (seconds !== undefined) return Math.min(seconds * 1_000, longestWaitMs);
  }
  for (const value of valuesOf(message, 'alert-info')) {
    if (!/(?:info\s*=\s*"?|^\W*|\/)(?:alert-autoanswer|auto[- ]?answer|ring[- ]?answer)\b/i.test(value)) continue;
    return Math.min((countOf(value, 'delay') ?? 0) * 1_000, longestWaitMs);
  }
  return undefined;
}
