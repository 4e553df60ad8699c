/**
 * Owns whether this page was allowed to use the microphone: before the first grant Chromium masks our addresses (mDNS), so the very first call waits
 * for the microphone before it gathers. Must never ask for it.
 */
export class MicrophoneGrant {
  #granted = false;

  constructor() {
    void this.#watch();
  }

  get granted(): boolean {
    return this.#granted;
  }

  /** A microphone was opened: whatever the browser says of its permissions. */
  opened(): void {
    this.#granted = true;
  }

  async #watch(): Promise<void> {
    try {
      const status = await globalThis.navigator?.permissions?.query({ name: 'microphone' as PermissionName });
      const note = () => {
        this.#granted = status.state === 'granted';
      };
      note();
      status.addEventListener('change', note);
    } catch {
      // A browser that cannot be asked; the first call tells.
    }
  }
}
