/** A host page without a page: remembers what it was told and has pedals for what a CRM would ask. Keeps the contract's obligations. */
import type { IdentityProof, PageCommand, PageNews, RecordRef } from '@patchcord/call-protocol';
import { PatchcordError } from '@patchcord/call-protocol';
import type {
  DialRequest,
  HostCall,
  LogCreation,
  PageChannel,
  PanelCan,
  PanelHost,
  PopTarget,
  PopWish,
} from '@patchcord/crm-adapters/panel';

export type HostFact =
  | { readonly type: 'state'; readonly state: string; readonly label: string }
  | { readonly type: 'availability'; readonly available: boolean }
  | { readonly type: 'opened'; readonly record: RecordRef }
  | { readonly type: 'popped'; readonly target: PopTarget }
  | { readonly type: 'news'; readonly news: PageNews }
  | ({ readonly type: 'started' | 'answered' | 'transferred' | 'completed'; readonly call: string } & LogFacts)
  | ({ readonly type: 'ended'; readonly call: string; readonly outcome: string } & LogFacts)
  | { readonly type: 'logged'; readonly call: string; readonly logId: string };

/** There only where the phone said something of a log. */
type LogFacts = Pick<HostCall, 'pageCreatesLog' | 'logId'>;

const logFacts = ({ pageCreatesLog, logId }: LogFacts): LogFacts => ({
  ...(pageCreatesLog === undefined ? {} : { pageCreatesLog }),
  ...(logId === undefined ? {} : { logId }),
});

export class FakeHost implements PanelHost {
  readonly crm = 'salesforce';
  can: PanelCan = {
    proveIdentity: true,
    pops: ['record', 'search', 'new-record', 'flow', 'url'],
    clickToDial: true,
    raise: true,
  };
  /** Everything the phone told this host, in order. */
  readonly facts: HostFact[] = [];
  proof: IdentityProof | null = { kind: 'salesforce-assertion', assertion: 'header.payload.signature' };
  /** Whom the page is for; null: it does not say. */
  audience: string | null = 'fakes';
  startFault: PatchcordError | null = null;
  openFault: PatchcordError | null = null;
  proofFault: PatchcordError | null = null;
  stopped = false;
  /** `never`: another frame of this page holds the phone. */
  line: 'elected' | 'never' = 'elected';
  /** What opens the window with the phone; absent where there is no such window. */
  openPhoneWindow?: () => boolean;
  readonly #dial = new Set<(request: DialRequest) => void>();
  readonly #shown = new Set<(record: RecordRef | null) => void>();
  readonly #looked = new Set<() => void>();
  readonly #hangUp = new Set<() => void>();
  readonly #commands = new Set<(command: PageCommand) => void>();
  readonly channel: PageChannel = {
    publish: (news) => {
      this.facts.push({ type: 'news', news });
    },
    onCommand: (listener) => subscribe(this.#commands, listener),
  };
  /** Pops wait until somebody calls what is here; null: they open at once. */
  held: (() => void)[] | null = null;
  readonly #made = new Set<(call: string, creation: LogCreation) => void>();
  readonly #found = new Set<(call: string, records: readonly RecordRef[]) => void>();

  start(): Promise<void> {
    return this.startFault === null ? Promise.resolve() : Promise.reject(this.startFault);
  }

  proveIdentity(): Promise<IdentityProof | null> {
    return this.proofFault === null ? Promise.resolve(this.proof) : Promise.reject(this.proofFault);
  }

  audienceKey(): string | null {
    return this.audience;
  }

  showAvailability({ available }: { readonly signedIn: boolean; readonly available: boolean }): void {
    this.facts.push({ type: 'availability', available });
  }

  async pop(target: PopTarget, wish: PopWish = {}): Promise<void> {
    if (this.openFault !== null) throw this.openFault;
    const { held } = this;
    if (held !== null && wish.byAgent !== true) await new Promise<void>((resolve) => held.push(resolve));
    if (wish.wanted?.() === false) return;
    if (target.kind === 'record') this.facts.push({ type: 'opened', record: target.record });
    else this.facts.push({ type: 'popped', target });
  }

  holdsLine(): 'elected' | 'never' {
    return this.line;
  }

  callStarted(call: HostCall): void {
    this.facts.push({ type: 'started', call: call.id, ...logFacts(call) });
  }

  callAnswered(call: HostCall): void {
    this.facts.push({ type: 'answered', call: call.id, ...logFacts(call) });
  }

  callTransferred(call: HostCall): void {
    this.facts.push({ type: 'transferred', call: call.id, ...logFacts(call) });
  }

  callEnded(call: HostCall, outcome: string): void {
    this.facts.push({ type: 'ended', call: call.id, outcome, ...logFacts(call) });
  }

  callCompleted(call: HostCall): void {
    this.facts.push({ type: 'completed', call: call.id, ...logFacts(call) });
  }

  logSaved(call: { readonly id: string }, logId: string): void {
    this.facts.push({ type: 'logged', call: call.id, logId });
  }

  showState(state: string, label: string): void {
    this.facts.push({ type: 'state', state, label });
  }

  onDialRequested(listener: (request: DialRequest) => void): () => void {
    return subscribe(this.#dial, listener);
  }

  onRecordShown(listener: (record: RecordRef | null) => void): () => void {
    return subscribe(this.#shown, listener);
  }

  onLookedAt(listener: () => void): () => void {
    return subscribe(this.#looked, listener);
  }

  onHangUpRequested(listener: () => void): () => void {
    return subscribe(this.#hangUp, listener);
  }

  onMatchesFound(listener: (call: string, records: readonly RecordRef[]) => void): () => void {
    return subscribe(this.#found, listener);
  }

  onLogCreated(listener: (call: string, creation: LogCreation) => void): () => void {
    return subscribe(this.#made, listener);
  }

  stop(): void {
    this.stopped = true;
  }

  /** Pedal: the agent clicks a number on the page. */
  clickNumber(request: DialRequest): void {
    for (const listener of this.#dial) listener(request);
  }

  /** Pedal: another record comes in front of the agent. */
  show(record: RecordRef | null): void {
    for (const listener of this.#shown) listener(record);
  }

  /** Pedal: the page around the phone gets the focus. */
  lookAt(): void {
    for (const listener of this.#looked) listener();
  }

  /** Pedal: a component of the page wishes something. */
  command(command: PageCommand): void {
    for (const listener of this.#commands) listener(command);
  }

  /** Pedal: the page asks for the call to be ended. */
  hangUp(): void {
    for (const listener of this.#hangUp) listener();
  }

  /** Pedal: the page found records for a caller. */
  find(call: string, records: readonly RecordRef[]): void {
    for (const listener of this.#found) listener(call, records);
  }

  /** Pedal: the page made the log of a call, or did not. */
  makeLog(call: string, creation: LogCreation): void {
    for (const listener of this.#made) listener(call, creation);
  }

  /** What was told of one kind. */
  told<T extends HostFact['type']>(type: T): readonly Extract<HostFact, { readonly type: T }>[] {
    return this.facts.filter((fact): fact is Extract<HostFact, { readonly type: T }> => fact.type === type);
  }

  /** Pedal: the page is not the CRM's. */
  refuseToStart(message: string): void {
    this.startFault = new PatchcordError('host.absent', message);
  }
}

function subscribe<T>(listeners: Set<T>, listener: T): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}
