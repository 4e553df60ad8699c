/** What the switch tells its owner, typed, with a way to wait for one event. Owns delivery only. */
import type { CallDescription } from './call-book.ts';

export type SwitchEvents = {
  registered: { extension: string; contact: string; expiresAt: number };
  unregistered: { extension: string; contact: string };
  'call.started': CallDescription;
  'call.ringing': CallDescription;
  'call.answered': CallDescription;
  /** `by` is who holds. */
  'call.held': CallDescription & { by: 'agent' | 'far side' };
  'call.resumed': CallDescription & { by: 'agent' | 'far side' };
  'call.digit': CallDescription & { key: string };
  'call.transferred': CallDescription & { to: string };
  'call.transfer-failed': CallDescription & { to: string; status: number };
  'call.ended': CallDescription;
  /** A parking slot was taken or became free; `number` is who is parked there now. */
  'park.changed': { slot: string; number: string | undefined };
  /** Somebody came into or left a conference room. */
  'room.changed': { room: string; members: number };
  /** A message was left, heard or deleted: how many are new and how many are old now. */
  'voicemail.changed': { extension: string; fresh: number; old: number };
  /** Do not disturb or forwarding of an extension was changed. */
  'features.changed': { extension: string; doNotDisturb: boolean; forwardTo: string | undefined };
  /** A colleague's phone began or ceased to ring or talk. */
  'colleague.changed': { extension: string };
  /** A NOTIFY left for a watching phone. */
  notified: { extension: string; event: string; resource: string; body: string };
};

export type SwitchEventName = keyof SwitchEvents;

export class SwitchEmitter {
  readonly #listeners = new Map<SwitchEventName, Set<(detail: never) => void>>();

  /** Calls back for every event of this name; returns how to stop. */
  on<Name extends SwitchEventName>(name: Name, listener: (detail: SwitchEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  /** The next event of this name that `matches`. Ask before causing it: past events are not remembered. */
  next<Name extends SwitchEventName>(
    name: Name,
    matches: (detail: SwitchEvents[Name]) => boolean = () => true,
  ): Promise<SwitchEvents[Name]> {
    return new Promise((resolve) => {
      const stop = this.on(name, (detail) => {
        if (!matches(detail)) return;
        stop();
        resolve(detail);
      });
    });
  }

  emit<Name extends SwitchEventName>(name: Name, detail: SwitchEvents[Name]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])])
      (listener as (detail: SwitchEvents[Name]) => void)(detail);
  }
}
