/**
 * An agent's call as the switch holds it: one SIP dialog over one WebSocket, with the sound of that browser.
 * Owns INVITE in both directions, re-INVITE, ACK deadlines, CANCEL and BYE. Must never know who is at the far side:
 * what the agent wants (hold, transfer, keys, hanging up) goes out through `AgentCallEvents`.
 */
import { addressOf, inviteFor, type RingingCaller } from './agent-invite.ts';
import { Dialog, type DialogId } from './dialog.ts';
import { DigitEar } from './digit-ear.ts';
import { EarlyDialogs } from './early-dialogs.ts';
import type { Faults } from './faults.ts';
import { MediaPeer, MediaRefused } from './media-peer.ts';
import type { EndCause, Party } from './party.ts';
import { ReliableRinging } from './reliable-ringing.ts';
import type { Direction } from './sdp.ts';
import { SessionAgreement } from './session-timer.ts';
import { type ClientTransaction, type Flow, newTag, type ServerTransaction, TRANSACTION_MS } from './sip-endpoint.ts';
import { header, parseUri, quote, type SipHeader, type SipRequest, type SipResponse, sequence } from './sip-message.ts';
import { Ear, FRAME_SAMPLES } from './sound.ts';
import type { Temper } from './temper.ts';

export type { RingingCaller } from './agent-invite.ts';

export const ALLOWED = 'INVITE, ACK, CANCEL, BYE, OPTIONS, REFER, NOTIFY, SUBSCRIBE, INFO, UPDATE, PRACK';
/** A cause that is fit for a Reason header (RFC 3326). */
const REASON = /^(SIP|Q\.850);/;
const SDP: SipHeader = { name: 'Content-Type', value: 'application/sdp' };

/** What an agent's call needs from the switch around it. */
export type AgentCallPorts = {
  readonly domain: string;
  readonly address: string;
  readonly iceAddresses: readonly string[] | undefined;
  /** How long a 200 waits for its ACK. */
  readonly ackDeadlineMs: number;
  readonly temper: Temper;
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
  #losses: number | undefined;
  #lostPath: number | undefined;
  readonly #ear = new Ear();
  readonly #timers = new Set<NodeJS.Timeout>();
  #invite: ServerTransaction | undefined;
  #outgoing: ClientTransaction | undefined;
  #reliable: ReliableRinging | undefined;
  readonly #session: SessionAgreement;
  #digitEar: DigitEar | undefined;
  readonly #early = new EarlyDialogs();
  #sdpWasReliable = false;
  #asking = false;
  #rung: Promise<void> = Promise.resolve();
  /** What the phone says it can do: its Allow header. */
  #allowed: string | undefined;
  #identity: { number: string; name: string | undefined } | undefined;
  #dialog: Dialog | undefined;
  /** Where the ringing phone was invited. */
  #invitedOver: Flow | undefined;
  /** What a phone that placed this call dialled. */
  #dialled = '';
  readonly #abilities: SipHeader[];
  #answerSdp: Promise<string> | undefined;
  #awaitedAnswer: string | undefined;
  #unacknowledged = new Map<number, () => void>();
  #acknowledge: () => void = () => undefined;
  readonly #acknowledged = new Promise<void>((resolve) => {
    this.#acknowledge = resolve;
  });
  #seen = { packets: -1, at: 0 };
  #answered = false;
  #ended = false;
  #cancelled = false;

  private constructor(ports: AgentCallPorts, number: string, name: string | undefined, callId: string) {
    this.#ports = ports;
    this.number = number;
    this.name = name;
    this.callId = callId;
    this.#abilities = [
      { name: 'Allow', value: ALLOWED },
      { name: 'Supported', value: ports.temper.supported },
    ];
    this.#media = new MediaPeer(ports.iceAddresses, ports.temper.keepsHandshake);
    this.#losses = ports.faults().lostPaths;
    this.#session = new SessionAgreement(() => ports.faults().sessionTimer, {
      refresh: () => this.refresh(/\bUPDATE\b/i.test(this.#allowed ?? '') ? 'update' : 're-invite'),
      expire: (reason) => this.hangUp({ by: 'switch', reason }),
    });
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
    call.#dialled = parseUri(invite.request.uri).user;
    call.#allowed = header(invite.request, 'Allow');
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
    caller: RingingCaller,
    fork: { callId: string; tag: string },
    ports: AgentCallPorts,
  ): AgentCall {
    const call = new AgentCall(ports, device.extension, undefined, fork.callId);
    call.#identity = caller;
    call.#invitedOver = device.flow;
    const own = [call.#contact(), ...call.#abilities, ...call.#session.offer()];
    const request = inviteFor(device, caller, fork, ports.domain, own, ports);
    void call.#media.offer(ports.faults().offerVideo).then(
      (sdp) => call.#invitePhone({ ...request, body: sdp }, device.flow),
      (error: unknown) => call.#finish({ by: 'switch', status: 500, reason: messageOf(error) }),
    );
    return call;
  }

  #invitePhone(invite: SipRequest, flow: Flow): void {
    if (this.#ended) return;
    this.#outgoing = this.#ports.send(flow, invite, (response) => this.#onAnswer(invite, response, flow));
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
    const reachable = dialog !== undefined && this.#wayTo(dialog) !== undefined;
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

  /** The same for INVITE with Replaces, from whoever's point of view: dialogs that only ring count too. */
  isNamed(id: DialogId): boolean {
    return this.names().some(
      (own) =>
        own.callId === id.callId &&
        ((own.switchTag === id.localTag && own.phoneTag === id.remoteTag) ||
          (own.switchTag === id.remoteTag && own.phoneTag === id.localTag)),
    );
  }

  /** What its dialog is called, or its dialogs while the phone rings; none before the phone has said anything. */
  names(): { callId: string; switchTag: string; phoneTag: string }[] {
    const dialogs = this.#dialog ? [this.#dialog] : this.#early.all();
    return dialogs.map(({ id }) => ({ callId: id.callId, switchTag: id.localTag, phoneTag: id.remoteTag }));
  }

  /** True where this phone was invited over this connection, and it is still there. */
  ringsOver(flow: Flow): boolean {
    return this.#invitedOver === flow && flow.open;
  }

  /** The phone that rings is the same one as before, on another connection. */
  movedTo(flow: Flow): void {
    this.#invitedOver = flow;
    this.#outgoing?.moveTo(flow);
  }

  /** Nobody is at the other end of this ringing any more: it is over without a word to anybody. */
  abandon(): void {
    this.#finish({ by: 'switch' });
  }

  /** True when the agent's own phone began the call. */
  get placed(): boolean {
    return this.#invite !== undefined;
  }

  /** The codec of its sound, once that is agreed on. */
  get codec(): string | undefined {
    return this.#media.codec;
  }

  /** Who is at the other end now. A phone that talks already is told, where the switch is set so. */
  connectedTo(party: { number: string; name: string | undefined }): void {
    const { number, name } = party;
    const changed = this.#identity?.number !== number || this.#identity.name !== name;
    this.#identity = { number, name };
    const how = this.#ports.faults().connectedIdentity;
    if (changed && how && this.answered) void this.refresh(how);
  }

  /** The far side holds or resumes. The phone is told where the switch is set so; the music comes either way. */
  heldByFarSide(held: boolean): void {
    const direction = this.#ports.faults().farHold;
    if (direction !== undefined && this.answered) void this.refresh('re-invite', held ? direction : 'sendrecv');
  }

  /** A new UPDATE without a session description, or a re-INVITE with one, that says who is at the other end. Gives its status. */
  async refresh(how: 'update' | 're-invite', direction: Direction = 'sendrecv'): Promise<number> {
    const dialog = this.#dialog;
    if (!dialog) return 481;
    const headers = [this.#contact(), ...this.#abilities, ...this.#asserted(), ...this.#session.refreshHeaders()];
    if (how === 'update') return (await this.#ask(dialog.request('UPDATE', headers))).status;
    this.#asking = true;
    const invite = dialog.request('INVITE', [...headers, SDP], await this.#media.reoffer(direction));
    const response = await this.#ask(invite);
    this.#asking = false;
    if (response.status >= 300) return response.status;
    this.#send(dialog.request('ACK', [], '', sequence(invite).number));
    await this.#media.accept(response.body);
    return response.status;
  }

  /** 180, or 183 with sound when the far side plays something before it answers; `then-ringing`: one after the other. */
  ring(withSound: boolean | 'then-ringing'): Promise<void> {
    this.#rung = this.#ring(withSound);
    return this.#rung;
  }

  async #ring(withSound: boolean | 'then-ringing'): Promise<void> {
    const sdp = withSound ? await this.#answerOffer() : '';
    const invite = this.#invite;
    if (this.#ended || this.#answered || sdp === undefined || !invite) return;
    const branches = this.#ports.faults().forkedRinging ?? 0;
    for (let branch = 0; branch < branches; branch += 1)
      invite.respond(180, 'Ringing', { headers: [this.#contact(), ...this.#abilities], tag: newTag() });
    if (withSound) await this.#say(invite, 183, 'Session Progress', sdp);
    if (withSound !== true) await this.#say(invite, 180, 'Ringing', '');
  }

  /** One provisional answer; resolves when it is out, or acknowledged where it has to be. */
  async #say(invite: ServerTransaction, status: number, reason: string, sdp: string): Promise<void> {
    const { provisionalWithoutContact, reliableProvisionals } = this.#ports.faults();
    const headers = [...(provisionalWithoutContact ? [] : [this.#contact()]), ...this.#abilities, ...this.#asserted()];
    if (sdp !== '') headers.push(SDP);
    const { request } = invite;
    if (!ReliableRinging.demanded(request) && !(reliableProvisionals && ReliableRinging.possible(request))) {
      invite.respond(status, reason, { headers, body: sdp });
      return;
    }
    this.#reliable ??= new ReliableRinging(invite, this.#ports.ackDeadlineMs);
    this.#sdpWasReliable ||= sdp !== '';
    // Without a PRACK the call cannot be made (RFC 3262 section 3).
    if (!(await this.#reliable.say(status, reason, headers, sdp))) this.refuse(504, 'No PRACK came');
  }

  /** 200 with our SDP, repeated until the ACK comes. Resolves to false when the call is over or its SDP is impossible. */
  async answer(): Promise<boolean> {
    const delay = this.#ports.faults().answerDelayMs;
    if (delay !== undefined) await new Promise<void>((resolve) => this.#later(delay, resolve));
    const sdp = await this.#answerOffer();
    const invite = this.#invite;
    if (this.#ended || sdp === undefined || !invite) return false;
    if (this.#reliable) await this.#rung;
    if (this.#ended || (this.#reliable && !(await this.#reliable.settled))) return false;
    this.#answered = true;
    // A description that was acknowledged already is not repeated (RFC 6337 section 2.2).
    const described = this.#sdpWasReliable ? '' : sdp;
    const headers = [this.#contact(), ...this.#abilities, ...this.#asserted(), ...this.#session.accept(invite.request)];
    if (described !== '') headers.push(SDP);
    invite.respond(200, 'OK', { headers, body: described });
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

  /** Resolves with the ACK of the answer, or with the end of the call. */
  get acknowledged(): Promise<void> {
    return this.#acknowledged;
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
      this.#acknowledge();
    });
    this.#later(this.#ports.ackDeadlineMs, () => {
      if (!done) this.hangUp({ by: 'switch', reason: 'no ACK' });
    });
  }

  #onAnswer(invite: SipRequest, response: SipResponse, flow: Flow): void {
    if (response.status < 200) {
      if (response.status > 100 && !this.#ended) this.#onProgress(invite, response, flow);
      return;
    }
    const least = header(response, 'Min-SE');
    if (response.status === 422 && least !== undefined && sequence(invite).number === 1 && !this.#ended) {
      this.#inviteAgain(invite, Number(least), flow);
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
    this.#dialog ??= this.#early.confirmed(response) ?? Dialog.calling(invite, response, flow);
    const dialog = this.#dialog;
    this.#allowed = header(response, 'Allow') ?? this.#allowed;
    this.#send(dialog.request('ACK', [], '', sequence(invite).number));
    if (!first) return;
    if (this.#ended) {
      // Answered in the same moment in which it was cancelled: the answer stands, so it has to be ended properly.
      this.#send(dialog.request('BYE', [reasonHeader('SIP;cause=200;text="Call completed elsewhere"')]));
      return;
    }
    this.#answered = true;
    this.#session.begin(header(response, 'Session-Expires'), 'uac');
    this.#media.accept(response.body === '' ? this.#early.description : response.body).then(
      () => this.events?.onAnswered?.(),
      (error: unknown) => this.hangUp({ by: 'switch', status: 488, reason: messageOf(error) }),
    );
  }

  #onProgress(invite: SipRequest, response: SipResponse, flow: Flow): void {
    const prack = this.#early.progress(invite, response, flow);
    if (prack) this.#ports.send(flow, prack, () => undefined);
    this.events?.onRinging?.();
  }

  /** The phone wants a longer interval (RFC 4028 section 7.3). */
  #inviteAgain(invite: SipRequest, seconds: number, flow: Flow): void {
    const replaced = new Set(['CSeq', 'Session-Expires', 'Min-SE']);
    const headers = [
      ...invite.headers.filter((entry) => !replaced.has(entry.name)),
      { name: 'CSeq', value: '2 INVITE' },
      ...this.#session.offer(seconds),
    ];
    this.#invitePhone({ ...invite, headers }, flow);
  }

  #asserted(): SipHeader[] {
    if (!this.#identity) return [];
    return [{ name: 'P-Asserted-Identity', value: addressOf(this.#identity, this.#ports.domain) }];
  }

  #ask(request: SipRequest): Promise<SipResponse> {
    return new Promise((resolve) => {
      const gone: SipResponse = { kind: 'response', status: 408, reason: 'Request Timeout', headers: [], body: '' };
      const sent = this.#send(request, (response) => {
        if (response.status >= 200) resolve(response);
      });
      if (!sent) resolve(gone);
    });
  }

  /** A request of the agent inside this call. */
  receive(transaction: ServerTransaction): void {
    const { request, flow } = transaction;
    if (!this.#dialog?.receive(request, flow)) {
      transaction.respond(500, 'CSeq out of order');
      return;
    }
    const { answersFromTheGrave } = this.#ports.temper;
    if (this.#ended && request.method !== (answersFromTheGrave ? 'INFO' : 'BYE')) {
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
        const type = header(request, 'Content-Type') ?? '';
        if (key !== undefined && /dtmf-relay/i.test(type)) this.events?.onKey(key);
        const bare = /^\s*([0-9A-D*#])\s*$/i.exec(request.body)?.[1];
        if (bare !== undefined && /application\/dtmf\s*(;|$)/i.test(type)) this.events?.onKey(bare.toUpperCase());
        return;
      }
      case 'PRACK':
        if (this.#reliable?.acknowledge(request)) transaction.respond(200, 'OK');
        else transaction.respond(481, 'Nothing waits for this PRACK');
        return;
      case 'OPTIONS':
        transaction.respond(200, 'OK', { headers: [...this.#abilities] });
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
    const { request } = transaction;
    // Ours is on its way too (RFC 3261 section 14.2).
    if (!this.#answered || this.#asking) return transaction.respond(491, 'Request Pending');
    const least = this.#session.tooSmall(request);
    if (least !== undefined) {
      const headers = [{ name: 'Min-SE', value: String(least) }];
      return transaction.respond(422, 'Session Interval Too Small', { headers });
    }
    const headers = [this.#contact(), ...this.#abilities, ...this.#session.again(request)];
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

  /** See `Faults.lostPaths`. */
  get #pathLost(): boolean {
    const { lostPaths } = this.#ports.faults();
    if (lostPaths !== this.#losses) {
      this.#losses = lostPaths;
      this.#lostPath = this.#media.path;
    }
    return this.#media.path === this.#lostPath;
  }

  speak(): Int16Array | undefined {
    const read = this.#media.read();
    const frame = this.#pathLost ? undefined : read;
    if (this.#ports.faults().inBandDigits) {
      this.#digitEar ??= new DigitEar();
      const key = this.#digitEar.hear(frame);
      if (key !== undefined) this.events?.onKey(key);
    }
    return frame;
  }

  hear(sound: Int16Array | undefined): void {
    const frame = this.#pathLost ? undefined : sound;
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
        this.#dialog.request('BYE', REASON.test(cause.reason ?? '') ? reason : []),
        Date.now() + TRANSACTION_MS,
      );
    } else if (this.#invite) {
      this.#invite.respond(cause.status ?? 480, cause.reason ?? 'Temporarily Unavailable');
    } else {
      this.#cancelled = true;
      this.#outgoing?.cancel(REASON.test(cause.reason ?? '') ? cause.reason : undefined);
    }
    this.#finish(cause);
  }

  // A BYE waits for a lost socket to come back: otherwise a far side that hangs up in that moment leaves a ghost call.
  #sendBye(bye: SipRequest, until: number): void {
    if (this.#send(bye) || this.#ports.temper.requestsGo !== 'device' || Date.now() > until) return;
    setTimeout(() => this.#sendBye(bye, until), 200).unref();
  }

  #send(request: SipRequest, onResponse: (response: SipResponse) => void = () => undefined): boolean {
    const dialog = this.#dialog;
    const flow = dialog && this.#wayTo(dialog);
    if (!flow) return false;
    this.#ports.send(flow, request, onResponse);
    return true;
  }

  /** Where this phone is reachable now; undefined: nowhere. */
  #wayTo(dialog: Dialog): Flow | undefined {
    const { requestsGo } = this.#ports.temper;
    if (requestsGo === 'first') return dialog.first.open ? dialog.first : undefined;
    if (requestsGo === 'invited') return dialog.invited.open ? dialog.invited : undefined;
    const last = dialog.flow.open ? dialog.flow : undefined;
    // The old connection of a changed network looks open for long. An address that names the device knows better (RFC 5627).
    const now = this.#ports.flowFor(dialog.remoteTarget);
    return /;gr=/i.test(dialog.remoteTarget) ? (now ?? last) : (last ?? now);
  }

  #finish(cause: EndCause): void {
    if (this.#ended) return;
    this.#ended = true;
    for (const timer of this.#timers) clearTimeout(timer);
    this.#session.stop();
    this.#reliable?.stop();
    this.#media.close();
    this.#acknowledge();
    this.events?.onEnded(cause);
  }

  #contact(): SipHeader {
    const { address, temper } = this.#ports;
    if (!temper.namesItself) return { name: 'Contact', value: `<sip:switch@${address};transport=ws>` };
    // FreeSWITCH names its UDP side to browsers too: requests inside the call have to stay on the WebSocket all the same.
    return { name: 'Contact', value: `<sip:${this.#dialled || 'mod_sofia'}@${address};transport=udp>` };
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
