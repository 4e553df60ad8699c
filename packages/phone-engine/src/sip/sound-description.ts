/**
 * Owns what a session description says about its sound: direction, encryption, codecs, and why it can't be used.
 * Reads and rewrites text only; must never touch a peer connection.
 */
import type { Codec } from '../ports.ts';

/** What the far side's description says about the direction of its audio, seen from there (RFC 3264 section 5.1). */
export type RemoteDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

/** Payload types that need no rtpmap line (RFC 3551 section 6). */
const staticNames: Readonly<Record<string, string>> = { '0': 'pcmu', '8': 'pcma', '9': 'g722' };
/** No phone offers as many; a hostile description might. */
const mostFormats = 64;
const soundCodecs = ['opus', 'g722', 'pcmu', 'pcma'];

/** The first audio line that is not switched off, with the lines under it; empty where there is none. */
function audioSection(sdp: string): string {
  const sections = sdp.split(/^(?=m=)/m).filter((section) => section.startsWith('m=audio '));
  return sections.find((section) => !/^m=audio 0\b/.test(section)) ?? '';
}

/** The names of the formats in a section by their payload types, in the order of preference, in small letters. */
function formatsOf(section: string): Map<string, string> {
  const types = /^m=\S+ \S+ \S+ ([^\r\n]*)/.exec(section)?.[1]?.trim().split(/\s+/).slice(0, mostFormats) ?? [];
  return new Map(
    types.map((type) => {
      const named = new RegExp(`^a=rtpmap:${/^\d{1,3}$/.test(type) ? type : 'none'} ([^/\\s]+)`, 'm').exec(
        section,
      )?.[1];
      return [type, (named ?? staticNames[type] ?? '').toLowerCase()];
    }),
  );
}

/** The direction of the first audio line in a description, seen from its sender; `c=0.0.0.0` is hold too (RFC 3264 section 8.4). */
export function audioDirection(sdp: string): RemoteDirection {
  const audio = audioSection(sdp);
  const session = sdp.split(/^m=/m)[0] ?? '';
  if (/^c=IN IP4 0\.0\.0\.0\s*$/m.test(audio) && !/^a=candidate:/m.test(audio)) return 'inactive';
  const stated =
    /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(audio) ??
    /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(session);
  return (stated?.[1] as RemoteDirection | undefined) ?? 'sendrecv';
}

/**
 * Why no sound can be agreed upon with this description, in plain words; null when it can.
 * @param codecs those that the profile allows; an empty list allows all
 */
export function whyUnusable(sdp: string, codecs: readonly Codec[]): string | null {
  const audio = audioSection(sdp);
  if (audio === '') return 'The far side offers no sound for this call.';
  const session = sdp.split(/^m=/m)[0] ?? '';
  if (!/^a=fingerprint:/m.test(audio) && !/^a=fingerprint:/m.test(session))
    return 'The far side does not encrypt its sound (DTLS-SRTP), and unencrypted calls are refused. Ask your administrator to switch it on at the PBX.';
  const theirs = [...formatsOf(audio).values()].filter((name) => soundCodecs.includes(name));
  const ours = codecs.length === 0 ? soundCodecs : codecs.map((codec) => codec.toLowerCase());
  if (theirs.some((name) => ours.includes(name))) return null;
  return `The far side has no codec in common with this phone (allowed here: ${codecs.length === 0 ? 'all' : codecs.join(', ')}). Ask your administrator to allow one more, at the PBX or in the profile.`;
}

/**
 * An offer as the browser may see it: only codecs of the profile, in its order. A browser that answers sends in the order of the offer, whatever
 * order its own answer has.
 */
export function inOrder(sdp: string, codecs: readonly Codec[]): string {
  const section = audioSection(sdp);
  if (codecs.length === 0 || section === '') return sdp;
  const formats = [...formatsOf(section)];
  const ours = codecs.flatMap((codec) => formats.filter(([, name]) => name === codec.toLowerCase()));
  const others = formats.filter(([, name]) => name === 'telephone-event' || name === 'cn');
  const kept = [...ours, ...others].map(([type]) => type);
  const dropped = new Set(formats.map(([type]) => type).filter((type) => !kept.includes(type)));
  const lines = section.split('\r\n').filter((line) => {
    const type = /^a=(?:rtpmap|fmtp|rtcp-fb):(\d+) /.exec(line)?.[1];
    return type === undefined || !dropped.has(type);
  });
  lines[0] = (lines[0] ?? '').replace(/^(m=\S+ \S+ \S+ ).*/, (_, head: string) => head + kept.join(' '));
  return sdp.replace(section, () => lines.join('\r\n'));
}

/** An offer with every line but its first sound switched off: video, a second sound. The browser then answers those with port 0 by itself. */
export function soundAlone(sdp: string): string {
  const [session = '', ...sections] = sdp.split(/^(?=m=)/m);
  const audio = audioSection(sdp);
  if (sections.length < 2 || audio === '') return sdp;
  const mid = /^a=mid:(\S+)/m.exec(audio)?.[1];
  // With everything on one path the candidates may stand under the first line only.
  const candidates = /^a=candidate:/m.test(audio) ? '' : (sdp.match(/^a=candidate:.*\r\n/gm) ?? []).join('');
  const lines = sections.map((section) =>
    section === audio ? `${section.trimEnd()}\r\n${candidates}` : section.replace(/^(m=\S+) \d+/, '$1 0'),
  );
  return session.replace(/^a=group:BUNDLE.*$/m, `a=group:BUNDLE ${mid ?? ''}`) + lines.join('');
}

/** A description with these parameters of opus (RFC 7587 section 6.1); others stay as they are. */
export function withOpus(sdp: string, parameters: Readonly<Record<string, string>>): string {
  const section = audioSection(sdp);
  const type = [...formatsOf(section)].find(([, name]) => name === 'opus')?.[0];
  if (type === undefined) return sdp;
  const stated = new RegExp(`^a=fmtp:${type} ([^\\r\\n]*)`, 'm').exec(section);
  const all = new Map<string, string | undefined>(
    (stated?.[1] ?? '')
      .split(';')
      .map((pair): [string, string | undefined] => {
        const [name = '', value] = pair.trim().split('=', 2);
        return [name, value];
      })
      .filter(([name]) => name !== ''),
  );
  for (const [name, value] of Object.entries(parameters)) all.set(name, value);
  const text = [...all].map(([name, value]) => (value === undefined ? name : `${name}=${value}`)).join(';');
  const line = `a=fmtp:${type} ${text}`;
  const changed = stated
    ? section.replace(stated[0], () => line)
    : section.replace(new RegExp(`^a=rtpmap:${type} [^\\r\\n]*`, 'm'), (found) => `${found}\r\n${line}`);
  return sdp.replace(section, () => changed);
}

/** Whether the far side takes telephone events (RFC 4733). */
export function takesEvents(sdp: string): boolean {
  return [...formatsOf(audioSection(sdp)).values()].includes('telephone-event');
}
