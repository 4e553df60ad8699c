/** Lines of a live transcript: which takes the place of which, and in what order they stand. */
import type { TranscriptLine, WireEvent } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { createTranscriptLines, withLine } from '../../../packages/softphone-ui/src/transcription/lines.ts';

const line = (part: Partial<TranscriptLine>): TranscriptLine => ({
  ...{ line: 0, speaker: 'agent', text: 'Hello', startMs: 0, endMs: 500, final: true },
  ...part,
});
const say = (...lines: readonly TranscriptLine[]) => lines.reduce<readonly TranscriptLine[]>(withLine, []);
const words = (lines: readonly TranscriptLine[]) => lines.map(({ text }) => text);

it('puts final words in the place of partial ones, and takes no settled word back', () => {
  const lines = say(
    line({ text: 'Hel', final: false }),
    line({ text: 'Hello' }),
    line({ text: 'Hell', final: false }),
    line({ line: 1, text: 'Ada', startMs: 900, final: false }),
    line({ line: 1, text: 'Ada here', startMs: 900 }),
  );
  expect(words(lines)).toEqual(['Hello', 'Ada here']);
});

it('stands by time, whoever speaks and whatever comes late', () => {
  const lines = say(
    line({ text: 'second', startMs: 2_000 }),
    line({ speaker: 'far-side', text: 'third', startMs: 3_000 }),
    line({ speaker: 'far-side', line: 1, text: 'first', startMs: 1_000 }),
  );
  expect(words(lines)).toEqual(['first', 'second', 'third']);
});

it('drops a line that is taken back, and keeps what was not heard', () => {
  const lines = say(
    line({ text: 'Hm', final: false }),
    line({ text: '' }),
    line({ line: 1, text: '', startMs: 5_000, endMs: 9_000, gap: 'lost' }),
  );
  expect(lines).toEqual([line({ line: 1, text: '', startMs: 5_000, endMs: 9_000, gap: 'lost' })]);
});

it('keeps each call by itself, for as long as it is there', () => {
  const lines = createTranscriptLines();
  const event = (call: string, text: string): WireEvent =>
    ({ name: 'transcript.final', at: 0, call, data: line({ text }) }) as WireEvent;
  lines.heard(event('a', 'of a'));
  lines.heard(event('b', 'of b'));
  lines.heard({ name: 'profile.changed', at: 0, data: {} } as WireEvent);
  expect([words(lines.of('a').value), words(lines.of('b').value)]).toEqual([['of a'], ['of b']]);
  lines.keep(['b']);
  expect([lines.of('a').value, words(lines.of('b').value)]).toEqual([[], ['of b']]);
});
