/**
 * Which extension is reachable on which WebSocket (RFC 3261 section 10, RFC 5626 outbound, RFC 5627 GRUU).
 * Must never check credentials: a request reaches it only when its extension is proven.
 */
import type { Flow, ServerTransaction } from './sip-endpoint.ts';
import { hasToken, header, headerList, parseNameAddress, parseUri, type SipHeader, sequence } from './sip-message.ts';
import { type Temper, temperOf } from './temper.ts';

export type Binding = {
  readonly extension: string;
  /** Contact URI as registered. */
  readonly contact: string;
  /** `urn:uuid:…` of the device, without brackets. */
  readonly instance: string | undefined;
  readonly expiresAt: number;
  readonly flow: Flow;
};

type Kept = Binding & { callId: string; sequence: number; timer: NodeJS.Timeout };

const DEFAULT_EXPIRES_S = 600;
const LONGEST_EXPIRES_S = 3600;

export type RegistrarEvents = { onRegistered(binding: Binding): void; onUnregistered(binding: Binding): void };

export class Registrar {
  readonly #domain: string;
  readonly #events: RegistrarEvents;
  readonly #temper: Temper;
  readonly #bindings = new Map<string, Kept>();
  readonly #known = new Set<string>();

  constructor(domain: string, events: RegistrarEvents, temper: Temper = temperOf('own')) {
    this.#domain = domain;
    this.#events = events;
    this.#temper = temper;
  }

  /** Carries out a proven REGISTER and answers it. */
  register(transaction: ServerTransaction, extension: string): void {
    const { request } = transaction;
    const contacts = headerList(request, 'Contact');
    const common = Number(header(request, 'Expires') ?? DEFAULT_EXPIRES_S);
    if (contacts.includes('*')) {
      if (contacts.length > 1 || common !== 0) {
        transaction.respond(400, 'Contact * needs Expires 0 and nothing else');
        return;
      }
      this.forget(extension);
      transaction.respond(200, 'OK');
      return;
    }
    this.#known.add(extension);
    const outbound = this.#temper.outbound && hasToken(request, 'Supported', 'outbound');
    let registeredFlow = false;
    for (const text of contacts) {
      const { uri, params } = parseNameAddress(text);
      parseUri(uri);
      const instance = params.get('+sip.instance')?.replace(/^<|>$/g, '');
      const regId = params.get('reg-id');
      const asked = Number(params.get('expires') ?? common);
      const seconds = Math.min(Number.isFinite(asked) ? Math.max(0, asked) : DEFAULT_EXPIRES_S, LONGEST_EXPIRES_S);
      registeredFlow ||= outbound && instance !== undefined && regId !== undefined;
      // RFC 5626: the same device and reg-id replace each other whatever address they come from.
      const device = this.#temper.outbound && instance !== undefined && regId !== undefined;
      const key = `${extension} ${device ? `${instance} ${regId}` : uri}`;
      this.#drop(key, seconds === 0);
      if (seconds === 0) continue;
      const timer = setTimeout(() => this.#drop(key, true), seconds * 1000);
      timer.unref();
      const binding: Kept = {
        extension,
        contact: uri,
        instance,
        expiresAt: Date.now() + seconds * 1000,
        flow: transaction.flow,
        callId: header(request, 'Call-ID') ?? '',
        sequence: sequence(request).number,
        timer,
      };
      this.#bindings.set(key, binding);
      this.#events.onRegistered(binding);
    }
    const headers: SipHeader[] = this.of(extension).map((binding) =>
      this.#contactHeader(binding, this.#temper.outbound && hasToken(request, 'Supported', 'gruu')),
    );
    headers.push({ name: 'Supported', value: this.#temper.outbound ? 'outbound, gruu' : this.#temper.supported });
    if (registeredFlow) headers.push({ name: 'Require', value: 'outbound' }, { name: 'Flow-Timer', value: '30' });
    transaction.respond(200, 'OK', { headers });
  }

  #contactHeader(binding: Binding, gruu: boolean): SipHeader {
    const seconds = Math.max(0, Math.round((binding.expiresAt - Date.now()) / 1000));
    const device = binding.instance === undefined ? '' : `;+sip.instance="<${binding.instance}>"`;
    const address =
      binding.instance === undefined || !gruu ? '' : `;pub-gruu="${this.#gruu(binding.extension, binding.instance)}"`;
    return { name: 'Contact', value: `<${binding.contact}>${device}${address};expires=${seconds}` };
  }

  #gruu(extension: string, instance: string): string {
    return `sip:${encodeURIComponent(extension)}@${this.#domain};gr=${instance}`;
  }

  /** Everyone who can be reached now. */
  all(): Binding[] {
    return [...this.#bindings.values()].filter((binding) => binding.flow.open && binding.expiresAt > Date.now());
  }

  /** The devices of one extension. */
  of(extension: string): Binding[] {
    return this.all().filter((binding) => binding.extension === extension);
  }

  /** True when the extension has ever registered here: then it is away, not unknown. */
  knows(extension: string): boolean {
    return this.#known.has(extension);
  }

  /** Where a Contact URI or GRUU is reachable now. */
  flowFor(target: string): Flow | undefined {
    const exact = this.all().find((binding) => binding.contact === target);
    if (exact) return exact.flow;
    // Asked from timers too, where nobody could answer 400 to a Contact that is not a SIP URI.
    if (!/;gr=/i.test(target) || !isUri(target)) return undefined;
    const uri = parseUri(target);
    const device = uri.params.get('gr');
    return this.of(uri.user).find((binding) => binding.instance === device)?.flow;
  }

  /** A WebSocket is gone, and with it every binding on it (RFC 5626 section 5.4). */
  flowClosed(flow: Flow): void {
    for (const [key, binding] of this.#bindings) if (binding.flow === flow) this.#drop(key, true);
  }

  /** Removes every device of an extension. */
  forget(extension: string): void {
    for (const [key, binding] of this.#bindings) if (binding.extension === extension) this.#drop(key, true);
  }

  /** Stops all timers. */
  close(): void {
    for (const key of [...this.#bindings.keys()]) this.#drop(key, false);
  }

  #drop(key: string, announce: boolean): void {
    const binding = this.#bindings.get(key);
    if (!binding) return;
    clearTimeout(binding.timer);
    this.#bindings.delete(key);
    if (announce) this.#events.onUnregistered(binding);
  }
}

function isUri(text: string): boolean {
  try {
    parseUri(text);
    return true;
  } catch {
    return false;
  }
}
