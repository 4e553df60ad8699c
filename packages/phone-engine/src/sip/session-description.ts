/**
 * Owns the bridge between sip.js's offer/answer steps and a call's media. It replaces sip.js's own handler (shortcomings 2, 3, 15, 19).
 * Must never own the peer connection: an INVITE that is sent a second time uses the same one.
 */
import type { BodyAndContentType, SessionDescriptionHandler } from 'sip.js/lib/api/session-description-handler.js';
import type { CallMedia } from './call-media.ts';
import { audioDirection } from './sound-description.ts';

export interface DescriptionWatcher {
  /** The far side's description is in place. `held`: it sends us nothing but music or nothing at all. */
  onRemote(held: boolean): void;
  /** The far side's description cannot be used; sip.js ends or refuses what it belongs to. */
  onUnusable(reason: string): void;
  /** The call is established. */
  isUp(): boolean;
}

export class SessionDescription implements SessionDescriptionHandler {
  readonly #media: CallMedia;
  readonly #watcher: DescriptionWatcher;
  #answering = false;
  #offering = false;
  #refusedGlare = false;
  #unusable: string | undefined;

  constructor(media: CallMedia, watcher: DescriptionWatcher) {
    this.#media = media;
    this.#watcher = watcher;
  }

  async getDescription(): Promise<BodyAndContentType> {
    if (this.#answering) {
      this.#answering = false;
      return { body: await this.#media.answer(), contentType: 'application/sdp' };
    }
    this.#offering = true;
    try {
      return { body: await this.#media.offer(), contentType: 'application/sdp' };
    } finally {
      this.#offering = false;
    }
  }

  hasDescription(contentType: string): boolean {
    return /^application\/sdp\b/i.test(contentType);
  }

  async setDescription(sdp: string): Promise<void> {
    if (this.#offering) {
      // The far side offers while our own offer is still being made: it is refused, ours goes on.
      this.#refusedGlare = true;
      throw new Error('an offer of ours is under way');
    }
    const answered = this.#media.offered;
    const taken = await this.#media.takeRemote(sdp).catch(async (error: unknown) => {
      const reason = error instanceof Error ? error.message : 'The description could not be used.';
      if (!answered || !this.#watcher.isUp()) {
        this.#watcher.onUnusable(reason);
        throw error;
      }
      // sip.js would end a call that is up for it; it goes on as it was, and may be offered anew: the media relay was away.
      this.#unusable = reason;
      await this.#media.rollBack();
      return undefined;
    });
    if (!taken) return;
    const { kind } = taken;
    this.#answering = kind === 'offer';
    const direction = audioDirection(sdp);
    this.#watcher.onRemote(direction === 'sendonly' || direction === 'inactive');
  }

  /** Once, after an answer to an offer of ours in a running call that could not be used: why. */
  takeUnusable(): string | undefined {
    const reason = this.#unusable;
    this.#unusable = undefined;
    return reason;
  }

  async rollbackDescription(): Promise<void> {
    this.#answering = false;
    if (this.#refusedGlare) {
      // What was refused never touched the media; rolling back would undo our own offer.
      this.#refusedGlare = false;
      return;
    }
    await this.#media.rollBack();
  }

  /** The call closes its media itself. */
  close(): void {}

  /** Digits go through the call (RFC 4733), never through here. */
  sendDtmf(): boolean {
    return false;
  }
}
