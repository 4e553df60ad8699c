import {
  Accordion,
  Alert,
  Button,
  DateInput,
  Heading,
  Input,
  Link,
  LoadingButton,
  LoadingSpinner,
  Select,
  StatusTag,
  Text,
  TimeInput,
} from '@hubspot/ui-extensions';
import type { Renderer } from '@hubspot/ui-extensions/testing';
import type { ComponentType } from 'react';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { draw, extensionAt, give, type Reply, refusal, relayAnswers, type Sent } from './card-world.ts';

const callsPath = '/v1/hubspot/card/calls';
const dialPath = '/v1/hubspot/card/dial';
const planPath = '/v1/hubspot/card/call-backs';
const changePath = '/v1/hubspot/card/call-backs/change';
const pairPath = '/v1/hubspot/pairing-codes';

/** A Tuesday; everything in the card is relative to it. */
const now = new Date(2026, 10, 24, 10, 0).getTime();
const hour = 3_600_000;

const call = (id: string, more: object = {}) => ({
  callId: id,
  logId: '77',
  direction: 'inbound',
  outcome: 'answered',
  farSide: { number: '+14155550101', name: 'Ada Byron' },
  agent: 'Grace Hopper',
  startedAt: now - hour,
  talkMs: 245_000,
  note: 'Wants a quote.',
  disposition: 'Connected',
  recording: null,
  transcript: null,
  ...more,
});
const callBack = (more: object = {}) => ({
  id: 'c0ffee00-0000-4000-8000-000000000001',
  kind: 'call-back',
  number: '+14155550101',
  name: 'Ada Byron',
  record: { crm: 'hubspot', object: 'contact', id: '501' },
  note: 'About the quote',
  dueAt: now + hour,
  askedBy: 'Grace Hopper',
  createdAt: now,
  doneAt: null,
  ...more,
});
const answer = (more: object = {}) => ({
  calls: [],
  more: false,
  toCall: null,
  phone: { agent: 'Grace Hopper', online: true },
  ...more,
});

let CallsCard: ComponentType;
beforeAll(async () => {
  CallsCard = await extensionAt('app/cards/CallsCard.tsx', 'CallsCard');
});
beforeEach(() => vi.spyOn(Date, 'now').mockReturnValue(now));
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

type Card = Renderer<'crm.record.sidebar'>;
const record =
  (
    objectTypeId: string,
    properties: Record<string, string | null> = { firstname: 'Ada', lastname: 'Byron', phone: '+14155550101' },
  ) =>
  (card: Card) => {
    Object.assign(card.mocks.context.crm, { objectTypeId, objectId: 501 });
    const settled = { error: null, isLoading: false, isRefetching: false, refetch: async () => {} };
    card.mocks.useCrmProperties.willCall(() => ({ properties, ...settled }));
  };
const open = (prepare = record('0-1')) => draw(CallsCard, 'crm.record.sidebar', prepare);
const texts = (card: Card) => card.findAll(Text).map(({ text }) => text);
const titles = (card: Card) => card.findAll(Alert).map(({ props }) => props.title);
const press = (card: Card, testId: string) =>
  [...card.findAll(LoadingButton), ...card.findAll(Button)]
    .find(({ props }) => props.testId === testId)
    ?.trigger('onClick');
const shown = (card: Card) => card.waitFor(() => void card.findByTestId(Button, 'reload'));

/** A card on a contact that has loaded. */
async function opened(
  replies: Record<string, Reply> = {},
  first: object = {},
): Promise<{ card: Card; sent: readonly Sent[] }> {
  const sent = relayAnswers({ [callsPath]: () => answer(first), ...replies });
  const card = open();
  await shown(card);
  return { card, sent };
}
const to = (sent: readonly Sent[], path: string) => sent.filter((request) => request.path === path);

describe('loading', () => {
  it('says what it waits for, and asks for this very record', async () => {
    const sent = relayAnswers({ [callsPath]: () => answer() });
    const card = open(record('0-2'));
    expect(card.find(LoadingSpinner).props.label).toContain('phone service');
    await shown(card);
    expect(sent).toEqual([{ path: callsPath, body: { objectTypeId: '0-2', objectId: '501' }, timeout: 15_000 }]);
  });

  it('shows what a machine made of the words as its own, and a voicemail as one', async () => {
    const heard = {
      ...{ summary: 'They want a quote.', sentiment: 'positive', actionItems: ['Send the quote'] },
      phrases: ['Not heard: Recording notice (agent, until the end)'],
    };
    const left = {
      outcome: 'missed',
      voicemail: true,
      recording: { url: 'https://relay.example.com/m', durationMs: 4_000 },
    };
    const { card } = await opened(
      {},
      { calls: [call('a', { heard }), call('b', left), call('c', { heard: { summary: 7 } })] },
    );
    const said = card.findAll(Text).map(({ text }) => text ?? '');
    for (const part of ['Summary by a machine', 'They want a quote.', '• Send the quote', heard.phrases[0]])
      expect(said).toContain(part);
    expect(said.filter((text) => text === 'Summary by a machine')).toHaveLength(1);
    expect(card.findAll(StatusTag).map(({ text }) => text)).toContain('Voicemail');
    expect(card.find(Link).text).toBe('Play the message (0:04)');
  });

  it('says so when there is no call yet', async () => {
    const { card } = await opened();
    expect(card.findByTestId(Text, 'no-calls').text).toContain('None over this phone yet');
    expect(card.findByTestId(Text, 'no-call-back').text).toBe('None planned.');
  });

  it.each<[string, Reply, string]>([
    ['HubSpot cannot reach the relay', () => Promise.reject(new Error('gone')), 'could not be reached'],
    ['the answer is no JSON', () => new Response('<h1>502</h1>'), 'could not be reached'],
    [
      'HubSpot wraps a failure',
      () => ({ status: 'error', category: 'BAD_GATEWAY' }),
      'no answer that this card understands',
    ],
    ['the answer is null', () => null, 'no answer that this card understands'],
    ['one call has another shape', () => answer({ calls: [{ callId: 1 }] }), 'no answer that this card understands'],
    ['the phone’s state is missing', () => answer({ phone: {} }), 'no answer that this card understands'],
    ['too many requests run', () => Response.json({}, { status: 429 }), 'Wait a minute'],
    ['the relay refuses', () => Response.json(refusal('Ask Linus.'), { status: 403 }), 'Ask Linus.'],
    [
      'HubSpot wraps the relay’s refusal',
      () => ({ status: 'error', responseBody: refusal('Ask Linus.') }),
      'Ask Linus.',
    ],
  ])('says what to do when %s, and tries again on a click', async (_what, reply, said) => {
    let first = true;
    relayAnswers({
      [callsPath]: (sent) => {
        if (!first) return answer();
        first = false;
        return reply(sent);
      },
    });
    const card = open();
    await card.waitFor(() => expect(titles(card)).toEqual(['The calls could not be loaded']));
    expect(card.find(Alert).text).toContain(said);
    press(card, 'load-again');
    await shown(card);
  });

  it('says what an administrator forgot when the profile names no relay, and asks nobody', async () => {
    const sent = relayAnswers({});
    const card = open((opening) => {
      opening.mocks.context.variables = {};
    });
    await card.waitFor(() => expect(card.find(Alert).text).toContain('RELAY_URL'));
    expect(sent).toEqual([]);
  });

  it('shows the calls of a record to somebody without a phone, and nothing to press', async () => {
    const { card } = await opened({}, { calls: [call('1')], phone: { agent: null, online: false } });
    expect(titles(card)).toEqual(['No phone is set up for you']);
    expect(card.findAll(Accordion)).toHaveLength(1);
    expect(card.maybeFindByTestId(LoadingButton, 'call')).toBeNull();
    expect(card.maybeFindByTestId(Button, 'plan')).toBeNull();
  });
});

describe('calling', () => {
  const sentReply: Reply = () => ({ state: 'sent' });

  it('sends the number to the agent’s phone and says that it did', async () => {
    const { card, sent } = await opened({ [dialPath]: sentReply });
    press(card, 'call');
    await card.waitFor(() => expect(titles(card)).toEqual(['Sent to your phone']));
    const { body } = to(sent, dialPath)[0] as Sent;
    expect(body).toEqual({ wish: body.wish, objectTypeId: '0-1', objectId: '501', number: '+14155550101' });
    expect(body.wish).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });

  it('lets the agent choose when there are several numbers', async () => {
    const sent = relayAnswers({ [callsPath]: () => answer(), [dialPath]: sentReply });
    const card = open(record('0-1', { phone: '+14155550101', mobilephone: '+14155550102' }));
    await shown(card);
    give(card.findByTestId(Select, 'number'), 'onChange', '+14155550102');
    await card.waitFor(() => expect(card.findByTestId(LoadingButton, 'call').text).toBe('Call +14155550102'));
    press(card, 'call');
    await card.waitFor(() => expect(to(sent, dialPath)[0]?.body.number).toBe('+14155550102'));
  });

  it('offers the numbers of a ticket’s contacts, by name', async () => {
    relayAnswers({ [callsPath]: () => answer() });
    const card = open((opening) => {
      Object.assign(opening.mocks.context.crm, { objectTypeId: '0-5' });
      const pagination = { hasNextPage: false, hasPreviousPage: false, currentPage: 1, pageSize: 20 };
      const person = (id: number, properties: Record<string, string | null>) => ({
        toObjectId: id,
        associationTypes: [],
        properties,
      });
      opening.mocks.useAssociations.willCall(() => ({
        results: [
          person(1, { firstname: 'Ada', lastname: 'Byron', phone: '+14155550101', mobilephone: null }),
          person(2, { firstname: 'Alan', lastname: null, phone: null, mobilephone: '+442079460102' }),
        ],
        error: null,
        isLoading: false,
        isRefetching: false,
        refetch: async () => {},
        pagination: { ...pagination, nextPage: () => {}, previousPage: () => {}, reset: () => {} },
      }));
    });
    await shown(card);
    expect(card.findByTestId(Select, 'number').props.options.map(({ label }) => label)).toEqual([
      'Ada Byron, phone: +14155550101',
      'Alan, mobile: +442079460102',
    ]);
  });

  it('says what is missing when a record has no number', async () => {
    relayAnswers({ [callsPath]: () => answer() });
    const card = open(record('0-1', { phone: null, mobilephone: ' ' }));
    await shown(card);
    expect(texts(card).join()).toContain('This record has no phone number');
    expect(card.maybeFindByTestId(LoadingButton, 'call')).toBeNull();
  });

  it('says what to do when no phone is open, before and after', async () => {
    const { card } = await opened(
      { [dialPath]: () => ({ state: 'no-phone-open' }) },
      { phone: { agent: 'Grace Hopper', online: false } },
    );
    expect(texts(card).join()).toContain('Open the calling window first');
    press(card, 'call');
    await card.waitFor(() => expect(titles(card)).toEqual(['Your phone is not open']));
    expect(card.find(Alert).text).toContain('Nothing was dialled');
  });

  it('sends one wish for a double click', async () => {
    let reply: (value: unknown) => void = () => {};
    const { card, sent } = await opened({
      [dialPath]: () =>
        new Promise((resolve) => {
          reply = resolve;
        }),
    });
    const button = card.findByTestId(LoadingButton, 'call');
    button.trigger('onClick');
    button.trigger('onClick');
    await card.waitFor(() => expect(card.findByTestId(LoadingButton, 'call').props.loading).toBe(true));
    press(card, 'call');
    expect(to(sent, dialPath)).toHaveLength(1);
    reply({ state: 'sent' });
    await card.waitFor(() => expect(card.findByTestId(LoadingButton, 'call').props.loading).toBe(false));
  });

  it('keeps the wish when it has to be asked again, and makes another for the next call', async () => {
    const replies: Reply[] = [() => Promise.reject(new Error('gone')), () => new Response('502'), sentReply, sentReply];
    const { card, sent } = await opened({ [dialPath]: (request) => (replies.shift() as Reply)(request) });
    for (const title of [
      'The call was not sent',
      'The call was not sent',
      'Sent to your phone',
      'Sent to your phone',
    ]) {
      const before = to(sent, dialPath).length;
      press(card, 'call');
      await card.waitFor(() => {
        expect(to(sent, dialPath)).toHaveLength(before + 1);
        expect(card.findByTestId(LoadingButton, 'call').props.loading).toBe(false);
        expect(titles(card)).toEqual([title]);
      });
    }
    const [first, second, third, fourth] = to(sent, dialPath).map(({ body }) => body.wish);
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  });

  it('says that an answer was not understood instead of claiming a call', async () => {
    const { card } = await opened({ [dialPath]: () => ({ state: 'maybe' }) });
    press(card, 'call');
    await card.waitFor(() => expect(titles(card)).toEqual(['The call was not sent']));
  });
});

describe('what goes on', () => {
  afterEach(() => vi.useRealTimers());
  const everything = (card: Card) => `${card.getRootNode()}`;
  const pass = async (ms: number): Promise<void> => void (await vi.advanceTimersByTimeAsync(ms));
  const fakeTime = () => vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });

  it('is looked at again until the call has its end, and a failure takes nothing away', async () => {
    const running = call('a', { outcome: null, startedAt: now });
    const replies: Reply[] = [
      () => answer({ calls: [running, call('b')] }),
      () => Promise.reject(new Error('gone')),
      () => answer({ calls: [call('a', { startedAt: now, note: 'Bought it.' })] }),
    ];
    fakeTime();
    const sent = relayAnswers({ [callsPath]: (request) => (replies.shift() as Reply)(request) });
    const card = open();
    await pass(50);
    expect(everything(card)).toContain('Running');
    await pass(10_000);
    expect(everything(card)).toContain('Running');
    expect(card.findAll(LoadingSpinner)).toEqual([]);
    await pass(10_000);
    expect(everything(card)).not.toContain('Running');
    expect(everything(card)).toContain('Bought it.');
    expect(card.findAll(Accordion)).toHaveLength(3);
    await pass(60_000);
    expect(sent).toHaveLength(3);
  });

  it('is looked at for five minutes, not for as long as a call may last', async () => {
    fakeTime();
    const sent = relayAnswers({ [callsPath]: () => answer({ calls: [call('a', { outcome: null })] }) });
    const card = open();
    for (let at = 0; at < 60; at += 1) await pass(10_050);
    expect(sent).toHaveLength(31);
    expect(everything(card)).toContain('Running');
  });

  it('is looked at once after a number was sent to the phone, and that it was sent is told no longer', async () => {
    const replies: Reply[] = [() => answer(), () => answer({ calls: [call('a')] })];
    fakeTime();
    const sent = relayAnswers({
      [callsPath]: (request) => (replies.shift() as Reply)(request),
      [dialPath]: () => ({ state: 'sent' }),
    });
    const card = open();
    await pass(50);
    press(card, 'call');
    await pass(50);
    expect(titles(card)).toEqual(['Sent to your phone']);
    await pass(10_050);
    expect(titles(card)).toEqual([]);
    expect(everything(card)).toContain('Ada Byron');
    await pass(60_000);
    expect(to(sent, callsPath)).toHaveLength(2);
  });
});

describe('the next call-back', () => {
  it('is planned with a note, by one id however often it is sent, and can be taken back', async () => {
    const replies: Reply[] = [
      () => Promise.reject(new Error('gone')),
      ({ body }) => Response.json(callBack({ id: body.id, dueAt: body.dueAt, note: body.note }), { status: 201 }),
    ];
    const { card, sent } = await opened({
      [planPath]: (request) => (replies.shift() as Reply)(request),
      [changePath]: ({ body }) => callBack({ id: body.id, doneAt: now }),
    });
    press(card, 'plan');
    await card.waitFor(() => void card.findByTestId(Select, 'when'));
    give(card.findByTestId(Select, 'when'), 'onChange', 'tomorrow');
    give(card.findByTestId(Input, 'note'), 'onInput', ' About the quote ');
    await card.waitFor(() => expect(card.findByTestId(Input, 'note').props.value).toBe(' About the quote '));
    press(card, 'save');
    await card.waitFor(() => expect(titles(card)).toEqual(['The call-back was not saved']));
    press(card, 'save');
    await card.waitFor(() => expect(titles(card)[0]).toMatch(/^Planned for Wed, Nov 25, 0?9:00 AM\.$/));
    const [first, second] = to(sent, planPath).map(({ body }) => body);
    expect(second).toEqual(first);
    expect(first).toEqual({
      id: first?.id,
      kind: 'call-back',
      number: '+14155550101',
      name: 'Ada Byron',
      record: { crm: 'hubspot', object: 'contact', id: '501' },
      dueAt: new Date(2026, 10, 25, 9).getTime(),
      note: 'About the quote',
    });
    press(card, 'undo');
    await card.waitFor(() => expect(card.findByTestId(Text, 'no-call-back').text).toBe('None planned.'));
    expect(to(sent, changePath)[0]?.body).toEqual({ id: first?.id, done: true });
  });

  it('is shown with its time in the reader’s language, and as overdue when it is', async () => {
    const { card } = await opened({}, { toCall: callBack({ dueAt: now - hour }) });
    expect(card.findByTestId(Text, 'call-back').text).toMatch(/Tue, Nov 24, 0?9:00 AM, Ada Byron/);
    expect(card.find(StatusTag).text).toBe('Overdue');
    expect(texts(card)).toContain('Asked for by Grace Hopper');
    relayAnswers({ [callsPath]: () => answer({ toCall: callBack() }) });
    const german = open((opening) => {
      record('0-1')(opening);
      opening.mocks.context.user.locale = 'de_DE';
    });
    await shown(german);
    expect(german.findByTestId(Text, 'call-back').text).toMatch(/^Di\., 24\. Nov\./);
    expect(german.maybeFind(StatusTag)).toBeNull();
  });

  it('is postponed to a day and time, and put back by Undo', async () => {
    const { card, sent } = await opened(
      { [changePath]: ({ body }) => callBack({ dueAt: body.dueAt }) },
      { toCall: callBack() },
    );
    press(card, 'postpone');
    await card.waitFor(() => void card.findByTestId(Select, 'when'));
    give(card.findByTestId(Select, 'when'), 'onChange', 'other');
    await card.waitFor(() => void card.findByTestId(DateInput, 'day'));
    give(card.findByTestId(DateInput, 'day'), 'onChange', { year: 2026, month: 11, date: 1 });
    give(card.findByTestId(TimeInput, 'time'), 'onChange', { hours: 14, minutes: 30 });
    await card.waitFor(() => expect(card.findByTestId(TimeInput, 'time').props.value?.hours).toBe(14));
    press(card, 'save');
    await card.waitFor(() => expect(titles(card)[0]).toMatch(/^Postponed to Tue, Dec 1, 0?2:30 PM\.$/));
    press(card, 'undo');
    await card.waitFor(() => expect(card.findByTestId(Text, 'call-back').text).toMatch(/Nov 24, 11:00 AM/));
    expect(to(sent, changePath).map(({ body }) => body.dueAt)).toEqual([
      new Date(2026, 11, 1, 14, 30).getTime(),
      now + hour,
    ]);
  });

  it('is not postponed into the past', async () => {
    const { card, sent } = await opened({}, { toCall: callBack() });
    press(card, 'postpone');
    await card.waitFor(() => void card.findByTestId(Select, 'when'));
    give(card.findByTestId(Select, 'when'), 'onChange', 'other');
    await card.waitFor(() => void card.findByTestId(DateInput, 'day'));
    press(card, 'save');
    await card.waitFor(() => expect(texts(card)).toContain('This time is over. Choose a later one.'));
    expect(to(sent, changePath)).toEqual([]);
  });

  it('is done once for a double click, and open again by Undo', async () => {
    const { card, sent } = await opened(
      { [changePath]: ({ body }) => callBack({ doneAt: body.done === true ? now : null }) },
      { toCall: callBack() },
    );
    const done = card.findByTestId(LoadingButton, 'done');
    done.trigger('onClick');
    done.trigger('onClick');
    await card.waitFor(() => expect(titles(card)).toEqual(['Marked as done.']));
    press(card, 'undo');
    await card.waitFor(() => void card.findByTestId(Text, 'call-back'));
    expect(to(sent, changePath).map(({ body }) => body.done)).toEqual([true, false]);
  });

  it('says why it was not saved, and leaves it as it was', async () => {
    const { card } = await opened(
      { [changePath]: () => Response.json(refusal('This call-back is another agent’s. Ask them.'), { status: 404 }) },
      { toCall: callBack() },
    );
    press(card, 'done');
    await card.waitFor(() => expect(card.find(Alert).text).toContain('another agent’s'));
    expect(card.findByTestId(Text, 'call-back').text).toContain('Ada Byron');
  });
});

describe('the calls', () => {
  it('show outcome, length, agent, note, recording and transcript', async () => {
    const { card } = await opened(
      {},
      {
        calls: [
          call('1', {
            recording: { url: 'https://phone.example.com/r/1?token=x', durationMs: 240_000 },
            transcript: [
              { speaker: 'agent', speakerName: 'Grace Hopper', text: 'Good morning.', startMs: 0 },
              { speaker: 'far-side', speakerName: '', text: 'I want a quote.', startMs: 62_000 },
            ],
          }),
          call('2', { direction: 'outbound', outcome: 'no-answer', talkMs: 0, farSide: { number: '+14155550101' } }),
        ],
      },
    );
    const [first, transcript, second] = card.findAll(Accordion);
    expect(first?.props.title).toMatch(/Nov 24, 0?9:00 AM · From Ada Byron$/);
    for (const said of ['Answered', '4:05', 'Connected', 'Agent: Grace Hopper', 'Wants a quote.'])
      expect(`${first}`).toContain(said);
    expect(first?.find(Link).text).toBe('Play the recording (4:00)');
    expect(first?.find(Link).props.href).toEqual({ url: 'https://phone.example.com/r/1?token=x', external: true });
    expect(
      transcript
        ?.findAll(Text)
        .map((line) => `${line}`)
        .join(),
    ).toMatch(/0:00 Grace Hopper: [^G]*Good morning\./);
    expect(`${transcript}`).toMatch(/1:02 Far side: [^I]*I want a quote\./);
    expect(second?.props.title).toContain('To +14155550101');
    expect(`${second}`).toContain('No answer');
  });

  it.each([
    'javascript:alert(1)',
    'http://phone.example.com/r/1',
    'http://localhost.example.com/',
    'data:audio/wav;base64,',
    7,
  ])('never link a recording at %s', async (url) => {
    const { card } = await opened({}, { calls: [call('1', { recording: { url, durationMs: 1 } })] });
    expect(card.maybeFind(Link)).toBeNull();
  });

  it('go on with older ones, each shown once, and can be asked for again after a failure', async () => {
    const first = [call('1'), call('2', { startedAt: now - 2 * hour })];
    const older: Reply[] = [
      () => Promise.reject(new Error('gone')),
      () => answer({ calls: [first[1], call('3', { startedAt: now - 3 * hour })], more: false }),
    ];
    const { card, sent } = await opened({
      [callsPath]: (request) =>
        request.body.before === undefined ? answer({ calls: first, more: true }) : (older.shift() as Reply)(request),
    });
    press(card, 'older');
    await card.waitFor(() => expect(titles(card)).toEqual(['Older calls could not be loaded']));
    press(card, 'older');
    await card.waitFor(() =>
      expect(card.findAll(Accordion).filter(({ props }) => /Ada/.test(props.title))).toHaveLength(3),
    );
    expect(card.maybeFindByTestId(LoadingButton, 'older')).toBeNull();
    expect(sent.map(({ body }) => body.before)).toEqual([undefined, now - 2 * hour, now - 2 * hour]);
    expect(sent.map(({ body }) => body.beforeCall)).toEqual([undefined, first.at(-1)?.callId, first.at(-1)?.callId]);
  });

  it('are loaded anew on a click', async () => {
    let calls = [call('1')];
    const { card } = await opened({ [callsPath]: () => answer({ calls }) });
    calls = [call('2'), call('1')];
    press(card, 'reload');
    await card.waitFor(() =>
      expect(card.findAll(Accordion).filter(({ props }) => /Ada/.test(props.title))).toHaveLength(2),
    );
  });
});

describe('connecting a phone', () => {
  it('shows a code and until when it is good, once for a double click', async () => {
    const { card, sent } = await opened({
      [pairPath]: () => Response.json({ code: 'ABCD-2345', expiresAt: now + 300_000 }, { status: 201 }),
    });
    const button = card.findByTestId(LoadingButton, 'pair');
    expect(button.text).toBe('Get a code');
    button.trigger('onClick');
    button.trigger('onClick');
    await card.waitFor(() => expect(card.find(Heading).text).toBe('ABCD-2345'));
    expect(texts(card).join()).toMatch(/once and until 10:05 AM/);
    expect(card.findByTestId(LoadingButton, 'pair').text).toBe('Get a new code');
    expect(to(sent, pairPath)).toHaveLength(1);
  });

  it('takes a code away that is too old', async () => {
    const { card } = await opened({ [pairPath]: () => ({ code: 'ABCD-2345', expiresAt: now }) });
    press(card, 'pair');
    await card.waitFor(() => expect(texts(card).join()).toContain('too old'));
    expect(card.maybeFind(Heading)).toBeNull();
  });

  it('says why there is none', async () => {
    const { card } = await opened({
      [pairPath]: () => Response.json(refusal('Ask your administrator.'), { status: 403 }),
    });
    press(card, 'pair');
    await card.waitFor(() => expect(titles(card)).toEqual(['No code']));
    expect(card.find(Alert).text).toBe('Ask your administrator.');
  });
});

it('is the same card in the help desk', async () => {
  relayAnswers({ [callsPath]: () => answer({ calls: [call('1')] }) });
  const card = draw(CallsCard, 'helpdesk.sidebar', (opening) => {
    Object.assign(opening.mocks.context.crm, { objectTypeId: '0-5', objectId: 9 });
  });
  await card.waitFor(() => expect(card.findAll(Accordion)).toHaveLength(2));
});
