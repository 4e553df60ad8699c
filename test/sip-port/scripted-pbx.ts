/**
 * A PBX with pedals: a SIP server on a loopback WebSocket whose far ends do exactly what a test tells them, also what no decent PBX would.
 * Owns signalling by hand and sound by the sandbox's media peer; must never do anything by itself that a test might want to see not done.
 */
import { FaultPanel } from '../../sandbox/src/switch/faults.ts';
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
} from '../../sandbox/src/switch/sip-message.ts';
import { ScriptedFar } from './scripted-far.ts';

export { FarCall } from './scripted-call.ts';
export { plainRtp, type ScriptedFar } from './scripted-far.ts';

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
  /** What becomes of a call to a number that no far end has. */
  answersStrangers: (user: string) => [status: number, ...headers: SipHeader[]] = () => [404];
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
      product: undefined,
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

  /** Asks the phone by OPTIONS; resolves with the answer. `flow`: over which connection, default the one that is registered. */
  asks(method = 'OPTIONS', { flow, contact } = this.device): Promise<SipResponse> {
    return new Promise((resolve) => {
      this.send(
        flow,
        {
          kind: 'request',
          method,
          uri: contact,
          headers: [
            { name: 'From', value: `<sip:pbx@${this.domain}>;tag=${newTag()}` },
            { name: 'To', value: `<${contact}>` },
            { name: 'Call-ID', value: newTag() },
            { name: 'CSeq', value: `1 ${method}` },
          ],
          body: '',
        },
        (response) => {
          if (response.status >= 200) resolve(response);
        },
      );
    });
  }

  /** Lets time pass on the phone's clock, and the network do its part after each second: what both sides sent before has arrived. */
  async letPass(clock: { advance(ms: number): void }, ms: number): Promise<void> {
    for (let left = ms; left > 0; left -= 1_000) {
      clock.advance(Math.min(1_000, left));
      // Two round trips: the first takes along what the phone sent, the second what was answered to that.
      for (let trip = 0; trip < 2 && this.#device?.flow.open; trip += 1) await this.asks();
    }
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
    else if (request.method !== 'INVITE') transaction.respond(481, 'Not here');
    else {
      const [status, ...headers] = this.answersStrangers(parseUri(request.uri).user ?? '');
      transaction.respond(status, 'Not here', { headers });
    }
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
