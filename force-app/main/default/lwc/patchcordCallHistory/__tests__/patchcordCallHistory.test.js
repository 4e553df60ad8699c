import { refreshApex } from '@salesforce/apex';
import callsOf from '@salesforce/apex/PatchcordCallHistory.callsOf';
import earlierCalls from '@salesforce/apex/PatchcordCallHistory.earlierCalls';
import PatchcordCallHistory from 'c/patchcordCallHistory';
import { APPLICATION_SCOPE, phoneSays, subscriptions } from 'lightning/messageService';
import { createElement } from 'lwc';
import { settled } from 'test/settled';
import { callInWords } from '../callInWords';

jest.mock(
  '@salesforce/apex/PatchcordCallHistory.callsOf',
  () => {
    const { createApexTestWireAdapter } = jest.requireActual('@salesforce/sfdx-lwc-jest');
    return { default: createApexTestWireAdapter(jest.fn()) };
  },
  { virtual: true },
);
jest.mock('@salesforce/apex/PatchcordCallHistory.earlierCalls', () => ({ default: jest.fn() }), { virtual: true });
jest.mock(
  '@salesforce/apex/PatchcordCallHistory.transcriptOf',
  () => ({ default: jest.fn().mockResolvedValue('[0:01] Agent: Hello.') }),
  { virtual: true },
);

const answered = {
  id: 'a00000000000001AAA',
  direction: 'Inbound',
  phone: '+14155550101',
  farSideName: 'Elena Marchetti',
  startedAt: '2026-11-20T20:00:00.000Z',
  durationSeconds: 125,
  outcome: 'answered',
  disposition: 'Sale',
  note: 'Wants two more lenses.',
  agentName: 'Robin Vale',
  recordingUrl: 'https://rec.example/1.mp3',
};
const missed = {
  ...answered,
  id: 'a00000000000002AAA',
  outcome: 'missed',
  durationSeconds: 0,
  note: null,
  disposition: null,
  recordingUrl: null,
};

async function shown(properties = {}) {
  const element = createElement('c-patchcord-call-history', { is: PatchcordCallHistory });
  Object.assign(element, { recordId: '003000000000001AAA', ...properties });
  document.body.append(element);
  await settled();
  return element;
}

async function withCalls(calls, more = false) {
  const element = await shown();
  callsOf.emit({ calls, more });
  await settled();
  return element;
}

const all = (element, selector) => [...element.shadowRoot.querySelectorAll(selector)];
const textOf = (element) => element.shadowRoot.textContent;
const labelled = (element, label) => all(element, 'lightning-button').find((button) => button.label === label);

describe('what a call is called', () => {
  it.each([
    [{ direction: 'Inbound', outcome: 'answered' }, 'Incoming call', 'Answered', 'utility:incoming_call'],
    [{ direction: 'Outbound', outcome: 'answered' }, 'Outgoing call', 'Answered', 'utility:outbound_call'],
    [{ direction: 'Inbound', outcome: 'missed' }, 'Missed call', 'Missed', 'utility:missed_call'],
    [{ direction: 'Inbound', outcome: 'declined' }, 'Declined call', 'Declined', 'utility:end_call'],
    [
      { direction: 'Inbound', outcome: 'answered-elsewhere' },
      'Incoming call',
      'Answered by somebody else',
      'utility:incoming_call',
    ],
    [{ direction: 'Outbound', outcome: 'no-answer' }, 'Outgoing call', 'No answer', 'utility:outbound_call'],
    [{ direction: 'Outbound', outcome: 'busy' }, 'Outgoing call', 'Busy', 'utility:outbound_call'],
    [{ direction: 'Internal', outcome: 'answered' }, 'Internal call', 'Answered', 'utility:incoming_call'],
    [
      { direction: 'Inbound', outcome: 'answered', transferredTo: '102' },
      'Incoming call',
      'Transferred to 102',
      'utility:incoming_call',
    ],
    [
      { direction: 'Inbound', outcome: 'declined', transferredTo: 'Voicemail' },
      'Voicemail',
      'Went to voicemail',
      'utility:voicemail_drop',
    ],
    [
      { direction: 'Outbound', outcome: 'answered', disposition: 'Left voicemail' },
      'Outgoing call',
      'Left a voicemail',
      'utility:voicemail_drop',
    ],
    [{ direction: 'Inbound', outcome: undefined }, 'Incoming call', 'Outcome unknown', 'utility:incoming_call'],
  ])('%j is %s: %s', (call, what, result, icon) => {
    expect(callInWords(call)).toMatchObject({ what, result, icon });
  });
});

describe('the list', () => {
  it('is loading first', async () => {
    const element = await shown();
    expect(all(element, 'lightning-spinner')).toHaveLength(1);
    expect(callsOf.getLastConfig()).toEqual({ recordId: '003000000000001AAA', limitSize: 5 });
    await expect(element).toBeAccessible();
  });

  it('says that there are no calls', async () => {
    const element = await withCalls([]);
    expect(textOf(element)).toContain('No calls with this record yet.');
    await expect(element).toBeAccessible();
  });

  it('says why it cannot be shown, and tries again', async () => {
    const element = await shown();
    callsOf.error({ message: 'You may not see calls.' });
    await settled();
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain('You may not see calls.');
    await expect(element).toBeAccessible();
    labelled(element, 'Try again').click();
    expect(refreshApex).toHaveBeenCalledTimes(1);
    callsOf.emit({ calls: [answered], more: false });
    await settled();
    expect(all(element, '[role="alert"]')).toHaveLength(0);
  });

  it('shows what is known of each call', async () => {
    const element = await withCalls([answered, missed]);
    const [first, second] = all(element, 'li.call');
    expect(first.textContent).toContain('Incoming call');
    for (const part of ['Elena Marchetti', '2 min 5 s', 'Robin Vale', 'Sale', 'Wants two more lenses.'])
      expect(first.textContent).toContain(part);
    expect(second.textContent).toContain('Missed');
    expect(second.textContent).not.toContain('0 s');
    await expect(element).toBeAccessible();
  });

  it('shows what a machine made of the words, and what rules missed, as theirs', async () => {
    const element = await withCalls([
      {
        ...answered,
        ...{ sentiment: 'positive', summary: 'They want a quote.', actionItems: 'Send the quote\nCall on Friday' },
        phrases: 'Not heard: Recording notice (agent, until the end)\nHeard: Refund (far side, 0:05)',
      },
      missed,
    ]);
    const [first, second] = all(element, 'li.call');
    for (const part of ['Summary by a machine', 'They want a quote.', 'Positive'])
      expect(first.textContent).toContain(part);
    expect(all(element, '.actions li').map((item) => item.textContent)).toEqual(['Send the quote', 'Call on Friday']);
    expect(all(element, '.phrase_missed').map((line) => line.textContent)).toEqual([
      'Not heard: Recording notice (agent, until the end)',
    ]);
    expect(all(element, '.phrase')).toHaveLength(2);
    expect(second.textContent).not.toContain('Summary');
    await expect(element).toBeAccessible();
  });

  it('lets a number be clicked', async () => {
    const element = await withCalls([answered]);
    const dial = element.shadowRoot.querySelector('lightning-click-to-dial');
    expect([dial.value, dial.recordId]).toEqual(['+14155550101', '003000000000001AAA']);
  });

  it('gives the person along with their number on a page that is not theirs', async () => {
    const element = await shown({ recordId: '001000000000001AAA' });
    callsOf.emit({ calls: [{ ...answered, contactId: '003000000000009AAA' }, missed], more: false });
    await settled();
    const dialled = all(element, 'lightning-click-to-dial').map((dial) => dial.recordId);
    expect(dialled).toEqual(['003000000000009AAA', '001000000000001AAA']);
  });

  it('opens recording and transcript of a call that was spoken, and of no other', async () => {
    const element = await withCalls([answered, missed]);
    const toggles = all(element, 'button.toggle');
    expect(toggles).toHaveLength(1);
    toggles[0].click();
    await settled();
    const recording = element.shadowRoot.querySelector('c-patchcord-recording');
    expect([recording.callId, recording.recordingUrl]).toEqual([answered.id, answered.recordingUrl]);
    expect(toggles[0].getAttribute('aria-expanded')).toBe('true');
    await expect(element).toBeAccessible();
    toggles[0].click();
    await settled();
    expect(all(element, 'c-patchcord-recording')).toHaveLength(0);
  });

  it('says so for a withheld number', async () => {
    const element = await withCalls([{ ...answered, phone: null, farSideName: null }]);
    expect(textOf(element)).toContain('Withheld number');
    expect(all(element, 'lightning-click-to-dial')).toHaveLength(0);
  });
});

describe('older calls', () => {
  it('come with Load more, from before the last one, each once', async () => {
    const element = await withCalls([answered], true);
    earlierCalls.mockResolvedValue({ calls: [answered, missed], more: false });
    labelled(element, 'Load more').click();
    await settled();
    expect(earlierCalls).toHaveBeenCalledWith({
      recordId: '003000000000001AAA',
      limitSize: 5,
      before: answered.startedAt,
    });
    expect(all(element, 'li.call')).toHaveLength(2);
    expect(labelled(element, 'Load more')).toBeUndefined();
  });

  it('stay in their order when a new call pushes one off the first page', async () => {
    const third = { ...missed, id: 'a00000000000003AAA' };
    const element = await withCalls([answered], true);
    earlierCalls.mockResolvedValue({ calls: [missed], more: false });
    labelled(element, 'Load more').click();
    await settled();
    callsOf.emit({ calls: [third], more: true });
    await settled();
    expect(all(element, 'li.call .title').map((title) => title.textContent)).toEqual([
      'Missed call',
      'Incoming call',
      'Missed call',
    ]);
  });

  it('of another record are not shown when the page turns to it', async () => {
    const element = await withCalls([answered], true);
    earlierCalls.mockResolvedValue({ calls: [missed], more: false });
    labelled(element, 'Load more').click();
    await settled();
    element.recordId = '003000000000002AAA';
    await settled();
    expect(all(element, 'li.call')).toHaveLength(0);
    expect(all(element, 'lightning-spinner')).toHaveLength(1);
    expect(callsOf.getLastConfig().recordId).toBe('003000000000002AAA');
  });

  it('that do not come say why, and the rest stays', async () => {
    const element = await withCalls([answered], true);
    earlierCalls.mockRejectedValue({ body: { message: 'No connection.' } });
    labelled(element, 'Load more').click();
    await settled();
    expect(textOf(element)).toContain('Older calls cannot be loaded. No connection.');
    expect(all(element, 'li.call')).toHaveLength(1);
    expect(labelled(element, 'Load more').disabled).toBe(false);
    await expect(element).toBeAccessible();
  });
});

describe('the phone', () => {
  it('is heard in the whole application, and no longer once the list is gone', async () => {
    const element = await withCalls([answered]);
    expect(subscriptions()).toEqual([{ channel: 'Patchcord_Phone__c', scope: APPLICATION_SCOPE }]);
    element.remove();
    expect(subscriptions()).toEqual([]);
  });

  it('makes the list read again when a log was saved, and by no other news', async () => {
    await withCalls([answered]);
    phoneSays({ type: 'state', phone: 'ready', calls: [] });
    phoneSays(undefined);
    expect(refreshApex).not.toHaveBeenCalled();
    phoneSays({ type: 'logged', call: '8c1f6a34-5f52-4b1c-9a0c-2d1f6f0a7c11', logId: '00T000000000001' });
    expect(refreshApex).toHaveBeenCalledTimes(1);
  });
});

describe('how many are shown', () => {
  it.each([
    [3, 3],
    [0, 5],
    [-4, 1],
    [900, 50],
    ['seven', 5],
  ])('%s means %s', async (given, limit) => {
    const element = await shown({ callsShown: given });
    expect(element.callsShown).toBe(limit);
    expect(callsOf.getLastConfig().limitSize).toBe(limit);
  });
});
