/** The control port of an edge with its tables in memory: enough of Kamailio's JSON-RPC for the brakes. Owns no rule; checks nothing. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Question {
  readonly method: string;
  readonly params: readonly (string | number)[];
}

export class FakeEdge {
  readonly #server: Server;
  readonly #tables = new Map<string, Map<string, unknown>>();
  /** Tables that an older recipe does not have. */
  readonly missing = new Set<string>();
  /** Where somebody is registered: devices by extension, as the phones name themselves. */
  readonly registered = new Map<string, { readonly device: string; readonly expires?: number | string }[]>();
  /** It breaks every connection. */
  away = false;
  /** Methods that it does not take. */
  readonly refused = new Set<string>();
  /** Whatever else was asked: `<method> <parameters>`. */
  readonly asked: string[] = [];
  /** Every request that changes a table. */
  writes = 0;
  /** Called after a row was written, before that is answered. */
  afterWrite: ((table: string, key: string) => void) | null = null;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<FakeEdge> {
    const server = createServer();
    const edge = new FakeEdge(server);
    server.on('request', async (request, response) => {
      if (edge.away) {
        request.socket.destroy();
        return;
      }
      const parts: Buffer[] = [];
      for await (const part of request) parts.push(part as Buffer);
      const question = JSON.parse(Buffer.concat(parts).toString()) as Question;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ jsonrpc: '2.0', id: 1, ...edge.#answer(question) }));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return edge;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/RPC`;
  }

  table(name: string): Map<string, unknown> {
    const table = this.#tables.get(name) ?? new Map<string, unknown>();
    this.#tables.set(name, table);
    return table;
  }

  async stop(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.#server.closeAllConnections();
    await closed;
  }

  #answer({ method, params }: Question): object {
    const [name = '', key = '', value] = params;
    if (this.missing.has(String(name))) return { error: { code: 500, message: 'No such htable' } };
    if (this.refused.has(method)) return { error: { code: 403, message: 'Not allowed' } };
    const table = this.table(String(name));
    switch (method) {
      case 'ul.lookup': {
        const here = this.registered.get(String(key)) ?? [];
        if (here.length === 0) return { error: { code: 500, message: 'AOR not found in location table' } };
        const Contacts = here.map(({ device, expires = 60 }) => ({
          Contact: { Address: `sip:${key}@${device}.invalid`, Expires: expires, Instance: `<urn:uuid:${device}>` },
        }));
        return { result: { AoR: key, Contacts } };
      }
      case 'htable.get':
        return table.has(String(key))
          ? { result: { item: { name: key, value: table.get(String(key)) } } }
          : { error: { code: 500, message: 'Key name does not exist' } };
      case 'htable.sets':
      case 'htable.setxs':
        this.writes += 1;
        table.set(String(key), value);
        this.afterWrite?.(String(name), String(key));
        return { result: null };
      case 'htable.delete':
        this.writes += 1;
        table.delete(String(key));
        return { result: null };
      case 'htable.dump':
        return { result: [[...table].map(([row, held]) => ({ name: row, value: held }))] };
      default:
        this.asked.push([method, ...params].join(' '));
        return { result: null };
    }
  }
}
