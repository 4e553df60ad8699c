/**
 * Decides how an interrupted call is taken up again: in which order the two ways are tried (docs/adr/0016). Pure.
 * Must never replace a call that an application of FreeSWITCH answered: replacing it would end it.
 */
import type { KeptDialog, SipAccount } from '../ports.ts';
import type { RecoveryWay } from '../state.ts';

/** What the far side of a call says of itself. */
export type FarSide = Pick<KeptDialog, 'peer' | 'supports' | 'number'>;

const longestName = 60;

/** What the far side calls itself: its Server or User-Agent up to the first `/`, space or version; empty where it says nothing. */
export function peerName(peer: string): string {
  return (/^[^/\s(]+?(?=[-_.]?v?\d|[/\s(]|$)/i.exec(peer.trim())?.[0] ?? '').slice(0, longestName);
}

/** FreeSWITCH, or FusionPBX in front of it: it takes a replaced leg to the new connection, and never sends a BYE to a new socket. */
export function isFreeSwitch(peer: string): boolean {
  return /^(?:freeswitch|fusionpbx)/i.test(peer);
}

/** Its first answer does not say that it knows Replaces, and it looks for the number of an INVITE before it looks at that header. */
export function isAsterisk(peer: string): boolean {
  return /^asterisk/i.test(peer);
}

/** Knows Replaces, but refuses a second call of the same caller (486) before it looks at that header. */
function isLinphone(peer: string): boolean {
  return /^linphone/i.test(peer);
}

/** An application of the phone system answered (menu, mailbox, feature code), not somebody. */
export function isApplication(number: string, applications: readonly string[]): boolean {
  return /^[*#]/.test(number) || applications.includes(number);
}

/** Whether after a reconnect the call has to be replaced onto the new connection. */
export function mustMove({ peer, number }: FarSide, { applications }: SipAccount['recovery']): boolean {
  return isFreeSwitch(peer) && !isApplication(number, applications);
}

/** The ways to try, the best first; at least one. */
export function recoveryWays(far: FarSide, recovery: SipAccount['recovery']): readonly RecoveryWay[] {
  const freeSwitch = isFreeSwitch(far.peer);
  if (freeSwitch && isApplication(far.number, recovery.applications)) return ['resume'];
  const says = far.supports.split(',').some((it) => it.trim().toLowerCase() === 'replaces');
  const replaceable = (says && !isLinphone(far.peer)) || freeSwitch || isAsterisk(far.peer);
  const usual: RecoveryWay[] = replaceable ? ['replaces', 'resume'] : ['resume', 'replaces'];
  const { way } = recovery;
  if (way !== 'auto') return [way, ...usual.filter((other) => other !== way)];
  const name = peerName(far.peer).toLowerCase();
  const known = recovery.known.filter(({ peer }) => peer.toLowerCase() === name);
  const failed = (way: RecoveryWay) =>
    known.some((it) => it.way === way && !it.worked) && !known.some((it) => it.way === way && it.worked);
  return usual.sort((one, other) => Number(failed(one)) - Number(failed(other)));
}
