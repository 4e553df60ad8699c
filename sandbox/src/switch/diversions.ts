/** What an INVITE tells of the way it came: Diversion (RFC 5806) and History-Info (RFC 7044). Builds header text and nothing else. */
import { quote, type SipHeader } from './sip-message.ts';

/** A number that the call was for before it went on. */
export type Diverted = {
  readonly number: string;
  readonly name?: string;
  readonly reason: 'unconditional' | 'user-busy' | 'no-answer' | 'deflection' | 'do-not-disturb' | 'unavailable';
};

/** SIP cause of each reason, as History-Info names it. */
const CAUSES: Record<Diverted['reason'], number> = {
  unconditional: 302,
  'user-busy': 486,
  'no-answer': 408,
  deflection: 480,
  'do-not-disturb': 486,
  unavailable: 503,
};

/** Both headers for a call that now goes to `target`; none when nobody diverted it. Oldest diversion first. */
export function diversionHeaders(domain: string, path: readonly Diverted[], target: string): SipHeader[] {
  if (path.length === 0) return [];
  // Diversion lists the latest first, History-Info the oldest.
  const diversions = [...path].reverse().map(({ number, name, reason }) => {
    const display = name === undefined ? '' : `${quote(name)} `;
    return { name: 'Diversion', value: `${display}<sip:${number}@${domain}>;reason=${reason};counter=1` };
  });
  const history = path.map(({ number, name, reason }, index) => {
    const display = name === undefined ? '' : `${quote(name)} `;
    const cause = encodeURIComponent(`SIP;cause=${CAUSES[reason]}`);
    return `${display}<sip:${number}@${domain}?Reason=${cause}>;index=${indexAt(index)}`;
  });
  history.push(`<sip:${target}@${domain}>;index=${indexAt(path.length)};mp=${indexAt(path.length - 1)}`);
  return [...diversions, { name: 'History-Info', value: history.join(', ') }];
}

function indexAt(depth: number): string {
  return Array.from({ length: depth + 1 }, () => '1').join('.');
}
