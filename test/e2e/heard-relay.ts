/** What the relay says to a page that is open in a browser, taken from its sockets. Owns telling lines of a transcript from the rest. */
import type { TranscriptLine } from '@patchcord/call-protocol';
import type { Page } from 'playwright-core';

/** What comes over the sockets of a page, as it comes. */
export function hearRelay(page: Page): { readonly lines: readonly TranscriptLine[]; readonly settled: number } {
  const heard = { lines: [] as TranscriptLine[], settled: 0 };
  page.on('websocket', (socket) => {
    if (!/\/v1\/(live|sound)$/.test(socket.url())) return;
    socket.on('framereceived', ({ payload }) => {
      const { type, event } = JSON.parse(payload.toString()) as { readonly type: string; readonly event?: LiveEvent };
      const line = lineIn(event);
      if (line !== null) heard.lines.push(line);
      if (type === 'settled') heard.settled += 1;
    });
  });
  return heard;
}

interface LiveEvent {
  readonly type: string;
  readonly data: unknown;
}

/** The line of a transcript that an event tells; null: another event. */
export function lineIn(event: LiveEvent | undefined): TranscriptLine | null {
  return event?.type.startsWith('dev.patchcord.transcript.') === true ? (event.data as TranscriptLine) : null;
}
