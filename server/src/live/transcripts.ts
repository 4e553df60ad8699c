/**
 * Lines of a live transcript on their way to who may see them: the frames of the agent, and those who watch the tenant. Owns that a line is no
 * event of its call: it reaches no fold; a webhook hears it only when it asks for it by name. Final lines are kept where the customer wants that
 * (`transcripts/kept.ts`), and nowhere else. Must never tell or keep a card number.
 */
import { randomUUID } from 'node:crypto';
import {
  type AgentId,
  type CallId,
  CallIdSchema,
  type Envelope,
  type EventName,
  PatchcordError,
  type TenantId,
  type TranscriptLine,
  TranscriptLineSchema,
} from '@patchcord/call-protocol';
import * as v from 'valibot';
import { webhookEffects } from '../call-log/effects.ts';
import { transcriptionOf } from '../config/transcription.ts';
import type { Log } from '../logging.ts';
import type { OutboxStore, TranscriptStore } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { keepLine } from '../transcripts/kept.ts';
import { CallRedaction, type Redacted } from '../transcripts/redaction.ts';
import type { LiveHub } from './hub.ts';
import { relayEvent, toStoredEvent } from './relay-event.ts';

const names = { partial: 'transcript.partial', final: 'transcript.final' } as const;

/** Whether an event is told live and never stored, although it belongs to a call. */
export function isPassing({ type }: Envelope): boolean {
  return /^dev\.patchcord\.(?:transcript\.(?:partial|final)|dial\.asked|to-call\.changed)\.v\d+$/.test(type);
}

/** The door for whoever transcribes a call. */
export interface TranscriptDoor {
  /**
   * Tells one line, without what must not be told of it. Returns at once; whoever is away misses it, but what the customer keeps. A final line that may
   * hold the beginning of a card number is told as one that may still change, until more is known.
   * @throws PatchcordError `request.invalid` for a line of the wrong shape, no call id, or an agent the configuration does not have
   */
  tell(tenant: string, agent: string, call: string, line: TranscriptLine): void;
}

/** The same for those who know when a call pauses and ends. */
export interface TranscriptTeller extends TranscriptDoor {
  /** @returns resolves when a final line stays as it is, and is kept where it is kept. Never rejects */
  tell(tenant: string, agent: string, call: string, line: TranscriptLine): Promise<void>;
  /** What is held back of a call and was said from `atMs` of it on is not told. */
  forget(tenant: TenantId, call: CallId, atMs: number): void;
  /** Nothing more is said in this call: what is held back is told. */
  release(tenant: TenantId, call: CallId): void;
  /** This relay has nothing more to say in this call: what is held back is not told, and nobody waits for it. Somebody else may hear it again. */
  drop(tenant: TenantId, call: CallId): void;
  /** Tells everything that is held back; resolves when it is kept. */
  close(): Promise<void>;
}

export interface TranscriptParts {
  readonly tenants: Tenants;
  readonly hub: LiveHub;
  readonly outbox: Pick<OutboxStore, 'enqueue'>;
  readonly kept: TranscriptStore;
  /** Looks for phrases in a final line, as it is told: without what must not be kept. */
  readonly heard: (tenant: TenantId, agent: AgentId, call: CallId, line: TranscriptLine) => void;
  readonly effectsWait: () => void;
  readonly log: Log;
  readonly now: () => number;
}

/** Calls whose last digits are remembered: those beyond are over, or begin anew. */
const mostCalls = 2_000;
const lookMs = 500;

interface Speaking {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly call: CallId;
  readonly redaction: CallRedaction;
  /** Who waits for a line that is held back. */
  readonly waiting: Map<string, (kept: Promise<void>) => void>;
}

export function createTranscripts(parts: TranscriptParts): TranscriptTeller {
  const calls = new Map<string, Speaking>();
  const work = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;

  const speakingIn = (known: NonNullable<ReturnType<Tenants['agent']>>, call: CallId): Speaking => {
    const { config } = known.tenant;
    const key = `${config.id} ${call}`;
    const speaking = calls.get(key) ?? {
      tenant: config.id as TenantId,
      agent: known.agent.id as AgentId,
      call,
      redaction: new CallRedaction(
        transcriptionOf(config, known.agent)?.language ?? '',
        config.transcription?.redact ?? [],
      ),
      waiting: new Map(),
    };
    // Newest last.
    calls.delete(key);
    calls.set(key, speaking);
    for (const [old, { redaction }] of calls) {
      if (calls.size <= mostCalls) break;
      if (!redaction.holds) calls.delete(old);
    }
    return speaking;
  };

  /** Tells lines, and whoever waits for one of them when it is kept. */
  const out = (speaking: Speaking, lines: readonly Redacted[]): void => {
    for (const { line, decided } of lines) {
      const kept = tellLine(parts, speaking, line).catch((error: unknown) => {
        parts.log.error({ err: error, tenant: speaking.tenant, callId: speaking.call }, 'a line could not be told');
      });
      if (!decided) continue;
      const key = lineKey(line);
      speaking.waiting.get(key)?.(kept);
      speaking.waiting.delete(key);
    }
  };
  const look = (): void => {
    const held = [...calls.values()].filter(({ redaction }) => redaction.holds);
    for (const speaking of held) out(speaking, speaking.redaction.due(parts.now()));
    if (held.length > 0) return;
    clearInterval(timer);
    timer = undefined;
  };

  return {
    tell(tenantId, agentId, call, input) {
      const known = parts.tenants.agent(tenantId, agentId);
      const line = v.safeParse(TranscriptLineSchema, input);
      if (known === undefined || !v.is(CallIdSchema, call) || !line.success) {
        throw new PatchcordError(
          'request.invalid',
          'A transcript line needs an agent of the configuration, the id of a call, and the shape of the protocol. The line was not told.',
        );
      }
      const speaking = speakingIn(known, call as CallId);
      const said = line.output;
      let stays = Promise.resolve();
      if (said.final) {
        const { promise, resolve } = Promise.withResolvers<void>();
        // Told again while it was held: whoever waited for it before waits for the same.
        const before = speaking.waiting.get(lineKey(said));
        speaking.waiting.set(lineKey(said), (kept) => {
          before?.(kept);
          resolve(kept);
        });
        stays = promise.finally(() => work.delete(stays));
        work.add(stays);
      }
      out(speaking, speaking.redaction.take(said, parts.now()));
      if (speaking.redaction.holds && timer === undefined) {
        timer = setInterval(look, lookMs);
        timer.unref();
      }
      return stays;
    },

    forget(tenant, call, atMs) {
      const speaking = calls.get(`${tenant} ${call}`);
      if (speaking !== undefined) out(speaking, speaking.redaction.forget(atMs));
    },

    release(tenant, call) {
      const speaking = calls.get(`${tenant} ${call}`);
      if (speaking === undefined) return;
      out(speaking, speaking.redaction.release());
      calls.delete(`${tenant} ${call}`);
    },

    drop(tenant, call) {
      const speaking = calls.get(`${tenant} ${call}`);
      if (speaking === undefined) return;
      calls.delete(`${tenant} ${call}`);
      for (const settle of speaking.waiting.values()) settle(Promise.resolve());
    },

    async close() {
      for (const speaking of calls.values()) out(speaking, speaking.redaction.release());
      clearInterval(timer);
      await Promise.all(work);
    },
  };
}

function lineKey({ speaker, line }: TranscriptLine): string {
  return `${speaker} ${line}`;
}

/** Tells a line as it is. @returns resolves when it is kept, where it is */
async function tellLine(
  parts: TranscriptParts,
  { tenant, agent, call }: Speaking,
  line: TranscriptLine,
): Promise<void> {
  const name: EventName = line.final ? names.final : names.partial;
  const at = parts.now();
  const event = relayEvent(tenant, { name, at, call, data: line }, `${call}:transcript-${randomUUID()}`);
  parts.hub.tellPassing(tenant, agent, event);
  if (line.final) parts.heard(tenant, agent, call, line);
  const config = parts.tenants.find(tenant)?.config;
  if (config === undefined) return;
  const { kept: transcripts, log, now } = parts;
  const kept = config.transcripts.keep ? keepLine({ store: { transcripts }, log, now }, tenant, call, line) : undefined;
  const asked = config.webhooks.filter(({ events }) => events?.includes(name));
  if (asked.length > 0) {
    const effects = webhookEffects({ ...config, webhooks: asked }, [toStoredEvent(event, tenant, agent, at)], at);
    parts.outbox.enqueue(effects).then(parts.effectsWait, (error: unknown) => {
      log.error({ err: error, tenant, callId: call }, 'a transcript line could not be queued for a webhook');
    });
  }
  await kept;
}
