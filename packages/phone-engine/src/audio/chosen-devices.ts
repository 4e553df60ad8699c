/**
 * Owns which microphone, speaker and ringer the agent chose, remembered per browser. Device ids are not secret.
 * Must work where storage is forbidden: the choice then lasts as long as the page.
 */

export type DeviceRole = 'microphone' | 'speaker' | 'ringer';

const storageKey = 'patchcord.devices';
const systemDefault = 'default';

export class ChosenDevices {
  readonly #storage: () => Storage;
  #chosen: Readonly<Record<DeviceRole, string>>;

  /** @param storage asked each time, because merely touching `localStorage` throws where a browser blocks it. */
  constructor(storage: () => Storage) {
    this.#storage = storage;
    this.#chosen = this.#remembered();
  }

  /** The id of the chosen device; `default` follows the system. */
  get(role: DeviceRole): string {
    return this.#chosen[role];
  }

  set(role: DeviceRole, id: string): void {
    this.#chosen = { ...this.#chosen, [role]: id };
    try {
      this.#storage().setItem(storageKey, JSON.stringify(this.#chosen));
    } catch {
      // Blocked or full storage: the choice lives in memory only.
    }
  }

  #remembered(): Readonly<Record<DeviceRole, string>> {
    const chosen = { microphone: systemDefault, speaker: systemDefault, ringer: systemDefault };
    try {
      const stored: unknown = JSON.parse(this.#storage().getItem(storageKey) ?? '{}');
      if (typeof stored !== 'object' || stored === null) return chosen;
      for (const role of ['microphone', 'speaker', 'ringer'] as const) {
        const id = (stored as Record<string, unknown>)[role];
        if (typeof id === 'string' && id !== '') chosen[role] = id;
      }
    } catch {
      // Nothing readable is the same as nothing chosen.
    }
    return chosen;
  }
}
