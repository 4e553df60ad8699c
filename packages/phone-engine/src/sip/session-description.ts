/**
 * Owns the bridge between sip.js's offer/answer steps and a call's media. It replaces sip.js's own handler (shortcomings 2, 3, 15, 19).
 * Must never own the peer connection: an INVITE that is sent a second time uses the same one.
 */
import type { BodyAndContentType, SessionDescriptionHandler } from 'sip.js/lib/api/session-description-handler.js';
import { audioDirection, type CallMedia } from './call-media.ts';

export interface DescriptionWatcher {
  /** The far side's description is in place. `held`: it sends us nothing but music or nothing at all. */
  onRemote(kind: 'offer' | 'answer', held: boolean): void;
}

export class SessionDescription implements SessionDescriptionHandler {
  readonly #media: CallMedia;
  readonly #watcher: DescriptionWatcher;
  #answering = false;

  constructor(media: CallMedia, watcher: DescriptionWatcher) {
    this.#media = media;
    this.#watcher = watcher;
  }

  async getDescription(): Promise<BodyAndContentType> {
    const body = this.#answering ? await this.#media.answer() : await this.#media.offer();
    this.#answering = false;
    return { body, contentType: 'application/sdp' };
  }

  hasDescription(contentType: string): boolean {
    return /^application\/sdp\b/i.test(contentType);
  }

  async setDescription(sdp: string): Promise<void> {
    const { kind } = await this.#media.takeRemote(sdp);
    this.#answering = kind === 'offer';
    const direction = audioDirection(sdp);
    this.#watcher.onRemote(kind, direction === 'sendonly' || direction === 'inactive');
  }

  async rollbackDescription(): Promise<void> {
    this.#answering = false;
    await this.#media.rollBack();
  }

  /** The call closes its media itself. */
  close(): void {}

  /** Digits go through the call (RFC 4733), never through here. */
  sendDtmf(): boolean {
    return false;
  }
}
