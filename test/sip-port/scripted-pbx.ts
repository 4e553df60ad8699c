/**
 * A PBX with pedals: a SIP server on a loopback WebSocket whose far ends do exactly what a test tells them, also what no decent PBX would.
 * Owns signalling by hand and sound by the sandbox's media peer; must never do anything by itself that a test might want to see not done.
 */
import { Dialog } from '../../sandbox/src/switch/dialog.ts';
import { FaultPanel } from '../../sandbox/src/switch/faults.ts';
import { MediaPeer } from '../../sandbox/src/switch/media-peer.ts';
import {
  type ClientTransaction,
  type Flow,
  newTag,
  type ServerTransaction,
  SipEndpoint,
} from '../../sandbox/src/switch/sip-endpoint.ts';
import {
  header,
  headerList,
  parseNameAddress,
  parseUri,
  type SipHeader,
  type SipRequest,
  type SipResponse,
  sequence,
} from '../../sandbox/src/switch/sip-message.ts';
import { Ear, FRAME_SAMPLES } from '../../sandbox/src/switch/sound.ts';

const sdpType: SipHeader = { name: 'Content-Type', value: 'application/sdp' };

/** What a phone without encryption says. */
export const plainRtp =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n';

/** Something that has happened or will: kept until a test asks for it. */
class Mailbox<T> {
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

export interface ScriptedPbxOptions {
  /** Hands out a GRUU (RFC 5627) and keeps to outbound (RFC 5626). Default true. */
  readonly gruu?: boolean;
}

export class ScriptedPbx {
  readonly domain = 'scripted.example';
  readonly faults = new FaultPanel();
  readonly far: readonly [ScriptedFar, ScriptedFar];
  readonly registers: SipRequest[] = [];
  readonly options: SipRequest[] = [];
  /** Answers of REGISTERs to come, first one first; when empty they are accepted. */
  readonly nextRegister: { status: number; reason: string; headers?: SipHeader[] }[] = [];
  /** The Expires that is granted, in seconds. */
  grants = 120;
  #endpoint: SipEndpoint | undefined;
  #device: { flow: Flow; contact: string } | undefined;
  readonly #gruu: boolean;

  private constructor(options: ScriptedPbxOptions) {
    this.#gruu = options.gruu ?? true;
    this.far = [new ScriptedFar(this, '2001', 600), new ScriptedFar(this, '2002', 850)];
  }

  static async start(options: ScriptedPbxOptions = {}): Promise<ScriptedPbx> {
    const pbx = new ScriptedPbx(options);
    pbx.#endpoint = await SipEndpoint.start({
      host: '127.0.0.1',
      port: 0,
      faults: pbx.faults,
      onRequest: (transaction) => pbx.#onRequest(transaction),
      onFlowClosed: () => {},
    });
    return pbx;
  }

  get address(): string {
    return this.#endpoint?.address ?? '';
  }
  get url(): string {
    return `ws://${this.address}`;
  }
  /** Where the agent's phone is registered now. */
  get device(): { readonly flow: Flow; readonly contact: string } {
    if (!this.#device) throw new Error('No phone is registered.');
    return this.#device;
  }

  send(flow: Flow, request: SipRequest, onResponse: (response: SipResponse) => void): ClientTransaction {
    if (!this.#endpoint) throw new Error('The PBX is not running.');
    return this.#endpoint.send(flow, request, onResponse);
  }

  dropSockets(): void {
    this.#endpoint?.dropSockets();
  }

  async close(): Promise<void> {
    for (const far of this.far) far.close();
    await this.#endpoint?.close();
  }

  #onRequest(transaction: ServerTransaction): void {
    const { request } = transaction;
    if (request.method === 'REGISTER') {
      this.#register(transaction);
      return;
    }
    if (request.method === 'OPTIONS') {
      this.options.push(request);
      transaction.respond(200, 'OK');
      return;
    }
    const inside = this.far.find((far) => far.owns(header(request, 'Call-ID') ?? ''));
    if (inside) {
      inside.receive(transaction);
      return;
    }
    const called = this.far.find((far) => far.target === parseUri(request.uri).user);
    if (request.method === 'INVITE' && called) called.called(transaction);
    else transaction.respond(request.method === 'INVITE' ? 404 : 481, 'Not here');
  }

  #register(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    this.registers.push(request);
    const scripted = this.nextRegister.shift();
    if (scripted) {
      transaction.respond(scripted.status, scripted.reason, { headers: scripted.headers ?? [] });
      return;
    }
    const { uri, params } = parseNameAddress(headerList(request, 'Contact')[0] ?? '');
    const expires = Number(params.get('expires') ?? header(request, 'Expires'));
    if (expires === 0) {
      this.#device = undefined;
      transaction.respond(200, 'OK');
      return;
    }
    const user = parseUri(parseNameAddress(header(request, 'To') ?? '').uri).user;
    const gruu = `sip:${user}@${this.domain};gr=device`;
    this.#device = { flow, contact: this.#gruu ? gruu : uri };
    const extra = this.#gruu ? `;pub-gruu="${gruu}"` : '';
    transaction.respond(200, 'OK', {
      headers: [{ name: 'Contact', value: `<${uri}>;expires=${this.grants}${extra}` }],
    });
  }
}

/** One far end: the calls it is in, newest last. */
export class ScriptedFar {
  readonly target: string;
  readonly toneHz: number;
  readonly #pbx: ScriptedPbx;
  readonly #invites = new Mailbox<FarCall>();
  readonly #answered = new Mailbox<FarCall>();
  readonly #refers = new Mailbox<ServerTransaction>();
  readonly calls: FarCall[] = [];
  /** What becomes of re-INVITEs to come, first one first: a final refusal; when empty they are accepted. */
  readonly nextReinvite: { status: number; reason: string; headers?: SipHeader[] }[] = [];
  /** False: answers of the agent's phone are never acknowledged. */
  acknowledges = true;
  readonly reinvites: SipRequest[] = [];
  readonly byes: SipRequest[] = [];
  readonly cancelReasons: (string | undefined)[] = [];
  #digits = '';

  constructor(pbx: ScriptedPbx, target: string, toneHz: number) {
    this.#pbx = pbx;
    this.target = target;
    this.toneHz = toneHz;
  }

  get call(): FarCall {
    const call = this.calls.at(-1);
    if (!call) throw new Error('This far end is in no call.');
    return call;
  }

  owns(callId: string): boolean {
    return this.calls.some((call) => call.callId === callId);
  }

  called(invite: ServerTransaction): void {
    const call = FarCall.incoming(this.#pbx, this, invite);
    this.calls.push(call);
    invite.onCancel = (reason) => {
      this.cancelReasons.push(reason);
      invite.respond(487, 'Request Terminated');
      call.close();
    };
    invite.respond(100, 'Trying');
    this.#invites.put(call);
  }

  receive(transaction: ServerTransaction): void {
    const { request } = transaction;
    const call = this.calls.findLast((it) => it.callId === header(request, 'Call-ID'));
    if (!call) return;
    call.dialog?.receive(request, transaction.flow);
    switch (request.method) {
      case 'ACK':
        call.acknowledged.put(request);
        return;
      case 'BYE':
        this.byes.push(request);
        if (call.closed) transaction.respond(481, 'Call/Transaction Does Not Exist');
        else transaction.respond(200, 'OK');
        call.close();
        return;
      case 'INVITE': {
        this.reinvites.push(request);
        const scripted = this.nextReinvite.shift();
        if (scripted) transaction.respond(scripted.status, scripted.reason, { headers: scripted.headers ?? [] });
        else if (call.closed) transaction.respond(481, 'Call/Transaction Does Not Exist');
        else void call.agree(transaction);
        return;
      }
      case 'REFER':
        this.#refers.put(transaction);
        return;
      default:
        transaction.respond(200, 'OK');
    }
  }

  /** The INVITE that came in, once it has. */
  invited(): Promise<FarCall> {
    return this.#invites.take('INVITE');
  }

  async rings(earlyMedia = false): Promise<void> {
    const call = await this.#invites.take('INVITE');
    this.#ringing = call;
    await call.ring(earlyMedia);
  }
  #ringing: FarCall | undefined;

  async answers(): Promise<FarCall> {
    const call = this.#ringing ?? (await this.#invites.take('INVITE'));
    this.#ringing = undefined;
    await call.answer();
    return call;
  }

  async refuses(status: number, reason = 'Refused', headers: SipHeader[] = []): Promise<void> {
    const call = this.#ringing ?? (await this.#invites.take('INVITE'));
    this.#ringing = undefined;
    call.invite?.respond(status, reason, { headers });
    call.close();
  }

  /** Calls the agent. Resolves when the INVITE has left. */
  async invites(
    headers: SipHeader[] = [],
    from = `"Far ${this.target}" <sip:${this.target}@${this.#pbx.domain}>`,
  ): Promise<void> {
    const call = await FarCall.outgoing(this.#pbx, this, from, headers, () => this.#answered.put(call));
    this.calls.push(call);
  }
  /** Resolves when the agent has answered the call that this far end placed. */
  answered(): Promise<FarCall> {
    return this.#answered.take('answer');
  }

  /** Calls the agent with plain RTP. Resolves with the final status. */
  invitesUnencrypted(): Promise<number> {
    const { flow, contact } = this.#pbx.device;
    return new Promise((resolve) => {
      this.#pbx.send(
        flow,
        {
          kind: 'request',
          method: 'INVITE',
          uri: contact,
          headers: [
            { name: 'From', value: `<sip:${this.target}@${this.#pbx.domain}>;tag=${newTag()}` },
            { name: 'To', value: `<${contact}>` },
            { name: 'Call-ID', value: newTag() },
            { name: 'CSeq', value: '1 INVITE' },
            { name: 'Contact', value: `<sip:${this.target}@${this.#pbx.address}>` },
            sdpType,
          ],
          body: plainRtp,
        },
        (response) => {
          if (response.status >= 200) resolve(response.status);
        },
      );
    });
  }

  async cancels(elsewhere = false): Promise<void> {
    this.call.cancel(elsewhere ? 'SIP;cause=200;text="Call completed elsewhere"' : undefined);
    this.call.close();
  }

  async hangsUp(): Promise<void> {
    await this.call.request('BYE');
    this.call.close();
  }

  async holds(on: boolean): Promise<void> {
    await this.call.reinvite(on ? 'sendonly' : 'sendrecv');
  }

  refusesNextHold(): void {
    this.nextReinvite.push({ status: 488, reason: 'Not Acceptable Here' });
  }

  async referred(): Promise<ServerTransaction> {
    return this.#refers.take('REFER');
  }

  async acceptsTransfer(): Promise<void> {
    const call = this.call;
    const refer = await this.referred();
    refer.respond(202, 'Accepted');
    await call.notify('100 Trying');
    await call.notify('180 Ringing');
    await call.notify('200 OK', true);
  }

  async refusesTransfer(status: number): Promise<void> {
    const call = this.call;
    const refer = await this.referred();
    refer.respond(202, 'Accepted');
    await call.notify('100 Trying');
    await call.notify(`${status} Refused`, true);
  }

  heard(key: string): void {
    this.#digits += key;
  }
  heardDigits(): string {
    return this.#digits;
  }

  close(): void {
    for (const call of this.calls) call.close();
  }
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
  /** What the agent's phone answered to a BYE that was sent along with the 200. */
  byeAnswer: Promise<SipResponse> | undefined;
  readonly #ear = new Ear();
  /** The description last given to the agent. */
  sdp = '';
  readonly #pbx: ScriptedPbx;
  readonly #far: ScriptedFar;
  #outgoing: ClientTransaction | undefined;
  #beat: NodeJS.Timeout | undefined;
  #phase = 0;

  private constructor(pbx: ScriptedPbx, far: ScriptedFar, callId: string) {
    this.#pbx = pbx;
    this.#far = far;
    this.callId = callId;
    this.media.onKey = (key) => far.heard(key);
  }

  static incoming(pbx: ScriptedPbx, far: ScriptedFar, invite: ServerTransaction): FarCall {
    const call = new FarCall(pbx, far, header(invite.request, 'Call-ID') ?? '');
    call.invite = invite;
    call.dialog = Dialog.answering(invite.request, invite.localTag, invite.flow);
    return call;
  }

  static async outgoing(
    pbx: ScriptedPbx,
    far: ScriptedFar,
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
        call.contact,
        ...headers,
        sdpType,
      ],
      body: call.sdp,
    };
    call.#outgoing = pbx.send(flow, request, (response) => {
      if (response.status >= 300) call.refusal = response.status;
      if (response.status < 200 || response.status >= 300 || call.dialog) return;
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
    this.invite?.respond(200, 'OK', { headers: [this.contact, sdpType], body: this.sdp });
    this.#speak();
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
    clearInterval(this.#beat);
    this.#beat = undefined;
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
    transaction.respond(200, 'OK', { headers: [this.contact, sdpType], body: this.sdp });
  }

  /** Offers the same media again with another direction. Resolves when the agent's phone has accepted; rejects with its refusal. */
  async reinvite(direction: 'sendonly' | 'sendrecv' | 'inactive'): Promise<SipResponse> {
    const offer = this.sdp
      .replace(/^a=(sendrecv|sendonly|recvonly|inactive)/m, `a=${direction}`)
      .replace(/^a=setup:\w+/m, 'a=setup:actpass');
    const response = await this.request('INVITE', [this.contact, sdpType], offer);
    return response;
  }

  notify(line: string, final = false): Promise<SipResponse> {
    return this.request(
      'NOTIFY',
      [
        { name: 'Event', value: 'refer' },
        { name: 'Subscription-State', value: final ? 'terminated;reason=noresource' : 'active;expires=60' },
        this.contact,
        { name: 'Content-Type', value: 'message/sipfrag;version=2.0' },
      ],
      `SIP/2.0 ${line}\r\n`,
    );
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
    clearInterval(this.#beat);
    this.media.close();
  }

  #send(request: SipRequest, onResponse: (response: SipResponse) => void = () => {}): void {
    const flow = this.dialog?.flow.open ? this.dialog.flow : this.#pbx.device.flow;
    this.#pbx.send(flow, request, onResponse);
  }

  /** A sine, 20 ms at a time. */
  #speak(): void {
    this.#beat ??= setInterval(() => {
      const frame = new Int16Array(FRAME_SAMPLES);
      for (let index = 0; index < FRAME_SAMPLES; index += 1) {
        frame[index] = Math.round(8_000 * Math.sin((2 * Math.PI * this.#far.toneHz * this.#phase++) / 8_000));
      }
      this.media.write(frame);
      this.#ear.hear(this.media.read() ?? new Int16Array(FRAME_SAMPLES));
    }, 20);
  }
}
