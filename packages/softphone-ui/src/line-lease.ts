/**
 * The line's lease over the live link: asks, says every few seconds that the owner is there, and asks again after each reconnect. Owns what this
 * device was granted. Must never say a word for a frame that does not listen: of fifty tabs one does.
 */
import type { DeviceId } from '@patchcord/call-protocol';
import type { ClockPort, LineLease, LineLeaseListener } from '@patchcord/phone-engine';
import type { LineNews, LiveLink } from './live-link.ts';

export interface LineLeaseOptions {
  readonly live: Pick<LiveLink, 'status' | 'onStatus' | 'sayOfLine' | 'onLine'>;
  readonly device: DeviceId;
  /** Timers that keep time in a tab nobody looks at: a lease lasts 15 s. */
  readonly clock: ClockPort;
}

const renewEveryMs = 5_000;
/** After a relay came back its owner asks first: it has calls. */
const afterOwnerMs = 1_000;

/** Nothing is sent before somebody listens. */
export function createLineLease({ live, device, clock }: LineLeaseOptions): LineLease {
  let listener: LineLeaseListener | null = null;
  /** What was granted last: the word to renew, to keep and to leave with. */
  let epoch: number | null = null;
  let owns = false;
  /** To be asked as soon as the link is there: from a device that has it, too. */
  let wish: 'ask' | 'take' | null = null;
  let wasAnswered = false;
  let timer: unknown = null;

  function after(ms: number): void {
    clock.clearTimeout(timer);
    timer = clock.setTimeout(ask, ms);
  }

  function ask(): void {
    clock.clearTimeout(timer);
    if (listener === null) return;
    const take = wish === 'take';
    if (live.sayOfLine({ type: 'line.ask', epoch: owns ? epoch : null, take })) wish = null;
    if (owns) after(renewEveryMs);
  }

  function followLink(): void {
    clock.clearTimeout(timer);
    if (listener === null) return;
    if (live.status() !== 'joined') listener.away();
    else if (owns || wish !== null || !wasAnswered) ask();
    else after(afterOwnerMs);
  }

  function hear(news: LineNews): void {
    if (listener === null) return;
    if (news.type !== 'frames.said') wasAnswered = true;
    switch (news.type) {
      case 'frames.said':
        listener.said(news.device, news.body);
        return;
      case 'line.yours':
        epoch = news.epoch;
        owns = true;
        after(renewEveryMs);
        listener.yours(news.epoch, news.kept);
        return;
      case 'line.elsewhere':
        owns = false;
        clock.clearTimeout(timer);
        // Another frame of this device had it before; here it belongs to whoever listens.
        if (news.device === device) ask();
        else listener.elsewhere(news.where, news.device, news.epoch);
        return;
      case 'line.free':
        owns = false;
        listener.free(news.epoch);
    }
  }

  return {
    listen(next) {
      listener = next;
      const stops = [live.onStatus(followLink), live.onLine(hear)];
      return () => {
        if (listener !== next) return;
        for (const stop of stops) stop();
        listener = null;
        owns = false;
        wish = null;
        wasAnswered = false;
        clock.clearTimeout(timer);
      };
    },
    ask(take) {
      wish = take ? 'take' : 'ask';
      ask();
      if (wish !== null) listener?.away();
    },
    leave() {
      owns = false;
      clock.clearTimeout(timer);
      if (epoch !== null) live.sayOfLine({ type: 'line.leave', epoch });
    },
    keep(kept) {
      if (epoch !== null) live.sayOfLine({ type: 'line.keep', epoch, kept });
    },
    say: (body) => live.sayOfLine({ type: 'frames.say', body }),
  };
}
