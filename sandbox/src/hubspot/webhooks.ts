/**
 * Owns the portal's webhooks: what happens to calls is told to the app, signed, in batches, and again when nobody took it (the HubSpot contract,
 * section 2.8). Must never tell of an object or a property that nobody subscribed to.
 */
import { objectTypeIds } from './properties.ts';
import type { Portal, RecordChange } from './records.ts';
import { signatureV3 } from './signature.ts';

export interface WebhookOptions {
  /** Where the app takes them, e.g. `http://127.0.0.1:8080/v1/hubspot/webhooks`. */
  readonly url: string;
  /** Properties of calls whose changes are told. */
  readonly properties: readonly string[];
  /** How much faster the time between attempts passes. Default 1: a real minute is a minute. */
  readonly speed?: number;
}

export interface SentWebhook {
  readonly at: number;
  readonly attempt: number;
  /** What the app answered; 0 when it did not. */
  readonly status: number;
  readonly events: readonly Readonly<Record<string, unknown>>[];
}

export interface Webhooks {
  sent(): readonly SentWebhook[];
  /** Until everything that happened was taken or given up. */
  settled(): Promise<void>;
  stop(): void;
}

const mostAtOnce = 100;
const mostAttempts = 10;
const answerWithinMs = 5000;
const betweenMs = 60_000;
/** What happens close together goes together. */
const gatherMs = 20;

export function createWebhooks(
  parts: { portal: Portal; portalId: number; appId: number; clientSecret: string },
  options: WebhookOptions | undefined,
): Webhooks {
  const sent: SentWebhook[] = [];
  let waiting: Readonly<Record<string, unknown>>[] = [];
  let gathering: NodeJS.Timeout | undefined;
  const running = new Set<Promise<void>>();
  const pauses = new Set<NodeJS.Timeout>();
  let serial = 0;
  let stopped = false;

  function noticed(change: RecordChange | undefined): void {
    if (!options || !change || change.record.type !== 'calls' || stopped) return;
    const tell = (subscriptionType: string, rest: Readonly<Record<string, unknown>>): void => {
      serial += 1;
      waiting.push({
        eventId: serial,
        subscriptionId: 1,
        portalId: parts.portalId,
        appId: parts.appId,
        occurredAt: Date.now(),
        subscriptionType,
        objectId: Number(change.record.id),
        objectTypeId: objectTypeIds.calls,
        changeSource: 'INTEGRATION',
        ...rest,
      });
    };
    if (change.kind === 'deleted') tell('object.deletion', { changeFlag: 'DELETED' });
    else
      for (const propertyName of options.properties) {
        const propertyValue = change.values[propertyName];
        if (propertyValue) tell('object.propertyChange', { propertyName, propertyValue });
      }
    if (waiting.length > 0) gathering ??= setTimeout(flush, gatherMs);
  }

  function flush(): void {
    gathering = undefined;
    while (waiting.length > 0) {
      const work = deliver(waiting.slice(0, mostAtOnce)).finally(() => running.delete(work));
      waiting = waiting.slice(mostAtOnce);
      running.add(work);
    }
  }

  async function deliver(batch: readonly Readonly<Record<string, unknown>>[]): Promise<void> {
    if (!options) return;
    const { url } = options;
    for (let attempt = 0; attempt <= mostAttempts && !stopped; attempt += 1) {
      const events = batch.map((event) => ({ ...event, attemptNumber: attempt }));
      const body = JSON.stringify(events);
      const timestamp = `${Date.now()}`;
      const status = await fetch(url, {
        method: 'POST',
        body,
        headers: {
          'content-type': 'application/json',
          'X-HubSpot-Signature-v3': signatureV3({ secret: parts.clientSecret, method: 'POST', url, body, timestamp }),
          'X-HubSpot-Request-Timestamp': timestamp,
        },
        signal: AbortSignal.timeout(answerWithinMs),
      }).then(
        (response) => response.status,
        () => 0,
      );
      sent.push({ at: Date.now(), attempt, status, events });
      if (status >= 200 && status < 300) return;
      await new Promise<void>((resolve) => {
        const pause = setTimeout(
          () => {
            pauses.delete(pause);
            resolve();
          },
          betweenMs / (options.speed ?? 1),
        );
        pause.unref();
        pauses.add(pause);
      });
    }
  }

  parts.portal.onChange(noticed);
  return {
    sent: () => [...sent],
    async settled() {
      if (gathering !== undefined) {
        clearTimeout(gathering);
        flush();
      }
      await Promise.all([...running]);
    },
    stop() {
      stopped = true;
      clearTimeout(gathering);
      for (const pause of pauses) clearTimeout(pause);
    },
  };
}
