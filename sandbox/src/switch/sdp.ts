/**
 * Session descriptions as text: what a section says, and the small changes that the switch makes to them.
 * Owns no state; must never know a peer connection.
 */
export type Direction = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export function audioSection(sdp: string): string {
  return /^m=audio [\s\S]*?(?=^m=|(?![\s\S]))/m.exec(sdp)?.[0] ?? '';
}

export function fingerprintOf(sdp: string): string | undefined {
  return (/^a=fingerprint:(.+?)\s*$/m.exec(audioSection(sdp)) ??
    /^a=fingerprint:(.+?)\s*$/m.exec(sdp))?.[1]?.toUpperCase();
}

export function peerOf(sdp: string): string {
  return `${fingerprintOf(sdp) ?? ''} ${/^o=\S+ (\S+)/m.exec(sdp)?.[1] ?? ''}`;
}

export function directionOf(sdp: string): Direction {
  const found = /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(audioSection(sdp))?.[1];
  return (found as Direction | undefined) ?? 'sendrecv';
}

export function withDirection(sdp: string, direction: Direction): string {
  const audio = audioSection(sdp);
  return sdp.replace(audio, audio.replace(/^a=(sendrecv|sendonly|recvonly|inactive)(\r?)$/m, `a=${direction}$2`));
}

export function mirrored(direction: Direction): Direction {
  if (direction === 'sendonly') return 'recvonly';
  if (direction === 'recvonly') return 'sendonly';
  return direction;
}

/** The first payload type of the audio section that is one of these: the offerer's order counts (RFC 3264 section 6.1). */
export function firstKnown(sdp: string, known: readonly number[]): number | undefined {
  const formats = (/^m=audio \d+ \S+ (.*?)\s*$/m.exec(audioSection(sdp))?.[1] ?? '').split(' ').map(Number);
  return formats.find((format) => known.includes(format));
}

/**
 * What werift may see of a browser's SDP. It matches telephone-event by name and not by clock, so with G.711 chosen only
 * the 8000 Hz one may remain. mDNS candidates are dropped: the browser's own checks reach us from the same address,
 * and looking the names up would open a multicast socket that outlives the call. `without`: payload types that lost.
 */
export function restrictedTo(sdp: string, without: readonly number[]): string {
  const wrong = [...sdp.matchAll(/^a=rtpmap:(\d+) telephone-event\/(?!8000\b)\d+/gim)].map((match) => match[1] ?? '');
  wrong.push(...without.map(String));
  return sdp
    .split(/\r?\n/)
    .filter((line) => !wrong.some((type) => new RegExp(`^a=(?:rtpmap|fmtp|rtcp-fb):${type} `).test(line)))
    .filter((line) => !/^a=candidate:.*\.local /.test(line))
    .map((line) =>
      line.startsWith('m=audio ')
        ? line
            .split(' ')
            .filter((piece, index) => index < 3 || !wrong.includes(piece))
            .join(' ')
        : line,
    )
    .join('\r\n');
}

function sections(sdp: string): string[] {
  return sdp.split(/^(?=m=)/m);
}

function midOf(section: string): string | undefined {
  return /^a=mid:(\S+)/m.exec(section)?.[1];
}

/** The session part and the sound; whatever else is offered is left out, of the BUNDLE group too. */
export function audioOnly(sdp: string): string {
  const [session = '', ...media] = sections(sdp);
  const audio = media.find((section) => section.startsWith('m=audio'));
  if (audio === undefined || media.length < 2) return sdp;
  const mid = midOf(audio);
  const bundled = session.replace(/^a=group:BUNDLE .*$/m, mid === undefined ? 'a=x-none' : `a=group:BUNDLE ${mid}`);
  return bundled + audio;
}

/** An answer with a refusal for every section of the offer that is no sound, in the offer's order (RFC 3264 section 6). */
export function withRefused(answer: string, offer: string): string {
  const offered = sections(offer).slice(1);
  if (offered.length < 2) return answer;
  const [session = '', audio = ''] = sections(answer);
  const media = offered.map((section) => {
    if (section.startsWith('m=audio')) return audio;
    const [, kind = 'video', rest = ''] = /^m=(\S+) \d+ (.*?)\r?$/m.exec(section) ?? [];
    const mid = midOf(section);
    return `m=${kind} 0 ${rest}\r\nc=IN IP4 0.0.0.0\r\na=inactive\r\n${mid === undefined ? '' : `a=mid:${mid}\r\n`}`;
  });
  return session + media.map((section) => (section.endsWith('\n') ? section : `${section}\r\n`)).join('');
}

/** An offer with a video section behind the sound, on the same transport. */
export function withVideo(offer: string): string {
  const audio = audioSection(offer);
  const shared = audio
    .split(/\r?\n/)
    .filter((line) => /^a=(ice-ufrag|ice-pwd|fingerprint|setup|ice-options)/.test(line))
    .map((line) => `${line}\r\n`);
  const ended = offer.endsWith('\n') ? offer : `${offer}\r\n`;
  return [
    ended.replace(/^(a=group:BUNDLE .*?)(\r?)$/m, '$1 video$2'),
    'm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\n',
    ...shared,
    'a=mid:video\r\na=rtcp-mux\r\na=sendrecv\r\na=rtpmap:96 VP8/90000\r\n',
  ].join('');
}
