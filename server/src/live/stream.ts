/**
 * Event streams: what was committed for a tenant (or one agent of it), in the order of the commits, without a gap and without a repeat, from
 * wherever a reader left off. Owns one reader of the store per tenant, shared by all its streams, and the switch from catching up to following.
 * Whoever tells that something was committed only makes it faster. Must never hold a slow stream's events: it is cut off and comes back.
 */
import { type AgentId, type Envelope, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { Log } from '../logging.ts';
import type { Change, FeedCursor, FeedEvent, FeedStore, Store, StoredEvent } from '../store/contract.ts';
import { type Backplane, tenantChannel } from './backplane.ts';

/** One open stream. */
export interface StreamReader {
  readonly tenant: TenantId;
  /** Null: all agents of the tenant. */
  readonly agent: AgentId | null;
  /** Writes a message; false when it is too far behind and has been cut off. */
  write(message: Buffer): boolean;
  /** The store failed while it caught up. */
  fail(error: unknown): void;
}

interface Follower {
  cursor: FeedCursor;
  readonly readers: Map<StreamReader, FeedCursor>;
  reading: boolean;
  again: boolean;
  timer: NodeJS.Timeout | undefined;
}

const pageSize = 500;
/** How far back a stream may resume. */
const reachMs = 86_400_000;
/** Commits of one tenant that come closer together than this are read, and told of, together. */
const gatherMs = 10;

export class LiveStreams {
  readonly #feed: FeedStore;
  readonly #backplane: Backplane;
  readonly #log: Log;
  readonly #now: () => number;
  readonly #mark: string;
  readonly #followers = new Map<TenantId, Follower>();
  readonly #telling = new Map<TenantId, NodeJS.Timeout>();
  readonly #closing = new Set<() => void>();

  constructor(parts: {
    readonly feed: FeedStore;
    readonly backplane: Backplane;
    readonly log: Log;
    readonly now: () => number;
    /** Name of the database that the places belong to. */
    readonly deployment: string;
  }) {
    this.#mark = parts.deployment.slice(0, 8);
    this.#feed = parts.feed;
    this.#backplane = parts.backplane;
    this.#log = parts.log;
    this.#now = parts.now;
    parts.backplane.onNews((news) => {
      if (news.kind === 'committed') this.#wake(news.tenant);
    });
  }

  /** A place as a reader is given it: it holds for this database alone. */
  idOf(cursor: FeedCursor): string {
    return cursorText(cursor, this.#mark);
  }

  /**
   * Where a stream begins that asks for a place it was given: there, or at the end when there is no such place here. After a restore the
   * places of the database before mean nothing, and one that is still to come would keep the reader waiting for it in silence.
   * @param asked Null: no place
   * @throws PatchcordError `request.invalid` for what we never gave, `store.unavailable`
   */
  async placeOf(asked: string | null): Promise<FeedCursor> {
    const place = asked === null ? null : readCursor(asked);
    const end = await this.#feed.end();
    if (place === null || (place.mark !== null && place.mark !== this.#mark) || isBefore(end, place.cursor)) return end;
    return place.cursor;
  }

  /**
   * Starts a stream. Everything after `from` is written, in order, once.
   * @returns what ends it
   */
  async open(reader: StreamReader, from: FeedCursor): Promise<() => void> {
    let open = true;
    let follower = this.#followers.get(reader.tenant);
    if (follower === undefined) {
      const cursor = await this.#feed.end();
      follower = this.#followers.get(reader.tenant);
      if (follower === undefined) {
        follower = { cursor, readers: new Map(), reading: false, again: false, timer: undefined };
        this.#followers.set(reader.tenant, follower);
        this.#backplane.subscribe(tenantChannel(reader.tenant));
      }
    }
    const followed = follower;
    // Held before it follows, so that the follower is not taken down meanwhile.
    followed.readers.set(reader, farAway);
    void this.#catchUp(reader, from, followed, () => open).catch((error: unknown) => reader.fail(error));
    return () => {
      open = false;
      followed.readers.delete(reader);
      if (followed.readers.size > 0 || this.#followers.get(reader.tenant) !== followed) return;
      this.#followers.delete(reader.tenant);
      this.#backplane.unsubscribe(tenantChannel(reader.tenant));
      clearTimeout(followed.timer);
    };
  }

  /** Called when the relay stops; the result takes it back. */
  onClose(end: () => void): () => void {
    this.#closing.add(end);
    return () => this.#closing.delete(end);
  }

  /** Ends every stream; its reader comes back to another relay, to the place it had. */
  endAll(): void {
    for (const end of [...this.#closing]) end();
  }

  /** Something of this tenant was committed by this process: streams here and elsewhere look. Cheap, and never waits. */
  committed(tenant: TenantId): void {
    this.#wake(tenant);
    if (this.#backplane.status() !== 'joined' || this.#telling.has(tenant)) return;
    this.#telling.set(
      tenant,
      setTimeout(() => {
        this.#telling.delete(tenant);
        this.#backplane.publish(tenantChannel(tenant), { kind: 'committed', tenant });
      }, gatherMs).unref(),
    );
  }

  /** Looks for every tenant that has streams here: another relay may have committed without a word. */
  tick(): void {
    for (const tenant of this.#followers.keys()) this.#wake(tenant);
  }

  #wake(tenant: TenantId): void {
    const follower = this.#followers.get(tenant);
    if (follower === undefined) return;
    if (follower.reading) {
      follower.again = true;
      return;
    }
    follower.timer ??= setTimeout(() => {
      follower.timer = undefined;
      void this.#follow(tenant, follower);
    }, gatherMs).unref();
  }

  async #follow(tenant: TenantId, follower: Follower): Promise<void> {
    follower.reading = true;
    try {
      do {
        follower.again = false;
        const events = await this.#read(tenant, null, follower.cursor);
        for (const event of events) {
          follower.cursor = event.cursor;
          const message = toMessage(event, this.idOf(event.cursor));
          for (const [reader, seen] of follower.readers) {
            if (reader.agent !== null && reader.agent !== event.agent) continue;
            if (isBefore(seen, event.cursor) && !reader.write(message)) follower.readers.delete(reader);
          }
        }
        if (events.length === pageSize) follower.again = true;
      } while (follower.again && this.#followers.get(tenant) === follower);
    } catch (error) {
      this.#log.warn({ err: error, tenant }, 'an event stream could not read on yet');
    } finally {
      follower.reading = false;
    }
  }

  /** Reads for one stream alone until it stands where the follower stands; from then on the follower writes. */
  async #catchUp(reader: StreamReader, from: FeedCursor, follower: Follower, isOpen: () => boolean): Promise<void> {
    let cursor = from;
    while (isOpen()) {
      const followed = follower.cursor;
      const events = await this.#read(reader.tenant, reader.agent, cursor);
      if (!isOpen()) return;
      for (const event of events) {
        cursor = event.cursor;
        if (!reader.write(toMessage(event, this.idOf(event.cursor)))) return;
      }
      if (events.length === pageSize) continue;
      // All that was committed up to there has been read, whoever it was of.
      if (isBefore(cursor, followed)) cursor = followed;
      if (isBefore(cursor, follower.cursor)) continue;
      follower.readers.set(reader, cursor);
      this.#wake(reader.tenant);
      return;
    }
  }

  #read(tenant: TenantId, agent: AgentId | null, cursor: FeedCursor): Promise<readonly FeedEvent[]> {
    const of = { tenant, since: this.#now() - reachMs, limit: pageSize };
    return this.#feed.after(cursor, agent === null ? of : { ...of, agent });
  }
}

/** Before this place nothing comes: a stream that still catches up is passed over. */
const farAway: FeedCursor = { xact: Number.MAX_SAFE_INTEGER, position: Number.MAX_SAFE_INTEGER };

function isBefore(a: FeedCursor, b: FeedCursor): boolean {
  return a.xact < b.xact || (a.xact === b.xact && a.position < b.position);
}

function cursorText({ xact, position }: FeedCursor, mark: string): string {
  return `${xact.toString(36)}.${position.toString(36)}.${mark}`;
}

/**
 * Reads the id of a message. The version before gave ids without the mark of their database.
 * @throws PatchcordError `request.invalid` for what we never gave
 */
export function readCursor(text: string): { readonly cursor: FeedCursor; readonly mark: string | null } {
  const [, xact, position, mark] = /^([0-9a-z]{1,11})\.([0-9a-z]{1,11})(?:\.([0-9a-z]{1,8}))?$/.exec(text) ?? [];
  const cursor = { xact: Number.parseInt(xact ?? '', 36), position: Number.parseInt(position ?? '', 36) };
  if (Number.isSafeInteger(cursor.xact) && Number.isSafeInteger(cursor.position)) return { cursor, mark: mark ?? null };
  throw new PatchcordError('request.invalid', '"Last-Event-ID" is not one of this stream. Start again without it.');
}

/** One event in the form of an event stream (HTML, 9.2): its id is where to go on. */
function toMessage({ seq, envelope }: FeedEvent, id: string): Buffer {
  const data = JSON.stringify(seq === null ? { event: envelope } : { event: envelope, seq });
  return Buffer.from(`id: ${id}\ndata: ${data}\n\n`);
}

/** An event that is told and not kept: it moves no reader's place. */
export function toPassingMessage(event: Envelope): Buffer {
  return Buffer.from(`data: ${JSON.stringify({ event })}\n\n`);
}

/** The store, telling `committed` after each commit that wrote events. */
export function tellingStore(store: Store, committed: (tenant: TenantId) => void): Store {
  const tell = (...lists: (readonly StoredEvent[] | undefined)[]): void => {
    for (const tenant of new Set(lists.flatMap((list) => (list ?? []).map((event) => event.tenant)))) committed(tenant);
  };
  return {
    ...store,
    calls: {
      ...store.calls,
      commit: async (change: Change) => {
        const kept = await store.calls.commit(change);
        if (kept) tell(change.events, change.ownEvents);
        return kept;
      },
    },
    voicemails: {
      ...store.voicemails,
      add: async (voicemail, event, effects) => {
        const kept = await store.voicemails.add(voicemail, event, effects);
        if (kept) tell([event]);
        return kept;
      },
    },
    outbox: {
      ...store.outbox,
      done: async (effect, now, outcome) => {
        const result = await store.outbox.done(effect, now, outcome);
        tell(outcome?.ownEvents);
        return result;
      },
      failed: async (effect, failure, outcome) => {
        const result = await store.outbox.failed(effect, failure, outcome);
        tell(outcome?.ownEvents);
        return result;
      },
    },
  };
}
