/**
 * What relays tell each other, at most once and without waiting: live events, ended access, "this tenant has news". Owns the form of a message and
 * its check; who carries it is `local-backplane.ts` or `redis-backplane.ts`. Must never be the only way a fact travels: events are read from
 * the store by their order, revocations from their table.
 */
import { AgentIdSchema, DeviceIdSchema, EnvelopeSchema, TenantIdSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';

/** `alone`: nobody to tell. `joined`: other relays hear and are heard. `away`: they should, and can't just now. */
export type BackplaneStatus = 'alone' | 'joined' | 'away';

/** As the live socket takes it. */
const longestSaid = 48_000;

/** One of these per message. `tenant` and `agent` say whom it concerns; the channel is only how it travels. */
const NewsSchema = v.variant('kind', [
  v.object({
    kind: v.literal('event'),
    tenant: TenantIdSchema,
    /** Null: for those who watch the whole tenant. */
    agent: v.nullable(AgentIdSchema),
    /** With null: whose readers hear it as theirs, on the agent's own channel. */
    toldTo: v.exactOptional(AgentIdSchema),
    event: EnvelopeSchema,
    seq: v.nullable(v.pipe(v.number(), v.integer(), v.minValue(1))),
  }),
  v.object({
    kind: v.literal('ended'),
    id: v.pipe(v.string(), v.maxLength(64)),
    tenant: TenantIdSchema,
    agent: AgentIdSchema,
    device: v.nullable(DeviceIdSchema),
    code: v.pipe(v.number(), v.integer(), v.minValue(4_000), v.maxValue(4_999)),
    reason: v.pipe(v.string(), v.maxLength(123)),
    at: v.number(),
  }),
  /** What one device of an agent says to the others: their phones read it, nobody else. */
  v.object({
    kind: v.literal('said'),
    tenant: TenantIdSchema,
    agent: AgentIdSchema,
    device: DeviceIdSchema,
    body: v.pipe(v.string(), v.maxLength(longestSaid)),
  }),
  /** Who holds this agent's line, or wants it, has changed: look into the store. */
  v.object({ kind: v.literal('line'), tenant: TenantIdSchema, agent: AgentIdSchema }),
  /** Events of this tenant were committed: look into the store. */
  v.object({ kind: v.literal('committed'), tenant: TenantIdSchema }),
]);
export type News = v.InferOutput<typeof NewsSchema>;

const MessageSchema = v.object({ v: v.literal(1), from: v.pipe(v.string(), v.maxLength(64)), news: NewsSchema });

export interface Backplane {
  status(): BackplaneStatus;
  onStatus(listener: (status: BackplaneStatus) => void): void;
  /** Tells the other relays that subscribe to this channel. Never waits; drops when nobody can hear. */
  publish(channel: string, news: News): void;
  /** As often as it is wanted; `unsubscribe` gives one of them back. */
  subscribe(channel: string): void;
  unsubscribe(channel: string): void;
  /** How many other relays subscribe to this channel, as far as it can be told; 0 while none of them is reached, null where nobody may count. Never rejects. */
  listeners(channel: string): Promise<number | null>;
  /** Called with what other relays told, never with our own. */
  onNews(listener: (news: News) => void): void;
  close(): Promise<void>;
}

export const tenantChannel = (tenant: string): string => `tenant:${tenant}`;
export const agentChannel = (tenant: string, agent: string): string => `agent:${tenant}:${agent}`;
/** Nothing is told on it: relays that have a phone of this agent subscribe to it, and are counted. */
export const phoneChannel = (tenant: string, agent: string): string => `phone:${tenant}:${agent}`;

/** An event is at most 64 KiB; whatever is larger did not come from a relay. */
const longestMessage = 262_144;

export function encodeNews(from: string, news: News): string {
  return JSON.stringify({ v: 1, from, news });
}

/** Null for what no relay of this version says: anybody who reaches the carrier can write anything. */
export function decodeNews(text: string): { readonly from: string; readonly news: News } | null {
  if (text.length > longestMessage) return null;
  try {
    const result = v.safeParse(MessageSchema, JSON.parse(text));
    return result.success ? result.output : null;
  } catch {
    return null;
  }
}
