/**
 * The forwarding that the agent set, kept in this partition's storage: a page that is loaded anew goes on forwarding, and says so, instead of
 * showing nothing while the phone system still sends the calls elsewhere. Owns that entry only. Must never set a forwarding that the profile no
 * longer allows.
 */
import type { Forwarding, SharedPhone } from '@patchcord/phone-engine';

/** Where it is kept; null: nothing is. */
export interface ForwardingMark {
  read(): Forwarding | null;
  write(forwarding: Forwarding | null): void;
}

/** Follows the phone until the returned function is called. Only the owner sets and keeps. */
export function keepForwarding(
  phone: Pick<SharedPhone, 'state' | 'onState' | 'role' | 'send'>,
  mark: ForwardingMark,
  isAllowed: () => boolean,
): () => void {
  let taken = false;
  let kept = '';
  function look(): void {
    const { line, forwarding } = phone.state();
    if (phone.role() !== 'owner') return;
    const now = JSON.stringify(forwarding);
    if (!taken) {
      // A phone system is told by a code, which needs the line.
      if (line.status !== 'ready') return;
      taken = true;
      kept = now;
      const before = isAllowed() && forwarding === null ? mark.read() : null;
      if (before !== null) void phone.send({ type: 'agent.forward', forwarding: before });
    } else if (now !== kept) {
      kept = now;
      mark.write(forwarding);
    }
  }
  look();
  return phone.onState(look);
}

/** Kept in the page's own storage; where that is refused, not at all. */
export function createForwardingMark(storage: () => Storage, agent: string): ForwardingMark {
  const key = `patchcord.forwarding.${agent}`;
  return {
    read() {
      try {
        return readForwarding(JSON.parse(storage().getItem(key) ?? 'null'));
      } catch {
        return null;
      }
    },
    write(forwarding) {
      try {
        if (forwarding === null) storage().removeItem(key);
        else storage().setItem(key, JSON.stringify(forwarding));
      } catch {
        // It then lives as long as the page.
      }
    },
  };
}

/** Another version of this script may have written it. */
function readForwarding(value: unknown): Forwarding | null {
  const { to, when, afterSeconds } = (value ?? {}) as Partial<Record<keyof Forwarding, unknown>>;
  if (typeof to !== 'string' || typeof afterSeconds !== 'number' || !(afterSeconds >= 0)) return null;
  if (when !== 'always' && when !== 'busy' && when !== 'no-answer') return null;
  return { to, when, afterSeconds };
}
