/** What a frame takes of words and findings: those of its own calls, and also those that were told while it was not there. */
import {
  type CallEvents,
  type CallId,
  newCallId,
  type PhoneEvent,
  type TranscriptLine,
  toEnvelope,
  type WireEvent,
} from '@patchcord/call-protocol';
import { type CallState, emptyPhone, type PhoneState } from '@patchcord/phone-engine';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import type { VNode } from 'preact';
import { expect, it } from 'vitest';
import type { LiveStatus } from '../../../packages/softphone-ui/src/live-link.ts';
import type { SoftphoneModel } from '../../../packages/softphone-ui/src/softphone-model.ts';
import type { Findings } from '../../../packages/softphone-ui/src/transcription/findings.ts';
import { startTranscription } from '../../../packages/softphone-ui/src/transcription/transcription.tsx';
import { profile } from '../../panel/sample-profile.ts';

type Shown = VNode<{ readonly lines: readonly TranscriptLine[]; readonly findings: Findings }>;
type Part = Pick<PhoneEvent, 'name' | 'data'>;

const ours = newCallId();
const call = (id: CallId, answeredAt: number | null) => ({ id, answeredAt, phase: 'active' }) as CallState;
const line: TranscriptLine = { line: 0, speaker: 'agent', text: 'Hello', startMs: 0, endMs: 1, final: true };
const said = { name: 'transcript.final', data: line } as const;
const summary = {
  summary: 'All is well.',
  actionItems: [],
  sentiment: 'neutral',
  model: 'm',
  promptVersion: 1,
} as const;
const made = { name: 'call.summarised', data: { ...summary, actionItems: [] } } as const;
const spotted = (at: number): Part => ({
  name: 'phrase.spotted',
  data: { rule: 'r', label: 'R', severity: 'info', speaker: 'agent', phrase: 'r', line: at, startMs: at },
});

/** A mirror of a phone with these calls, at a relay that knows these events. */
function frame(calls: readonly CallState[], known: readonly (readonly Part[])[] = [], status: LiveStatus = 'joined') {
  let state: PhoneState = { ...emptyPhone, calls };
  const onState = new Set<(state: PhoneState) => void>();
  const onEvent = new Set<(event: WireEvent) => void>();
  const onStatus = new Set<(status: LiveStatus) => void>();
  const asked: [string, number][] = [];
  const listen =
    <T>(all: Set<(what: T) => void>) =>
    (listener: (what: T) => void) => {
      all.add(listener);
      return () => all.delete(listener);
    };
  const model = { transcript: signal(null) as SoftphoneModel['transcript'] };
  const pages = known.map((events, page) => ({
    events: events.map((event, n) => ({
      seq: page * 10 + n + 1,
      event: toEnvelope({ at: 1, call: ours, ...event } as PhoneEvent, `${page}:${n}`, '/relay'),
    })),
    more: page < known.length - 1,
  }));
  const stop = startTranscription({
    phone: {
      ...{ state: () => state, onState: listen(onState), owned: () => null, onRole: () => () => {} },
      send: () => Promise.resolve({ ok: true }),
    },
    model: model as SoftphoneModel,
    relay: {
      live: { onEvent: listen(onEvent), onStatus: listen(onStatus), status: () => status },
      callEvents: (id: string, after: number): Promise<CallEvents> => {
        asked.push([id, after]);
        const page = pages.find(({ events }) => (events.at(-1)?.seq ?? 0) > after);
        return page === undefined ? Promise.reject(new Error('away')) : Promise.resolve(page);
      },
    } as unknown as Parameters<typeof startTranscription>[0]['relay'],
    profile: signal({ ...profile, transcription: 'on' as const }),
    sound: null,
    clock: new FakeClock(0),
    random: () => 0,
  });
  return {
    asked,
    stop,
    tell: (id: CallId, event: Part) => {
      for (const hear of onEvent) hear({ at: 1, call: id, ...event } as unknown as WireEvent);
    },
    become: (next: readonly CallState[]) => {
      state = { ...state, calls: next };
      for (const hear of onState) hear(state);
    },
    joined: () => {
      for (const hear of onStatus) hear('joined');
    },
    shown: (of: CallState) => (model.transcript.value?.({ call: of }) as Shown | null)?.props ?? null,
    isThere: () => model.transcript.value !== null,
  };
}

it('takes the words of its own calls, not of everybody’s, as a supervisor’s frame is told them', () => {
  const theirs = newCallId();
  const { tell, become, shown, stop, isThere } = frame([call(ours, 1)]);
  tell(ours, said);
  tell(theirs, said);
  tell(theirs, made);
  become([call(ours, 1), call(theirs, 1)]);
  expect(shown(call(ours, 1))?.lines).toEqual([line]);
  expect(shown(call(theirs, 1))).toMatchObject({ lines: [], findings: { summary: null } });
  expect(shown(call(ours, null))).toBeNull();
  stop();
  expect(isThere()).toBe(false);
});

it('asks for what was found before it was there, to the last page, and knows it once', async () => {
  const known = [
    [spotted(1), { name: 'log.saved', data: { logId: '1' } } as Part],
    [spotted(2), made],
  ];
  const { asked, tell, shown } = frame([call(ours, 1), call(newCallId(), null)], known);
  tell(ours, spotted(2));
  await expect.poll(() => shown(call(ours, 1))?.findings.summary?.summary).toBe('All is well.');
  expect(shown(call(ours, 1))?.findings.spotted.map(({ startMs }) => startMs)).toEqual([1, 2]);
  expect(asked).toEqual([
    [ours, 0],
    [ours, 2],
  ]);
});

it('asks again after each new connection, and bears a relay that does not answer', async () => {
  const { asked, joined, shown, tell } = frame([call(ours, 1)], [], 'away');
  expect(asked).toEqual([]);
  joined();
  joined();
  expect(asked).toEqual([
    [ours, 0],
    [ours, 0],
  ]);
  tell(ours, made);
  await expect.poll(() => shown(call(ours, 1))?.findings.summary?.summary).toBe('All is well.');
});
