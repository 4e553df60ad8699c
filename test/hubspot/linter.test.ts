/** The suite's linter catches what it is there for. */
import { describe, expect, it } from 'vitest';
import { createLinter, type Said } from './linter.ts';

type Line = readonly [type: string, data?: Readonly<Record<string, unknown>>, more?: Partial<Said>];

function breachesOf(lines: readonly Line[], initialized = true): readonly string[] {
  const linter = createLinter();
  const from = { frame: 'f', location: 'window', usesCallingWindow: true, messageId: '1_1' } as const;
  const first: readonly Line[] = initialized ? [['SYNC_ACK'], ['INITIALIZED']] : [];
  for (const [type, data = {}, more] of [...first, ...lines]) linter.hear({ ...from, type, data, ...more });
  return linter.breaches;
}

const call = { externalCallId: 'a' };
const start: Line = ['INCOMING_CALL', { ...call, fromNumber: '1', toNumber: '2', createEngagement: true }];
const end: Line = ['CALL_ENDED', { ...call, callEndStatus: 'COMPLETED' }];

describe('the linter', () => {
  it('is content with a call as it should be', () => {
    expect(
      breachesOf([
        ['LOGGED_IN'],
        start,
        ['CALL_ANSWERED', call],
        ['CALL_TRANSFERRED', call],
        ['CALL_ENDED', { ...call, engagementId: 1, callEndStatus: 'COMPLETED' }],
        ['CALL_COMPLETED', { ...call, engagementProperties: { hs_call_title: 'x' } }],
        ['FINALIZE_ENGAGEMENT', { ...call, engagementId: 1 }],
      ]),
    ).toEqual([]);
  });

  const wrong: readonly { words: string; lines: readonly Line[]; initialized?: boolean }[] = [
    { words: 'before INITIALIZED', lines: [['LOGGED_IN']], initialized: false },
    { words: 'a second time', lines: [['INITIALIZED']] },
    { words: 'a second start', lines: [start, start] },
    {
      words: 'status INTERNAL_COMPLETED',
      lines: [start, ['CALL_ENDED', { ...call, callEndStatus: 'INTERNAL_COMPLETED' }]],
    },
    { words: 'after start', lines: [start, ['CALL_COMPLETED', call]] },
    { words: 'after CALL_ENDED', lines: [start, end, end] },
    { words: 'after nothing', lines: [['CALL_ANSWERED', call]] },
    {
      words: 'not all texts',
      lines: [start, end, ['CALL_COMPLETED', { ...call, engagementProperties: { hs_call_duration: 7 } }]],
    },
    {
      words: 'engagementId is no number',
      lines: [start, ['CALL_ENDED', { ...call, engagementId: '1', callEndStatus: 'BUSY' }]],
    },
    { words: 'a remote beside a window spoke', lines: [['LOGGED_IN', {}, { location: 'remote' }]] },
    { words: 'knows no such message', lines: [start, ['CALL_STARTED', call]] },
    { words: 'no externalCallId', lines: [['ERROR', { message: 'x' }]] },
    { words: 'no messageId', lines: [['LOGGED_IN', {}, { messageId: undefined }]] },
    { words: 'does not say who creates', lines: [['OUTGOING_CALL_STARTED', call]] },
    {
      words: 'toNumber is no text',
      lines: [['OUTGOING_CALL_STARTED', { ...call, toNumber: 1, createEngagement: false }]],
    },
  ];
  it.each(wrong)('finds what is wrong: $words', ({ words, lines, initialized }) => {
    expect(breachesOf(lines, initialized)).toEqual([expect.stringContaining(words)]);
  });
});
