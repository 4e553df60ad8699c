/**
 * One SIP dialog seen from the switch (RFC 3261 section 12): identifiers, sequence numbers, route set, remote target.
 * Builds requests inside it; must never send anything itself.
 */
import type { Flow } from './sip-endpoint.ts';
import {
  header,
  headerList,
  parseNameAddress,
  type SipHeader,
  type SipRequest,
  type SipResponse,
  sequence,
} from './sip-message.ts';

/** What of a dialog names it: Replaces, Refer-To and every later request use this. */
export type DialogId = { callId: string; localTag: string; remoteTag: string };

export class Dialog {
  readonly id: DialogId;
  /** The WebSocket that the other side was last heard on. */
  flow: Flow;
  /** Where its last INVITE, or our first one, was settled. */
  invited: Flow;
  /** Where it began. */
  readonly first: Flow;
  /** The other side's Contact URI. */
  remoteTarget: string;

  readonly #local: string;
  readonly #remote: string;
  #routes: readonly string[];
  #localSequence: number;
  #remoteSequence: number | undefined;

  private constructor(
    id: DialogId,
    addresses: { local: string; remote: string },
    routes: readonly string[],
    target: string,
    flow: Flow,
    sequences: { local: number; remote: number | undefined },
  ) {
    this.id = id;
    this.#local = addresses.local;
    this.#remote = addresses.remote;
    this.#routes = routes;
    this.remoteTarget = target;
    this.flow = flow;
    this.invited = flow;
    this.first = flow;
    this.#localSequence = sequences.local;
    this.#remoteSequence = sequences.remote;
  }

  /** The dialog that our answer to an agent's INVITE makes. @throws SipSyntaxError when the Contact is unreadable. */
  static answering(request: SipRequest, localTag: string, flow: Flow): Dialog {
    const from = header(request, 'From') ?? '';
    const to = header(request, 'To') ?? '';
    return new Dialog(
      {
        callId: header(request, 'Call-ID') ?? '',
        localTag,
        remoteTag: parseNameAddress(from).params.get('tag') ?? '',
      },
      { local: `${to};tag=${localTag}`, remote: from },
      headerList(request, 'Record-Route'),
      contactOf(request) ?? parseNameAddress(from).uri,
      flow,
      { local: 0, remote: sequence(request).number },
    );
  }

  /** The dialog that an agent's answer to our INVITE makes. */
  static calling(request: SipRequest, response: SipResponse, flow: Flow): Dialog {
    const from = header(request, 'From') ?? '';
    const to = header(response, 'To') ?? '';
    return new Dialog(
      {
        callId: header(request, 'Call-ID') ?? '',
        localTag: parseNameAddress(from).params.get('tag') ?? '',
        remoteTag: parseNameAddress(to).params.get('tag') ?? '',
      },
      { local: from, remote: to },
      headerList(response, 'Record-Route').reverse(),
      contactOf(response) ?? request.uri,
      flow,
      { local: sequence(request).number, remote: undefined },
    );
  }

  /** The same dialog after the 2xx to the INVITE that began it: its target and routes are those of the 2xx (section 12.1.2). */
  confirmed(response: SipResponse): this {
    this.remoteTarget = contactOf(response) ?? this.remoteTarget;
    const routes = headerList(response, 'Record-Route').reverse();
    if (routes.length > 0) this.#routes = routes;
    return this;
  }

  /** A new request inside the dialog; ACK takes the number of the INVITE it acknowledges. */
  request(method: string, headers: SipHeader[] = [], body = '', acknowledges?: number): SipRequest {
    if (acknowledges === undefined) this.#localSequence += 1;
    return {
      kind: 'request',
      method,
      uri: this.remoteTarget,
      headers: [
        ...this.#routes.map((value) => ({ name: 'Route', value })),
        { name: 'From', value: this.#local },
        { name: 'To', value: this.#remote },
        { name: 'Call-ID', value: this.id.callId },
        { name: 'CSeq', value: `${acknowledges ?? this.#localSequence} ${method}` },
        ...headers,
      ],
      body,
    };
  }

  /** Takes note of a request from the other side. False: it is older than one already seen (answer 500). */
  receive(request: SipRequest, flow: Flow): boolean {
    const { number, method } = sequence(request);
    if (method !== 'ACK') {
      if (this.#remoteSequence !== undefined && number <= this.#remoteSequence) return false;
      this.#remoteSequence = number;
    }
    // Whoever speaks inside the dialog is reachable where it speaks: this is how a call follows a reconnected socket.
    this.flow = flow;
    if (method === 'INVITE') this.invited = flow;
    const contact = contactOf(request);
    if (contact !== undefined && (method === 'INVITE' || method === 'UPDATE')) this.remoteTarget = contact;
    return true;
  }
}

/** The URI in the first Contact, if there is one. */
export function contactOf(message: SipRequest | SipResponse): string | undefined {
  const contact = headerList(message, 'Contact')[0];
  return contact === undefined || contact === '*' ? undefined : parseNameAddress(contact).uri;
}
