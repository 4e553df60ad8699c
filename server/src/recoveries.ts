/**
 * Which way of taking up a call worked with which far side of a customer: counted from what phones tell, handed back to them in the profile, shown to
 * administrators. Owns what counts as a try and what names a far side. Must never hold anything of a call.
 */
import type { Profile, TenantId, WireEvent } from '@patchcord/call-protocol';
import { featuresOf } from './agent-features.ts';
import type { AgentConfig, TenantConfig } from './config.ts';
import type { Log } from './logging.ts';
import type { Metrics } from './metrics.ts';
import type { Recovery, RecoveryStore, TriedWay } from './store/contract.ts';

type RecoverySettings = Profile['sip']['recovery'];

/** Far sides of one customer, by way: more are forgotten, the one that was tried longest ago first. */
const mostRows = 200;
/** What a phone needs to know of. */
const mostKnown = 40;

interface Tried {
  readonly peer: string;
  readonly way: TriedWay;
  readonly worked: boolean;
  readonly at: number;
}

export class Recoveries {
  readonly #store: RecoveryStore;
  readonly #metrics: Pick<Metrics, 'recoveries'>;
  readonly #log: Log;

  constructor(parts: {
    readonly store: RecoveryStore;
    readonly metrics: Pick<Metrics, 'recoveries'>;
    readonly log: Log;
  }) {
    this.#store = parts.store;
    this.#metrics = parts.metrics;
    this.#log = parts.log;
  }

  /** Counts what these events of one call tell. Never rejects: a try that is not counted costs a hint. */
  async take(tenant: TenantId, before: readonly WireEvent[], fresh: readonly WireEvent[]): Promise<void> {
    for (const tried of triedIn(before, fresh)) {
      this.#metrics.recoveries.inc({ way: tried.way, result: tried.worked ? 'worked' : 'failed' });
      try {
        await this.#store.count(tenant, tried, mostRows);
      } catch (error) {
        this.#log.warn({ err: error, tenant }, 'how a call was taken up again could not be counted');
      }
    }
  }

  /** What phones should know, newest first. @throws PatchcordError `store.unavailable` */
  async known(tenant: TenantId): Promise<RecoverySettings['known']> {
    const rows = await this.#store.of(tenant, mostKnown);
    // Who does not say what it is can't be told from others that don't.
    return rows.flatMap(({ peer, way, lastWorked }) => (peer === '' ? [] : [{ peer, way, worked: lastWorked }]));
  }

  /** Everything that is counted, newest first. @throws PatchcordError `store.unavailable` */
  all(tenant: TenantId): Promise<readonly Recovery[]> {
    return this.#store.of(tenant, mostRows);
  }
}

/** `sip.recovery` of an agent's profile. */
export function recoveryOf(
  tenant: TenantConfig,
  agent: AgentConfig,
  known: RecoverySettings['known'],
): RecoverySettings {
  const { way, applications } = tenant.sip.recovery;
  const { voicemail, park, conference, forwarding, doNotDisturb } = featuresOf(tenant, agent);
  const codes = [forwarding, doNotDisturb].flatMap((one) =>
    one === null || one === 'by-phone' ? [] : [one.on, one.off],
  );
  const answered = [
    ...applications,
    ...codes,
    ...(park?.slots ?? []),
    ...[voicemail?.number, voicemail?.deposit, park?.to, conference.room].map((one) => one ?? ''),
  ];
  // A code that goes on with a number is dialled to tell something: such a call is over before it could be lost.
  return { way, applications: [...new Set(answered)].filter((one) => one !== '' && !/[{}]/.test(one)), known };
}

/**
 * The tries in these events. That a call is back is told on top of the try that brought it back; where only the former is told (by an older journal, or
 * because the page went in between), it counts as one.
 */
function triedIn(before: readonly WireEvent[], fresh: readonly WireEvent[]): readonly Tried[] {
  const worked = (events: readonly WireEvent[], way: TriedWay): number =>
    events.filter(({ name, data }) => name === 'call.recovery-tried' && data.way === way && data.worked).length;
  const back = (events: readonly WireEvent[], way: TriedWay): number =>
    events.filter(({ name, data }) => name === 'call.recovered' && data.way === way).length;
  const all = [...before, ...fresh];
  return fresh.flatMap((event): readonly Tried[] => {
    if (event.name === 'call.recovery-tried') {
      const { peer, way, worked: didWork } = event.data;
      // Counted already, when the call was said to be back before this arrived.
      if (didWork && back(before, way) > worked(before, way)) return [];
      return [{ peer: productOf(peer), way, worked: didWork, at: event.at }];
    }
    if (event.name !== 'call.recovered' || event.data.way === 'rung-again') return [];
    const { peer, way } = event.data;
    return back(all, way) > worked(all, way) ? [{ peer: productOf(peer), way, worked: true, at: event.at }] : [];
  });
}

/** What it is, without its version: `FreeSWITCH-mod_sofia/1.10.9-release` is `FreeSWITCH-mod_sofia`. */
export function productOf(peer: string): string {
  const [product = ''] = peer.trim().split(/[/\s(]/, 1);
  return product.replace(/[-_]?v?\d+(?:\.\d+)+.*$/, '').slice(0, 60);
}
