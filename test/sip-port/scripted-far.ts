/** One far end of the scripted PBX: the calls it is in, and how it meets what the agent's phone sends. Must never do anything unasked. */
import { newTag, type ServerTransaction } from '../../sandbox/src/switch/sip-endpoint.ts';
import { header, parseNameAddress, type SipHeader, type SipRequest } from '../../sandbox/src/switch/sip-message.ts';
import { type Exchange, FarCall, Mailbox, sdpType } from './scripted-call.ts';

/** What a phone without encryption says. */
export const plainRtp =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\na=sendrecv\r\n';

/** One far end: the calls it is in, newest last. */
export class ScriptedFar {
  target: string;
  readonly toneHz: number;
  readonly #pbx: Exchange;
  readonly #invites = new Mailbox<FarCall>();
  readonly #answered = new Mailbox<FarCall>();
  readonly #refers = new Mailbox<ServerTransaction>();
  readonly calls: FarCall[] = [];
  /**
   * What becomes of re-INVITEs to come, first one first: a final refusal, or it is taken and the connections go before the answer has left; when
   * empty they are accepted.
   */
  readonly nextReinvite: ({ status: number; reason: string; headers?: SipHeader[] } | 'answer lost')[] = [];
  /** False: answers of the agent's phone are never acknowledged. */
  acknowledges = true;
  /** What its INVITE and its answers say it can do. */
  supports = 'replaces';
  allows = 'INVITE, ACK, CANCEL, BYE, REFER, NOTIFY, OPTIONS, INFO, UPDATE';
  /** What else stands in its answers, the next first. */
  answerHeaders: SipHeader[] = [];
  /** Answers of its next UPDATEs; when empty they are accepted. */
  readonly nextUpdate: { status: number; reason: string; headers?: SipHeader[] }[] = [];
  /** Requests that came for it inside its dialogs, ACK left out. */
  readonly inside: SipRequest[] = [];
  /** Requests for another branch than the one that answered. */
  readonly strays: SipRequest[] = [];
  readonly reinvites: SipRequest[] = [];
  readonly byes: SipRequest[] = [];
  readonly cancelReasons: (string | undefined)[] = [];
  #digits = '';

  constructor(pbx: Exchange, target: string, toneHz: number) {
    this.#pbx = pbx;
    this.target = target;
    this.toneHz = toneHz;
  }

  get call(): FarCall {
    const call = this.calls.at(-1);
    if (!call) throw new Error('This far end is in no call.');
    return call;
  }

  /** The requests of one method that came inside its dialogs. */
  got(method: string): SipRequest[] {
    return this.inside.filter((request) => request.method === method);
  }

  /** Status codes that the agent's phone reported of a transfer it was asked for. */
  get reported(): string[] {
    return this.got('NOTIFY').map(({ body }) => /^SIP\/2\.0 (\d+)/.exec(body)?.[1] ?? body);
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
    const branch = parseNameAddress(header(request, 'To') ?? '').params.get('tag');
    if (call.dialog && branch !== undefined && branch !== call.dialog.id.localTag) {
      this.strays.push(request);
      transaction.respond(200, 'OK');
      return;
    }
    call.dialog?.receive(request, transaction.flow);
    if (request.method !== 'ACK') this.inside.push(request);
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
        if (scripted === 'answer lost') void call.media.answer(request.body).then(() => this.#pbx.dropSockets());
        else if (scripted) transaction.respond(scripted.status, scripted.reason, { headers: scripted.headers ?? [] });
        else if (call.closed) transaction.respond(481, 'Call/Transaction Does Not Exist');
        else void call.agree(transaction);
        return;
      }
      case 'UPDATE': {
        const scripted = this.nextUpdate.shift();
        if (scripted) transaction.respond(scripted.status, scripted.reason, { headers: scripted.headers ?? [] });
        else transaction.respond(200, 'OK', { headers: [...call.capabilities, ...this.answerHeaders] });
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
