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
import { redactCards } from '../call-log/card-numbers.ts';
import { webhookEffects } from '../call-log/effects.ts';
import type { Log } from '../logging.ts';
import type { OutboxStore, TranscriptStore } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { keepLine } from '../transcripts/kept.ts';
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
   * Tells one line. Returns at once; whoever is away misses it, but what the customer keeps.
   * @throws PatchcordError `request.invalid` for a line of the wrong shape, no call id, or an agent the configuration does not have
   */
  tell(tenant: string, agent: string, call: string, line: TranscriptLine): void;
}

export function createTranscripts(parts: {
  readonly tenants: Tenants;
  readonly hub: LiveHub;
  readonly outbox: Pick<OutboxStore, 'enqueue'>;
  readonly kept: TranscriptStore;
  readonly effectsWait: () => void;
  readonly log: Log;
  readonly now: () => number;
}): TranscriptDoor {
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
      const [tenant, agent] = [tenantId as TenantId, agentId as AgentId];
      const name: EventName = line.output.final ? names.final : names.partial;
      const data = { ...line.output, text: redactCards(line.output.text) };
      const at = parts.now();
      const event = relayEvent(tenant, { name, at, call, data }, `${call}:transcript-${randomUUID()}`);
      parts.hub.tellPassing(tenant, agent, event);
      const { config } = known.tenant;
      if (config.transcripts.keep) {
        const { kept: transcripts, log, now } = parts;
        void keepLine({ store: { transcripts }, log, now }, tenant, call as CallId, data);
      }
      const asked = config.webhooks.filter(({ events }) => events?.includes(name));
      if (asked.length === 0) return;
      const effects = webhookEffects({ ...config, webhooks: asked }, [toStoredEvent(event, tenant, agent, at)], at);
      parts.outbox.enqueue(effects).then(parts.effectsWait, (error: unknown) => {
        parts.log.error({ err: error, tenant, callId: call }, 'a transcript line could not be queued for a webhook');
      });
    },
  };
}
