/**
 * Who is connected to this relay, and how others hear of what happens here: agent → sockets and streams. Owns fan-out inside this process and
 * its other end, the backplane; it may drop (a reader fills gaps from the store), it must never wait and never let one slow reader hold another.
 */
import { randomUUID } from 'node:crypto';
import type { AgentId, DeviceId, Envelope, RelayMessage, TenantId } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { FeedStore, RevocationStore, StoredRevocation } from '../store/contract.ts';
import { agentChannel, type Backplane, type News, phoneChannel, tenantChannel } from './backplane.ts';
import { textFrame } from './frame.ts';
import { createLocalBackplane } from './local-backplane.ts';

/** An event on its way to many: every form of it is made once. */
export class Told {
  readonly event: Envelope;
  readonly seq: number | null;
  #text: string | undefined;
  #frame: Buffer | undefined;

  constructor(event: Envelope, seq: number | null) {
    this.event = event;
    this.seq = seq;
  }

  /** The message of the live socket. */
  get text(): string {
    const { event, seq } = this;
    const message: RelayMessage = seq === null ? { type: 'event', event } : { type: 'event', event, seq };
    this.#text ??= JSON.stringify(message);
    return this.#text;
  }

  get frame(): Buffer {
    this.#frame ??= textFrame(this.text);
    return this.#frame;
  }
}

/** One authenticated socket or stream, as the hub sees it. */
export interface LiveReader {
  readonly device: DeviceId;
  /** Sees what concerns the whole tenant. */
  readonly watchesTenant: boolean;
  /** Writes it, or cuts the reader off when it has fallen too far behind. */
  tell(told: Told): void;
  close(code: number, reason: string): void;
}

export interface LiveHubOptions {
  readonly backplane: Backplane;
  readonly revocations: RevocationStore;
  readonly feed: Pick<FeedStore, 'seqOf'>;
  readonly log: Log;
  readonly now: () => number;
}

/** @param at When it was taken away, epoch ms @param code What their sockets are closed with */
type EndListener = (
  tenant: TenantId,
  agent: AgentId,
  device: DeviceId | null,
  at: number,
  code: number,
  reason: string,
) => void;

/** Ended access is told again and again until it is written; sockets elsewhere are looked up in the store anyway, only later. */
const againMs = 250;
const tries = 40;

export class LiveHub {
  readonly #agents = new Map<string, Set<LiveReader>>();
  readonly #watchers = new Map<TenantId, Set<LiveReader>>();
  /** Readers whose frames hold the line, by agent. */
  readonly #phones = new Map<string, Set<LiveReader>>();
  readonly #options: LiveHubOptions | null;
  readonly #backplane: Backplane;
  readonly #ended = new Map<string, number>();
  readonly #endListeners = new Set<EndListener>();

  /** Without options: this process alone, nothing written. */
  constructor(options: LiveHubOptions | null = null) {
    this.#options = options;
    this.#backplane = options?.backplane ?? createLocalBackplane();
    this.#backplane.onNews((news) => this.#hear(news));
  }

  /** Adds a reader; call the result when it is gone. */
  add(tenant: TenantId, agent: AgentId, reader: LiveReader): () => void {
    const leaveAgent = this.#join(this.#agents, `${tenant} ${agent}`, agentChannel(tenant, agent), reader);
    const leaveTenant = reader.watchesTenant
      ? this.#join(this.#watchers, tenant, tenantChannel(tenant), reader)
      : () => {};
    return () => {
      leaveAgent();
      leaveTenant();
    };
  }

  /** From now on this reader's frame can make calls: a board can't, nor can a frame beside a calling window. Call the result when it is gone. */
  addPhone(tenant: TenantId, agent: AgentId, reader: LiveReader): () => void {
    return this.#join(this.#phones, `${tenant} ${agent}`, phoneChannel(tenant, agent), reader);
  }

  /**
   * Whether a phone of this agent is open that can make a call, here or on another relay. Where nobody may count, there may be one: told in vain
   * is better than not told.
   */
  async hasPhone(tenant: TenantId, agent: AgentId): Promise<boolean> {
    if (this.#phones.has(`${tenant} ${agent}`)) return true;
    return (await this.#backplane.listeners(phoneChannel(tenant, agent))) !== 0;
  }

  /** Tells one agent's readers, here and on other relays. An event of a call goes out with its number in that call. */
  tell(tenant: TenantId, agent: AgentId, event: Envelope): void {
    const tell = (seq: number | null): void => {
      this.#tellHere(tenant, agent, event, seq);
      this.#backplane.publish(agentChannel(tenant, agent), { kind: 'event', tenant, agent, event, seq });
    };
    if (event.subject === undefined || this.#options === null) tell(null);
    // A store that does not answer costs the number, not the event.
    else this.#options.feed.seqOf(event.source, event.id).then(tell, () => tell(null));
  }

  /** Tells an agent's readers and those who watch the tenant, once each, what no store has. */
  tellPassing(tenant: TenantId, agent: AgentId, event: Envelope): void {
    this.#tellHere(tenant, agent, event, null);
    this.#tellHere(tenant, null, event, null, agent);
    this.#backplane.publish(agentChannel(tenant, agent), { kind: 'event', tenant, agent, event, seq: null });
    const besides = { kind: 'event', tenant, agent: null, toldTo: agent, event, seq: null } as const;
    this.#backplane.publish(tenantChannel(tenant), besides);
  }

  /** Tells those who watch the tenant: boards, supervisors. */
  tellTenant(tenant: TenantId, event: Envelope): void {
    this.#tellHere(tenant, null, event, null);
    this.#backplane.publish(tenantChannel(tenant), { kind: 'event', tenant, agent: null, event, seq: null });
  }

  /** Closes every reader of an agent, or those of one device, here at once and on other relays within half a second. */
  end(tenant: TenantId, agent: AgentId, code: number, reason: string, device: DeviceId | null = null): void {
    const at = this.#options?.now() ?? Date.now();
    const revocation: StoredRevocation = { id: randomUUID(), tenant, agent, device, code, reason, at };
    this.endHere(revocation);
    this.#backplane.publish(agentChannel(tenant, agent), { kind: 'ended', ...revocation });
    if (this.#options !== null) void this.#write(revocation, this.#options);
  }

  /** The half of `end` that concerns this process; the same revocation ends readers once, however often it is heard of. */
  endHere({ id, tenant, agent, device, code, reason, at }: StoredRevocation): void {
    if (this.#ended.has(id)) return;
    this.#ended.set(id, at);
    for (const listener of this.#endListeners) listener(tenant, agent, device, at, code, reason);
    for (const reader of [...(this.#agents.get(`${tenant} ${agent}`) ?? [])])
      if (device === null || reader.device === device) reader.close(code, reason);
  }

  /** Forgets which revocations were carried out, when nobody can tell of them again. */
  forgetEndedBefore(at: number): void {
    for (const [id, endedAt] of this.#ended) if (endedAt < at) this.#ended.delete(id);
  }

  /** Called for each revocation, wherever it was made: whatever was remembered of these sessions is stale. */
  onEnded(listener: EndListener): void {
    this.#endListeners.add(listener);
  }

  #join<K>(groups: Map<K, Set<LiveReader>>, key: K, channel: string, reader: LiveReader): () => void {
    const group = groups.get(key) ?? new Set();
    groups.set(key, group.add(reader));
    if (group.size === 1) this.#backplane.subscribe(channel);
    return () => {
      if (!group.delete(reader) || group.size > 0 || groups.get(key) !== group) return;
      groups.delete(key);
      this.#backplane.unsubscribe(channel);
    };
  }

  /** @param toldTo An agent whose readers hear it as theirs, and not once more as watchers */
  #tellHere(tenant: TenantId, agent: AgentId | null, event: Envelope, seq: number | null, toldTo?: AgentId): void {
    const readers = agent === null ? this.#watchers.get(tenant) : this.#agents.get(`${tenant} ${agent}`);
    if (readers === undefined) return;
    const already = toldTo === undefined ? undefined : this.#agents.get(`${tenant} ${toldTo}`);
    const told = new Told(event, seq);
    for (const reader of readers) if (already?.has(reader) !== true) reader.tell(told);
  }

  #hear(news: News): void {
    if (news.kind === 'event') this.#tellHere(news.tenant, news.agent, news.event, news.seq, news.toldTo);
    else if (news.kind === 'ended') this.endHere(news);
  }

  async #write(revocation: StoredRevocation, { revocations, log }: LiveHubOptions): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await revocations.add(revocation);
        return;
      } catch (error) {
        if (attempt === tries) {
          log.error({ err: error, tenant: revocation.tenant, agent: revocation.agent }, 'a revocation was not written');
          return;
        }
        await new Promise((resolve) => setTimeout(resolve, againMs).unref());
      }
    }
  }
}
