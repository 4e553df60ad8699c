/** The INVITE that rings an agent's device: who calls, what the phone should know of the call. Builds text; must never send it. */
import { quote, type SipHeader, type SipRequest } from './sip-message.ts';

/** Who calls an agent, as the INVITE tells it. */
export type RingingCaller = {
  number: string;
  name: string | undefined;
  /** Further headers, in this order, after the switch's own. */
  headers: readonly SipHeader[];
};

/** `"Name" <sip:number@domain>`. */
export function addressOf(party: { number: string; name: string | undefined }, domain: string): string {
  const user = encodeURIComponent(party.number).replace(/%2B/gi, '+');
  return `${party.name === undefined ? '' : `${quote(party.name)} `}<sip:${user}@${domain}>`;
}

/** A From or P-Asserted-Identity given among the caller's headers takes the place of the switch's own. */
export function inviteFor(
  device: { extension: string; contact: string },
  caller: RingingCaller,
  fork: { callId: string; tag: string },
  domain: string,
  own: readonly SipHeader[],
): SipRequest {
  const identity = addressOf(caller, domain);
  const given = (name: string): string | undefined => caller.headers.find((entry) => entry.name === name)?.value;
  return {
    kind: 'request',
    method: 'INVITE',
    uri: device.contact,
    headers: [
      { name: 'From', value: `${given('From') ?? identity};tag=${fork.tag}` },
      { name: 'To', value: `<sip:${device.extension}@${domain}>` },
      { name: 'Call-ID', value: fork.callId },
      { name: 'CSeq', value: '1 INVITE' },
      ...own,
      ...(given('P-Asserted-Identity') === undefined ? [{ name: 'P-Asserted-Identity', value: identity }] : []),
      ...caller.headers.filter((entry) => entry.name !== 'From' && entry.value !== ''),
      { name: 'Content-Type', value: 'application/sdp' },
    ],
    body: '',
  };
}
