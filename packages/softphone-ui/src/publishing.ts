/**
 * From the journal to the live link: sends what waits, oldest first, until each event is acknowledged. Owns what is in flight and the
 * deadline of an acknowledgement. Must never take an event out of the journal that the relay has neither stored nor refused.
 */
import type { Envelope } from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';
import type { Journal } from './journal.ts';
import type { LiveLink } from './live-link.ts';
import { texts } from './texts.ts';

export interface Publishing {
  /** Looks for waiting events now. */
  pump(): Promise<void>;
  stop(): void;
}

export interface PublishingOptions {
  readonly journal: Journal;
  readonly live: LiveLink;
  readonly clock: ClockPort;
  /** Ids of another frame's unsent events turn up without a word: look again this often, ms. */
  readonly lookAgainMs?: number;
  readonly acknowledgeWithinMs?: number;
}

/** The most one message carries: the relay takes 100 events and 64 KiB. */
const batchSize = 50;
const batchBytes = 60_000;

/** Sends the journal until `stop`. Runs in the frame that owns the phone, so that events keep their order. */
export function startPublishing(options: PublishingOptions): Publishing {
  const { journal, live, clock, lookAgainMs = 15_000, acknowledgeWithinMs = 10_000 } = options;
  let inFlight = new Set<string>();
  let overdue: unknown = null;
  let lookAgain: unknown = null;
  let stopped = false;
  let running: Promise<void> | null = null;
  let again = false;

  async function send(): Promise<void> {
    if (stopped || live.status() !== 'joined' || inFlight.size > 0) return;
    const waiting = await journal.waiting(batchSize);
    const batch = fitting(waiting);
    const first = waiting[0];
    if (stopped || first === undefined || inFlight.size > 0) return;
    if (batch.length === 0) {
      // It would close the socket each time and keep everything behind it.
      await journal.refuse(first.id, texts.eventTooLarge);
      return;
    }
    if (!live.publish(batch)) return;
    inFlight = new Set(batch.map((envelope) => envelope.id));
    overdue = clock.setTimeout(() => {
      // Not one answer in time: the socket takes messages and loses them. A new one sends the same events again.
      landed();
      live.suspect();
    }, acknowledgeWithinMs);
  }

  /** One look at a time; a wish to look while looking is granted afterwards. */
  function pump(): Promise<void> {
    if (running !== null) {
      again = true;
      return running;
    }
    running = send().finally(() => {
      running = null;
      if (again) {
        again = false;
        void pump();
      }
    });
    return running;
  }

  function landed(): void {
    inFlight.clear();
    if (overdue !== null) clock.clearTimeout(overdue);
    overdue = null;
  }

  async function settle(ids: readonly string[], store: () => Promise<void>): Promise<void> {
    await store();
    for (const id of ids) inFlight.delete(id);
    if (inFlight.size === 0) landed();
    await pump();
  }

  function schedule(): void {
    lookAgain = clock.setTimeout(() => {
      void pump();
      schedule();
    }, lookAgainMs);
  }

  const stop = [
    live.onAcknowledged((ids) => void settle(ids, () => journal.acknowledge(ids))),
    live.onRefused((id, message) => void settle([id], () => journal.refuse(id, message))),
    live.onStatus((status) => {
      if (status !== 'joined') landed();
      void pump();
    }),
    journal.onChanged(() => void pump()),
  ];
  live.holdCalls(true);
  schedule();
  void pump();

  return {
    pump,
    stop() {
      stopped = true;
      live.holdCalls(false);
      landed();
      if (lookAgain !== null) clock.clearTimeout(lookAgain);
      for (const end of stop) end();
    },
  };
}

/** As many of the oldest as one message carries. */
function fitting(events: readonly Envelope[]): readonly Envelope[] {
  const measure = new TextEncoder();
  let bytes = 0;
  const end = events.findIndex((event) => {
    bytes += measure.encode(JSON.stringify(event)).length + 1;
    return bytes > batchBytes;
  });
  return end === -1 ? events : events.slice(0, end);
}
