/**
 * Where the agent's phone is, for the eye of a frame that does not have it, and bringing it here. Owns the words of a phone that changes hands; the
 * hand-over itself is the shared phone's. Must never say that the phone is here before it is.
 */
import type { PhoneRole, SharedPhone } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import type { Notify } from './notices.ts';
import { texts } from './texts.ts';

export interface PhonePlaceFace {
  /** The phone is in another window (empty) or on another device (its name); null: here, or nowhere. */
  readonly elsewhere: ReadonlySignal<string | null>;
  /** It is on its way here. */
  readonly fetching: ReadonlySignal<boolean>;
  /** "Use the phone here": with its calls, and their sound. */
  takeHere(): Promise<void>;
}

export interface PhonePlace {
  readonly face: PhonePlaceFace;
  /** To be called after each change of role or state. */
  follow(): void;
}

/** @param hasWindow the phone has a window of its own, and is always in it: where nobody took it to another device there is nothing to say */
export function createPhonePlace(
  phone: Pick<SharedPhone, 'role' | 'where' | 'takeHere'>,
  notify: Notify,
  hasWindow: boolean,
): PhonePlace {
  const elsewhere = signal<string | null>(null);
  const fetching = signal(false);
  let role: PhoneRole = phone.role();

  function follow(): void {
    const before = role;
    role = phone.role();
    const place = phone.where();
    if (role === 'owner') elsewhere.value = null;
    else if (role === 'mirror') elsewhere.value = place ?? (hasWindow ? null : '');
    else elsewhere.value = place;
    if (before === 'owner' && role === 'mirror')
      notify('info', place === null ? texts.phoneWentToWindow : texts.phoneWentTo(place));
  }
  follow();

  return {
    face: {
      elsewhere,
      fetching,
      async takeHere() {
        if (fetching.value) return;
        fetching.value = true;
        const result = await phone.takeHere();
        fetching.value = false;
        if (result.ok) notify('info', texts.phoneIsHere);
        else notify('warning', result.reason);
      },
    },
    follow,
  };
}
