/**
 * What the relay makes of the words of each call: phrases that the customer's rules look for, and a summary by a machine. Owns what is known of a
 * call, once, however often it is told. Kept while the call is there, in memory only.
 */
import type { EventData, MachineSummary, WireEvent } from '@patchcord/call-protocol';
import { type ReadonlySignal, type Signal, signal } from '@preact/signals';

export type Spotted = EventData<'phrase.spotted'>;
export type Missed = EventData<'phrase.missed'>;

export interface Findings {
  /** What was said, by time. */
  readonly spotted: readonly Spotted[];
  /** What had to be said and was not heard; the relay judges it some seconds after the end. */
  readonly missed: readonly Missed[];
  readonly summary: MachineSummary | null;
}

export interface CallFindings {
  of(call: string): ReadonlySignal<Findings>;
  /** An event of the relay; what is no finding is left alone. */
  heard(event: WireEvent): void;
  /** Only these calls are still there. */
  keep(calls: readonly string[]): void;
}

const none: Findings = { spotted: [], missed: [], summary: null };

/** Nothing is known yet. */
export function createCallFindings(): CallFindings {
  const calls = new Map<string, Signal<Findings>>();
  /** When the summary at hand was made: an older one that is told late does not count. */
  const summedUpAt = new Map<string, number>();

  function findingsOf(call: string): Signal<Findings> {
    const there = calls.get(call) ?? signal(none);
    calls.set(call, there);
    return there;
  }

  return {
    of: findingsOf,
    heard(event) {
      const { call } = event;
      if (call === undefined) return;
      const findings = findingsOf(call);
      const known = findings.value;
      switch (event.name) {
        case 'phrase.spotted':
          findings.value = withSpotted(known, event.data);
          return;
        case 'phrase.missed':
          findings.value = withMissed(known, event.data);
          return;
        case 'call.summarised':
          if (event.at < (summedUpAt.get(call) ?? 0)) return;
          summedUpAt.set(call, event.at);
          findings.value = { ...known, summary: event.data };
          return;
        default:
      }
    },
    keep(there) {
      for (const call of calls.keys()) {
        if (there.includes(call)) continue;
        calls.delete(call);
        summedUpAt.delete(call);
      }
    },
  };
}

/** One line says the same phrase once. What was heard after all was not missed. */
function withSpotted(known: Findings, one: Spotted): Findings {
  const isSame = ({ rule, speaker, line }: Spotted) =>
    rule === one.rule && speaker === one.speaker && line === one.line;
  if (known.spotted.some(isSame)) return known;
  const spotted = [...known.spotted, one].sort((a, b) => a.startMs - b.startMs);
  return { ...known, spotted, missed: known.missed.filter(({ rule }) => rule !== one.rule) };
}

function withMissed(known: Findings, one: Missed): Findings {
  const isKnown = [...known.missed, ...known.spotted].some(({ rule }) => rule === one.rule);
  return isKnown ? known : { ...known, missed: [...known.missed, one] };
}
