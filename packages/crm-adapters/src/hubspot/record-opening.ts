/**
 * Owns opening records in HubSpot (NAVIGATE_TO_RECORD), one at a time in the order asked for. HubSpot answers only when it refuses, so silence is
 * taken for success. Must never open what `can.pops` does not name, nor leave a page that a call lives on: there a record opens in a new tab, for
 * which the browser wants a click; one it blocked nobody would hear of.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { PopTarget, PopWish } from '../panel-contract.ts';
import { settledOnce, withDeadline } from '../waiting.ts';
import type { CallingSdk } from './calling-sdk.ts';
import { coordinatesOf, readFailedNavigation } from './wire.ts';

/** HubSpot says nothing when a record opened, only when it did not. */
const refusalWithinMs = 500;

export interface RecordOpening {
  /** See `PanelHost.pop`. */
  open(target: PopTarget, wish: PopWish): Promise<void>;
  /** NAVIGATE_TO_RECORD_FAILED. */
  refused(data: unknown): void;
}

export function createRecordOpening(options: {
  readonly sdk: CallingSdk;
  /** The agent clicked or typed in this frame a moment ago: a new tab is not blocked. */
  readonly mayOpenTab: () => boolean;
  readonly hostTimeoutMs: number;
  /** HubSpot's object of the live inbound call, which goes along. */
  readonly liveEngagement: () => number | null;
  readonly opened: (target: PopTarget & { readonly kind: 'record' }) => void;
}): RecordOpening {
  const { sdk } = options;
  let last: Promise<void> = Promise.resolve();
  let current: { readonly objectId: number; readonly refuse: (error: PatchcordError) => void } | null = null;

  async function openNext(target: PopTarget, { wanted, byAgent, keepPage }: PopWish): Promise<void> {
    const { portalId, location } = await withDeadline(
      sdk.greeted,
      options.hostTimeoutMs,
      () => new PatchcordError('host.silent', 'HubSpot did not greet the phone. Reload the page.', { retryable: true }),
    );
    const coordinates = portalId === null || target.kind !== 'record' ? null : coordinatesOf(target.record, portalId);
    if (coordinates === null || target.kind !== 'record')
      throw new PatchcordError('host.refused', 'HubSpot opens contacts and companies from the phone, nothing else.');
    if (wanted?.() === false) return;
    // The calling window is no page of HubSpot's that could be left.
    const inNewTab = keepPage === true && location !== 'window';
    if (inNewTab && byAgent !== true && !options.mayOpenTab())
      throw new PatchcordError(
        'host.refused',
        'It would take the place of this page and end the call. Open it from the call.',
      );
    const engagementId = options.liveEngagement();
    const refusal = settledOnce<never>();
    current = { objectId: coordinates.objectId, refuse: refusal.reject };
    sdk.say('NAVIGATE_TO_RECORD', {
      objectCoordinates: coordinates,
      ...(engagementId === null ? {} : { engagementId }),
      ...(inNewTab ? { openIn: 'NEW_TAB' } : {}),
    });
    try {
      await Promise.race([refusal.promise, new Promise((resolve) => setTimeout(resolve, refusalWithinMs))]);
    } finally {
      current = null;
    }
    // What another tab shows is not in front of this frame.
    if (!inNewTab) options.opened(target);
  }

  return {
    open(target, wish) {
      const mine = last.then(() => openNext(target, wish));
      last = mine.catch(() => {});
      return mine;
    },
    refused(data) {
      const id = readFailedNavigation(data);
      if (id === null || id === current?.objectId)
        current?.refuse(
          new PatchcordError('host.refused', 'HubSpot did not open the record. Open it from the list of contacts.'),
        );
    },
  };
}
