/**
 * Who may have an agent's line. Pure: a lease, a question and a time give the answer. Owns how long a lease lasts, when it is over, who comes first.
 * Must never read a clock or a store.
 *
 * ```
 * ask ─→ nobody's, ran out, or the same device ─────────────→ grant (a higher epoch)
 *    ├─→ the holder says so again, with its epoch ──────────→ renew (the same epoch)
 *    ├─→ another device's, `take` ─→ the holder is told ────→ it leaves, or its time is over ─→ grant
 *    └─→ another device's ──────────────────────────────────→ elsewhere
 * ```
 */
import type { DeviceId } from '@patchcord/call-protocol';
import type { LineLease, LineWish } from '../store/contract.ts';

export const leaseTiming = {
  /** A holder that says nothing for this long stops being one, and knows it, ms. */
  forMs: 15_000,
  /** Nobody else gets it for a little longer: the answer has its way to go, and clocks of relays differ, ms. */
  marginMs: 2_000,
  /** For a holder whose socket is gone to come back, ms. */
  goneMs: 1_000,
  /** For a holder to keep its calls and leave, once another device wants the line, ms. */
  handOverMs: 1_500,
  /** A wish counts this long: the relay that should have granted it may be gone, ms. */
  wishMs: 3_000,
  /**
   * A lease that ran out while this relay was away, or its store, for less than this may have a holder who could not say so: it gets the time of
   * a lease to come back, ms.
   */
  outageMs: 300_000,
} as const;

/** What a device asks. */
export interface LineQuestion {
  readonly device: DeviceId;
  /** What it was granted; null: nothing, or it has lost it. */
  readonly epoch: number | null;
  /** Also from another device that has it. */
  readonly take: boolean;
}

export type LineAnswer =
  | { readonly kind: 'grant'; readonly fromVersion: number; readonly epoch: number }
  | { readonly kind: 'renew'; readonly epoch: number }
  /** The holder is told; the line is the asker's once it has left, or after `handOverMs`. */
  | { readonly kind: 'wait'; readonly fromVersion: number }
  | ({ readonly kind: 'elsewhere' } & Elsewhere);

/** Whose line it is, or is about to be. */
export interface Elsewhere {
  readonly epoch: number;
  readonly device: DeviceId;
  readonly place: string;
}

/** What a relay knows of the time. */
export interface LineTime {
  /** Epoch ms. */
  readonly now: number;
  /** Since when this relay hears renewals, epoch ms. */
  readonly since: number;
}

/** What is to become of a question. */
export function answerTo(lease: LineLease | null, question: LineQuestion, time: LineTime): LineAnswer {
  const { device, epoch, take } = question;
  if (lease === null) return { kind: 'grant', fromVersion: 0, epoch: nextEpoch(null, time.now) };
  const wish = wishOf(lease, time.now);
  const promised = wish !== null && wish.device !== device ? wish : null;
  const isOwn = lease.device === device;
  const other = promised === null ? null : { epoch: lease.epoch + 1, device: promised.device, place: promised.place };
  if (epoch === lease.epoch && isOwn && !lease.hasLeft) {
    return other === null ? { kind: 'renew', epoch } : { kind: 'elsewhere', ...other };
  }
  // An epoch that was overtaken: whoever has it lost the line meanwhile, and asks anew once it has understood.
  if (epoch !== null && epoch <= lease.epoch) return { kind: 'elsewhere', ...(other ?? holderIn(lease)) };
  if (other !== null) return { kind: 'elsewhere', ...other };
  if (isOwn || !isHeld(lease, time)) {
    return { kind: 'grant', fromVersion: lease.version, epoch: nextEpoch(lease, time.now) };
  }
  return take ? { kind: 'wait', fromVersion: lease.version } : { kind: 'elsewhere', ...holderIn(lease) };
}

/** Whether somebody holds the line, as far as others may tell. */
export function isHeld(lease: LineLease, time: LineTime): boolean {
  return time.now < heldUntil(lease, time);
}

/** When the line is anybody's, unless its holder renews it, epoch ms; 0: it is now. */
export function heldUntil({ heldUntil: until, hasLeft }: LineLease, { since }: LineTime): number {
  if (hasLeft || until === 0) return 0;
  const { forMs, marginMs, outageMs } = leaseTiming;
  return until + outageMs > since ? Math.max(until, since + forMs + marginMs) : until;
}

/** Who waits for the line; null: nobody, or nobody who still counts. */
export function wishOf({ wish }: LineLease, now: number): LineWish | null {
  return wish !== null && now < wish.at + leaseTiming.wishMs ? wish : null;
}

/** Who has the line, or had it last. */
export function holderIn({ epoch, device, place }: LineLease): Elsewhere {
  return { epoch, device, place };
}

/**
 * Higher than every epoch before, also when the store has forgotten them (a restore, a new database): no lower than the time in seconds, and nobody
 * is granted a line every second for long.
 */
export function nextEpoch(lease: Pick<LineLease, 'epoch'> | null, now: number): number {
  return Math.max((lease?.epoch ?? 0) + 1, Math.floor(now / 1_000));
}
