/**
 * Calls whose phone is gone and that no other device of the agent took up: ended at the phone system where it can be asked to, so that no far side talks
 * to nobody, and ended in the log. Owns when, and that one relay does it. A phone that is away from here may still be there for the phone system, and
 * talk: that is asked first. Must never end a call that another device told of since, nor one whose phone is connected here or registered there, nor
 * without the phone's own word being able to overrule the log.
 */
import type { CallId, DeviceId } from '@patchcord/call-protocol';
import { type EventRecorder, sourceOf } from '../call-log/record-events.ts';
import { silentMs } from '../call-log/sweep.ts';
import { issuerOf } from '../credentials/issuers.ts';
import type { OpenPhones } from '../live/open-phones.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { LineLease, Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { LineLeases } from './line-leases.ts';
import { heldUntil, type LineTime, leaseTiming, wishOf } from './rules.ts';

interface LeftCallParts {
  readonly store: Store;
  readonly tenants: Tenants;
  readonly recorder: EventRecorder;
  readonly lines: Pick<LineLeases, 'time'>;
  readonly phones: Pick<OpenPhones, 'tell' | 'isOpen'>;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
}

/** How often a relay looks, ms. */
const everyMs = 5_000;
/** No phone is given less time than this, whatever the configuration says. */
const leastMs = 10_000;
/** Who sees to the calls of one agent has this long before another relay may try, ms. */
const claimMs = 20_000;
/** A phone system that does not answer is asked again for this long, ms; then the log gets its end without it. */
const askAgainMs = 180_000;
/** Where it can't be learnt whether the phone is registered, its calls are left to it for this long, ms; whoever is cut off from us only is back by then. */
const unsureMs = 600_000;
/** What is kept of a line that nobody holds is of no use to anybody after this, ms. */
export const keptForMs = 300_000;
/** A holder without a call need not keep anything this long, ms. */
const idleMs = 600_000;
const page = 500;

/** A call as the phone system is asked to end it. */
interface LeftCall {
  readonly callId: CallId;
  readonly sipCallId: string | null;
}

/** Calls that were not ended at the phone system yet: their logs may get their ends before. */
interface Spared {
  readonly device: DeviceId;
  readonly epoch: number;
  readonly calls: readonly LeftCall[];
  readonly at: number;
}

export class LeftCalls {
  readonly #parts: LeftCallParts;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<number> | null = null;
  /** By agent. What this relay saw, for none is told twice; whoever forgets it leaves a call to the phone system's own rules. */
  readonly #spared = new Map<string, Spared>();
  #stopping = false;

  constructor(parts: LeftCallParts) {
    this.#parts = parts;
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), everyMs);
    this.#timer.unref();
  }

  /** Resolves when nothing of it needs the store any more. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#looking;
  }

  /** Sees to the calls that were left alone by now; how many were ended. Never rejects: what fails is tried again with the next look. */
  look(): Promise<number> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = null;
    });
    return this.#looking;
  }

  async #lookOnce(): Promise<number> {
    const { store, now, log } = this.#parts;
    let ended = 0;
    try {
      const at = now();
      for (const [agent, { at: since }] of this.#spared) if (since < at - silentMs) this.#spared.delete(agent);
      await store.lineLeases.forgetKept(at - keptForMs, at - idleMs);
      const lost = await store.lineLeases.lostBefore(at - leastMs, at, page);
      const due = lost.filter((lease) => this.#isDue(lease));
      // What is concluded is concluded from this moment's phones.
      if (due.length > 0) await this.#parts.phones.tell();
      for (const lease of due) {
        if (this.#stopping) break;
        ended += await this.#seeTo(lease);
      }
    } catch (error) {
      if (!this.#stopping) log.warn({ err: error }, 'calls whose phone is gone could not be looked at');
    }
    return ended;
  }

  #isDue(lease: LineLease): boolean {
    const time = this.#parts.lines.time();
    if (time.now < heldUntil(lease, time) || wishOf(lease, time.now) !== null) return false;
    // Whoever could not reach us while we were away gets the same time as everybody.
    return aloneSince(lease, time) + this.#patienceOf(lease) <= time.now;
  }

  /** How long somebody may take to take the calls up, ms; without end where the configuration says so. */
  #patienceOf({ tenant }: LineLease): number {
    const config = this.#parts.tenants.find(tenant)?.config;
    const seconds = config?.sip.recovery.endAfterSeconds ?? 30;
    return seconds === 0 ? keptForMs : seconds * 1_000;
  }

  async #seeTo(lease: LineLease): Promise<number> {
    const { store, tenants, phones, now, log } = this.#parts;
    const { tenant, agent, device } = lease;
    const source = sourceOf(lease);
    const open = await store.calls.openCallsOf(source);
    const never = tenants.find(tenant)?.config.sip.recovery.endAfterSeconds === 0;
    const calls = this.#withSpared(
      lease,
      open.map(({ callId, log: call }) => ({ callId, sipCallId: call?.sipCallId ?? null })),
    );
    if (calls.length === 0 || never) {
      await store.lineLeases.seenTo(lease, false);
      return 0;
    }
    // It is there, and only has no line: its calls are its own.
    if (await phones.isOpen(source)) return 0;
    if (!(await store.lineLeases.claimLost(lease, now(), now() + claimMs))) return 0;
    const result = await this.#endAtPhoneSystem(lease, calls);
    const since = aloneSince(lease, this.#parts.lines.time()) + this.#patienceOf(lease);
    // It talks, as far as anybody can tell; its log is the sweep's, which knows how long silence may last.
    if (result === 'registered' && now() < since + silentMs) return 0;
    const asksOn = result === 'unreachable' && now() < since + unsureMs;
    if (asksOn && (open.length === 0 || now() < since + askAgainMs)) return 0;
    // Until when the far side was there: now, when it was sent away; else nobody knows more than when the phone was seen last.
    const known =
      result === 'ended'
        ? { at: now(), reason: 'The phone was gone and no other took the call up, so the call was ended.' }
        : {
            at: lostAt(lease),
            reason: 'The phone was gone and no other took the call up; the times end with when it was seen last.',
          };
    let ended = 0;
    for (const { callId } of open) if (await this.#parts.recorder.finishByRule(callId, known)) ended += 1;
    if (!asksOn) {
      this.#parts.metrics.leftCalls.inc({ result }, calls.length);
      await store.lineLeases.seenTo(lease, true);
      this.#spared.delete(keyOf(lease));
    }
    log.warn({ tenant, agent, device, calls: calls.length, result }, 'calls were left alone by their phone and ended');
    return ended;
  }

  /** These calls, and those of this lease whose logs have ended since they were left to the phone. */
  #withSpared(lease: LineLease, open: readonly LeftCall[]): readonly LeftCall[] {
    const known = this.#spared.get(keyOf(lease));
    const isSame = known?.epoch === lease.epoch && known.device === lease.device;
    const before = isSame ? known.calls : [];
    const calls = [...open, ...before.filter(({ callId }) => !open.some((one) => one.callId === callId))];
    const { device, epoch } = lease;
    if (calls.length > 0)
      this.#spared.set(keyOf(lease), { device, epoch, calls, at: isSame ? known.at : this.#parts.now() });
    return calls;
  }

  async #endAtPhoneSystem(
    lease: LineLease,
    calls: readonly LeftCall[],
  ): Promise<'ended' | 'registered' | 'unreachable' | 'unknown'> {
    const { tenants, store, log, now, metrics } = this.#parts;
    const { tenant: tenantId, agent: agentId, device } = lease;
    const found = tenants.agent(tenantId, agentId);
    if (found === undefined) return 'unknown';
    const { tenant, agent } = found;
    const issuer = issuerOf(tenant.config, { store: store.credentials, log, now, metrics });
    if (issuer.endCalls === undefined) return 'unknown';
    const sipCallIds = calls.flatMap(({ sipCallId }) => (sipCallId === null ? [] : [sipCallId]));
    const line = { agent: agentId, extension: agent.extension };
    const unsureUntil = aloneSince(lease, this.#parts.lines.time()) + this.#patienceOf(lease) + unsureMs;
    try {
      if (await issuer.isRegistered?.(line, device)) return 'registered';
    } catch (error) {
      if (now() < unsureUntil) {
        log.warn({ err: error, tenant: tenantId }, 'the phone system did not say whether a phone is still registered');
        return 'unreachable';
      }
    }
    try {
      const asked = await issuer.endCalls(line, device, sipCallIds);
      return asked > 0 ? 'ended' : 'unknown';
    } catch (error) {
      log.warn({ err: error, tenant: tenantId }, 'the phone system could not be told to end calls left alone');
      return 'unreachable';
    }
  }
}

function keyOf({ tenant, agent }: LineLease): string {
  return `${tenant} ${agent}`;
}

/** Since when nobody holds it and somebody could, epoch ms. */
function aloneSince(lease: LineLease, time: LineTime): number {
  return Math.max(lease.lostAt ?? lease.heldUntil, time.since);
}

/** When its holder was heard of last, epoch ms. */
function lostAt({ lostAt: at, heldUntil: until }: LineLease): number {
  return at ?? until - leaseTiming.forMs - leaseTiming.marginMs;
}
