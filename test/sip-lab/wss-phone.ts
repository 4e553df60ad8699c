/**
 * Owns a phone without sound on SIP over WebSocket: it registers, subscribes, calls, is called, and shows every message. What servers do with
 * signalling is proved with it quickly, no browser needed. It answers by itself what a phone must answer at once (NOTIFY, OPTIONS, BYE, UPDATE).
 * Must never judge what it receives; tests do that. Its session descriptions are such as a browser writes, but nobody is behind them.
 */
import { randomBytes } from 'node:crypto';
import { type Fits, Inbox, readSip, type SipText, usualWaitMs } from './sip-text.ts';
import { type Credential, digest, WssClient } from './wss-client.ts';
import { Dialog, description } from './wss-dialog.ts';

export interface WssPhoneOptions {
  /** The user part of its address. */
  readonly user: string;
  readonly credential: Credential;
  /** The UUID of a browser that comes back. */
  readonly instance?: string;
  /** False: it does not register. Default true. */
  readonly register?: boolean;
}

interface RequestOptions {
  readonly headers?: readonly string[];
  readonly body?: string;
  readonly type?: string;
}

export interface Subscription {
  /** The response to the SUBSCRIBE. */
  readonly answer: SipText;
  /** The next NOTIFY that fits. */
  notified(fits?: Fits, withinMs?: number): Promise<SipText>;
  /** Asks again within the same subscription; 0 ends it. */
  refresh(expires: number): Promise<SipText>;
}

export interface Call {
  readonly callId: string;
  /** Of an incoming call its INVITE; of an outgoing one the last response of it. */
  readonly message: SipText;
  /** The next response to our INVITE that fits. */
  answered(fits?: Fits, withinMs?: number): Promise<SipText>;
  /** The next request of the other end that fits, already answered, except for an INVITE of a new call. */
  asked(fits?: Fits, withinMs?: number): Promise<SipText>;
  /** A request within the call, and its final response. */
  request(method: string, options?: RequestOptions): Promise<SipText>;
  /** Responds to the INVITE that came in; 2xx carries a session description. */
  respond(status: number, reason: string, headers?: readonly string[]): void;
  cancel(): void;
  /** The value of a Replaces header that means this call. */
  replaces(): string;
  /** Where the other end is, for Refer-To. */
  readonly target: string;
}

export class WssPhone {
  readonly client: WssClient;
  readonly user: string;
  /** Answers an INVITE with 180 by itself. */
  rings = true;
  /** NOTIFY outside of any subscription. */
  readonly unasked = new Inbox('an unasked NOTIFY');
  readonly #domain: string;
  readonly #credential: Credential;
  readonly #dialogs = new Map<string, Dialog>();
  readonly #invited = new Inbox('an incoming call');
  readonly #responses = new Map<string, (response: SipText) => void>();

  private constructor(client: WssClient, domain: string, options: WssPhoneOptions) {
    this.client = client;
    this.#domain = domain;
    this.user = options.user;
    this.#credential = options.credential;
    client.listen((text) => this.#received(text));
  }

  /** Connects and registers. Throws with the status when the registration is refused. */
  static async connect(
    server: { readonly wssUrl: string; readonly domain: string },
    options: WssPhoneOptions,
  ): Promise<WssPhone> {
    const client = await WssClient.connect(
      server,
      options.instance === undefined ? {} : { instance: options.instance },
    );
    const phone = new WssPhone(client, server.domain, options);
    if (options.register === false) return phone;
    const { status, reason } = await client.register(options.user, options.credential);
    if (status === 200) return phone;
    await client.close();
    throw new Error(`${options.user} may not register: ${status} ${reason}`);
  }

  get uri(): string {
    return `sip:${this.user}@${this.#domain}`;
  }

  close(): Promise<void> {
    return this.client.close();
  }

  /** A request outside of a dialog and its final response. `target` is a user of the domain or a URI. */
  ask(method: string, target: string, options: RequestOptions = {}): Promise<SipText> {
    return this.#ask(this.#open(method, target), method, options);
  }

  /** Subscribes and resolves with the response, whatever it is. */
  async subscribe(
    target: string,
    event: string,
    options: {
      readonly accept?: string;
      readonly expires?: number /** A URI in place of its own. */;
      readonly contact?: string;
    } = {},
  ): Promise<Subscription> {
    const dialog = this.#open(`SUBSCRIBE ${event} ${target}`, target);
    this.#dialogs.set(dialog.callId, dialog);
    const headers = (expires: number): string[] => [
      `Event: ${event}`,
      `Expires: ${expires}`,
      ...(options.accept === undefined ? [] : [`Accept: ${options.accept}`]),
    ];
    if (options.contact !== undefined) dialog.contact = options.contact;
    const answer = await this.#ask(dialog, 'SUBSCRIBE', { headers: headers(options.expires ?? 300) });
    dialog.learn(answer, true);
    return {
      answer,
      notified: (fits = () => true, withinMs) =>
        dialog.requests.next((message) => message.method === 'NOTIFY' && fits(message), withinMs),
      refresh: (expires) => this.#ask(dialog, 'SUBSCRIBE', { headers: headers(expires) }),
    };
  }

  /** Begins a call; the responses come by `answered`. A 2xx is acknowledged, a reliable 1xx as well (RFC 3262). */
  invite(target: string, options: { readonly headers?: readonly string[] } = {}): Call {
    const dialog = this.#open(`INVITE ${target}`, target);
    this.#dialogs.set(dialog.callId, dialog);
    void this.#ask(dialog, 'INVITE', {
      headers: [`Allow: ${allowed}`, ...(options.headers ?? [])],
      body: description(),
      type: 'application/sdp',
    });
    return this.#call(dialog, null);
  }

  /** Goes on with a call of another phone of the same user, which has lost its connection. */
  takeOver(from: WssPhone, callId: string): Call {
    const dialog = from.#dialogs.get(callId);
    if (dialog === undefined) throw new Error('There is no such call to take over.');
    this.#dialogs.set(callId, dialog);
    const invite = from.#lastInvite.get(callId);
    if (invite !== undefined) this.#lastInvite.set(callId, invite);
    return this.#call(dialog, null);
  }

  /** The next call that comes in. */
  async invited(fits: Fits = () => true, withinMs?: number): Promise<Call> {
    const invite = await this.#invited.next(fits, withinMs);
    const dialog = this.#dialogs.get(invite.header('call-id'));
    if (dialog === undefined) throw new Error('An INVITE without its dialog.');
    return this.#call(dialog, invite);
  }

  #call(dialog: Dialog, invite: SipText | null): Call {
    let message = invite ?? readSip('');
    return {
      callId: dialog.callId,
      get message() {
        return message;
      },
      get target() {
        return dialog.target;
      },
      async answered(fits, withinMs) {
        message = await dialog.answers.next(fits, withinMs);
        return message;
      },
      asked: (fits, withinMs) => dialog.requests.next(fits, withinMs),
      request: (method, options = {}) =>
        this.#ask(
          dialog,
          method,
          method === 'INVITE' ? { body: description(), type: 'application/sdp', ...options } : options,
        ),
      respond: (status, reason, headers = []) => {
        if (invite === null) throw new Error('Only a call that came in can be responded to.');
        this.#respond(invite, status, reason, [...headers], status < 300 && status > 100 ? dialog.localTag : 'refused');
      },
      cancel: () => this.#cancel(dialog),
      replaces: () => `${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}`,
    };
  }

  #open(what: string, target: string): Dialog {
    const uri = target.includes(':') ? target : `sip:${target}@${this.#domain}`;
    return new Dialog(`${this.user} ${what}`, randomBytes(9).toString('hex'), this.uri, uri, uri, randomTag());
  }

  #contact(uri = ''): string {
    return `Contact: <${uri === '' ? `sip:${this.user}@${this.client.host};transport=ws` : uri}>`;
  }

  /** `host` is what its Via names: a CANCEL has the whole Via of what it cancels, also over another connection. */
  #lastInvite = new Map<
    string,
    { readonly uri: string; readonly branch: string; readonly cseq: number; readonly host: string }
  >();

  /** Sends a request, meets one challenge, and resolves with the final response. */
  async #ask(dialog: Dialog, method: string, options: RequestOptions): Promise<SipText> {
    const first = await this.#once(dialog, method, options);
    if (first.status !== 401 && first.status !== 407) {
      if (method === 'INVITE') dialog.answers.add(first);
      return first;
    }
    const proxy = first.status === 407;
    const challenge = first.header(proxy ? 'proxy-authenticate' : 'www-authenticate');
    const value = digest(method, dialog.target, challenge, this.#credential);
    const authorization = `${proxy ? 'Proxy-Authorization' : 'Authorization'}: ${value}`;
    const second = await this.#once(dialog, method, {
      ...options,
      headers: [...(options.headers ?? []), authorization],
    });
    if (method === 'INVITE') dialog.answers.add(second);
    return second;
  }

  #once(dialog: Dialog, method: string, options: RequestOptions): Promise<SipText> {
    const cseq = dialog.cseq++;
    const branch = newBranch();
    const uri = dialog.target;
    const lines = this.#head(dialog, method, uri, cseq, branch);
    if (method === 'INVITE') this.#lastInvite.set(dialog.callId, { uri, branch, cseq, host: this.client.host });
    return new Promise((resolve, reject) => {
      // An INVITE may ring as long as it likes.
      const timer =
        method === 'INVITE'
          ? undefined
          : setTimeout(() => {
              this.#responses.delete(branch);
              reject(new Error(`${this.user}: ${method} ${uri} got no final response.`));
            }, usualWaitMs);
      this.#responses.set(branch, (response) => {
        if (response.status < 200) {
          if (method === 'INVITE') this.#early(dialog, response, cseq);
          return;
        }
        clearTimeout(timer);
        this.#responses.delete(branch);
        if (method === 'INVITE') this.#acknowledge(dialog, response, { uri, branch, cseq });
        resolve(response);
      });
      this.#send([...lines, ...(options.headers ?? [])], options.body ?? '', options.type);
    });
  }

  #head(dialog: Dialog, method: string, uri: string, cseq: number, branch: string, host = this.client.host): string[] {
    const tag = dialog.remoteTag === '' ? '' : `;tag=${dialog.remoteTag}`;
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/WSS ${host};branch=${branch}`,
      'Max-Forwards: 70',
      ...dialog.routes.map((route) => `Route: ${route}`),
      `From: <${dialog.localUri}>;tag=${dialog.localTag}`,
      `To: <${dialog.remoteUri}>${tag}`,
      `Call-ID: ${dialog.callId}`,
      `CSeq: ${cseq} ${method}`,
      ...(['INVITE', 'SUBSCRIBE', 'REFER', 'UPDATE'].includes(method) ? [this.#contact(dialog.contact)] : []),
    ];
  }

  #early(dialog: Dialog, response: SipText, cseq: number): void {
    if (response.status > 100) dialog.learn(response, true);
    dialog.answers.add(response);
    const reliable = response.header('rseq');
    if (reliable === '') return;
    // Unanswered it shows by the call that does not go on.
    this.#ask(dialog, 'PRACK', { headers: [`RAck: ${reliable} ${cseq} INVITE`] }).catch(() => {});
  }

  #acknowledge(
    dialog: Dialog,
    response: SipText,
    sent: { readonly uri: string; readonly branch: string; readonly cseq: number },
  ): void {
    if (response.status < 300) {
      dialog.learn(response, true);
      this.#send(this.#head(dialog, 'ACK', dialog.target, sent.cseq, newBranch()), '');
      return;
    }
    // RFC 3261 section 17.1.1.3: a refusal is acknowledged in the same transaction.
    const lines = this.#head(dialog, 'ACK', sent.uri, sent.cseq, sent.branch).filter((line) => !/^To:/.test(line));
    this.#send([...lines, `To: ${response.header('to')}`], '');
  }

  #cancel(dialog: Dialog): void {
    const sent = this.#lastInvite.get(dialog.callId);
    if (sent === undefined) throw new Error('Nothing to cancel.');
    const lines = this.#head(dialog, 'CANCEL', sent.uri, sent.cseq, sent.branch, sent.host).map((line) =>
      line.startsWith('To:') ? `To: <${dialog.remoteUri}>` : line,
    );
    this.#send(
      lines.filter((line) => !line.startsWith('Route:')),
      '',
    );
  }

  #received(text: string): void {
    const message = readSip(text);
    if (message.status > 0) {
      // A CANCEL has the branch of what it cancels.
      if (message.header('cseq').endsWith('CANCEL')) return;
      this.#responses.get(/branch=([^;,\s]+)/.exec(message.header('via'))?.[1] ?? '')?.(message);
      return;
    }
    // The server's own keep-alive (RFC 5626 section 4.4.1).
    if (message.method === '') return;
    const dialog = this.#dialogs.get(message.header('call-id'));
    if (message.method === 'INVITE' && dialog === undefined) {
      const from = /<([^>]+)>/.exec(message.header('from'))?.[1] ?? '';
      const made = new Dialog(
        `${this.user}'s incoming call`,
        message.header('call-id'),
        this.uri,
        from,
        from,
        randomTag(),
      );
      made.learn(message, false);
      this.#dialogs.set(made.callId, made);
      if (this.rings) this.#respond(message, 180, 'Ringing', [], made.localTag);
      this.#invited.add(message);
      return;
    }
    if (message.method === 'CANCEL') {
      this.#respond(message, 200, 'OK', [], 'cancelled');
      const invite = this.#incoming(message.header('call-id'));
      if (invite !== undefined) this.#respond(invite, 487, 'Request Terminated', [], 'refused');
    } else if (message.method === 'INVITE' || message.method === 'UPDATE') {
      this.#respond(message, 200, 'OK', [], dialog?.localTag ?? randomTag(), message.body !== '');
    } else if (message.method !== 'ACK') {
      this.#respond(message, message.method === 'REFER' ? 202 : 200, 'OK', [], dialog?.localTag ?? randomTag(), false);
    }
    if (dialog !== undefined) dialog.requests.add(message);
    else if (message.method === 'NOTIFY') this.unasked.add(message);
  }

  #incoming(callId: string): SipText | undefined {
    const text = this.client.received.find(
      (one) => one.startsWith('INVITE ') && readSip(one).header('call-id') === callId,
    );
    return text === undefined ? undefined : readSip(text);
  }

  #respond(request: SipText, status: number, reason: string, headers: string[], tag: string, described = true): void {
    const to = request.header('to');
    const withSdp = described && status >= 200 && status < 300 && /^(INVITE|UPDATE)$/.test(request.method);
    this.#send(
      [
        `SIP/2.0 ${status} ${reason}`,
        ...['via', 'record-route'].flatMap((name) => request.headers(name).map((value) => `${name}: ${value}`)),
        `From: ${request.header('from')}`,
        `To: ${to}${/;tag=/.test(to) ? '' : `;tag=${tag}`}`,
        `Call-ID: ${request.header('call-id')}`,
        `CSeq: ${request.header('cseq')}`,
        ...(status < 300 && request.method !== 'CANCEL' ? [this.#contact(), `Allow: ${allowed}`] : []),
        ...headers,
      ],
      withSdp ? description(request.body) : '',
      withSdp ? 'application/sdp' : undefined,
    );
  }

  #send(lines: readonly string[], body: string, type?: string): void {
    const content = body === '' || type === undefined ? [] : [`Content-Type: ${type}`];
    this.client.send([...lines, ...content, `Content-Length: ${Buffer.byteLength(body)}`, '', body].join('\r\n'));
  }
}

const allowed = 'INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, INFO, OPTIONS, NOTIFY, REFER';
const randomTag = (): string => randomBytes(5).toString('hex');
const newBranch = (): string => `z9hG4bK${randomBytes(8).toString('hex')}`;
