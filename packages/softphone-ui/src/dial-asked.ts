/**
 * A wish to dial that the relay passes on: the agent clicked on a card of the CRM, and proved it there. Owns that one phone of the agent takes it,
 * once, wherever they have phones open. Must never dial a wish that it was not given by the relay.
 */
import type { EventData } from '@patchcord/call-protocol';
import type { DialRequest } from '@patchcord/crm-adapters/panel';
import type { ClockPort, SharedPhone } from '@patchcord/phone-engine';

const rememberedWishes = 50;

export function createDialAsked(options: {
  readonly phone: Pick<SharedPhone, 'state' | 'role' | 'isForemost'>;
  /** Whether this phone may take the wish: the relay says yes to the first that asks. */
  readonly claim: (wish: string) => Promise<boolean>;
  /** Dials as a click on the page does, or puts the number before the agent when it can't be now. */
  readonly dial: (request: DialRequest) => Promise<unknown>;
  readonly clock: ClockPort;
  /** The agent may be looking at this frame. */
  readonly isVisible?: () => boolean;
}): (asked: EventData<'dial.asked'>) => void {
  const { phone, clock, isVisible = () => globalThis.document?.visibilityState !== 'hidden' } = options;
  const wishes = new Set<string>();

  async function take(wish: string, request: DialRequest): Promise<void> {
    // A relay that can't be asked gave the wish to nobody.
    if (await options.claim(wish).catch(() => false)) await options.dial(request);
  }

  return ({ wish, number, country, record }) => {
    if (wishes.has(wish)) return;
    wishes.add(wish);
    if (wishes.size > rememberedWishes) wishes.delete([...wishes][0] ?? '');
    const { calls, line } = phone.state();
    const busy = calls.some(({ phase }) => phase !== 'ended');
    const free = line.status === 'ready' && !busy;
    // A free line dials; else the number is put before the agent, where they look. Without an owner nobody says which frame that is.
    const before = phone.role() === 'ownerless' ? isVisible() : phone.isForemost();
    if (free ? phone.role() !== 'owner' : !before) return;
    // Whoever talks sits at that phone; one that can't dial lets the others go first.
    const waitMs = busy ? 0 : free ? (phone.isForemost() ? 100 : 300) : 1_500;
    const request = {
      number,
      ...(country === undefined ? {} : { country }),
      ...(record === undefined ? {} : { record }),
    };
    clock.setTimeout(() => void take(wish, request), waitMs);
  };
}
