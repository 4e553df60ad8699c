/**
 * An agent's call as the switch holds it: one SIP dialog over one WebSocket, with the sound of that browser.
 * Owns INVITE in both directions, re-INVITE, ACK deadlines, CANCEL and BYE. Must never know who is at the far side:
 * what the agent wants (hold, transfer, keys, hanging up) goes out through `AgentCallEvents`.
 */
import { Dialog, type DialogId } from './dialog.ts';
import type { Faults } from './faults.ts';
import { MediaPeer, MediaRefused } from './media-peer.ts';
import type { EndCause, Party } from './party.ts';
import { type ClientTransaction, type Flow, newTag, type ServerTransaction, TRANSACTION_MS } from './sip-endpoint.ts';
import { header, quote, type SipHeader, type SipRequest, type SipResponse, sequence } from './sip-message.ts';
import { Ear, FRAME_SAMPLES } from './sound.ts';

export const ALLOWED = 'INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY, INFO, UPDATE';
const ABILITIES: SipHeader[] = [
  { name: 'Allow', value: ALLOWED },
  { name: 'Supported', value: 'replaces, outbound' },
];

/** What an agent's call needs from the switch around it. */
export type AgentCallPorts = {
  readonly domain: string;
  readonly address: string;
  readonly iceAddresses: readonly string[] | undefined;
  /** How long a 200 waits for its ACK. */
  readonly ackDeadlineMs: number;
  faults(): Readonly<Faults>;
  send(flow: Flow, request: SipRequest, onResponse: (response: SipResponse) => void): ClientTransaction;
  /** Where a dialog's other side is reachable now, when its old socket is gone. */
  flowFor(target: string): Flow | undefined;
};

export type AgentCallEvents = {
  /** Outgoing only: the agent's device rings. */
  onRinging?(): void;
  /** Outgoing only: the agent answered. */
  onAnswered?(): void;
  /** Outgoing only: the agent's device sent the call elsewhere (3xx). */
  onRedirected?(target: string): void;
  onHeld(held: boolean): void;
  onKey(key: string): void;
  onRefer(transaction: ServerTransaction): void;
  onEnded(cause: EndCause): void;
};

export class AgentCall implements Party {
  readonly number: string;
  readonly name: string | undefined;
  readonly callId: string;
  events: AgentCallEvents | undefined;

  readonly #ports: AgentCallPorts;
  readonly #media: MediaPeer;
  readonly #ear = new Ear();
  readonly #timers = new Set<NodeJS.Timeout>();
  #invite: ServerTransaction | undefined;
  #outgoing: ClientTransaction | undefined;
  #dialog: Dialog | undefined;
  #answerSdp: Promise<string> | undefined;
  #awaitedAnswer: string | undefined;
  #unacknowledged = new Map<number, () => void>();
  #seen = { packets: -1, at: 0 };
  #answered = false;
  #ended = false;
  #cancelled = false;

  private constructor(ports: AgentCallPorts, number: string, name: string | undefined, callId: string) {
    this.#ports = ports;
    this.number = number;
    this.name = name;
    this.callId = callId;
    this.#media = new MediaPeer(ports.iceAddresses);
    this.#media.onKey = (key) => this.events?.onKey(key);
  }

  /** A call that an agent places. It is not answered or refused until told so. */
  static placedBy(
    extension: string,
    name: string | undefined,
    invite: ServerTransaction,
    ports: AgentCallPorts,
  ): AgentCall {
    const call = new AgentCall(ports, extension, name, header(invite.request, 'Call-ID') ?? '');
    call.#dialog = Dialog.answering(invite.request, invite.localTag, invite.flow);
    call.#invite = invite;
    invite.onCancel = (reason) => {
      call.#cancelled = true;
      invite.respond(487, 'Request Terminated');
      call.#finish({ by: 'agent', status: 487, reason: reason ?? 'Request Terminated' });
    };
    invite.respond(100, 'Trying');
    return call;
  }

  /** Rings one device of an agent. `fork` is shared by all devices that ring for the same call. */
  static ringing(
    device: { extension: string; contact: string; flow: Flow },
    caller: { number: string; name: string | undefined; headers: SipHeader[] },
    fork: { callId: string; tag: string },
    ports: AgentCallPorts,
  ): AgentCall {
    const call = new AgentCall(ports, device.extension, undefined, fork.callId);
    const user = encodeURIComponent(caller.number).replace(/%2B/gi, '+');
    const from = `${caller.name === undefined ? '' : `${quote(caller.name)} `}<sip:${user}@${ports.domain}>`;
    const request: SipRequest = {
      kind: 'request',
      method: 'INVITE',
      uri: device.contact,
      headers: [
        { name: 'From', value: `${from};tag=${fork.tag}` },
        { name: 'To', value: `<sip:${device.extension}@${ports.domain}>` },
        { name: 'Call-ID', value: fork.callId },
        { name: 'CSeq', value: '1 INVITE' },
        call.#contact(),
        ...ABILITIES,
        { name: 'P-Asserted-Identity', value: from },
        ...caller.headers,
        { name: 'Content-Type', value: 'application/sdp' },
      ],
      body: '',
    };
    void call.#media.offer().then(
      (sdp) => {
        if (call.#ended) return;
        const invite = { ...request, body: sdp };
        call.#outgoing = ports.send(device.flow, invite, (response) => call.#onAnswer(invite, response, device.flow));
      },
      (error: unknown) => call.#finish({ by: 'switch', status: 500, reason: messageOf(error) }),
    );
    return call;
  }

  /** True while it rings or talks. */
  get live(): boolean {
    return !this.#ended;
  }

  get answered(): boolean {
    return this.#answered && !this.#ended;
  }

  get heldByAgent(): boolean {
    return this.#media.remoteDirection === 'sendonly' || this.#media.remoteDirection === 'inactive';
  }

  /** True when neither signalling nor sound has reached this agent for `afterMs`: the tab is gone without a word. */
  lost(now: number, afterMs: number): boolean {
    const dialog = this.#dialog;
    const reachable =
      dialog !== undefined && (dialog.flow.open || this.#ports.flowFor(dialog.remoteTarget) !== undefined);
    if (!this.answered || reachable || this.#media.packetsReceived !== this.#seen.packets) {
      this.#seen = { packets: this.#media.packetsReceived, at: now };
    }
    return this.answered && now - this.#seen.at > afterMs;
  }

  /** Matches a request or Replaces. An empty remote tag in the call itself matches nothing. */
  is(id: DialogId): boolean {
    const own = this.#dialog?.id;
    return (
      own !== undefined && own.callId === id.callId && own.localTag === id.localTag && own.remoteTag === id.remoteTag
    );
  }

  /** 180, or 183 with sound when the far side plays something before it answers. */
  async ring(withSound: boolean): Promise<void> {
    const sdp = withSound ? await this.#answerOffer() : '';
    if (this.#ended || this.#answered || sdp === undefined) return;
    const headers = [...(this.#ports.faults().provisionalWithoutContact ? [] : [this.#contact()]), ...ABILITIES];
    if (withSound) headers.push({ name: 'Content-Type', value: 'application/sdp' });
    this.#invite?.respond(withSound ? 183 : 180, withSound ? 'Session Progress' : 'Ringing', { headers, body: sdp });
  }

  /** 200 with our SDP, repeated until the ACK comes. Resolves to false when the call is over or its SDP is impossible. */
  async answer(): Promise<boolean> {
    const delay = this.#ports.faults().answerDelayMs;
    if (delay !== undefined) await new Promise<void>((resolve) => this.#later(delay, resolve));
    const sdp = await this.#answerOffer();
    const invite = this.#invite;
    if (this.#ended || sdp === undefined || !invite) return false;
    this.#answered = true;
    invite.respond(200, 'OK', {
      headers: [this.#contact(), ...ABILITIES, { name: 'Content-Type', value: 'application/sdp' }],
      body: sdp,
    });
    this.#awaitAck(invite);
    return true;
  }

  /** A final refusal of the agent's INVITE. */
  refuse(status: number, reason: string, headers: SipHeader[] = []): void {
    if (this.#ended) return;
    this.#invite?.respond(status, reason, { headers });
    this.#finish({ by: status === 487 ? 'agent' : 'far side', status, reason });
  }

  async #answerOffer(): Promise<string | undefined> {
    const offer = this.#invite?.request.body ?? '';
    // An INVITE without an offer gets ours in the 200 and brings its answer in the ACK (RFC 3261 section 13.2.1).
    if (offer === '' && this.#answerSdp === undefined) this.#awaitedAnswer = 'ack';
    this.#answerSdp ??= offer === '' ? this.#media.offer() : this.#media.answer(offer);
    try {
      return await this.#answerSdp;
    } catch (error) {
      this.refuse(488, 'Not Acceptable Here', [warning(error)]);
      return undefined;
    }
  }

  #awaitAck(invite: ServerTransaction): void {
    const number = sequence(invite.request).number;
    let done = false;
    let wait = 500;
    const again = (): void => {
      if (done || this.#ended) return;
      invite.repeat();
      wait = Math.min(wait * 2, 4000);
      this.#later(wait, again);
    };
    this.#later(wait, again);
    this.#unacknowledged.set(number, () => {
      done = true;
    });
    this.#later(this.#ports.ackDeadlineMs, () => {
      if (!done) this.hangUp({ by: 'switch', reason: 'no ACK' });
    });
  }

  #onAnswer(invite: SipRequest, response: SipResponse, flow: Flow): void {
    if (response.status < 200) {
      if (response.status > 100 && !this.#ended) this.events?.onRinging?.();
      return;
    }
    if (response.status >= 300) {
      if (response.status < 400 && header(response, 'Contact') !== undefined && !this.#cancelled) {
        this.events?.onRedirected?.(header(response, 'Contact') ?? '');
      }
      this.#finish({ by: 'agent', status: response.status, reason: response.reason });
      return;
    }
    const first = this.#dialog === undefined;
    this.#dialog ??= Dialog.calling(invite, response, flow);
    const dialog = this.#dialog;
    this.#send(dialog.request('ACK', [], '', sequence(invite).number));
    if (!first) return;
    if (this.#ended) {
      // Answered in the same moment in which it was cancelled: the answer stands, so it has to be ended properly.
      this.#send(dialog.request('BYE', [reasonHeader('SIP;cause=200;text="Call completed elsewhere"')]));
      return;
    }
    this.#answered = true;
    this.#media.accept(response.body).then(
      () => this.events?.onAnswered?.(),
      (error: unknown) => this.hangUp({ by: 'switch', status: 488, reason: messageOf(error) }),
    );
  }

  /** A request of the agent inside this call. */
  receive(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    if (!this.#dialog?.receive(request, flow)) {
      transaction.respond(500, 'CSeq out of order');
      return;
    }
    if (this.#ended && request.method !== 'BYE') {
      transaction.respond(481, 'Call/Transaction Does Not Exist');
      return;
    }
    switch (request.method) {
      case 'ACK':
        this.#onAck(request);
        return;
      case 'BYE':
        if (!this.#ports.faults().neverAnswerBye) transaction.respond(200, 'OK');
        this.#finish({ by: 'agent', ...optionalReason(header(request, 'Reason')) });
        return;
      case 'INVITE':
      case 'UPDATE':
        void this.#renegotiate(transaction);
        return;
      case 'INFO': {
        transaction.respond(200, 'OK');
        const key = /^Signal\s*=\s*([0-9A-D*#])/im.exec(request.body)?.[1];
        if (key !== undefined && /dtmf-relay/i.test(header(request, 'Content-Type') ?? '')) this.events?.onKey(key);
        return;
      }
      case 'OPTIONS':
        transaction.respond(200, 'OK', { headers: [...ABILITIES] });
        return;
      case 'NOTIFY':
        transaction.respond(200, 'OK');
        return;
      case 'REFER':
        if (!this.answered) {
          transaction.respond(403, 'Only an answered call can be transferred');
          return;
        }
        this.events?.onRefer(transaction);
        return;
      default:
        transaction.respond(405, 'Method Not Allowed', { headers: [{ name: 'Allow', value: ALLOWED }] });
        return;
    }
  }

  #onAck(request: SipRequest): void {
    const number = sequence(request).number;
    this.#unacknowledged.get(number)?.();
    this.#unacknowledged.delete(number);
    if (this.#awaitedAnswer === undefined || request.body === '') return;
    this.#awaitedAnswer = undefined;
    this.#media.accept(request.body).then(
      () => this.events?.onHeld(this.heldByAgent),
      (error: unknown) => this.hangUp({ by: 'switch', status: 488, reason: messageOf(error) }),
    );
  }

  async #renegotiate(transaction: ServerTransaction): Promise<void> {
    const headers = [this.#contact(), ...ABILITIES];
    if (!this.#answered) return transaction.respond(491, 'Request Pending');
    const { request } = transaction;
    if (request.body === '') {
      if (request.method === 'UPDATE') return transaction.respond(200, 'OK', { headers });
      return transaction.respond(488, 'A change of a running call needs an offer', { headers });
    }
    try {
      const sdp = await this.#media.answer(request.body);
      if (this.#ended) return;
      headers.push({ name: 'Content-Type', value: 'application/sdp' });
      transaction.respond(200, 'OK', { headers, body: sdp });
      if (request.method === 'INVITE') this.#awaitAck(transaction);
      this.events?.onHeld(this.heldByAgent);
    } catch (error) {
      // The call goes on as it was (RFC 3261 section 14.2).
      transaction.respond(488, 'Not Acceptable Here', { headers: [warning(error)] });
    }
  }

  /** Tells the agent how a transfer it asked for is going (RFC 3515): one line of a SIP response. */
  notify(referSequence: number, line: string, state: string): void {
    if (this.#ended || !this.#dialog) return;
    this.#send(
      this.#dialog.request(
        'NOTIFY',
        [
          { name: 'Event', value: `refer;id=${referSequence}` },
          { name: 'Subscription-State', value: state },
          this.#contact(),
          { name: 'Content-Type', value: 'message/sipfrag;version=2.0' },
        ],
        `SIP/2.0 ${line}\r\n`,
      ),
    );
  }

  speak(): Int16Array | undefined {
    return this.#media.read();
  }

  hear(frame: Int16Array | undefined): void {
    this.#ear.hear(frame ?? new Int16Array(FRAME_SAMPLES));
    this.#media.write(frame);
  }

  heard(windowMs: number): Int16Array {
    return this.#ear.last(windowMs);
  }

  // Keys pressed at another agent's phone are not played into this one: this call's media carries voice only.
  press(_key: string): void {}

  hangUp(cause: EndCause): void {
    if (this.#ended) return;
    const reason = cause.reason === undefined ? [] : [reasonHeader(cause.reason)];
    if (this.#answered && this.#dialog) {
      this.#sendBye(
        this.#dialog.request('BYE', cause.reason?.startsWith('SIP;') ? reason : []),
        Date.now() + TRANSACTION_MS,
      );
    } else if (this.#invite) {
      this.#invite.respond(cause.status ?? 480, cause.reason ?? 'Temporarily Unavailable');
    } else {
      this.#cancelled = true;
      this.#outgoing?.cancel(cause.reason?.startsWith('SIP;') ? cause.reason : undefined);
    }
    this.#finish(cause);
  }

  // A BYE waits for a lost socket to come back: otherwise a far side that hangs up in that moment leaves a ghost call.
  #sendBye(bye: SipRequest, until: number): void {
    if (this.#send(bye) || Date.now() > until) return;
    setTimeout(() => this.#sendBye(bye, until), 200).unref();
  }

  #send(request: SipRequest): boolean {
    const dialog = this.#dialog;
    if (!dialog) return false;
    const flow = dialog.flow.open ? dialog.flow : this.#ports.flowFor(dialog.remoteTarget);
    if (!flow) return false;
    this.#ports.send(flow, request, () => undefined);
    return true;
  }

  #finish(cause: EndCause): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#media.close();
    this.events?.onEnded(cause);
  }

  #contact(): SipHeader {
    return { name: 'Contact', value: `<sip:switch@${this.#ports.address};transport=ws>` };
  }

  #later(delayMs: number, act: () => void): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      act();
    }, delayMs);
    timer.unref();
    this.#timers.add(timer);
  }
}

/** A fork's identity: a Call-ID and From tag that all ringing devices share. */
export function newFork(domain: string): { callId: string; tag: string } {
  return { callId: `${newTag()}@${domain}`, tag: newTag() };
}

function reasonHeader(value: string): SipHeader {
  return { name: 'Reason', value };
}

function optionalReason(value: string | undefined): { reason?: string } {
  return value === undefined ? {} : { reason: value };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function warning(error: unknown): SipHeader {
  const text = error instanceof MediaRefused ? error.message : 'the session description could not be used';
  return { name: 'Warning', value: `304 switch ${quote(text)}` };
}
