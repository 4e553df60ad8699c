/**
 * The sandbox switch: a SIP server on a WebSocket whose callers have real sound, for demos and tests without a PBX.
 * This door wires socket, registrar, credentials and exchange together and answers what is outside a call.
 * Test equipment: it must never be anybody's production path.
 */
import { AgentCall, type AgentCallPorts, ALLOWED } from './agent-call.ts';
import { type CallDescription, type CallEntry, dialled } from './call-book.ts';
import { type CallerDescription, type CallerKind, DEMO_CALLERS } from './caller.ts';
import { CredentialGate, type DigestAlgorithm, mintCredential } from './credentials.ts';
import type { DialogId } from './dialog.ts';
import { Exchange } from './exchange.ts';
import { FaultPanel } from './faults.ts';
import { Registrar } from './registrar.ts';
import { type ServerTransaction, SipEndpoint, TRANSACTION_MS } from './sip-endpoint.ts';
import {
  header,
  headerList,
  parseNameAddress,
  parseParams,
  parseUri,
  type SipHeader,
  sequence,
  splitOutside,
} from './sip-message.ts';
import { levelAt, rms, type SoundStyle } from './sound.ts';
import { SwitchEmitter } from './switch-events.ts';

export type { CallDescription } from './call-book.ts';
export type { CallerDescription, CallerKind } from './caller.ts';
export { type DigestAlgorithm, mintCredential } from './credentials.ts';

export { HOLD_TONE_HZ, keyToneHz, type SoundStyle } from './sound.ts';

export type SwitchOptions = {
  /** Default 127.0.0.1. */
  host?: string;
  /** 0 or absent: any free port. */
  port?: number;
  /** SIP domain and digest realm. */
  domain: string;
  /** Shared with the relay, which mints `<unix expiry>:<extension>` credentials with it. */
  credentialSecret: string;
  /** Replaces the demo directory. */
  callers?: readonly CallerDescription[];
  /** Only these host addresses are offered for sound; absent: every interface and loopback. Tests give ['127.0.0.1']. */
  iceAddresses?: readonly string[];
  /** Default 'pleasant'. Tests take 'tones': every voice is one sine. */
  sound?: SoundStyle;
  /** Digest algorithms offered, best first. Default ['MD5']. */
  digestAlgorithms?: readonly DigestAlgorithm[];
  /** How long a 200 waits for its ACK before the call is ended. Default 32 s. */
  ackDeadlineMs?: number;
};

export type CallAgentOptions = {
  callerNumber: string;
  callerName?: string;
  /** Default: as listed in the directory, else 'person'. */
  kind?: CallerKind;
  toneHz?: number;
  /** Gives up (CANCEL) when nobody has answered after this many seconds; default 60. */
  ringSeconds?: number;
  /** Further headers of the INVITE, for instance Alert-Info or Call-Info. */
  headers?: Record<string, string>;
};

/** A call that a caller has made to an agent. */
export type PlacedCall = {
  readonly id: string;
  /** True when an agent answered; false when nobody did. */
  readonly answered: Promise<boolean>;
  readonly ended: Promise<CallDescription>;
  describe(): CallDescription;
  /** Before the answer this is CANCEL, after it BYE. */
  hangUp(): void;
  /** The caller puts the agent on hold: the agent hears music. */
  hold(): void;
  resume(): void;
  heard(windowMs?: number): Hearing;
};

/** What a party has received; levels are parts of full scale, 0 to 1. */
export type Hearing = { readonly rms: number; levelAt(hz: number): number };

export type Switch = {
  /** ws://host:port, subprotocol `sip`. */
  readonly url: string;
  readonly domain: string;
  readonly directory: readonly CallerDescription[];
  readonly events: SwitchEmitter;
  readonly faults: FaultPanel;
  /** Resolves once the agent's devices have been called. Rejects when nobody is registered for the extension. */
  callAgent(extension: string, options: CallAgentOptions): Promise<PlacedCall>;
  registered(): { extension: string; contact: string; expiresAt: number }[];
  /** Live and finished calls, oldest first. */
  calls(): CallDescription[];
  /** What the far side received lately: by call id, caller number, or extension. Default window 500 ms. */
  heard(reference: string, windowMs?: number): Hearing;
  /** Keys pressed by the agent in this call (id or far-side number). */
  digits(reference: string): string;
  /** The far side hangs up. Throws when no such call is live. */
  hangUp(reference: string): void;
  /** The far side holds or resumes the call. Throws when no such call is live. */
  hold(reference: string, held: boolean): void;
  /** Credentials of this extension are refused from now on and its devices forgotten; running calls go on. */
  revoke(extension: string): void;
  allow(extension: string): void;
  /** A working credential, as the relay would mint it. */
  credential(extension: string, validForSeconds?: number): { username: string; password: string; expiresAt: number };
  /** Cuts all WebSockets; the switch goes on listening. */
  dropSockets(): void;
  close(): Promise<void>;
};

const SUPPORTED_EXTENSIONS = ['replaces', 'outbound', 'gruu', 'path'];

/** Starts a switch. Rejects when the port is taken or an option is unusable. */
export async function startSwitch(options: SwitchOptions): Promise<Switch> {
  if (options.domain.trim() === '')
    throw new Error('The switch needs a SIP domain: give `domain`, for instance "sandbox.example".');
  if (options.credentialSecret === '')
    throw new Error('The switch needs `credentialSecret`, the same as the relay mints credentials with.');
  const core = new SwitchCore(options);
  await core.listen();
  return core;
}

class SwitchCore implements Switch {
  readonly domain: string;
  readonly directory: readonly CallerDescription[];
  readonly events = new SwitchEmitter();
  readonly faults = new FaultPanel();
  readonly #options: SwitchOptions;
  readonly #gate: CredentialGate;
  readonly #registrar: Registrar;
  #endpoint: SipEndpoint | undefined;
  #exchange: Exchange | undefined;
  #ports: AgentCallPorts | undefined;
  #refusedInvites = 0;

  constructor(options: SwitchOptions) {
    this.#options = options;
    this.domain = options.domain.toLowerCase();
    this.directory = options.callers ?? DEMO_CALLERS;
    this.#gate = new CredentialGate(this.domain, options.credentialSecret, options.digestAlgorithms ?? ['MD5']);
    this.#registrar = new Registrar(this.domain, {
      onRegistered: ({ extension, contact, expiresAt }) =>
        this.events.emit('registered', { extension, contact, expiresAt }),
      onUnregistered: ({ extension, contact }) => this.events.emit('unregistered', { extension, contact }),
    });
  }

  async listen(): Promise<void> {
    const endpoint = await SipEndpoint.start({
      host: this.#options.host ?? '127.0.0.1',
      port: this.#options.port ?? 0,
      faults: this.faults,
      onRequest: (transaction) => this.#onRequest(transaction),
      onFlowClosed: (flow) => this.#registrar.flowClosed(flow),
    });
    this.#endpoint = endpoint;
    const ports: AgentCallPorts = {
      domain: this.domain,
      address: endpoint.address,
      iceAddresses: this.#options.iceAddresses,
      ackDeadlineMs: this.#options.ackDeadlineMs ?? TRANSACTION_MS,
      faults: () => this.faults.current,
      send: (flow, request, onResponse) => endpoint.send(flow, request, onResponse),
      flowFor: (target) => this.#registrar.flowFor(target),
    };
    this.#exchange = new Exchange({
      callers: this.directory,
      style: this.#options.sound ?? 'pleasant',
      faults: this.faults,
      registrar: this.#registrar,
      events: this.events,
      ports,
    });
    this.#exchange.onRefer = (call, transaction) => this.#onRefer(call, transaction);
    this.#ports = ports;
  }

  get url(): string {
    return `ws://${this.#endpoint?.address ?? ''}`;
  }

  async callAgent(extension: string, options: CallAgentOptions): Promise<PlacedCall> {
    const listed = this.directory.find((caller) => dialled(caller.number) === dialled(options.callerNumber));
    const name = options.callerName ?? listed?.name;
    const toneHz = options.toneHz ?? listed?.toneHz;
    const description: CallerDescription = {
      number: options.callerNumber,
      kind: options.kind ?? listed?.kind ?? 'person',
      ...(name === undefined ? {} : { name }),
      ...(toneHz === undefined ? {} : { toneHz }),
    };
    const headers: SipHeader[] = Object.entries(options.headers ?? {}).map(([key, value]) => ({ name: key, value }));
    let timer: NodeJS.Timeout | undefined;
    let settle: (answered: boolean) => void = () => undefined;
    const answered = new Promise<boolean>((resolve) => {
      settle = (yes) => {
        clearTimeout(timer);
        resolve(yes);
      };
    });
    const placed = this.#exchange?.callAgent(description, extension, headers, settle);
    if (!placed) throw new Error(`Agent ${extension} cannot be called: no phone is registered for this extension.`);
    const { entry, caller } = placed;
    const ended = this.events.next('call.ended', (call) => call.id === entry.description.id);
    void ended.then(() => settle(false));
    timer = setTimeout(
      () => caller.hangUp({ by: 'far side', status: 487, reason: 'the caller gave up' }),
      (options.ringSeconds ?? 60) * 1000,
    );
    return {
      id: entry.description.id,
      answered,
      ended,
      describe: () => ({ ...entry.description }),
      hangUp: () => caller.hangUp({ by: 'far side' }),
      hold: () => this.#exchange?.holdFromFarSide(entry, true),
      resume: () => this.#exchange?.holdFromFarSide(entry, false),
      heard: (windowMs) => hearing(caller.heard(windowMs ?? 500)),
    };
  }

  registered(): { extension: string; contact: string; expiresAt: number }[] {
    return this.#registrar.all().map(({ extension, contact, expiresAt }) => ({ extension, contact, expiresAt }));
  }

  calls(): CallDescription[] {
    return this.#exchange?.book.all() ?? [];
  }

  heard(reference: string, windowMs = 500): Hearing {
    return hearing(this.#exchange?.ear(reference)?.heard(windowMs) ?? new Int16Array(0));
  }

  digits(reference: string): string {
    return this.#exchange?.book.find(reference)?.description.digits ?? '';
  }

  hangUp(reference: string): void {
    this.#liveCall(reference).far?.hangUp({ by: 'far side' });
  }

  hold(reference: string, held: boolean): void {
    this.#exchange?.holdFromFarSide(this.#liveCall(reference), held);
  }

  #liveCall(reference: string): CallEntry {
    const entry = this.#exchange?.book.find(reference);
    if (!entry || entry.description.state === 'ended')
      throw new Error(`No live call has this id or far-side number: ${reference.slice(0, 4)}…`);
    return entry;
  }

  revoke(extension: string): void {
    this.#gate.revoke(extension);
    this.#registrar.forget(extension);
  }

  allow(extension: string): void {
    this.#gate.allow(extension);
  }

  credential(extension: string, validForSeconds = 3600): { username: string; password: string; expiresAt: number } {
    return mintCredential(this.#options.credentialSecret, extension, validForSeconds);
  }

  dropSockets(): void {
    this.#endpoint?.dropSockets();
  }

  async close(): Promise<void> {
    this.#exchange?.close();
    this.#registrar.close();
    await this.#endpoint?.close();
  }

  #onRequest(transaction: ServerTransaction): void {
    const { request } = transaction;
    const toTag = parseNameAddress(header(request, 'To') ?? '').params.get('tag');
    if (toTag !== undefined) {
      this.#inDialog(transaction, toTag);
      return;
    }
    const unknown = headerList(request, 'Require').filter((tag) => !SUPPORTED_EXTENSIONS.includes(tag.toLowerCase()));
    if (unknown.length > 0 && request.method !== 'ACK') {
      transaction.respond(420, 'Bad Extension', {
        headers: [{ name: 'Unsupported', value: unknown.join(', ') }],
      });
      return;
    }
    switch (request.method) {
      case 'REGISTER':
        this.#onRegister(transaction);
        return;
      case 'INVITE':
        this.#onInvite(transaction);
        return;
      case 'OPTIONS':
        transaction.respond(200, 'OK', {
          headers: [
            { name: 'Allow', value: ALLOWED },
            { name: 'Accept', value: 'application/sdp' },
            { name: 'Supported', value: 'replaces, outbound, gruu' },
          ],
        });
        return;
      case 'ACK':
        return;
      case 'SUBSCRIBE':
        transaction.respond(489, 'Bad Event');
        return;
      case 'REFER':
        transaction.respond(403, 'Only an answered call can be transferred');
        return;
      case 'BYE':
      case 'INFO':
      case 'NOTIFY':
      case 'UPDATE':
        transaction.respond(481, 'Call/Transaction Does Not Exist');
        return;
      default:
        transaction.respond(405, 'Method Not Allowed', { headers: [{ name: 'Allow', value: ALLOWED }] });
        return;
    }
  }

  #inDialog(transaction: ServerTransaction, localTag: string): void {
    const { request } = transaction;
    const call = this.#exchange?.findCall({
      callId: header(request, 'Call-ID') ?? '',
      localTag,
      remoteTag: parseNameAddress(header(request, 'From') ?? '').params.get('tag') ?? '',
    });
    if (call) {
      call.receive(transaction);
      return;
    }
    transaction.respond(481, 'Call/Transaction Does Not Exist');
  }

  /** The proven extension, or undefined after the challenge or refusal has gone out. */
  #proven(transaction: ServerTransaction): string | undefined {
    const verdict = this.#gate.check(transaction.request);
    if (verdict.ok) return verdict.extension;
    transaction.respond(verdict.status, verdict.reason, { headers: verdict.challenges });
    return undefined;
  }

  #onRegister(transaction: ServerTransaction): void {
    const refusal = this.faults.current.refuseRegister;
    if (refusal) {
      transaction.respond(refusal.status, refusal.reason);
      return;
    }
    const extension = this.#proven(transaction);
    if (extension !== undefined) this.#registrar.register(transaction, extension);
  }

  #onInvite(transaction: ServerTransaction): void {
    const extension = this.#proven(transaction);
    if (extension === undefined || !this.#ports || !this.#exchange) return;
    const refusal = this.faults.current.refuseInvite;
    if (refusal && this.#refusedInvites < (refusal.times ?? Number.POSITIVE_INFINITY)) {
      this.#refusedInvites += 1;
      transaction.respond(refusal.status, refusal.reason);
      return;
    }
    if (!refusal) this.#refusedInvites = 0;
    const { request } = transaction;
    const replaces = header(request, 'Replaces');
    const old = replaces === undefined ? undefined : this.#exchange.findCall(replacedDialog(replaces));
    if (replaces !== undefined) {
      if (!old?.answered) {
        const over = old !== undefined && !old.live;
        transaction.respond(over ? 603 : 481, over ? 'Decline' : 'Call/Transaction Does Not Exist');
        return;
      }
      if (/;\s*early-only/i.test(replaces)) {
        transaction.respond(486, 'Busy Here');
        return;
      }
      if (old.number !== extension) {
        transaction.respond(403, 'Only the agent of a call may replace it');
        return;
      }
    }
    const target = parseUri(request.uri);
    if (
      !old &&
      target.scheme !== 'tel' &&
      target.host !== this.domain &&
      `${target.host}:${target.port}` !== this.#ports.address
    ) {
      transaction.respond(404, 'Domain is not served here');
      return;
    }
    const name = parseNameAddress(header(request, 'From') ?? '').display;
    const call = AgentCall.placedBy(extension, name === '' ? undefined : name, transaction, this.#ports);
    if (old) void this.#exchange.replace(old, call);
    else this.#exchange.place(call, target.user);
  }

  #onRefer(call: AgentCall, transaction: ServerTransaction): void {
    const { request } = transaction;
    const targets = headerList(request, 'Refer-To');
    const only = targets[0];
    if (only === undefined || targets.length > 1) {
      transaction.respond(400, 'Refer-To must name exactly one target');
      return;
    }
    const target = parseUri(parseNameAddress(only).uri);
    const party = this.#exchange?.transferable(call);
    if (!party) {
      transaction.respond(491, 'Request Pending');
      return;
    }
    // RFC 4488: the agent may decline to be told.
    const silent = header(request, 'Refer-Sub')?.toLowerCase() === 'false';
    transaction.respond(202, 'Accepted', {
      headers: [
        { name: 'Contact', value: `<sip:switch@${this.#ports?.address ?? ''};transport=ws>` },
        ...(silent ? [{ name: 'Refer-Sub', value: 'false' }] : []),
      ],
    });
    const tell = (line: string, final: boolean): void => {
      if (!silent)
        call.notify(sequence(request).number, line, final ? 'terminated;reason=noresource' : 'active;expires=60');
    };
    tell('100 Trying', false);
    const replaces = target.headers.get('replaces');
    if (replaces !== undefined) {
      const consult = this.#exchange?.findCall(replacedDialog(replaces));
      const joined = consult && this.#exchange?.transferBetween(call, consult, () => tell('200 OK', true));
      if (!joined) tell('481 Call/Transaction Does Not Exist', true);
      return;
    }
    this.#exchange?.transferTo(call, party, target.user, {
      onRinging: () => tell('180 Ringing', false),
      onAnswered: () => tell('200 OK', true),
      onRefused: (status, reason) => tell(`${status} ${reason}`, true),
    });
  }
}

/** RFC 3891: tags are named from the point of view of whoever receives the Replaces, which is the switch. */
function replacedDialog(value: string): DialogId {
  const [callId = '', ...pieces] = splitOutside(value, ';');
  const params = parseParams(pieces);
  return { callId, localTag: params.get('to-tag') ?? '', remoteTag: params.get('from-tag') ?? '' };
}

function hearing(samples: Int16Array): Hearing {
  return { rms: rms(samples), levelAt: (hz) => levelAt(samples, hz) };
}
