/** The INVITE that rings an agent's device: who calls, what the phone should know of the call. Builds text; must never send it. */
import { quote, type SipHeader, type SipRequest } from './sip-message.ts';
import type { Temper } from './temper.ts';

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
  itself: { readonly temper: Temper; readonly address: string },
): SipRequest {
  const { namesItself } = itself.temper;
  const identity = addressOf(caller, namesItself ? itself.address.replace(/:\d+$/, '') : domain);
  const given = (name: string): string | undefined => caller.headers.find((entry) => entry.name === name)?.value;
  const asserted = given('P-Asserted-Identity') === undefined ? [{ name: 'P-Asserted-Identity', value: identity }] : [];
  return {
    kind: 'request',
    method: 'INVITE',
    uri: device.contact,
    headers: [
      { name: 'From', value: `${given('From') ?? identity};tag=${fork.tag}` },
      { name: 'To', value: namesItself ? `<${device.contact}>` : `<sip:${device.extension}@${domain}>` },
      { name: 'Call-ID', value: fork.callId },
      { name: 'CSeq', value: '1 INVITE' },
      ...own,
      ...(namesItself ? remoteParty(identity) : asserted),
      ...caller.headers.filter((entry) => entry.name !== 'From' && entry.value !== ''),
      { name: 'Content-Type', value: 'application/sdp' },
    ],
    body: '',
  };
}

/** What FreeSWITCH says in place of P-Asserted-Identity. */
function remoteParty(identity: string): SipHeader[] {
  return [
    { name: 'X-FS-Support', value: 'update_display,send_info' },
    { name: 'Remote-Party-ID', value: `${identity};party=calling;screen=yes;privacy=off` },
  ];
}
