/**
 * The lines of the agents who have a frame here: who asks, who is granted, who is told. Owns the sockets that take part, looking at a lease again when
 * something may have changed, and passing on what devices of one agent say to each other. The store decides between relays; news only make it quick.
 * Must never hand out what is kept to anybody but the next owner of the same agent's line, nor write any of it into a log.
 */
import { randomUUID } from 'node:crypto';
import { type AgentId, type DeviceId, errorCode, type RelayMessage, type TenantId } from '@patchcord/call-protocol';
import { agentChannel, type Backplane, type News } from '../live/backplane.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { LineLease, LineLeaseStore, LineOf } from '../store/contract.ts';
import type { Vault } from '../vault.ts';
import { Renewals } from './renewals.ts';
import {
  answerTo,
  type Elsewhere,
  heldUntil,
  holderIn,
  isHeld,
  type LineQuestion,
  type LineTime,
  leaseTiming,
  nextEpoch,
  wishOf,
} from './rules.ts';

/** A socket that may take part. */
export interface LineFrame extends LineOf {
  readonly device: DeviceId;
  /** For the agent: "Chrome on Windows". */
  readonly place: string;
  send(message: RelayMessage): void;
}

/** What a socket does with the line of its agent. Each rejects with `store.unavailable` where the store is away: nothing was changed then. */
export interface LineSeat {
  ask(question: Pick<LineQuestion, 'epoch' | 'take'>): Promise<void>;
  leave(epoch: number): Promise<void>;
  /** @param kept In the phone's own words; empty: nothing any more */
  keep(epoch: number, kept: string): Promise<void>;
  say(body: string): void;
  /** The socket is gone. */
  close(): void;
}

export interface LineLeaseParts {
  readonly store: LineLeaseStore;
  readonly vault: Pick<Vault, 'seal' | 'open'>;
  readonly backplane: Backplane;
  readonly metrics: Pick<Metrics, 'lines'>;
  readonly log: Log;
  readonly now: () => number;
}

/** How often leases of other relays are looked at, with Redis and without, ms. */
const joinedMs = 1_000;
const aloneMs = 250;
/** Clocks of relays may differ this much. */
const overlapMs = 5_000;
/** Somebody else may be faster this often. */
const tries = 8;

/** One socket, once it has said something of the line. */
interface Seat {
  readonly via: string;
  readonly frame: LineFrame;
  /** What this socket was granted, as far as it knows. */
  epoch: number | null;
  /** It asked for the line, and would ask again. */
  asked: boolean;
  /** What it was told last: whose line it is, or that it is free. */
  told: string;
}

/** The seats of one agent. */
interface Table {
  readonly line: LineOf;
  readonly seats: Set<Seat>;
  /** Of the lease that the seats were told of. */
  version: number;
  /** When time alone may change something, epoch ms. */
  nextLookAt: number;
  looking: Promise<void> | null;
  again: boolean;
}

export class LineLeases {
  readonly #parts: LineLeaseParts;
  readonly #renewals: Renewals;
  readonly #tables = new Map<string, Table>();
  readonly #timers = new Set<NodeJS.Timeout>();
  #watch: NodeJS.Timeout | undefined;
  /** Since when renewals are heard: this relay runs, and its store answers. */
  #since: number;
  #away = false;
  #stopping = false;
  #saidNoKey = false;

  constructor(parts: LineLeaseParts) {
    this.#parts = parts;
    this.#since = parts.now();
    this.#renewals = new Renewals(parts.store, parts.now);
    parts.backplane.onNews((news) => this.#hear(news));
  }

  start(): void {
    const again = (): void => {
      if (this.#stopping) return;
      this.#watch = setTimeout(
        () => void this.#lookAround().finally(again),
        this.#parts.backplane.status() === 'joined' ? joinedMs : aloneMs,
      );
      this.#watch.unref();
    };
    again();
  }

  /** Sockets that close from now on are closed by us: their lines stay theirs. */
  stop(): void {
    this.#stopping = true;
    clearTimeout(this.#watch);
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
  }

  /** Since when this relay can tell that a holder is gone. */
  time(): LineTime {
    return { now: this.#parts.now(), since: this.#since };
  }

  /** A socket says something of the line for the first time. */
  join(frame: LineFrame): LineSeat {
    const { tenant, agent } = frame;
    const key = `${tenant} ${agent}`;
    const table: Table = this.#tables.get(key) ?? {
      line: { tenant, agent },
      seats: new Set(),
      version: 0,
      nextLookAt: Number.POSITIVE_INFINITY,
      looking: null,
      again: false,
    };
    this.#tables.set(key, table);
    const seat: Seat = { via: randomUUID(), frame, epoch: null, asked: false, told: '' };
    table.seats.add(seat);
    return {
      ask: (question) => this.#ask(table, seat, question),
      leave: (epoch) => this.#leave(table, seat, epoch),
      keep: (epoch, kept) => this.#keep(table, seat, epoch, kept),
      say: (body) => this.#say(table, seat, body),
      close: () => {
        table.seats.delete(seat);
        if (table.seats.size === 0 && this.#tables.get(key) === table) this.#tables.delete(key);
        if (!this.#stopping) this.#gone(table, seat);
      },
    };
  }

  /**
   * Access of this device (null: any) was taken away: its line is free, and nothing is kept of it. Never rejects.
   * @param at When it was taken away: what was granted since stays
   */
  async end(tenant: TenantId, agent: AgentId, device: DeviceId | null, at: number): Promise<void> {
    try {
      await this.#asking(() => this.#parts.store.end({ tenant, agent }, device, at, this.#parts.now()));
      this.#changed({ tenant, agent });
    } catch (error) {
      this.#parts.log.error(
        { err: error, tenant, agent },
        'the line of a device whose access ended could not be freed',
      );
    }
  }

  async #ask(table: Table, seat: Seat, question: Pick<LineQuestion, 'epoch' | 'take'>): Promise<void> {
    const { device, place } = seat.frame;
    const asked: LineQuestion = { ...question, device };
    seat.asked = true;
    for (let attempt = 1; attempt <= tries; attempt += 1) {
      if (question.epoch !== null && seat.epoch === question.epoch && (await this.#renew(seat, question.epoch))) return;
      const lease = await this.#asking(() => this.#parts.store.find(table.line));
      const answer = answerTo(lease, asked, this.time());
      switch (answer.kind) {
        case 'renew':
          if (await this.#renew(seat, answer.epoch)) return;
          continue;
        case 'grant':
          if (await this.#grant(table, seat, answer, lease)) return;
          continue;
        case 'elsewhere':
          seat.epoch = null;
          this.#tellElsewhere(seat, answer, true);
          this.#parts.metrics.lines.inc({ result: 'refused' });
          // Whoever named an epoch that is over may ask anew.
          if (lease !== null && !isHeld(lease, this.time()) && wishOf(lease, this.#parts.now()) === null)
            this.#tellFree(seat, lease);
          this.#expect(table, lease);
          return;
        case 'wait': {
          const at = this.#parts.now();
          const wish = { device, place, via: seat.via, at };
          if (!(await this.#asking(() => this.#parts.store.want(table.line, wish, answer.fromVersion, at)))) continue;
          this.#changed(table.line);
          this.#later(leaseTiming.handOverMs, () => this.#overtake(table, seat));
          return;
        }
      }
    }
    // Everybody asks at once: whoever has it by then is told with the next look.
    void this.#look(table);
  }

  async #renew(seat: Seat, epoch: number): Promise<boolean> {
    const { tenant, agent, device, place } = seat.frame;
    const { forMs, marginMs } = leaseTiming;
    const heldUntilThen = this.#parts.now() + forMs + marginMs;
    const grant = { tenant, agent, device, place, via: seat.via, epoch, heldUntil: heldUntilThen };
    if (!(await this.#asking(() => this.#renewals.renew(grant)))) return false;
    this.#parts.metrics.lines.inc({ result: 'renewed' });
    this.#tellYours(seat, epoch, null);
    return true;
  }

  async #grant(
    table: Table,
    seat: Seat,
    { fromVersion, epoch }: { readonly fromVersion: number; readonly epoch: number },
    lease: LineLease | null,
  ): Promise<boolean> {
    const { tenant, agent, device, place } = seat.frame;
    const now = this.#parts.now();
    const grant = {
      ...{ tenant, agent, device, place, via: seat.via, epoch },
      heldUntil: now + leaseTiming.forMs + leaseTiming.marginMs,
    };
    if (!(await this.#asking(() => this.#parts.store.grant(grant, fromVersion, now)))) return false;
    const others = lease !== null && lease.device !== device;
    this.#parts.metrics.lines.inc({ result: others && isHeld(lease, this.time()) ? 'overtaken' : 'granted' });
    this.#tellYours(seat, epoch, lease?.kept == null ? null : this.#open(table.line, lease.kept));
    // What went away while it was asking does not wait for its time to be over.
    if (!table.seats.has(seat)) this.#gone(table, seat);
    this.#changed(table.line);
    return true;
  }

  /** The holder was told, and its time is over: the line is given to whoever waits for it, if that still does. */
  async #overtake(table: Table, seat: Seat): Promise<void> {
    for (let attempt = 1; attempt <= tries; attempt += 1) {
      const lease = await this.#asking(() => this.#parts.store.find(table.line));
      if (lease === null || lease.wish?.via !== seat.via || !table.seats.has(seat)) return;
      const epoch = nextEpoch(lease, this.#parts.now());
      if (await this.#grant(table, seat, { fromVersion: lease.version, epoch }, lease)) return;
    }
  }

  async #leave(table: Table, seat: Seat, epoch: number): Promise<void> {
    const { tenant, agent, device } = seat.frame;
    const held = { tenant, agent, device, epoch };
    seat.epoch = null;
    if (await this.#asking(() => this.#parts.store.leave(held, this.#parts.now()))) {
      this.#parts.metrics.lines.inc({ result: 'left' });
      this.#changed(table.line);
    } else await this.#look(table);
  }

  async #keep(table: Table, seat: Seat, epoch: number, kept: string): Promise<void> {
    const { tenant, agent, device } = seat.frame;
    const sealed = kept === '' ? null : this.#seal(table.line, kept);
    const held = { tenant, agent, device, epoch };
    if (await this.#asking(() => this.#parts.store.keep(held, sealed, this.#parts.now()))) return;
    const lease = await this.#asking(() => this.#parts.store.find(table.line));
    seat.epoch = null;
    if (lease !== null) this.#tellElsewhere(seat, holderIn(lease), true);
  }

  #say(table: Table, seat: Seat, body: string): void {
    const { tenant, agent, device } = seat.frame;
    this.#sayHere(table, device, body);
    this.#parts.backplane.publish(agentChannel(tenant, agent), { kind: 'said', tenant, agent, device, body });
  }

  #sayHere({ seats }: Table, device: DeviceId, body: string): void {
    for (const { frame } of seats) if (frame.device !== device) frame.send({ type: 'frames.said', device, body });
  }

  /** The socket is gone: what it held is free, if it does not come back in time; what it waited for it does not want any more. */
  #gone(table: Table, seat: Seat): void {
    const { tenant, agent, device } = seat.frame;
    const { epoch, via } = seat;
    if (seat.asked && epoch === null)
      void this.#quietly(async () => {
        if (await this.#parts.store.unwant({ tenant, agent }, via, this.#parts.now())) this.#changed(table.line);
      });
    if (epoch === null) return;
    this.#later(leaseTiming.goneMs, async () => {
      if (!(await this.#parts.store.release({ tenant, agent, device, epoch }, via, this.#parts.now()))) return;
      this.#parts.metrics.lines.inc({ result: 'lost' });
      this.#changed(table.line);
    });
  }

  /** Something of this line changed by our own hand: who is concerned hears of it, here and elsewhere. */
  #changed(line: LineOf): void {
    const { tenant, agent } = line;
    this.#parts.backplane.publish(agentChannel(tenant, agent), { kind: 'line', tenant, agent });
    const table = this.#tables.get(`${tenant} ${agent}`);
    if (table !== undefined) void this.#quietly(() => this.#look(table));
  }

  #hear(news: News): void {
    if (news.kind !== 'said' && news.kind !== 'line') return;
    const table = this.#tables.get(`${news.tenant} ${news.agent}`);
    if (table === undefined) return;
    if (news.kind === 'said') this.#sayHere(table, news.device, news.body);
    else void this.#quietly(() => this.#look(table));
  }

  /** What other relays did without our hearing of it, and what time has changed. */
  async #lookAround(): Promise<void> {
    if (this.#tables.size === 0) return;
    await this.#quietly(async () => {
      const { now, store } = this.#parts;
      const due = new Set<Table>();
      for (const { tenant, agent, version } of await this.#asking(() => store.changedSince(now() - overlapMs))) {
        const table = this.#tables.get(`${tenant} ${agent}`);
        if (table !== undefined && table.version < version) due.add(table);
      }
      for (const table of this.#tables.values()) if (table.nextLookAt <= now()) due.add(table);
      for (const table of due) await this.#look(table);
    });
  }

  /** Looks at the lease of an agent, and tells every seat what it does not know yet. One after the other; what comes meanwhile is looked at again. */
  #look(table: Table): Promise<void> {
    if (table.looking !== null) {
      table.again = true;
      return table.looking;
    }
    const work = async (): Promise<void> => {
      for (let look = 1; look <= tries; look += 1) {
        table.again = false;
        await this.#lookOnce(table);
        if (!table.again) return;
      }
    };
    table.looking = work().finally(() => {
      table.looking = null;
    });
    return table.looking;
  }

  async #lookOnce(table: Table): Promise<void> {
    const lease = await this.#asking(() => this.#parts.store.find(table.line));
    if (lease === null) return;
    const time = this.time();
    table.version = Math.max(table.version, lease.version);
    const wish = wishOf(lease, time.now);
    const held = isHeld(lease, time);
    const next: Elsewhere | null =
      wish === null ? null : { epoch: lease.epoch + 1, device: wish.device, place: wish.place };
    for (const seat of table.seats) {
      if (seat.via === wish?.via) {
        if (!held) await this.#overtake(table, seat);
      } else if (seat.epoch === lease.epoch && seat.frame.device === lease.device && !lease.hasLeft) {
        if (next !== null) this.#tellElsewhere(seat, next);
      } else if (seat.epoch !== null && seat.epoch > lease.epoch) {
        // Granted while we read.
        table.again = true;
      } else if (seat.asked) {
        seat.epoch = null;
        if (next !== null || held) this.#tellElsewhere(seat, next ?? holderIn(lease));
        else this.#tellFree(seat, lease);
      }
    }
    this.#expect(table, lease);
  }

  /** When this lease may be another without anybody's doing. */
  #expect(table: Table, lease: LineLease | null): void {
    const time = this.time();
    const ends =
      lease === null ? [] : [heldUntil(lease, time), (wishOf(lease, time.now)?.at ?? 0) + leaseTiming.wishMs];
    table.nextLookAt = Math.min(...ends.filter((at) => at > time.now), Number.POSITIVE_INFINITY);
  }

  #tellYours(seat: Seat, epoch: number, kept: string | null): void {
    seat.epoch = epoch;
    seat.told = `yours ${epoch}`;
    seat.frame.send({ type: 'line.yours', epoch, forMs: leaseTiming.forMs, kept });
  }

  /** @param again Also when it was the last thing said: it was asked for */
  #tellElsewhere(seat: Seat, { epoch, device, place }: Elsewhere, again = false): void {
    const told = `elsewhere ${epoch} ${device}`;
    if (seat.told === told && !again) return;
    seat.told = told;
    seat.frame.send({ type: 'line.elsewhere', epoch, device, where: place });
  }

  #tellFree(seat: Seat, { epoch }: LineLease): void {
    const told = `free ${epoch}`;
    if (seat.told === told) return;
    seat.told = told;
    seat.frame.send({ type: 'line.free', epoch });
  }

  #seal(line: LineOf, kept: string): string | null {
    try {
      return this.#parts.vault.seal(purposeOf(line), kept);
    } catch (error) {
      if (!this.#saidNoKey)
        this.#parts.log.warn(
          { err: error },
          'calls can’t be taken over from another device of their agent: there is no key to seal them with',
        );
      this.#saidNoKey = true;
      return null;
    }
  }

  #open(line: LineOf, sealed: string): string | null {
    try {
      return this.#parts.vault.open(purposeOf(line), sealed);
    } catch (error) {
      this.#parts.log.warn({ err: error, ...line }, 'what another device left of its calls could not be opened');
      return null;
    }
  }

  /** A store that was away heard no renewals: whoever holds a line gets the time to say so. */
  async #asking<T>(work: () => Promise<T>): Promise<T> {
    try {
      const answer = await work();
      if (this.#away) this.#since = this.#parts.now();
      this.#away = false;
      return answer;
    } catch (error) {
      if (errorCode(error) === 'store.unavailable') this.#away = true;
      throw error;
    }
  }

  #later(afterMs: number, work: () => Promise<void>): void {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      void this.#quietly(work);
    }, afterMs);
    timer.unref();
    this.#timers.add(timer);
  }

  /** For work that nobody waits for: it is done again when somebody looks. */
  async #quietly(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (!this.#stopping) this.#parts.log.warn({ err: error }, 'a line could not be looked at; it is looked at again');
    }
  }
}

function purposeOf({ tenant, agent }: LineOf): string {
  return `line ${tenant} ${agent}`;
}
