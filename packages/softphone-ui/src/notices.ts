/**
 * The short word to the agent in front of everything. Owns the one notice that is shown, and when it goes. Must never decide what is worth saying.
 */
import type { ClockPort } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';

/** A short word to the agent that goes by itself or by a click. */
export interface Notice {
  readonly id: number;
  readonly tone: 'info' | 'warning';
  readonly text: string;
}

export type Notify = (tone: Notice['tone'], text: string) => void;

/** What screens see and do of it. */
export interface NoticeFace {
  readonly notice: ReadonlySignal<Notice | null>;
  /** Shown in place of what was there. A warning stays until it is read; news goes by itself after six seconds. */
  readonly notify: Notify;
  dismissNotice(): void;
}

export interface Notices {
  readonly face: NoticeFace;
  /** Nothing goes by itself any more. */
  stop(): void;
}

const noticeMs = 6_000;

/** Says nothing yet. */
export function createNotices(clock: ClockPort): Notices {
  const notice = signal<Notice | null>(null);
  let timer: unknown;

  function stop(): void {
    clock.clearTimeout(timer);
  }

  function dismissNotice(): void {
    stop();
    notice.value = null;
  }

  return {
    face: {
      notice,
      notify(tone, text) {
        stop();
        notice.value = { id: (notice.value?.id ?? 0) + 1, tone, text };
        if (tone === 'info') timer = clock.setTimeout(dismissNotice, noticeMs);
      },
      dismissNotice,
    },
    stop,
  };
}
