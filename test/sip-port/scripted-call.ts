/** One call of one far end of the scripted PBX: its signalling by hand, its sound by the sandbox's media peer. Must never do anything unasked. */
import { startBeat } from '../../sandbox/src/switch/conversation.ts';
import { Dialog } from '../../sandbox/src/switch/dialog.ts';
import { MediaPeer } from '../../sandbox/src/switch/media-peer.ts';
import { type ClientTransaction, type Flow, newTag, ServerTransaction } from '../../sandbox/src/switch/sip-endpoint.ts';
import {
  header,
  type SipHeader,
  type SipRequest,
  type SipResponse,
  sequence,
} from '../../sandbox/src/switch/sip-message.ts';
import { Ear, FRAME_SAMPLES } from '../../sandbox/src/switch/sound.ts';

export const sdpType: SipHeader = { name: 'Content-Type', value: 'application/sdp' };

/** Something that has happened or will: kept until a test asks for it. */
export class Mailbox<T> {
  readonly #kept: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const taker = this.#waiting.shift();
    if (taker) taker(item);
    else this.#kept.push(item);
  }

  take(what: string, withinMs = 8_000): Promise<T> {
    const item = this.#kept.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve, reject) => {
      const deadline = setTimeout(
        () => reject(new Error(`The far end got no ${what} within ${withinMs} ms.`)),
        withinMs,
      );
      this.#waiting.push((taken) => {
        clearTimeout(deadline);
        resolve(taken);
      });
    });
  }
}

/** What a far end's calls go through. */
export interface Exchange {
  readonly domain: string;
  readonly address: string;
  readonly device: { readonly flow: Flow; readonly contact: string };
  send(flow: Flow, request: SipRequest, onResponse: (response: SipResponse) => void): ClientTransaction;
  /** Pedal: every connection of the agent's phone is gone. */
  dropSockets(): void;
}

/** How a far end behaves in all of its calls. */
export interface FarSettings {
  readonly target: string;
  readonly toneHz: number;
  readonly supports: string;
  readonly allows: string;
  readonly answerHeaders: readonly SipHeader[];
  readonly acknowledges: boolean;
  heard(key: string): void;
}

/** One call of one far end. */
export class FarCall {
  readonly callId: string;
  media = new MediaPeer(['127.0.0.1']);
  readonly acknowledged = new Mailbox<SipRequest>();
  invite: ServerTransaction | undefined;
  dialog: Dialog | undefined;
  closed = false;
  /** How the agent's phone refused the call that this far end placed. */
  refusal: number | undefined;
  refused: SipResponse | undefined;
  /** The agent's phone's answer, once it is there. */
  accepted: SipResponse | undefined;
  /** What the agent's phone said before it answered. */
  readonly provisional = new Mailbox<SipResponse>();
  /** What the agent's phone answered to a BYE that was sent along with the 200. */
  byeAnswer: Promise<SipResponse> | undefined;
  readonly #ear = new Ear();
  /** The description last given to the agent. */
  sdp = '';
  readonly #pbx: Exchange;
  readonly #far: FarSettings;
  #outgoing: ClientTransaction | undefined;
  #stopBeat: (() => void) | undefined;
  #phase = 0;

  private constructor(pbx: Exchange, far: FarSettings, callId: string) {
    this.#pbx = pbx;
    this.#far = far;
    this.callId = callId;
    this.media.onKey = (key) => far.heard(key);
  }

  static incoming(pbx: Exchange, far: FarSettings, invite: ServerTransaction): FarCall {
    const call = new FarCall(pbx, far, header(invite.request, 'Call-ID') ?? '');
    call.invite = invite;
    call.dialog = Dialog.answering(invite.request, invite.localTag, invite.flow);
    return call;
  }

  static async outgoing(
    pbx: Exchange,
    far: FarSettings,
    from: string,
    headers: SipHeader[],
    onAnswered: () => void,
  ): Promise<FarCall> {
    const call = new FarCall(pbx, far, `${newTag()}@${pbx.domain}`);
    call.sdp = await call.media.offer();
    const { flow, contact } = pbx.device;
    const request: SipRequest = {
      kind: 'request',
      method: 'INVITE',
      uri: contact,
      headers: [
        { name: 'From', value: `${from};tag=${newTag()}` },
        { name: 'To', value: `<${contact}>` },
        { name: 'Call-ID', value: call.callId },
        { name: 'CSeq', value: '1 INVITE' },
        ...call.capabilities,
        ...headers,
        ...(headers.some(({ name }) => name === sdpType.name) ? [] : [sdpType]),
      ],
      body: call.sdp,
    };
    call.#outgoing = pbx.send(flow, request, (response) => {
      if (response.status >= 101 && response.status < 200) call.provisional.put(response);
      if (response.status >= 300) {
        call.refusal = response.status;
        call.refused = response;
      }
      if (response.status < 200 || response.status >= 300 || call.dialog) return;
      call.accepted = response;
      call.dialog = Dialog.calling(request, response, flow);
      if (!far.acknowledges) return;
      call.#send(call.dialog.request('ACK', [], '', sequence(request).number));
      void call.media.accept(response.body).then(() => {
        call.#speak();
        onAnswered();
      });
    });
    return call;
  }

  /** What its messages say about what it can do. */
  get capabilities(): SipHeader[] {
    return [this.contact, { name: 'Supported', value: this.#far.supports }, { name: 'Allow', value: this.#far.allows }];
  }

  get contact(): SipHeader {
    return { name: 'Contact', value: `<sip:${this.#far.target}@${this.#pbx.address};transport=ws>` };
  }

  async ring(earlyMedia: boolean, headers: SipHeader[] = [this.contact]): Promise<void> {
    if (!earlyMedia) {
      this.invite?.respond(180, 'Ringing', { headers });
      return;
    }
    this.sdp = await this.media.answer(this.invite?.request.body ?? '');
    this.invite?.respond(183, 'Session Progress', { headers: [...headers, sdpType], body: this.sdp });
    this.#speak();
  }

  async answer(): Promise<void> {
    if (this.sdp === '') this.sdp = await this.media.answer(this.invite?.request.body ?? '');
    this.#accept(this.invite);
    this.#speak();
  }

  /** A provisional response that wants a PRACK (RFC 3262), with a description. */
  async ringReliably(number: number, status = 183): Promise<void> {
    if (this.sdp === '') this.sdp = await this.media.answer(this.invite?.request.body ?? '');
    const reliable = [
      { name: 'Require', value: '100rel' },
      { name: 'RSeq', value: String(number) },
    ];
    this.invite?.respond(status, 'Session Progress', {
      headers: [this.contact, ...reliable, sdpType],
      body: this.sdp,
    });
    this.#speak();
  }

  /** The call was forked, and a second phone answers beside the first, a moment late. */
  alsoAnswers(): void {
    const { invite } = this;
    if (invite) this.#accept(new ServerTransaction(invite.request, invite.flow));
  }

  #accept(invite: ServerTransaction | undefined): void {
    const headers = [...this.capabilities, ...this.#far.answerHeaders, sdpType];
    invite?.respond(200, 'OK', { headers, body: this.sdp });
  }

  /** The announcement is over. */
  stopSpeaking(): void {
    this.#stopBeat?.();
    this.#stopBeat = undefined;
  }

  /** A description in a 183, and then no sound. */
  async ringSilently(): Promise<void> {
    this.sdp = await this.media.answer(this.invite?.request.body ?? '');
    this.invite?.respond(183, 'Session Progress', { headers: [this.contact, sdpType], body: this.sdp });
  }

  /** The call was forked: another phone than the one that rang picks up, with a tag and media of its own. */
  async answerAsAnotherBranch(): Promise<void> {
    const { invite } = this;
    if (!invite) throw new Error('Nobody called this far end.');
    this.media.close();
    this.#stopBeat?.();
    this.#stopBeat = undefined;
    const other = new MediaPeer(['127.0.0.1']);
    this.media = other;
    this.sdp = await other.answer(invite.request.body);
    const tag = newTag();
    Object.defineProperty(invite, 'localTag', { value: tag });
    this.dialog = Dialog.answering(invite.request, tag, invite.flow);
    invite.respond(200, 'OK', { headers: [this.contact, sdpType], body: this.sdp });
    this.#speak();
  }

  /** 200 and BYE in one breath: the BYE is there before a browser has taken in the answer. */
  async answerAndHangUpAtOnce(): Promise<void> {
    this.sdp = await this.media.answer(this.invite?.request.body ?? '');
    this.invite?.respond(200, 'OK', { headers: [this.contact, sdpType], body: this.sdp });
    this.byeAnswer = this.request('BYE');
  }

  /** PRACK (RFC 3262) inside the early dialog that a provisional response made. */
  acknowledgesRinging(response: SipResponse, rack: string): Promise<SipResponse> {
    const request = this.#outgoing?.request;
    if (!request) throw new Error('This far end did not call.');
    this.#early ??= Dialog.calling(request, response, this.#pbx.device.flow);
    const prack = this.#early.request('PRACK', [{ name: 'RAck', value: rack }]);
    return new Promise((resolve) => this.#send(prack, resolve));
  }
  #early: Dialog | undefined;

  /** For a message that a test expects and that is not there. */
  get missing(): never {
    throw new Error('The message is not there.');
  }

  /** Names this call in a Replaces header, seen from the agent's phone. */
  asReplaces(): string {
    const id = this.dialog?.id;
    return `${id?.callId};to-tag=${id?.remoteTag};from-tag=${id?.localTag}`;
  }

  /** What came from the agent lately. */
  heard(windowMs: number): Int16Array {
    return this.#ear.last(windowMs);
  }

  /** Accepts a re-INVITE. */
  async agree(transaction: ServerTransaction): Promise<void> {
    this.sdp = await this.media.answer(transaction.request.body);
    this.#accept(transaction);
  }

  /** Offers the same media again with another direction. Resolves when the agent's phone has accepted; rejects with its refusal. */
  reinvite(direction: 'sendonly' | 'sendrecv' | 'inactive', headers: SipHeader[] = []): Promise<SipResponse> {
    return this.request('INVITE', [this.contact, ...headers, sdpType], this.offerAgain(direction));
  }

  /** The same media as an offer, in another direction. */
  offerAgain(direction: 'sendonly' | 'sendrecv' | 'inactive'): string {
    return this.sdp
      .replace(/^a=(sendrecv|sendonly|recvonly|inactive)/m, `a=${direction}`)
      .replace(/^a=setup:\w+/m, 'a=setup:actpass');
  }

  notify(line: string, final = false): Promise<SipResponse> {
    return this.report(final ? 'terminated;reason=noresource' : 'active;expires=60', `SIP/2.0 ${line}\r\n`);
  }

  /** NOTIFY about a transfer, with this subscription state and body. */
  report(state: string, body: string): Promise<SipResponse> {
    return this.request(
      'NOTIFY',
      [
        { name: 'Event', value: 'refer' },
        { name: 'Subscription-State', value: state },
        this.contact,
        { name: 'Content-Type', value: 'message/sipfrag;version=2.0' },
      ],
      body,
    );
  }

  /** Names the early dialog of a call that this far end placed, seen from the agent's phone. */
  async ringingAsReplaces(): Promise<{ readonly value: string }> {
    const response = await this.provisional.take('180');
    const tag = (name: string) => /;tag=([^;]+)/.exec(header(response, name) ?? '')?.[1];
    return { value: `${this.callId};to-tag=${tag('To')};from-tag=${tag('From')}` };
  }

  /** Sends a request inside the dialog and resolves with its final response. */
  request(method: string, headers: SipHeader[] = [], body = ''): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      if (!this.dialog) return reject(new Error('This call has no dialog yet.'));
      const request = this.dialog.request(method, headers, body);
      this.#send(request, (response) => {
        if (response.status < 200) return;
        if (method === 'INVITE' && this.dialog && response.status < 300)
          this.#send(this.dialog.request('ACK', [], '', sequence(request).number));
        resolve(response);
      });
    });
  }

  cancel(reason: string | undefined): void {
    this.#outgoing?.cancel(reason);
  }

  close(): void {
    this.closed = true;
    this.#stopBeat?.();
    this.media.close();
  }

  #send(request: SipRequest, onResponse: (response: SipResponse) => void = () => {}): void {
    const flow = this.dialog?.flow.open ? this.dialog.flow : this.#pbx.device.flow;
    this.#pbx.send(flow, request, onResponse);
  }

  /** A sine, 20 ms at a time. */
  #speak(): void {
    this.#stopBeat ??= startBeat(() => {
      const frame = new Int16Array(FRAME_SAMPLES);
      for (let index = 0; index < FRAME_SAMPLES; index += 1) {
        frame[index] = Math.round(8_000 * Math.sin((2 * Math.PI * this.#far.toneHz * this.#phase++) / 8_000));
      }
      this.media.write(frame);
      this.#ear.hear(this.media.read() ?? new Int16Array(FRAME_SAMPLES));
    });
  }
}
