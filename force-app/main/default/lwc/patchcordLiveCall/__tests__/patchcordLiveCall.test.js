import PatchcordLiveCall from 'c/patchcordLiveCall';
import { APPLICATION_SCOPE, commandsSent, phoneSays, subscriptions } from 'lightning/messageService';
import { createElement } from 'lwc';
import { allowedIn, callsIn } from '../phoneState';
import { withLine } from '../spokenLines';

const id = '8c1f6a34-5f52-4b1c-9a0c-2d1f6f0a7c11';
const start = Date.parse('2026-11-20T20:00:00.000Z');
const active = {
  id,
  direction: 'inbound',
  phase: 'active',
  number: '+14155550101',
  name: 'Elena Marchetti',
  recordId: '003000000000001AAA',
  object: 'Contact',
  startedAt: start,
  answeredAt: start + 4_000,
  endedAt: 0,
  held: false,
  muted: false,
  matches: 1,
};
const state = (...calls) => ({
  type: 'state',
  phone: calls.length > 0 ? 'in-call' : 'ready',
  available: true,
  agent: 'Robin Vale',
  allowed: ['dial', 'answer', 'control'],
  calls,
  at: start,
});
const said = (line, speaker, text, more = {}) => ({
  type: 'transcript',
  call: id,
  line,
  speaker,
  text,
  startMs: line * 1000,
  endMs: line * 1000 + 500,
  final: true,
  ...more,
});

const rendered = async () => {
  await Promise.resolve();
  await Promise.resolve();
};

async function shown(properties = {}) {
  const element = createElement('c-patchcord-live-call', { is: PatchcordLiveCall });
  Object.assign(element, properties);
  document.body.append(element);
  await rendered();
  return element;
}

async function hears(...news) {
  for (const one of news) phoneSays(one);
  await rendered();
}

/** axe waits on the clock. */
async function isAccessible(element) {
  jest.useRealTimers();
  await expect(element).toBeAccessible();
}

const all = (element, selector) => [...element.shadowRoot.querySelectorAll(selector)];
const textOf = (element) => element.shadowRoot.textContent;
const buttons = (element) => all(element, '.buttons lightning-button').map((button) => button.label);
const press = (element, label) =>
  all(element, 'lightning-button')
    .find((button) => button.label === label)
    .click();

beforeEach(() => {
  jest.useFakeTimers({ now: start + 64_000 });
});

describe('the phone', () => {
  it('is asked for its state at once, and listened to in the whole application', async () => {
    const element = await shown();
    expect(commandsSent()).toEqual([
      { command: 'sync', id: expect.stringMatching(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/) },
    ]);
    expect(subscriptions()).toEqual([{ channel: 'Patchcord_Phone__c', scope: APPLICATION_SCOPE }]);
    expect(all(element, 'lightning-spinner')).toHaveLength(1);
    await isAccessible(element);
  });

  it('that does not answer is not open, until it says something', async () => {
    const element = await shown();
    jest.advanceTimersByTime(4_000);
    await rendered();
    expect(textOf(element)).toContain('The phone is not open.');
    await hears(state());
    expect(textOf(element)).toContain('No call.');
    await isAccessible(element);
  });

  it('that is offline says so', async () => {
    const element = await shown();
    await hears({ ...state(), phone: 'offline' });
    expect(textOf(element)).toContain('The phone is not connected.');
    await isAccessible(element);
  });

  it('that takes no calls says so', async () => {
    const element = await shown();
    await hears({ ...state(), available: false });
    expect(textOf(element)).toContain('You are not available for calls.');
  });

  it('is let go with the component', async () => {
    const element = await shown();
    await hears(state(active));
    element.remove();
    expect(subscriptions()).toEqual([]);
    expect(jest.getTimerCount()).toBe(0);
  });

  it('may say what it likes: what is no news changes nothing', async () => {
    const element = await shown();
    await hears(undefined, null, { type: 'state' }, { type: 'transcript', call: id }, { type: 'other' });
    expect(all(element, 'lightning-spinner')).toHaveLength(1);
  });
});

describe('a call', () => {
  it('shows who, how long, and its buttons', async () => {
    const element = await shown();
    await hears(state(active));
    expect(element.shadowRoot.querySelector('.name').textContent).toBe('Elena Marchetti');
    expect(element.shadowRoot.querySelector('.timer').textContent).toBe('1:00');
    jest.advanceTimersByTime(5_000);
    await rendered();
    expect(element.shadowRoot.querySelector('.timer').textContent).toBe('1:05');
    expect(buttons(element)).toEqual(['Hold', 'Mute', 'Hang up']);
    await isAccessible(element);
  });

  it.each([
    ['Hold', 'hold', {}],
    ['Resume', 'resume', { held: true }],
    ['Mute', 'mute', {}],
    ['Unmute', 'unmute', { muted: true }],
    ['Hang up', 'hang-up', {}],
    ['Answer', 'answer', { phase: 'incoming', answeredAt: 0 }],
    ['Decline', 'hang-up', { phase: 'incoming', answeredAt: 0 }],
  ])('asks the phone with %s to %s', async (label, command, change) => {
    const element = await shown();
    await hears(state({ ...active, ...change }));
    press(element, label);
    expect(commandsSent().at(-1)).toEqual({ command, call: id, id: expect.any(String) });
    await isAccessible(element);
  });

  it.each([
    ['no word of it', undefined, ['Hold', 'Mute', 'Hang up'], ['Decline'], ['Hold', 'Hang up']],
    ['control alone', ['control'], ['Hold', 'Mute', 'Hang up'], ['Decline'], ['Hold', 'Hang up']],
    ['answering alone', ['answer'], [], ['Answer'], ['Unmute']],
    ['nothing', [], [], [], []],
  ])('has the buttons that the phone takes, with %s', async (_, allowed, running, ringing, muted) => {
    const element = await shown();
    const buttonsOf = async (change) => {
      await hears({ ...state({ ...active, ...change }), allowed });
      return buttons(element);
    };
    expect(await buttonsOf({})).toEqual(running);
    expect(await buttonsOf({ phase: 'incoming', answeredAt: 0 })).toEqual(ringing);
    expect(await buttonsOf({ muted: true })).toEqual(muted);
    expect(textOf(element).includes('Unmute in the phone')).toBe(muted.includes('Hold'));
    await isAccessible(element);
  });

  it('that is none is not shown, and never more than six', async () => {
    const element = await shown();
    const odd = [null, 'call', 7, [], {}, { id: 5, phase: 'active' }, { id, phase: null }, { ...active, id: '' }];
    await hears({
      ...state(),
      calls: [...odd, { ...active, name: { first: 'Elena' }, startedAt: 'now', matches: '9' }],
    });
    expect(all(element, 'section')).toHaveLength(1);
    expect(element.shadowRoot.querySelector('.name').textContent).toBe('+14155550101');
    await hears(state(...Array.from({ length: 9 }, (_, index) => ({ ...active, id: `call-${index}` }))));
    expect(all(element, 'section')).toHaveLength(6);
    await isAccessible(element);
  });

  it('is read field by field, whatever else it carries', () => {
    expect(
      callsIn([{ id: 'one', phase: 'active', held: 'yes', muted: 1, number: 5, endedAt: Number.NaN, x: 1 }]),
    ).toEqual([
      {
        ...{ id: 'one', phase: 'active', number: '', name: '', recordId: '' },
        ...{ startedAt: 0, answeredAt: 0, endedAt: 0, held: false, muted: false, matches: 0 },
      },
    ]);
    for (const wrong of [undefined, null, 'answer', { answer: true }])
      expect([...allowedIn(wrong)]).toEqual(['control']);
  });

  it('shows why the phone refused, and forgets it with the next wish', async () => {
    const element = await shown();
    await hears(state(active));
    press(element, 'Hold');
    await hears({ type: 'result', id: commandsSent().at(-1).id, ok: false, reason: 'Your admin allows no commands.' });
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain('Your admin allows no commands.');
    press(element, 'Mute');
    await hears({ type: 'result', id: commandsSent().at(-1).id, ok: true, reason: '' });
    expect(all(element, '[role="alert"]')).toHaveLength(0);
    await isAccessible(element);
  });

  it('takes no answer to somebody else for its own', async () => {
    const element = await shown();
    await hears(state(active));
    press(element, 'Hold');
    await hears({ type: 'result', id: 'of-another-component', ok: false, reason: 'No.' });
    expect(all(element, '[role="alert"]')).toHaveLength(0);
  });

  it('says that the phone did not answer', async () => {
    const element = await shown();
    await hears(state(active));
    press(element, 'Hold');
    jest.advanceTimersByTime(4_000);
    await rendered();
    expect(textOf(element)).toContain('The phone did not answer.');
  });

  it('on hold, in wrap-up and with several records reads so', async () => {
    const element = await shown();
    await hears(
      state(
        { ...active, held: true, recordId: '', matches: 3 },
        { ...active, id: 'second', phase: 'ended', endedAt: start + 34_000, name: '', number: '' },
      ),
    );
    expect(all(element, '.phase').map((phase) => phase.textContent)).toEqual(['On hold', 'Wrap-up']);
    expect(all(element, '.timer')[1].textContent).toBe('0:30');
    expect(textOf(element)).toContain('3 records have this number');
    expect(textOf(element)).toContain('Withheld number');
    await isAccessible(element);
  });
});

describe('what is said', () => {
  it('stands in order, a partial line as such until it is final', async () => {
    const element = await shown();
    await hears(
      state(active),
      said(2, 'far-side', 'About my or', { final: false }),
      said(1, 'agent', 'How can I help?'),
    );
    expect(all(element, '.said').map((line) => line.textContent)).toEqual(['How can I help?', 'About my or']);
    expect(all(element, '.line_partial')).toHaveLength(1);
    expect(textOf(element)).toContain('still being said');
    await hears(said(2, 'far-side', 'About my order.'));
    expect(all(element, '.said').map((line) => line.textContent)).toEqual(['How can I help?', 'About my order.']);
    expect(all(element, '.line_partial')).toHaveLength(0);
    expect(all(element, '.from strong').map((from) => from.textContent)).toEqual(['Robin Vale', 'Elena Marchetti']);
    await isAccessible(element);
  });

  it('keeps a final line against a late partial one, and the newest five hundred', () => {
    const final = said(1, 'agent', 'Good morning.');
    expect(withLine([final], { ...final, text: 'Good m', final: false })).toEqual([final]);
    let lines = [];
    for (let line = 0; line < 510; line += 1) lines = withLine(lines, said(line, 'agent', `${line}`));
    expect([lines.length, lines[0].text]).toEqual([500, '10']);
  });

  it('follows the newest line, unless the reader scrolled up, and jumps back on request', async () => {
    const element = await shown();
    await hears(state(active), said(1, 'agent', 'One'));
    const box = element.shadowRoot.querySelector('.lines');
    let top = 0;
    Object.defineProperties(box, {
      scrollHeight: { value: 400 },
      clientHeight: { value: 100 },
      scrollTop: {
        get: () => top,
        set: (value) => {
          top = value;
        },
      },
    });
    await hears(said(2, 'agent', 'Two'));
    expect(top).toBe(400);
    top = 50;
    box.dispatchEvent(new CustomEvent('scroll'));
    await hears(said(3, 'agent', 'Three'));
    expect(top).toBe(50);
    await isAccessible(element);
    press(element, 'Jump to newest');
    await rendered();
    expect(top).toBe(400);
    expect(all(element, '.newest')).toHaveLength(0);
  });

  it('says so when nothing was said, and is left out on request', async () => {
    const element = await shown();
    await hears(state(active));
    expect(textOf(element)).toContain('Nothing said yet');
    const short = await shown({ withoutTranscript: true });
    await hears(state(active), said(1, 'agent', 'One'));
    expect(all(short, '.transcript')).toHaveLength(0);
  });

  it('has a marked line where nobody heard, with how long and why', async () => {
    const element = await shown();
    await hears(
      state(active),
      said(1, 'agent', 'One'),
      said(2, 'agent', '', { gap: 'lost', startMs: 4_000, endMs: 16_200 }),
      said(3, 'far-side', '', { gap: 'paused', startMs: 20_000, endMs: 20_100 }),
    );
    expect(all(element, '.said').map((line) => line.textContent)).toEqual(['One']);
    const gaps = all(element, '.gap').map((gap) => gap.textContent.trim());
    expect(gaps).toEqual(['0:04 Not heard: 12 s (the sound was lost)', '0:20 Not heard: 1 s (paused on purpose)']);
    await isAccessible(element);
  });

  it('goes with its call', async () => {
    const element = await shown();
    await hears(state(active), said(1, 'agent', 'One'), state(), state(active));
    expect(all(element, '.said')).toHaveLength(0);
  });
});

describe('phrases that rules look for', () => {
  const hit = (more = {}) => ({
    ...{ type: 'phrase', call: id, rule: 'cancel', label: 'Wants to cancel', severity: 'critical' },
    ...{ speaker: 'far-side', phrase: 'cancel', line: 1, startMs: 61_000 },
    ...more,
  });

  it('stand above the words by time, each once, who said it and how grave it is', async () => {
    const element = await shown();
    await hears(
      state(active),
      hit(),
      hit({ rule: 'refund', label: 'Refund', severity: 'info', startMs: 5_000 }),
      hit(),
    );
    const hits = all(element, '.hit').map((one) => one.textContent.replace(/\s+/g, ' ').trim());
    expect(hits).toEqual(['Refund (Elena Marchetti, 0:05)', 'Critical: Wants to cancel (Elena Marchetti, 1:01)']);
    expect(all(element, '.hit_critical')).toHaveLength(1);
    await isAccessible(element);
  });

  it('are no news of another shape, and go with their call', async () => {
    const element = await shown();
    await hears(state(active), hit({ label: '' }), hit({ startMs: 'soon' }), hit({ speaker: 'nobody' }));
    expect(all(element, '.hit')).toHaveLength(0);
    await hears(hit(), state(), state(active));
    expect(all(element, '.hit')).toHaveLength(0);
  });
});
