import { newCallId, type PageCommand, type PageNews, type Profile } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import {
  ada,
  type LabFrame,
  onlyCall,
  openLab,
  openReady,
  type PanelLab,
  settle,
  sharers,
  talk,
  until,
} from './panel-lab.ts';

const may = (commands: Partial<Profile['pageCommands']>): PanelLab =>
  openLab({ profile: { pageCommands: { dial: 'ask', answer: 'refuse', control: 'allow', ...commands } } });
const news = <T extends PageNews['type']>(frame: LabFrame, type: T) =>
  frame.host
    .told('news')
    .map(({ news: one }) => one)
    .filter((one): one is Extract<PageNews, { readonly type: T }> => one.type === type);
const lastState = (frame: LabFrame) => news(frame, 'state').at(-1);

/** Sends a wish and waits for what became of it. */
async function wish(frame: LabFrame, command: PageCommand) {
  const before = news(frame, 'result').length;
  frame.host.command(command);
  await until(() => news(frame, 'result').length > before);
  const result = news(frame, 'result').at(-1);
  expect(result?.id).toBe(command.id);
  return result;
}

describe('what the page hears', () => {
  it('is the state of the phone and of each call, as it changes', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    lab.clock.advance(100);
    expect(lastState(frame)).toMatchObject({ phone: 'ready', available: true, agent: 'Maria Santos', calls: [] });
    const call = frame.sip.invite({ number: ada.number });
    await until(() => onlyCall(frame).record !== null);
    lab.clock.advance(100);
    expect(lastState(frame)).toMatchObject({
      phone: 'ringing',
      calls: [
        {
          id: call,
          direction: 'inbound',
          phase: 'incoming',
          number: ada.number,
          name: 'Ada Lindqvist',
          recordId: ada.record.id,
          object: 'Contact',
          answeredAt: 0,
          endedAt: 0,
          held: false,
          muted: false,
          matches: 0,
        },
      ],
    });
    await frame.model().answer(call);
    await frame.model().toggleMute(onlyCall(frame));
    lab.clock.advance(100);
    expect(lastState(frame)).toMatchObject({ phone: 'in-call', calls: [{ phase: 'active', muted: true }] });
    await frame.model().hangUp(call);
    lab.clock.advance(100);
    expect(lastState(frame)).toMatchObject({ phone: 'wrap-up', calls: [{ phase: 'ended' }] });
  });

  it('comes ten times a second at most, the newest last, and never twice the same', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    lab.clock.advance(1_000);
    const call = await talk(frame);
    await until(() => onlyCall(frame).record !== null);
    lab.clock.advance(1_000);
    const before = news(frame, 'state').length;
    for (let turn = 0; turn < 9; turn += 1) await frame.model().toggleMute(onlyCall(frame));
    expect(news(frame, 'state')).toHaveLength(before + 1);
    lab.clock.advance(100);
    expect(news(frame, 'state')).toHaveLength(before + 1);
    expect(lastState(frame)?.calls[0]?.muted).toBe(true);
    await frame.model().toggleMute(onlyCall(frame));
    lab.clock.advance(100);
    expect(lastState(frame)?.calls[0]?.muted).toBe(false);
    const after = news(frame, 'state').length;
    frame.model().writeNote(call, 'words of the agent');
    await frame.model().flushNote(call);
    lab.clock.advance(1_000);
    expect(news(frame, 'state')).toHaveLength(after);
    expect(JSON.stringify(frame.host.told('news'))).not.toContain('words of the agent');
  });

  it('is told by each frame to its own page, and how many records match', async () => {
    const lab = may({});
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    owner.sip.invite({ number: sharers[0]?.number ?? '' });
    await until(() => mirror.model().phone.value.calls[0]?.matches.length === 3);
    lab.clock.advance(100);
    for (const frame of [owner, mirror]) expect(lastState(frame)?.calls[0]).toMatchObject({ matches: 3, recordId: '' });
  });

  it('is the words of this agent’s calls, and of no other', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    const call = await talk(frame);
    const line = { line: 0, speaker: 'far-side', text: 'Hello', startMs: 0, endMs: 400, final: false } as const;
    lab.relay.tell({ name: 'transcript.partial', at: 1, call, data: line });
    lab.relay.tell({ name: 'transcript.final', at: 2, call, data: { ...line, text: 'Hello there.', final: true } });
    lab.relay.tell({ name: 'transcript.final', at: 2, call: newCallId(), data: { ...line, final: true } });
    await until(() => news(frame, 'transcript').length === 2);
    await settle();
    expect(news(frame, 'transcript')).toEqual([
      { type: 'transcript', call, ...line },
      { type: 'transcript', call, ...line, text: 'Hello there.', final: true },
    ]);
  });

  it('is what the page may do, and what it may when the profile changes', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    lab.clock.advance(100);
    expect(lastState(frame)?.allowed).toEqual(['dial', 'control']);
    lab.relay.profile = {
      ...lab.relay.profile,
      pageCommands: { dial: 'refuse', answer: 'allow', control: 'refuse' },
    };
    lab.relay.tell({ name: 'profile.changed', at: 1, data: {} });
    await until(() => frame.model().profile.value.pageCommands.dial === 'refuse');
    lab.clock.advance(100);
    expect(lastState(frame)?.allowed).toEqual(['answer']);
  });

  it('is the state once more for who comes late', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    lab.clock.advance(1_000);
    const before = news(frame, 'state').length;
    expect(await wish(frame, { command: 'sync', id: 's' })).toMatchObject({ ok: true });
    expect(news(frame, 'state')).toHaveLength(before + 1);
  });
});

describe('a wish of the page', () => {
  const dial = {
    command: 'dial',
    id: 'd',
    number: '(415) 555-0101',
    recordId: '003000000000001AAA',
    object: 'Contact',
    name: 'Ada Lindqvist',
  } as const;

  it('to dial puts the number and its record before the agent, and never dials by itself', async () => {
    const frame = await openReady(may({ dial: 'ask' }));
    expect(await wish(frame, dial)).toMatchObject({ ok: true, reason: expect.stringContaining('asks to call') });
    expect(frame.sip.sent('dial')).toEqual([]);
    expect(frame.model().notice.value?.text).toContain('Ada Lindqvist');
    expect(frame.model().dialText.value).toBe('(415) 555-0101');
    await frame.model().dialTyped();
    expect(onlyCall(frame).record).toEqual(ada.record);
  });

  it('to dial does not take away what the agent is typing', async () => {
    const frame = await openReady(may({ dial: 'ask' }));
    frame.model().typeNumber('0301');
    expect(await wish(frame, dial)).toMatchObject({ ok: false });
    expect(frame.model().dialText.value).toBe('0301');
  });

  it('to dial takes the place of an earlier wish, and of no number that the agent clicked', async () => {
    const frame = await openReady(may({ dial: 'ask' }));
    await wish(frame, dial);
    expect(await wish(frame, { ...dial, number: '+14155550102' })).toMatchObject({ ok: true });
    expect(frame.model().dialText.value).toBe('(415) 555-0102');

    const clicked = await openReady(may({ dial: 'ask' }));
    await talk(clicked);
    clicked.host.clickNumber({ number: '+14155550102' });
    await until(() => clicked.model().dialText.value !== '');
    expect(await wish(clicked, dial)).toMatchObject({ ok: false });
    expect(clicked.model().dialText.value).toBe('(415) 555-0102');
  });

  it.each(['transfer', 'keypad', 'new-call'] as const)(
    'to dial changes nothing while the agent has the sheet %s open',
    async (sheet) => {
      const frame = await openReady(may({ dial: 'ask' }));
      await wish(frame, dial);
      await talk(frame, '+4930901820');
      frame.model().showSheet(sheet);
      const text = frame.model().dialText.value;
      expect(await wish(frame, { ...dial, number: '+14155550102' })).toMatchObject({ ok: false });
      expect(frame.model()).toMatchObject({ sheet: { value: sheet }, dialText: { value: text } });
    },
  );

  it('to dial during a call takes the place of an earlier one', async () => {
    const frame = await openReady(may({ dial: 'ask' }));
    await talk(frame, '+4930901820');
    for (const [number, shown] of [
      [dial.number, '(415) 555-0101'],
      ['+14155550102', '(415) 555-0102'],
    ] as const) {
      expect(await wish(frame, { ...dial, number })).toMatchObject({ ok: true });
      expect(frame.model()).toMatchObject({ sheet: { value: 'new-call' }, dialText: { value: shown } });
    }
  });

  it('to dial dials like a click where it is allowed, with its record; not when the record can’t be one', async () => {
    const frame = await openReady(may({ dial: 'allow' }));
    expect(await wish(frame, dial)).toEqual({ type: 'result', id: 'd', ok: true, reason: '' });
    expect(onlyCall(frame).record).toEqual(ada.record);
    const other = await openReady(may({ dial: 'allow' }));
    await wish(other, { ...dial, recordId: '../../x', number: '+4930901820' });
    expect(onlyCall(other).record).toBeNull();
    expect(await wish(other, { ...dial, number: 'no number' })).toMatchObject({ ok: false });
  });

  it('that the profile refuses is answered with why, and nothing happens', async () => {
    const frame = await openReady(may({ dial: 'refuse', answer: 'refuse', control: 'refuse' }));
    const call = frame.sip.invite({ number: ada.number });
    await until(() => frame.model().phone.value.calls.length === 1);
    for (const command of [dial, { command: 'answer', id: 'a', call }, { command: 'hang-up', id: 'h', call }] as const)
      expect(await wish(frame, command)).toMatchObject({ ok: false, reason: expect.stringContaining('pageCommands') });
    expect(onlyCall(frame).phase).toBe('incoming');
    expect(frame.sip.sent('dial')).toEqual([]);
  });

  it('answers, mutes, holds, resumes and hangs up where it may', async () => {
    const frame = await openReady(may({ answer: 'allow' }));
    const call = frame.sip.invite({ number: ada.number });
    await until(() => frame.model().phone.value.calls.length === 1);
    const steps = [
      ['answer', { phase: 'active' }],
      ['mute', { muted: true }],
      ['unmute', { muted: false }],
      ['hold', { hold: 'on' }],
      ['resume', { hold: 'off' }],
      ['hang-up', { phase: 'ended' }],
    ] as const;
    for (const [command, state] of steps) {
      expect(await wish(frame, { command, id: command, call }), command).toMatchObject({ ok: true });
      await until(() => Object.entries(state).every(([key, value]) => onlyCall(frame)[key as 'phase'] === value));
    }
  });

  it('to unmute opens the microphone, and is refused where the page may not answer', async () => {
    const frame = await openReady(may({ answer: 'refuse', control: 'allow' }));
    const call = await talk(frame);
    expect(await wish(frame, { command: 'mute', id: 'm', call })).toMatchObject({ ok: true });
    expect(await wish(frame, { command: 'unmute', id: 'u', call })).toMatchObject({ ok: false });
    await settle();
    expect(onlyCall(frame).muted).toBe(true);
    expect(await wish(frame, { command: 'hang-up', id: 'h', call })).toMatchObject({ ok: true });
  });

  it('about a call that is not there, or at the wrong time, says why', async () => {
    const frame = await openReady(may({}));
    expect(await wish(frame, { command: 'hold', id: 'x', call: newCallId() })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('no longer there'),
    });
    const call = frame.sip.invite({ number: ada.number });
    await until(() => frame.model().phone.value.calls.length === 1);
    expect(await wish(frame, { command: 'hold', id: 'y', call })).toMatchObject({
      ok: false,
      reason: expect.stringContaining('connected'),
    });
  });

  it('is refused when there are more than twenty in ten seconds, which is said once, until it is quiet again', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    const call = await talk(frame);
    const mute = (id: string): PageCommand => ({ command: 'mute', id, call });
    for (let turn = 0; turn < 20; turn += 1) expect(await wish(frame, mute(`${turn}`))).toMatchObject({ ok: true });
    expect(await wish(frame, mute('much'))).toMatchObject({ ok: false, reason: expect.stringContaining('Too many') });
    const results = news(frame, 'result').length;
    for (let turn = 0; turn < 50; turn += 1) frame.host.command(mute(`more ${turn}`));
    await settle();
    expect(news(frame, 'result')).toHaveLength(results);
    lab.clock.advance(10_000);
    expect(await wish(frame, mute('later'))).toMatchObject({ ok: true });
  });

  it('for the state is never too much: any number within a moment is answered by one', async () => {
    const lab = may({});
    const frame = await openReady(lab);
    const call = await talk(frame);
    await until(() => onlyCall(frame).record !== null);
    lab.clock.advance(1_000);
    const states = news(frame, 'state').length;
    for (let turn = 0; turn < 60; turn += 1) frame.host.command({ command: 'sync', id: `${turn}` });
    await settle();
    lab.clock.advance(100);
    expect(news(frame, 'state')).toHaveLength(states + 2);
    lab.clock.advance(1_000);
    expect(news(frame, 'state')).toHaveLength(states + 2);
    expect(await wish(frame, { command: 'mute', id: 'm', call })).toMatchObject({ ok: true });
  });
});
