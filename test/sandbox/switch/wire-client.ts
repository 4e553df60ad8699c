/**
 * A SIP phone made by hand, message by message, so that a test can do what a library would never let it do.
 * Owns one WebSocket and an inbox; its sound is a MediaPeer that sends one tone.
 */
import { createHash, randomBytes } from 'node:crypto';
import { WebSocket } from 'ws';
import { MediaPeer } from '../../../sandbox/src/switch/media-peer.ts';
import {
  header,
  parseNameAddress,
  parseParams,
  parseSip,
  type SipHeader,
  type SipMessage,
  type SipRequest,
  type SipResponse,
  sequence,
  serialiseSip,
  splitOutside,
} from '../../../sandbox/src/switch/sip-message.ts';
import { Ear, levelAt, tone, type Voice } from '../../../sandbox/src/switch/sound.ts';

const token = (): string => randomBytes(6).toString('hex');

export type ClientDialog = {
  callId: string;
  localTag: string;
  remoteTag: string;
  local: string;
  remote: string;
  target: string;
  sequence: number;
};

export class WireClient {
  readonly extension: string;
  readonly domain: string;
  readonly contact: string;
  readonly instance = `urn:uuid:${token()}`;
  readonly inbox: SipMessage[] = [];
  username = '';
  password = '';
  #socket: WebSocket;
  #waiting: { matches: (message: SipMessage) => boolean; resolve: (message: SipMessage) => void }[] = [];
  #sequence = 1;

  private constructor(socket: WebSocket, extension: string, domain: string) {
    this.extension = extension;
    this.domain = domain;
    this.contact = `sip:${token()}@${token()}.invalid;transport=ws`;
    this.#socket = socket;
    this.#listen();
  }

  static async connect(url: string, extension: string, domain: string): Promise<WireClient> {
    return new WireClient(await open(url), extension, domain);
  }

  /** A new WebSocket for the same phone, as after a broken network. */
  async reconnect(url: string): Promise<void> {
    this.#socket = await open(url);
    this.#listen();
  }

  #listen(): void {
    this.#socket.on('message', (data) => {
      const text = String(data);
      if (/^(\r?\n)*$/.test(text)) return;
      const message = parseSip(text);
      const index = this.#waiting.findIndex((entry) => entry.matches(message));
      if (index >= 0) this.#waiting.splice(index, 1)[0]?.resolve(message);
      else this.inbox.push(message);
    });
  }

  get open(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  closed(): Promise<void> {
    return new Promise((resolve) => (this.open ? this.#socket.once('close', () => resolve()) : resolve()));
  }

  close(): void {
    this.#socket.terminate();
  }

  raw(text: string): void {
    this.#socket.send(text);
  }

  /** The next raw frame, for keep-alives and answers that are not whole SIP messages. */
  frame(): Promise<string> {
    return new Promise((resolve) => this.#socket.once('message', (data) => resolve(String(data))));
  }

  /** The first message that matches, from the inbox or yet to come; it is taken out of the inbox. */
  next(matches: (message: SipMessage) => boolean): Promise<SipMessage> {
    const index = this.inbox.findIndex(matches);
    const found = index >= 0 ? this.inbox.splice(index, 1)[0] : undefined;
    if (found) return Promise.resolve(found);
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }

  async nextRequest(method: string): Promise<SipRequest> {
    return (await this.next((message) => message.kind === 'request' && message.method === method)) as SipRequest;
  }

  async nextResponse(method: string, least = 200): Promise<SipResponse> {
    return (await this.next(
      (message) => message.kind === 'response' && message.status >= least && sequence(message).method === method,
    )) as SipResponse;
  }

  /** Builds and sends a request outside a dialog; returns it, so that it can be repeated or cancelled. */
  request(
    method: string,
    uri: string,
    extra: SipHeader[] = [],
    body = '',
    given: { callId?: string } = {},
  ): SipRequest {
    const request: SipRequest = {
      kind: 'request',
      method,
      uri,
      headers: [
        { name: 'Via', value: `SIP/2.0/WS ${token()}.invalid;branch=z9hG4bK${token()}` },
        ...(extra.some((entry) => entry.name === 'From')
          ? []
          : [
              {
                name: 'From',
                value: `"Agent ${this.extension}" <sip:${this.extension}@${this.domain}>;tag=${token()}`,
              },
            ]),
        { name: 'To', value: `<${method === 'REGISTER' ? `sip:${this.extension}@${this.domain}` : uri}>` },
        { name: 'Call-ID', value: given.callId ?? token() },
        { name: 'CSeq', value: `${this.#sequence++} ${method}` },
        ...extra,
        ...(body === '' ? [] : [{ name: 'Content-Type', value: 'application/sdp' }]),
      ],
      body,
    };
    this.send(request);
    return request;
  }

  send(message: SipMessage): void {
    this.#socket.send(serialiseSip(message));
  }

  respond(request: SipRequest, status: number, reason: string, extra: SipHeader[] = [], body = '', tag = ''): void {
    const headers = request.headers
      .filter((entry) => ['Via', 'From', 'To', 'Call-ID', 'CSeq'].includes(entry.name))
      .map((entry) => (entry.name === 'To' && tag !== '' ? { name: 'To', value: `${entry.value};tag=${tag}` } : entry));
    this.send({ kind: 'response', status, reason, headers: [...headers, ...extra], body });
  }

  /** Sends a request and answers one challenge with the client's credential. */
  async authenticated(
    method: string,
    uri: string,
    extra: SipHeader[] = [],
    body = '',
  ): Promise<{ request: SipRequest; response: SipResponse }> {
    const first = this.request(method, uri, extra, body);
    const challenge = await this.nextResponse(method);
    if (challenge.status !== 401 && challenge.status !== 407) return { request: first, response: challenge };
    if (method === 'INVITE') this.ackRefusal(first, challenge);
    const proxy = challenge.status === 407;
    const line = header(challenge, proxy ? 'Proxy-Authenticate' : 'WWW-Authenticate') ?? '';
    const value = this.#digest(line, method, uri);
    const request = this.request(
      method,
      uri,
      [...extra, { name: proxy ? 'Proxy-Authorization' : 'Authorization', value }],
      body,
    );
    return { request, response: await this.nextResponse(method) };
  }

  #digest(challenge: string, method: string, uri: string): string {
    const params = parseParams(splitOutside(challenge.replace(/^Digest /, ''), ','));
    const algorithm = params.get('algorithm') ?? 'MD5';
    const hash = (text: string): string =>
      createHash(algorithm === 'MD5' ? 'md5' : algorithm.replace('SHA-', 'sha'))
        .update(text)
        .digest('hex');
    const [realm, nonce] = [params.get('realm') ?? '', params.get('nonce') ?? ''];
    const cnonce = token();
    const response = hash(
      `${hash(`${this.username}:${realm}:${this.password}`)}:${nonce}:00000001:${cnonce}:auth:${hash(`${method}:${uri}`)}`,
    );
    return `Digest username="${this.username}", realm="${realm}", nonce="${nonce}", uri="${uri}", algorithm=${algorithm}, qop=auth, nc=00000001, cnonce="${cnonce}", response="${response}"`;
  }

  /** REGISTERs as a device with outbound and GRUU; `expires` 0 signs out. */
  async register(expires = 300): Promise<SipResponse> {
    const { response } = await this.authenticated('REGISTER', `sip:${this.domain}`, [
      { name: 'Contact', value: `<${this.contact}>;+sip.instance="<${this.instance}>";reg-id=1;expires=${expires}` },
      { name: 'Supported', value: 'outbound, gruu, path' },
    ]);
    return response;
  }

  /** Our GRUU as the switch gave it, for the Contact of calls that have to survive the socket. */
  gruu(): string {
    return `<sip:${this.extension}@${this.domain};gr=${this.instance}>`;
  }

  ackRefusal(request: SipRequest, response: SipResponse): void {
    this.send({
      kind: 'request',
      method: 'ACK',
      uri: request.uri,
      headers: [
        ...request.headers.filter((entry) => ['Via', 'From', 'Call-ID'].includes(entry.name)),
        { name: 'To', value: header(response, 'To') ?? '' },
        { name: 'CSeq', value: `${sequence(request).number} ACK` },
      ],
      body: '',
    });
  }

  /** The dialog after a 2xx to our INVITE. */
  dialogFrom(request: SipRequest, response: SipResponse): ClientDialog {
    const [local, remote] = [header(request, 'From') ?? '', header(response, 'To') ?? ''];
    return {
      callId: header(request, 'Call-ID') ?? '',
      localTag: parseNameAddress(local).params.get('tag') ?? '',
      remoteTag: parseNameAddress(remote).params.get('tag') ?? '',
      local,
      remote,
      target: parseNameAddress(header(response, 'Contact') ?? '<sip:refused@nowhere.invalid>').uri,
      sequence: sequence(request).number,
    };
  }

  /** A request inside a dialog; ACK and CANCEL keep the INVITE's number. */
  inDialog(dialog: ClientDialog, method: string, extra: SipHeader[] = [], body = ''): SipRequest {
    if (method !== 'ACK') dialog.sequence += 1;
    const request: SipRequest = {
      kind: 'request',
      method,
      uri: dialog.target,
      headers: [
        { name: 'Via', value: `SIP/2.0/WS ${token()}.invalid;branch=z9hG4bK${token()}` },
        { name: 'From', value: dialog.local },
        { name: 'To', value: dialog.remote },
        { name: 'Call-ID', value: dialog.callId },
        { name: 'CSeq', value: `${dialog.sequence} ${method}` },
        ...extra,
        ...(body === '' ? [] : [{ name: 'Content-Type', value: 'application/sdp' }]),
      ],
      body,
    };
    this.send(request);
    return request;
  }

  /** Calls a number with real sound and acknowledges the answer. */
  async call(number: string, extra: SipHeader[] = [], sound = new ClientSound()): Promise<ClientCall> {
    const { request, response } = await this.authenticated(
      'INVITE',
      `sip:${number}@${this.domain}`,
      [{ name: 'Contact', value: this.gruu() }, ...extra],
      await sound.peer.offer(),
    );
    if (response.status !== 200) {
      this.ackRefusal(request, response);
      sound.close();
      throw new Error(`call refused with ${response.status}`);
    }
    const dialog = this.dialogFrom(request, response);
    this.inDialog(dialog, 'ACK');
    await sound.peer.accept(response.body);
    return { dialog, sound };
  }

  /** Answers an INVITE of the switch with real sound and waits for its ACK. */
  async answer(invite: SipRequest, sound = new ClientSound()): Promise<ClientCall> {
    const tag = token();
    const sdp = await sound.peer.answer(invite.body);
    this.respond(
      invite,
      200,
      'OK',
      [
        { name: 'Contact', value: this.gruu() },
        { name: 'Content-Type', value: 'application/sdp' },
      ],
      sdp,
      tag,
    );
    await this.nextRequest('ACK');
    const remote = header(invite, 'From') ?? '';
    return {
      sound,
      dialog: {
        callId: header(invite, 'Call-ID') ?? '',
        localTag: tag,
        remoteTag: parseNameAddress(remote).params.get('tag') ?? '',
        local: `${header(invite, 'To') ?? ''};tag=${tag}`,
        remote,
        target: parseNameAddress(header(invite, 'Contact') ?? '').uri,
        sequence: 0,
      },
    };
  }
}

export type ClientCall = { dialog: ClientDialog; sound: ClientSound };

/** The client's microphone (a sine of 1000 Hz) and ear. */
export class ClientSound {
  readonly peer = new MediaPeer(['127.0.0.1']);
  readonly #ear = new Ear();
  readonly #timer: NodeJS.Timeout;
  #sung: { voices: Voice[]; frames: number; done: () => void } | undefined;

  constructor(hz = 1000) {
    const voice = tone(hz);
    this.#timer = setInterval(() => {
      const frame = new Int16Array(160);
      if (this.#sung) this.#sing(this.#sung, frame);
      else voice.fill(frame);
      this.peer.write(frame);
      this.#ear.hear(this.peer.read() ?? new Int16Array(160));
    }, 20);
  }

  /** Sends these tones together instead of its own for a while; none is silence. Resolves when they have left. */
  sing(hz: readonly number[], forMs: number): Promise<void> {
    return new Promise((done) => {
      this.#sung = { voices: hz.map((each) => tone(each, 0.15)), frames: forMs / 20, done };
    });
  }

  #sing(song: { voices: Voice[]; frames: number; done: () => void }, frame: Int16Array): void {
    for (const voice of song.voices) {
      const part = new Int16Array(frame.length);
      voice.fill(part);
      part.forEach((sample, index) => {
        frame[index] = (frame[index] ?? 0) + sample;
      });
    }
    song.frames -= 1;
    if (song.frames > 0) return;
    this.#sung = undefined;
    song.done();
  }

  level(hz: number, windowMs = 300): number {
    return levelAt(this.#ear.last(windowMs), hz);
  }

  close(): void {
    clearInterval(this.#timer);
    this.peer.close();
  }
}

async function open(url: string, protocols: string[] = ['sip']): Promise<WebSocket> {
  const socket = new WebSocket(url, protocols);
  await new Promise<void>((resolve, reject) => {
    socket.once('open', () => resolve());
    socket.once('error', reject);
  });
  return socket;
}

export { open as openSocket };
