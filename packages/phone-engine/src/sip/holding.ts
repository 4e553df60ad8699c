/**
 * Owns whether a call is on hold from here: what the agent asked for, what the far side agreed to, and what is told of it. Must never let a word out
 * between the wish for hold and its end.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { SipSignal } from '../state.ts';
import type { CallDialog } from './call-dialog.ts';
import type { CallMedia } from './call-media.ts';

export interface HoldingOptions {
  readonly call: CallId;
  readonly media: CallMedia;
  /** The line is up. */
  readonly connected: () => boolean;
  readonly signal: (signal: SipSignal) => void;
  readonly ended: () => boolean;
}

export class Holding {
  readonly #options: HoldingOptions;
  #agreed = false;
  #asked = false;

  constructor(options: HoldingOptions) {
    this.#options = options;
  }

  /** What the agent asked for last. */
  get asked(): boolean {
    return this.#asked;
  }
  /** What holds between both sides. */
  get agreed(): boolean {
    return this.#agreed;
  }

  /** @param dialog of the call while it is connected */
  hold(on: boolean, dialog: CallDialog | undefined): void {
    const { call, media, connected, signal, ended } = this.#options;
    if (!dialog) {
      signal({ type: 'sip.hold-refused', call, reason: 'The call is not connected.' });
      return;
    }
    this.#asked = on;
    void dialog
      .renegotiate(() => media.hold(on))
      .then(async (outcome) => {
        if (ended()) return;
        if (outcome.ok) {
          this.#agreed = on;
          signal({ type: on ? 'sip.held' : 'sip.resumed', call });
          return;
        }
        // Refused: the microphone (or the silence) that was there before comes back.
        this.#asked = this.#agreed;
        await media.hold(this.#agreed).catch(() => {});
        // It may have taken what it then refused to hear again: what holds is offered, now or by the line that comes back.
        if (dialog.inDoubt && connected()) void dialog.renegotiate(() => {});
        const reason = connected()
          ? `The far side did not accept it (${outcome.reason}).`
          : 'The line is down; try again when it is back.';
        signal({ type: 'sip.hold-refused', call, reason });
      });
    // The microphone does not wait for its turn: what the agent says after pressing hold must not be heard.
    if (on) void media.hold(true).catch(() => {});
  }

  /** The call begins on hold: not a word leaves before it is resumed. */
  begin(): void {
    this.#agreed = this.#asked = true;
    void this.#options.media.hold(true).catch(() => {});
  }
}
