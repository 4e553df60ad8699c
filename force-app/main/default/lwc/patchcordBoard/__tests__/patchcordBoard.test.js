import today from '@salesforce/apex/PatchcordBoard.today';
import PatchcordBoard from 'c/patchcordBoard';
import { createElement } from 'lwc';
import { settled } from 'test/settled';

jest.mock('@salesforce/apex/PatchcordBoard.today', () => ({ default: jest.fn() }), { virtual: true });

const ago = (minutes) => new Date(Date.now() - minutes * 60_000).toISOString();
const agent = (name, calls, more = {}) => ({
  agentId: `005${name}`,
  name,
  calls,
  answered: calls,
  missed: 0,
  talkSeconds: calls * 60,
  averageSeconds: 60,
  wrapUps: 0,
  wrapUpSince: null,
  ...more,
});
const day = () => ({
  since: ago(600),
  zone: 'America/Los_Angeles',
  agents: [
    agent('Alex Kim', 3, { missed: 2 }),
    agent('Robin Vale', 7, { wrapUps: 2, wrapUpSince: ago(10) }),
    agent('Casey Holt', 5, { wrapUps: 1, wrapUpSince: ago(30) }),
  ],
  missed: [
    {
      callId: 'a00000000000001AAA',
      phone: '+14155550101',
      name: 'Elena Marchetti',
      recordId: '003000000000001AAA',
      missedAt: ago(20),
      calls: 2,
      agentName: 'Robin Vale',
    },
  ],
  moreMissed: false,
});

async function shown() {
  const element = createElement('c-patchcord-board', { is: PatchcordBoard });
  document.body.append(element);
  await settled();
  return element;
}

const all = (element, selector) => [...element.shadowRoot.querySelectorAll(selector)];
const textOf = (element) => element.shadowRoot.textContent;
const names = (element) => all(element, '.agents tbody th').map((cell) => cell.textContent);
const column = (element, label) => all(element, '.agents thead th').find((head) => head.textContent === label);

async function sortBy(element, label) {
  column(element, label).querySelector('button').click();
  await settled();
}

describe('the board', () => {
  it('is loading first', async () => {
    today.mockReturnValue(new Promise(() => {}));
    const element = await shown();
    expect(all(element, 'lightning-spinner')).toHaveLength(1);
    await expect(element).toBeAccessible();
  });

  it('asks for the day of the user’s own zone', async () => {
    today.mockResolvedValue(day());
    await shown();
    expect(today).toHaveBeenCalledWith({ zone: 'America/Los_Angeles' });
  });

  it('shows what rules heard and what they missed, and nothing where they heard nothing', async () => {
    const phrases = 'Not heard: Recording notice (agent, until the end)\nHeard: Refund (far side, 0:05)';
    const call = { callId: 'a00000000000002AAA', name: null, phone: '+14155550102', agentName: 'Robin Vale' };
    today.mockResolvedValue({ ...day(), heard: [{ ...call, startedAt: ago(5), phrases, sentiment: 'negative' }] });
    const element = await shown();
    const [row] = all(element, '.heard tbody tr');
    for (const part of ['+14155550102', 'Robin Vale', 'negative', 'Heard: Refund'])
      expect(row.textContent).toContain(part);
    expect(all(element, '.heard .phrase_missed')).toHaveLength(1);
    await expect(element).toBeAccessible();
    today.mockResolvedValue(day());
    expect(all(await shown(), '.heard')).toHaveLength(0);
  });

  it('adds the team up and shows each agent', async () => {
    today.mockResolvedValue(day());
    const element = await shown();
    expect(all(element, '.sum dd').map((sum) => sum.textContent)).toEqual(['15', '15', '2', '15 min', '1']);
    expect(names(element)).toEqual(['Robin Vale', 'Casey Holt', 'Alex Kim']);
    expect(all(element, '.agents tbody tr')[0].textContent).toContain('10 min (2 open)');
    await expect(element).toBeAccessible();
  });

  it('names who called in vain, with a number to click', async () => {
    today.mockResolvedValue(day());
    const element = await shown();
    expect(element.shadowRoot.querySelector('.missed tbody').textContent).toContain('Elena Marchetti');
    const dial = element.shadowRoot.querySelector('lightning-click-to-dial');
    expect([dial.value, dial.recordId]).toEqual(['+14155550101', '003000000000001AAA']);
  });

  it('says that nobody is left to call back, and that more were missed than it looked at', async () => {
    today.mockResolvedValue({ ...day(), missed: [] });
    const element = await shown();
    expect(textOf(element)).toContain('Everybody who called in vain was called back.');
    today.mockResolvedValue({ ...day(), moreMissed: true });
    const full = await shown();
    expect(textOf(full)).toContain('Only the newest 200 missed calls were looked at.');
  });

  it('says that there were no calls', async () => {
    today.mockResolvedValue({ ...day(), agents: [], missed: [] });
    const element = await shown();
    expect(textOf(element)).toContain('No calls today yet.');
    await expect(element).toBeAccessible();
  });
});

describe('a column', () => {
  it('sorts by itself, the largest first, and the other way with a second click', async () => {
    today.mockResolvedValue(day());
    const element = await shown();
    await sortBy(element, 'Missed');
    expect(names(element)[0]).toBe('Alex Kim');
    expect(column(element, 'Missed').getAttribute('aria-sort')).toBe('descending');
    await sortBy(element, 'Missed');
    expect(names(element)).toEqual(['Casey Holt', 'Robin Vale', 'Alex Kim']);
    expect(column(element, 'Missed').getAttribute('aria-sort')).toBe('ascending');
    expect(column(element, 'Calls').getAttribute('aria-sort')).toBe('none');
  });

  it('of names sorts from A', async () => {
    today.mockResolvedValue(day());
    const element = await shown();
    await sortBy(element, 'Agent');
    expect(names(element)).toEqual(['Alex Kim', 'Casey Holt', 'Robin Vale']);
  });

  it('of wrap-ups puts who has waited longest first', async () => {
    today.mockResolvedValue(day());
    const element = await shown();
    await sortBy(element, 'Longest wrap-up');
    expect(names(element)).toEqual(['Casey Holt', 'Robin Vale', 'Alex Kim']);
  });
});

describe('access', () => {
  it('that is refused says what it takes, and can be tried again', async () => {
    today.mockRejectedValue({ body: { message: 'The board is for managers. Ask your admin.' } });
    const element = await shown();
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain('The board is for managers.');
    expect(all(element, 'table')).toHaveLength(0);
    await expect(element).toBeAccessible();
    today.mockResolvedValue(day());
    all(element, 'lightning-button')[0].click();
    await settled();
    expect(names(element)).toHaveLength(3);
  });
});

describe('refresh', () => {
  it('reads the day again', async () => {
    today.mockResolvedValue(day());
    const element = await shown();
    today.mockResolvedValue({ ...day(), agents: [agent('Robin Vale', 8)] });
    element.shadowRoot.querySelector('.refresh').click();
    await settled();
    expect(all(element, '.sum dd')[0].textContent).toBe('8');
  });
});
