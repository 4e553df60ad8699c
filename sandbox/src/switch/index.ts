/**
 * The sandbox switch: a SIP server on a WebSocket whose callers have real sound, for demos and tests without a PBX, with
 * everything an office phone meets (the numbers are in number-plan.ts).
 * This door wires socket, registrar, credentials, exchange and subscriptions together.
 * Test equipment: it must never be anybody's production path.
 */
import type { AgentCall, AgentCallPorts } from './agent-call.ts';
import { type CallDescription, type CallEntry, dialled } from './call-book.ts';
import { type Caller, type CallerDescription, DEMO_CALLERS } from './caller.ts';
import { callerHeaders } from './caller-headers.ts';
import type { Colleague } from './colleagues.ts';
import { CredentialGate, mintCredential } from './credentials.ts';
import { dialogsOf } from './dialog-states.ts';
import { Exchange } from './exchange.ts';
import { FaultPanel } from './faults.ts';
import { type Binding, Registrar } from './registrar.ts';
import { RequestDesk } from './requests.ts';
import { newTag, SipEndpoint, TRANSACTION_MS } from './sip-endpoint.ts';
import { levelAt, person, rms, SAMPLE_RATE } from './sound.ts';
import { Subscriptions } from './subscriptions.ts';
import type { CallAgentOptions, Hearing, PlacedCall, Switch, SwitchOptions, Voicemail } from './switch-api.ts';
import { SwitchEmitter } from './switch-events.ts';
import { temperOf } from './temper.ts';

export type { CallerDescription } from './caller.ts';
export { type DigestAlgorithm, mintCredential } from './credentials.ts';
export { HOLD_TONE_HZ, keyToneHz } from './sound.ts';
export type { PlacedCall, Switch, SwitchOptions } from './switch-api.ts';

/** Whatever may change what somebody watches. */
const WATCHED_EVENTS = [
  'call.started',
  'call.ringing',
  'call.answered',
  'call.transferred',
  'call.ended',
  'park.changed',
  'colleague.changed',
  'voicemail.changed',
] as const;

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
  readonly faults: FaultPanel;
  readonly #options: SwitchOptions;
  readonly #gate: CredentialGate;
  readonly #registrar: Registrar;
  #endpoint: SipEndpoint | undefined;
  #exchange: Exchange | undefined;
  #subscriptions: Subscriptions | undefined;

  constructor(options: SwitchOptions) {
    this.#options = options;
    const temper = temperOf(options.behaveLike);
    this.faults = new FaultPanel(temper.faults);
    this.domain = options.domain.toLowerCase();
    this.directory = options.callers ?? DEMO_CALLERS;
    this.#gate = new CredentialGate(this.domain, options.credentialSecret, options.digestAlgorithms ?? ['MD5']);
    const onRegistered = (binding: Binding): void => {
      const { extension, contact, expiresAt } = binding;
      this.events.emit('registered', { extension, contact, expiresAt });
      // After the answer to the REGISTER.
      queueMicrotask(() => {
        this.#subscriptions?.registered(binding);
        if (temper.ringsOn) this.#exchange?.ringOn(binding);
      });
    };
    const onUnregistered = ({ extension, contact }: Binding): void =>
      this.events.emit('unregistered', { extension, contact });
    this.#registrar = new Registrar(this.domain, { onRegistered, onUnregistered }, temper);
  }

  async listen(): Promise<void> {
    const options = this.#options;
    let desk: RequestDesk | undefined;
    const endpoint = await SipEndpoint.start({
      host: options.host ?? '127.0.0.1',
      port: options.port ?? 0,
      faults: this.faults,
      product: temperOf(options.behaveLike).product,
      onRequest: (transaction) => desk?.receive(transaction),
      onFlowClosed: (flow) => this.#registrar.flowClosed(flow),
    });
    this.#endpoint = endpoint;
    const { address } = endpoint;
    const calls: AgentCallPorts = {
      domain: this.domain,
      address,
      iceAddresses: options.iceAddresses,
      ackDeadlineMs: options.ackDeadlineMs ?? TRANSACTION_MS,
      temper: temperOf(options.behaveLike),
      faults: () => this.faults.current,
      send: (flow, request, onResponse) => endpoint.send(flow, request, onResponse),
      flowFor: (target) => this.#registrar.flowFor(target),
    };
    const exchange = new Exchange({
      callers: this.directory,
      style: options.sound ?? 'pleasant',
      faults: this.faults,
      registrar: this.#registrar,
      events: this.events,
      ports: calls,
      voicemailAfterMs: options.voicemailAfterMs,
      plan: {
        autoAnswer: options.autoAnswer ?? ['call-info', 'alert-info'],
        parkReturnMs: options.parkReturnMs ?? 60_000,
        longestMessageMs: options.longestMessageMs ?? 60_000,
      },
    });
    this.#exchange = exchange;
    const subscriptions = new Subscriptions({
      domain: this.domain,
      address,
      dialogState: options.dialogState ?? 'full',
      faults: () => this.faults.current,
      send: (flow, request, onResponse) => endpoint.send(flow, request, onResponse),
      flowFor: (target) => this.#registrar.flowFor(target),
      dialogs: (number) => dialogsOf(number, exchange, (extension) => this.#registrar.knows(extension)),
      messages: (extension) => exchange.plan.mailboxes.summary(extension),
      onNotified: (extension, event, resource, body) =>
        this.events.emit('notified', { extension, event, resource, body }),
    });
    this.#subscriptions = subscriptions;
    this.#tellWatchers(subscriptions);
    desk = new RequestDesk({
      domain: this.domain,
      address,
      faults: this.faults,
      gate: this.#gate,
      registrar: this.#registrar,
      exchange,
      subscriptions,
      calls,
    });
    if (options.colleaguesStepMs !== undefined) exchange.plan.colleagues.live(options.colleaguesStepMs);
  }

  #tellWatchers(subscriptions: Subscriptions): void {
    // Once per turn, and when the turn is over: states are told when they are whole.
    let due = false;
    const soon = (): void => {
      if (due) return;
      due = true;
      queueMicrotask(() => {
        due = false;
        subscriptions.refresh();
      });
    };
    for (const name of WATCHED_EVENTS) this.events.on(name, soon);
    this.events.on('voicemail.changed', ({ extension }) => {
      if (this.faults.current.unsolicitedMwi) subscriptions.tellMessages(this.#registrar.of(extension));
    });
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
      ...(listed?.voice === undefined ? {} : { voice: listed.voice }),
    };
    const headers = callerHeaders(options, extension, name, this.domain);
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
    const ended = this.#endOf(entry, caller);
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
      hangUp: (reason) => caller.hangUp({ by: 'far side', ...(reason === undefined ? {} : { reason }) }),
      hold: () => this.#exchange?.holdFromFarSide(entry, true),
      resume: () => this.#exchange?.holdFromFarSide(entry, false),
      heard: (windowMs) => hearing(caller.heard(windowMs ?? 500)),
    };
  }

  /** The call's end; where it was sent on before anybody answered, the end of the last part of its way. */
  #endOf(entry: CallEntry, caller: Caller): Promise<CallDescription> {
    return new Promise((resolve) => {
      const told = caller.onEnded;
      caller.onEnded = (cause) => {
        told?.(cause);
        const last = this.#exchange?.book.lastOf(caller) ?? entry;
        resolve({ ...last.description });
      };
      void this.events
        .next('call.ended', ({ id }) => id === entry.description.id)
        .then((description) => {
          if (caller.ended || description.answeredAt !== undefined) resolve(description);
        });
    });
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

  hangUp(reference: string, reason?: string): void {
    this.#liveCall(reference).far?.hangUp({ by: 'far side', ...(reason === undefined ? {} : { reason }) });
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

  colleague(extension: string): Colleague {
    const found = this.#exchange?.plan.colleagues.get(extension);
    if (!found)
      throw new Error(`No colleague has the extension ${extension}: add one of kind 'colleague' to \`callers\`.`);
    return found;
  }

  parked(): { slot: string; number: string; by: string }[] {
    return (this.#exchange?.plan.lot.all() ?? []).map(({ slot, party, by }) => ({ slot, number: party.number, by }));
  }

  roomMembers(room: string): { number: string; name: string | undefined }[] {
    return this.#exchange?.plan.rooms.members(room) ?? [];
  }

  voicemail(extension: string): Voicemail {
    const mailboxes = this.#exchange?.plan.mailboxes;
    return {
      ...(mailboxes?.summary(extension) ?? { fresh: 0, old: 0 }),
      messages: (mailboxes?.messages(extension) ?? []).map(({ from, name, at, samples, fresh }) => ({
        from,
        name,
        at,
        fresh,
        durationMs: (samples.length * 1000) / SAMPLE_RATE,
        levelAt: (hz) => levelAt(samples, hz),
      })),
      leave: (from, toneHz, durationMs = 1000) => {
        const samples = new Int16Array((durationMs * SAMPLE_RATE) / 1000);
        person(this.#options.sound ?? 'pleasant', toneHz).fill(samples);
        mailboxes?.leave(extension, from, samples);
      },
    };
  }

  wishes(extension: string): { doNotDisturb: boolean; forwardTo: string | undefined } {
    const features = this.#exchange?.plan.features;
    return {
      doNotDisturb: features?.doNotDisturb(extension) ?? false,
      forwardTo: features?.forwardTo(extension),
    };
  }

  subscriptions(): { extension: string; event: string; resource: string; expiresAt: number }[] {
    return this.#subscriptions?.list() ?? [];
  }

  endSubscriptions(reason: string, extension?: string): void {
    this.#subscriptions?.end(reason, extension);
  }

  async refreshCall(reference: string, how: 'update' | 're-invite'): Promise<number> {
    const agent = this.#liveCall(reference).near as AgentCall | undefined;
    return (await agent?.refresh(how)) ?? 481;
  }

  async ask(extension: string, method: string, headers: Record<string, string> = {}, body = ''): Promise<number[]> {
    const address = `<sip:${extension}@${this.domain}>`;
    const asked = this.#registrar.of(extension).map(
      ({ contact, flow }) =>
        new Promise<number>((resolve) => {
          const own = [
            { name: 'From', value: `<sip:switch@${this.domain}>;tag=${newTag()}` },
            { name: 'To', value: address },
            { name: 'Call-ID', value: newTag() },
            { name: 'CSeq', value: `1 ${method}` },
            { name: 'Contact', value: `<sip:switch@${this.#endpoint?.address ?? ''};transport=ws>` },
          ];
          const further = Object.entries(headers).map(([name, value]) => ({ name, value }));
          const request = { kind: 'request', method, uri: contact, headers: [...own, ...further], body } as const;
          this.#endpoint?.send(flow, { ...request, headers: [...request.headers] }, ({ status }) => {
            if (status >= 200) resolve(status);
          });
        }),
    );
    return Promise.all(asked);
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
    this.#subscriptions?.close();
    this.#exchange?.close();
    this.#registrar.close();
    await this.#endpoint?.close();
  }
}

function hearing(samples: Int16Array): Hearing {
  return { rms: rms(samples), levelAt: (hz) => levelAt(samples, hz) };
}
