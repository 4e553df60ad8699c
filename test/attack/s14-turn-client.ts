/**
 * The smallest TURN client (RFC 8656) that can ask for what it must not get: allocate, permit a peer, bind a channel, send. UDP, long-term
 * credential (RFC 8489 section 9.2), no refreshes. Owns nothing but its socket.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';

export interface TurnAnswer {
  /** 0 for success, the error code otherwise. */
  readonly code: number;
}

interface Message {
  readonly type: number;
  readonly attributes: ReadonlyMap<number, Buffer>;
}

const cookie = 0x2112a442;
const method = { allocate: 0x003, refresh: 0x004, send: 0x006, createPermission: 0x008, channelBind: 0x009 } as const;
const attribute = {
  username: 0x0006,
  integrity: 0x0008,
  error: 0x0009,
  channel: 0x000c,
  lifetime: 0x000d,
  peer: 0x0012,
  data: 0x0013,
  realm: 0x0014,
  nonce: 0x0015,
  family: 0x0017,
  transport: 0x0019,
} as const;

export class TurnClient {
  readonly #socket: Socket;
  readonly #server: { readonly address: string; readonly port: number };
  readonly #credential: { readonly username: string; readonly password: string };
  readonly #waiting = new Map<string, (message: Message) => void>();
  #realm = '';
  #nonce = '';
  #channel = 0x4000;

  constructor(
    server: { readonly address: string; readonly port: number },
    credential: { readonly username: string; readonly password: string },
  ) {
    this.#server = server;
    this.#credential = credential;
    this.#socket = createSocket('udp4');
    this.#socket.on('message', (data) => {
      const key = data.subarray(8, 20).toString('hex');
      this.#waiting.get(key)?.(parse(data));
      this.#waiting.delete(key);
    });
  }

  /** Asks for a relayed address; the first answer is the challenge. */
  async allocate(family: 4 | 6 = 4): Promise<TurnAnswer> {
    const attributes: [number, Buffer][] = [[attribute.transport, Buffer.from([17, 0, 0, 0])]];
    if (family === 6) attributes.push([attribute.family, Buffer.from([2, 0, 0, 0])]);
    const first = await this.#request(method.allocate, attributes, false);
    this.#realm = first.attributes.get(attribute.realm)?.toString() ?? '';
    this.#nonce = first.attributes.get(attribute.nonce)?.toString() ?? '';
    return toAnswer(await this.#request(method.allocate, attributes, true));
  }

  async permit(peer: string): Promise<TurnAnswer> {
    return toAnswer(await this.#request(method.createPermission, [this.#peer(peer, 0)], true));
  }

  async bind(peer: string, port: number): Promise<TurnAnswer> {
    const channel = Buffer.alloc(4);
    channel.writeUInt16BE(this.#channel);
    this.#channel += 1;
    return toAnswer(
      await this.#request(method.channelBind, [[attribute.channel, channel], this.#peer(peer, port)], true),
    );
  }

  /** Hands the server a packet for a peer; it answers nothing. */
  send(peer: string, port: number, data: string): void {
    this.#socket.send(
      this.#encode(method.send | 0x0010, [this.#peer(peer, port), [attribute.data, Buffer.from(data)]], false).message,
      this.#server.port,
      this.#server.address,
    );
  }

  /** Gives the relayed address back. */
  async release(): Promise<void> {
    await this.#request(method.refresh, [[attribute.lifetime, Buffer.alloc(4)]], true).catch(() => {});
    this.#socket.close();
  }

  #request(type: number, attributes: readonly [number, Buffer][], signed: boolean): Promise<Message> {
    const { message, id } = this.#encode(type, attributes, signed);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('The TURN server did not answer.')), 5_000);
      this.#waiting.set(id, (answer) => {
        clearTimeout(timer);
        resolve(answer);
      });
      this.#socket.send(message, this.#server.port, this.#server.address);
    });
  }

  #encode(type: number, attributes: readonly [number, Buffer][], signed: boolean): { message: Buffer; id: string } {
    const id = randomBytes(12);
    const all = [
      ...attributes.map(([kind, value]): [number, Buffer] => [
        kind,
        kind === attribute.peer ? masked(value, id) : value,
      ]),
    ];
    if (signed) {
      all.push([attribute.username, Buffer.from(this.#credential.username)]);
      all.push([attribute.realm, Buffer.from(this.#realm)], [attribute.nonce, Buffer.from(this.#nonce)]);
    }
    const body = Buffer.concat(all.map(([kind, value]) => encoded(kind, value)));
    const header = Buffer.alloc(8);
    header.writeUInt16BE(type, 0);
    header.writeUInt16BE(body.length + (signed ? 24 : 0), 2);
    header.writeUInt32BE(cookie, 4);
    const message = Buffer.concat([header, id, body]);
    if (!signed) return { message, id: id.toString('hex') };
    const { username, password } = this.#credential;
    const key = createHash('md5').update(`${username}:${this.#realm}:${password}`).digest();
    const mac = createHmac('sha1', key).update(message).digest();
    return { message: Buffer.concat([message, encoded(attribute.integrity, mac)]), id: id.toString('hex') };
  }

  /** Family, port and address in the clear; masked when the transaction id is known. */
  #peer(address: string, port: number): [number, Buffer] {
    const bytes = isIPv6(address) ? bytesOf6(address) : Buffer.from(address.split('.').map(Number));
    const value = Buffer.alloc(4 + bytes.length);
    value.writeUInt8(bytes.length === 16 ? 2 : 1, 1);
    value.writeUInt16BE(port, 2);
    bytes.copy(value, 4);
    return [attribute.peer, value];
  }
}

/** XOR-PEER-ADDRESS, RFC 8489 section 14.2. */
function masked(value: Buffer, id: Buffer): Buffer {
  const mask = Buffer.alloc(16);
  mask.writeUInt32BE(cookie, 0);
  id.copy(mask, 4);
  const out = Buffer.from(value);
  out.writeUInt16BE(value.readUInt16BE(2) ^ (cookie >>> 16), 2);
  for (let at = 4; at < out.length; at += 1) out[at] = (value[at] ?? 0) ^ (mask[at - 4] ?? 0);
  return out;
}

function encoded(kind: number, value: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt16BE(kind, 0);
  head.writeUInt16BE(value.length, 2);
  return Buffer.concat([head, value, Buffer.alloc((4 - (value.length % 4)) % 4)]);
}

function parse(data: Buffer): Message {
  const attributes = new Map<number, Buffer>();
  for (let at = 20; at + 4 <= data.length; ) {
    const length = data.readUInt16BE(at + 2);
    attributes.set(data.readUInt16BE(at), data.subarray(at + 4, at + 4 + length));
    at += 4 + length + ((4 - (length % 4)) % 4);
  }
  return { type: data.readUInt16BE(0), attributes };
}

function toAnswer({ type, attributes }: Message): TurnAnswer {
  if ((type & 0x0110) === 0x0100) return { code: 0 };
  const error = attributes.get(attribute.error);
  return { code: error === undefined ? -1 : (error[2] ?? 0) * 100 + (error[3] ?? 0) };
}

/** Sixteen bytes of an IPv6 address, with an IPv4 ending where it has one. */
function bytesOf6(address: string): Buffer {
  const ending = /(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(address);
  const hex = (a: string | undefined, b: string | undefined): string => ((Number(a) << 8) | Number(b)).toString(16);
  const text = ending === null ? address : `${ending[1]}${hex(ending[2], ending[3])}:${hex(ending[4], ending[5])}`;
  const [left = '', right] = text.split('::');
  const head = left === '' ? [] : left.split(':');
  const tail = right === undefined || right === '' ? [] : right.split(':');
  const groups = [
    ...head,
    ...Array.from({ length: right === undefined ? 0 : 8 - head.length - tail.length }, () => '0'),
    ...tail,
  ];
  return Buffer.from(groups.flatMap((group) => [Number.parseInt(group, 16) >> 8, Number.parseInt(group, 16) & 0xff]));
}
