/**
 * Stands between a phone and its PBX: passes on what they say, lets a test slip messages of its own to the phone, and answers for whoever those
 * came from. Must never change what the two say to each other unless it was told to.
 */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocket, WebSocketServer } from 'ws';

const branchOf = (text: string): string => /^(?:via|v)\s*:[^\r\n]*?;\s*branch=([^;,\s]+)/im.exec(text)?.[1] ?? '';
/** A header field of a text, unfolded. */
const fieldOf = (text: string, name: string): string =>
  new RegExp(`^${name}[ \\t]*:\\s*([^\\r\\n]*)`, 'im').exec(text.replaceAll(/\r\n[ \t]+/g, ' '))?.[1] ?? '';

export class Wiretap {
  /** What the phone asked last, by method: an answer needs its ids. */
  readonly asked = new Map<string, string>();
  /** Told of every genuine response before the phone gets it; what is returned goes to the phone first. */
  beforeResponse: (text: string) => readonly string[] = () => [];
  /** Told when the phone is reached by another connection than before. */
  onPhone: () => void = () => {};
  /** How the phone answered what was slipped in, by status. */
  readonly answers = new Map<number, number>();
  readonly #server: WebSocketServer;
  readonly #pbxUrl: string;
  readonly #genuine = new Set<string>();
  readonly #awaited = new Map<string, () => void>();
  /** The phone's open connections, the newest last. One that it opened beside a doubted one, and gave up again, leaves that one in use. */
  readonly #phones: WebSocket[] = [];
  #acks = 0;

  private constructor(server: WebSocketServer, pbxUrl: string) {
    this.#server = server;
    this.#pbxUrl = pbxUrl;
    server.on('connection', (socket) => this.#join(socket));
  }

  static async start(pbxUrl: string): Promise<Wiretap> {
    const server = new WebSocketServer({
      host: '127.0.0.1',
      port: 0,
      maxPayload: 8 * 1024 * 1024,
      handleProtocols: (protocols) => (protocols.has('sip') ? 'sip' : false),
    });
    await once(server, 'listening');
    return new Wiretap(server, pbxUrl);
  }

  get url(): string {
    return `ws://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Sends to the phone what no PBX sent. Lost when the phone is not connected. */
  slip(message: string | Uint8Array): void {
    const phone = this.#phones.at(-1);
    if (phone?.readyState === WebSocket.OPEN) phone.send(message);
  }

  /** Resolves when the phone gives a final answer to the slipped-in request of that branch. */
  answerTo(branch: string): Promise<void> {
    return new Promise((resolve) => this.#awaited.set(branch, resolve));
  }

  async close(): Promise<void> {
    for (const socket of this.#server.clients) socket.terminate();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #join(phone: WebSocket): void {
    const pbx = new WebSocket(this.#pbxUrl, 'sip');
    const early: string[] = [];
    pbx.on('open', () => {
      for (const text of early.splice(0)) pbx.send(text);
    });
    pbx.on('message', (data: RawData) => this.#fromPbx(String(data), phone));
    phone.on('message', (data: RawData) => {
      const text = String(data);
      if (!this.#isForPbx(text)) return;
      if (pbx.readyState === WebSocket.OPEN) pbx.send(text);
      else early.push(text);
    });
    for (const socket of [phone, pbx]) socket.on('error', () => undefined);
    phone.on('close', () => {
      pbx.terminate();
      const inUse = this.#phones.at(-1) === phone;
      this.#phones.splice(this.#phones.indexOf(phone), 1);
      if (inUse && this.#phones.length > 0) this.onPhone();
    });
    pbx.on('close', () => phone.terminate());
    this.#phones.push(phone);
    this.onPhone();
  }

  #fromPbx(text: string, phone: WebSocket): void {
    if (text.startsWith('SIP/2.0 ')) for (const before of this.beforeResponse(text)) this.slip(before);
    else if (text.includes(':')) this.#genuine.add(branchOf(text));
    if (phone.readyState === WebSocket.OPEN) phone.send(text);
  }

  /** Requests and keep-alives always are; responses when they answer what the PBX asked. */
  #isForPbx(text: string): boolean {
    const status = Number(/^SIP\/2\.0 (\d{3})/.exec(text)?.[1] ?? 0);
    if (status === 0) {
      const method = /^([A-Z]+) /.exec(text)?.[1];
      if (method !== undefined) this.asked.set(method, text);
      return true;
    }
    const branch = branchOf(text);
    if (this.#genuine.has(branch)) return true;
    if (status >= 200) {
      this.#awaited.get(branch)?.();
      this.#awaited.delete(branch);
    }
    if (status > 100) this.answers.set(status, (this.answers.get(status) ?? 0) + 1);
    // Who asks for a call acknowledges its answer, or the phone repeats it for half a minute.
    if (status >= 200 && /^\d+\s+INVITE/i.test(fieldOf(text, 'CSeq'))) this.#acknowledge(text, status);
    return false;
  }

  #acknowledge(answer: string, status: number): void {
    this.#acks += 1;
    const target = status < 300 ? (/<([^>]+)>/.exec(fieldOf(answer, 'Contact'))?.[1] ?? 'sip:a@b.invalid') : undefined;
    const to = fieldOf(answer, 'To');
    this.slip(
      [
        `ACK ${target ?? /<([^>]+)>/.exec(to)?.[1] ?? 'sip:a@b.invalid'} SIP/2.0`,
        // The ACK of a refusal belongs to the INVITE's transaction, that of an acceptance is one of its own.
        status < 300
          ? `Via: SIP/2.0/WS torture.invalid;branch=z9hG4bKack${this.#acks}`
          : `Via: ${fieldOf(answer, 'Via')}`,
        `From: ${fieldOf(answer, 'From')}`,
        `To: ${to}`,
        `Call-ID: ${fieldOf(answer, 'Call-ID')}`,
        `CSeq: ${Number.parseInt(fieldOf(answer, 'CSeq'), 10)} ACK`,
        'Max-Forwards: 70',
        'Content-Length: 0',
        '',
        '',
      ].join('\r\n'),
    );
  }
}
