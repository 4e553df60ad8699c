/** A frame that never holds the phone (HubSpot's navigation bar), beside the window that does: what it says and dials while there is none. */
import type { CallSummary } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { texts } from '../../../packages/softphone-ui/src/texts.ts';
import {
  ada,
  type LabFrame,
  onlyCall,
  openLab,
  openReady,
  type PanelLab,
  passTime,
  settle,
  sharers,
  talk,
  until,
} from './panel-lab.ts';

/** Number of someone else than `ada`. */
const other = '+4930901820';

interface Remote {
  readonly frame: LabFrame;
  /** The windows this frame has opened, in order. */
  readonly windows: LabFrame[];
}

/**
 * A remote frame that is signed in; the windows it opens load by themselves unless `blocked` or `broken`, and can't take up what was left unless
 * `again`.
 */
async function openRemote(
  lab: PanelLab,
  opens: 'well' | 'blocked' | 'broken' = 'well',
  again = false,
): Promise<Remote> {
  const frame = lab.frame();
  const windows: LabFrame[] = [];
  frame.host.line = 'never';
  frame.host.openPhoneWindow = () => {
    if (opens === 'blocked') return false;
    const window = lab.frame();
    windows.push(window);
    if (!again) window.sip.recovers = 'refuse';
    if (opens === 'well') void window.panel.start();
    return true;
  };
  void frame.panel.start();
  await passTime(lab, () => frame.panel.stage.value.kind === 'ready' && frame.phone().role() !== 'joining');
  return { frame, windows };
}

const windowTrouble = ({ panel }: LabFrame) => panel.troubles.value.find(({ key }) => key === 'window');
const dialled = (...frames: readonly LabFrame[]) =>
  frames.flatMap(({ sip }) => sip.sent('dial').map((it) => it.target));

describe('without a phone window', () => {
  it('says so, with a button that opens it, and is quiet again once it is there', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab);
    expect(frame.model().role.value).toBe('ownerless');
    expect(windowTrouble(frame)).toMatchObject({ title: texts.windowGoneTitle, act: 'open-window' });
    frame.panel.openPhoneWindow();
    await until(() => frame.model().phone.value.line.status === 'ready');
    expect(windows).toHaveLength(1);
    expect(windowTrouble(frame)).toBeUndefined();
    expect(frame.model().role.value).toBe('mirror');
  });

  it('tells what to do when the browser blocked the window, and keeps the number', async () => {
    const lab = openLab();
    const { frame } = await openRemote(lab, 'blocked');
    frame.panel.openPhoneWindow();
    expect(frame.model().notice.value?.text).toBe(texts.windowBlocked);
    frame.model().dismissNotice();
    frame.model().typeNumber(other);
    expect(await frame.model().dialTyped()).toBe(false);
    expect(frame.model().notice.value?.text).toBe(texts.windowBlocked);
    expect(frame.model().dialText.value).toBe(other);
    expect(windowTrouble(frame)?.title).toBe(texts.windowGoneTitle);
  });

  it('a number that is dialled opens it and is called once, as soon as it has the line', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab);
    frame.model().typeNumber(other);
    const taken = frame.model().dialTyped();
    expect(windows).toHaveLength(1);
    expect(windowTrouble(frame)?.title).toContain('+49 30 901820');
    expect(await taken).toBe(true);
    await settle();
    expect(dialled(...windows)).toEqual([other]);
    expect(onlyCall(frame).farSide.number).toBe(other);
    expect(frame.model().dialText.value).toBe('');
    expect(windowTrouble(frame)).toBeUndefined();
  });

  it('dials once also when Call is pressed again while the window opens', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab);
    frame.model().typeNumber(other);
    const first = frame.model().dialTyped();
    const second = frame.model().dialTyped();
    expect([await first, await second]).toEqual([false, true]);
    await settle();
    expect(dialled(...windows)).toEqual([other]);
  });

  it('a window that never gets its line: the agent is told after 20 s, and a line that comes later dials nothing', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab, 'broken');
    frame.model().typeNumber(other);
    let answer: boolean | null = null;
    void frame
      .model()
      .dialTyped()
      .then((taken) => {
        answer = taken;
      });
    await settle();
    lab.clock.advance(19_900);
    await settle();
    expect(answer).toBeNull();
    lab.clock.advance(200);
    await until(() => answer === false);
    expect(frame.model().dialProblem.value).toBe(texts.windowNotThere);
    expect(frame.model().dialText.value).toBe(other);
    void windows[0]?.panel.start();
    await until(() => frame.model().phone.value.line.status === 'ready');
    await settle();
    expect(dialled(...windows)).toEqual([]);
  });

  it('what waits is dropped when the agent takes the number back', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab, 'broken');
    frame.model().typeNumber(other);
    const taken = frame.model().dialTyped();
    frame.model().typeNumber('');
    expect(await taken).toBe(false);
    expect(frame.model().dialProblem.value).toBeNull();
    void windows[0]?.panel.start();
    await until(() => frame.model().phone.value.line.status === 'ready');
    await settle();
    expect(dialled(...windows)).toEqual([]);
  });

  it('a click on the page opens no window by itself: the number is ready, with its record, for one press', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab);
    frame.host.clickNumber({ number: other, record: ada.record });
    expect(windows).toHaveLength(0);
    expect(frame.model().notice.value?.text).toBe(texts.hostNumberWaitsForWindow);
    expect(await frame.model().dialTyped()).toBe(true);
    await until(() => frame.model().phone.value.calls.length === 1);
    expect(onlyCall(frame).record).toEqual(ada.record);
  });
});

describe('while the window opens', () => {
  it('it is said for 20 s at most, or until the window is gone again', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab, 'broken');
    frame.panel.openPhoneWindow();
    expect(windowTrouble(frame)).toMatchObject({ title: texts.windowOpening });
    expect(windowTrouble(frame)?.act).toBeUndefined();
    // Typing a number does not close it.
    frame.model().typeNumber('1');
    expect(windowTrouble(frame)?.title).toBe(texts.windowOpening);
    lab.clock.advance(20_000);
    await settle();
    expect(windowTrouble(frame)).toMatchObject({ title: texts.windowGoneTitle, act: 'open-window' });
    expect(frame.model().dialProblem.value).toBeNull();
    frame.panel.openPhoneWindow();
    const [, second] = windows;
    if (second !== undefined) second.sip.registers = 'wait';
    void second?.panel.start();
    await until(() => frame.model().role.value === 'mirror');
    expect(windowTrouble(frame)?.title).toBe(texts.windowOpening);
    second?.die();
    await until(() => frame.model().role.value === 'ownerless');
    expect(windowTrouble(frame)?.title).toBe(texts.windowGoneTitle);
  });

  it('a number called again from the list can be called off in the banner', async () => {
    const lab = openLab();
    const { frame, windows } = await openRemote(lab, 'broken');
    const again = { farSide: { number: other }, record: null } as CallSummary;
    const first = frame.model().redial(again);
    expect(windowTrouble(frame)).toMatchObject({ title: texts.windowWaitsTitle('+49 30 901820'), act: 'drop-wait' });
    frame.panel.dropWait();
    await first;
    expect(frame.model().notice.value).toBeNull();
    expect(windowTrouble(frame)?.act).toBe('open-window');
    void windows[0]?.panel.start();
    await until(() => frame.model().phone.value.line.status === 'ready');
    await settle();
    expect(dialled(...windows)).toEqual([]);
  });
});

describe('a phone window that is killed in a call', () => {
  it('is given what was typed in a remote meanwhile, so that its wrap-up can be finished in the next window', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const { frame, windows } = await openRemote(lab);
    const call = await talk(window);
    await until(() => onlyCall(frame).record?.name === ada.record.name);
    window.die();
    frame.model().writeNote(call, 'Wants a call on Friday');
    await until(() => frame.model().role.value === 'ownerless');
    // Nobody is there to take it, and that is what the banner says already.
    lab.clock.advance(600);
    await settle();
    expect(frame.model().notice.value?.text).toBe(texts.windowLostCall('Ada Lindqvist'));
    frame.panel.openPhoneWindow();
    await until(() => windows[0]?.panel.stage.value.kind === 'ready');
    const next = windows[0] as LabFrame;
    await until(() => next.model().phone.value.calls[0]?.note === 'Wants a call on Friday');
    await until(() => frame.model().noteIsSaved(onlyCall(frame)));
    expect(await next.model().submitWrapUp(onlyCall(next))).toBe(true);
    await until(() =>
      lab.relay.received.some(
        ({ type, data }) => type.includes('wrap-up.submitted') && data.note === 'Wants a call on Friday',
      ),
    );
  });

  it('has its call taken up by the next window, and what was typed in a remote meanwhile is there', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const { frame } = await openRemote(lab, 'well', true);
    const call = await talk(window);
    await until(() => onlyCall(frame).record?.name === ada.record.name);
    window.die();
    frame.model().writeNote(call, 'Wants a call on Friday');
    await until(() => frame.model().role.value === 'ownerless');
    lab.clock.advance(600);
    await settle();
    frame.panel.openPhoneWindow();
    await until(() =>
      frame.model().phone.value.calls.some(({ phase, recovering }) => phase === 'active' && !recovering),
    );
    expect(onlyCall(frame)).toMatchObject({ id: call, record: { name: ada.record.name } });
    await until(() => onlyCall(frame).note === 'Wants a call on Friday');
    expect(lab.relay.names.filter((name) => name === 'call.started')).toHaveLength(1);
    expect(lab.relay.names).not.toContain('call.ended');
  });

  it('is given it also before the time for the wrap-up is up', async () => {
    const lab = openLab({ profile: { wrapUpSeconds: 30 } });
    const window = await openReady(lab);
    const { frame, windows } = await openRemote(lab);
    const call = await talk(window);
    await until(() => onlyCall(frame).phase === 'active');
    window.die();
    frame.model().writeNote(call, 'Wants a call on Friday');
    await until(() => frame.model().role.value === 'ownerless');
    lab.clock.advance(600);
    await settle();
    frame.panel.openPhoneWindow();
    await until(() => windows[0]?.panel.stage.value.kind === 'ready');
    windows[0]?.look();
    await until(() => frame.model().phone.value.calls[0]?.phase === 'ended');
    await settle();
    lab.clock.advance(30_000);
    await until(() => lab.relay.names.includes('wrap-up.submitted'));
    const submitted = lab.relay.received.filter(({ type }) => type.includes('wrap-up.submitted'));
    expect(submitted.map(({ data }) => data.note)).toEqual(['Wants a call on Friday']);
  });

  it('says which call was cut off, who was calling, and nothing of a line that comes back by itself', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const { frame } = await openRemote(lab);
    window.sip.invite({ number: ada.number });
    await until(() => frame.model().phone.value.calls[0]?.matches.length === 1);
    window.die();
    await until(() => frame.model().role.value === 'ownerless');
    expect(frame.model().notice.value?.text).toBe(texts.windowLostRinging('Ada Lindqvist'));
    expect(frame.model().announcement.value?.text).toBe(texts.announceWindowGone);
  });

  it('is missed at once, its call is not shown as if it went on, and the next window opens its wrap-up', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const { frame, windows } = await openRemote(lab);
    const call = await talk(window);
    await until(() => onlyCall(frame).phase === 'active');
    await frame.model().setDisposition(call, 'reached');
    frame.model().writeNote(call, 'Wants a call on Friday');
    window.die();
    await until(() => frame.model().role.value === 'ownerless');
    expect(frame.model().layout.value.screen.kind).toBe('ready');
    expect(windowTrouble(frame)).toBeDefined();
    frame.panel.openPhoneWindow();
    await until(() => frame.model().layout.value.screen.kind === 'wrap-up');
    expect(onlyCall(frame)).toMatchObject({ id: call, phase: 'ended', disposition: 'reached' });
    // What was typed when the window went is still there.
    expect(frame.model().noteOf(onlyCall(frame))).toBe('Wants a call on Friday');
    expect(await frame.model().submitWrapUp(onlyCall(frame))).toBe(true);
    await until(() =>
      lab.relay.received.some(
        ({ type, data }) => type.includes('wrap-up.submitted') && data.note === 'Wants a call on Friday',
      ),
    );
    expect(windows).toHaveLength(1);
    await until(() => lab.relay.names.includes('call.ended'));
    expect(lab.relay.names.filter((name) => name === 'call.ended')).toHaveLength(1);
  });
});

describe('one click that the window and its remotes hear', () => {
  it('is one call, and nobody is told that something went wrong', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const remotes = [await openRemote(lab), await openRemote(lab)];
    const frames = [window, ...remotes.map(({ frame }) => frame)];
    for (const { host } of frames) host.clickNumber({ number: other });
    await settle();
    expect(dialled(...frames)).toEqual([other]);
    for (const frame of frames) {
      expect(onlyCall(frame).farSide.number).toBe(other);
      expect([frame.model().notice.value, frame.model().dialText.value]).toEqual([null, '']);
    }
  });

  it('is one call also when the window is just starting: it is dialled when its line is there', async () => {
    const lab = openLab();
    const window = lab.frame();
    window.sip.registers = 'wait';
    void window.panel.start();
    await passTime(lab, () => window.panel.stage.value.kind === 'ready' && window.sip.sent('start').length > 0);
    const { frame } = await openRemote(lab);
    await until(() => frame.model().phone.value.line.status === 'connecting');
    for (const one of [window, frame]) one.host.clickNumber({ number: other });
    expect(window.model().notice.value?.text).toBe(texts.hostNumberWaitsForStart);
    window.sip.register();
    await until(() => window.sip.sent('dial').length > 0);
    await settle();
    expect(dialled(window, frame)).toEqual([other]);
    expect([window, frame].map((one) => one.model().dialText.value)).toEqual(['', '']);
  });
});

describe('records', () => {
  it('picked in a remote are opened once by the window also where the agent looked at the window last', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const { frame } = await openRemote(lab);
    window.look();
    const call = window.sip.invite({ number: sharers[0]?.number ?? '' });
    await until(() => frame.model().phone.value.calls[0]?.matches.length === 3);
    expect(window.phone().isForemost()).toBe(true);
    await frame.model().chooseRecord(call, ada.record);
    await until(() => window.host.told('opened').length === 1);
    // The button of the record that is chosen already.
    expect([frame.model().canOpenRecord, frame.model().canOpenCalls]).toEqual([false, true]);
    await frame.model().openRecord(ada.record, call);
    await until(() => window.host.told('opened').length === 2);
    await window.model().chooseRecord(call, sharers[1]?.record ?? ada.record);
    await settle();
    expect(window.host.told('opened').map(({ record }) => record.id)).toEqual([
      ada.record.id,
      ada.record.id,
      sharers[1]?.record.id,
    ]);
    expect(frame.host.told('opened')).toEqual([]);
  });

  it('are opened by the window alone, wherever the agent looks, also one that was picked in a remote', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const { frame } = await openRemote(lab);
    frame.look();
    await until(() => frame.phone().isForemost());
    window.sip.invite({ number: ada.number });
    await until(() => window.host.told('opened').length === 1);
    window.sip.end(onlyCall(window).id);
    await until(() => window.model().phone.value.calls.length === 0);
    const call = window.sip.invite({ number: sharers[0]?.number ?? '' });
    await until(() => frame.model().phone.value.calls[0]?.matches.length === 3);
    const choice = sharers[1]?.record ?? ada.record;
    await frame.model().chooseRecord(call, choice);
    await until(() => window.host.told('opened').length === 2);
    expect(window.host.told('opened').at(-1)?.record).toEqual(choice);
    expect(frame.host.told('opened')).toEqual([]);
  });
});
