/**
 * Owns when a local session description is good enough to send, and which of its candidates are sent.
 * sip.js shortcomings 2 and 3: it waits for the end of gathering (5 s when a STUN server is dead) and asks a public STUN server by default.
 * Must never wait for a server that does not answer longer than the cap.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { ClockPort, SipAccount } from '../ports.ts';

export interface CandidatePolicy {
  readonly candidates: SipAccount['candidates'];
  readonly iceTransportPolicy: SipAccount['iceTransportPolicy'];
  /** True when a TURN server is configured. */
  readonly expectsRelay: boolean;
}

/** The part of RTCPeerConnection this needs; a plain object in tests. */
export interface Gatherer {
  readonly iceGatheringState: RTCIceGatheringState;
  readonly localDescription: { readonly sdp: string } | null;
  addEventListener(type: 'icecandidate' | 'icegatheringstatechange', listener: () => void): void;
  removeEventListener(type: 'icecandidate' | 'icegatheringstatechange', listener: () => void): void;
}

/** `full` never waits longer; the INVITE then leaves with what there is. */
const fullCapMs = 2_000;
/** With relay as the only allowed kind there is nothing to send before one came. */
const relayCapMs = 5_000;
/** After a reflexive candidate, how long a relay candidate may still take. */
const relayGraceMs = 300;
/** An IPv6 or masked host candidate waits this long for an IPv4 one: many PBX know only IPv4. */
const betterHostGraceMs = 50;

interface Candidate {
  readonly transport: string;
  readonly address: string;
  readonly kind: string;
}

/**
 * Resolves as soon as what was gathered satisfies the policy, at the latest at its cap.
 * Rejects with `media.failed` when only relay candidates are allowed and none came.
 */
export function enoughCandidates(gatherer: Gatherer, policy: CandidatePolicy, clock: ClockPort): Promise<void> {
  const relayOnly = policy.iceTransportPolicy === 'relay';
  return new Promise((resolve, reject) => {
    const cap = clock.setTimeout(() => end(), relayOnly ? relayCapMs : fullCapMs);
    let grace: unknown;
    const look = () => {
      const found = readCandidates(gatherer.localDescription?.sdp ?? '');
      // Right after an ICE restart `complete` still speaks of the gathering before it: without candidates it means nothing.
      if (gatherer.iceGatheringState === 'complete' && found.length > 0) return end();
      const verdict = judge(found, policy);
      if (verdict === 'enough') return end();
      if (verdict !== 'none' && grace === undefined) grace = clock.setTimeout(() => end(), verdict.waitMs);
    };
    const end = () => {
      clock.clearTimeout(cap);
      clock.clearTimeout(grace);
      gatherer.removeEventListener('icecandidate', look);
      gatherer.removeEventListener('icegatheringstatechange', look);
      const found = readCandidates(gatherer.localDescription?.sdp ?? '');
      if (found.some((candidate) => !relayOnly || candidate.kind === 'relay')) return resolve();
      reject(
        new PatchcordError(
          'media.failed',
          relayOnly
            ? 'The TURN server gave no address within 5 seconds, and the profile allows calls through TURN only. Check the TURN server and its credential.'
            : 'This computer offers no network address for the call. Check that it is connected to a network.',
          { retryable: true },
        ),
      );
    };
    gatherer.addEventListener('icecandidate', look);
    gatherer.addEventListener('icegatheringstatechange', look);
    look();
  });
}

/** What these candidates are worth: enough, nothing yet, or enough unless better ones come within some time. */
export function judge(
  candidates: readonly Candidate[],
  policy: CandidatePolicy,
): 'enough' | 'none' | { readonly waitMs: number } {
  const udp = candidates.filter((candidate) => candidate.transport === 'udp');
  const has = (kind: string) => udp.some((candidate) => candidate.kind === kind);
  if (policy.iceTransportPolicy === 'relay') return has('relay') ? 'enough' : 'none';
  if (policy.candidates === 'first-host') {
    const hosts = udp.filter((candidate) => candidate.kind === 'host');
    if (hosts.some((candidate) => /^\d+\.\d+\.\d+\.\d+$/.test(candidate.address))) return 'enough';
    return hosts.length > 0 ? { waitMs: betterHostGraceMs } : 'none';
  }
  if (has('relay')) return 'enough';
  if (has('srflx')) return policy.expectsRelay ? { waitMs: relayGraceMs } : 'enough';
  return 'none';
}

/** The candidates of a session description (RFC 8839 section 5.1). */
export function readCandidates(sdp: string): Candidate[] {
  return [...sdp.matchAll(/^a=candidate:\S+ \d+ (\S+) \d+ (\S+) \d+ typ (\S+)/gm)].map((match) => ({
    transport: (match[1] ?? '').toLowerCase(),
    address: match[2] ?? '',
    kind: match[3] ?? '',
  }));
}

/**
 * The session description as it goes on the wire: TCP candidates out (no PBX connects to a browser), and the promise of trickled candidates with
 * them (RFC 8838): nothing follows by INFO. What is gathered later still works, as a peer-reflexive candidate (RFC 8445 section 7.3.1.3).
 */
export function forTheWire(sdp: string): string {
  return sdp
    .split('\r\n')
    .filter((line) => !/^a=candidate:\S+ \d+ tcp /i.test(line) && !/^a=end-of-candidates/.test(line))
    .map((line) => (line.startsWith('a=ice-options:') ? line.replace(/ ?\btrickle\b/, '') : line))
    .filter((line) => !/^a=ice-options:\s*$/.test(line))
    .join('\r\n');
}
