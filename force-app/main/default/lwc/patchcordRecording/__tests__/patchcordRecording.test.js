import transcriptOf from '@salesforce/apex/PatchcordCallHistory.transcriptOf';
import PatchcordRecording from 'c/patchcordRecording';
import { createElement } from 'lwc';
import { settled } from 'test/settled';
import { linesOf, piecesOf } from '../transcriptLines';

jest.mock('@salesforce/apex/PatchcordCallHistory.transcriptOf', () => ({ default: jest.fn() }), { virtual: true });

const transcript = [
  '[0:01] Agent: Good morning, Patchcord.',
  '[0:06] Elena: Hello, I ask about my order.',
  '[1:02:03] Agent: Your order left today.',
  '',
  'A line of its own',
].join('\n');

async function shown(properties = {}) {
  const element = createElement('c-patchcord-recording', { is: PatchcordRecording });
  Object.assign(element, { callId: 'a00000000000001', recordingUrl: 'https://rec.example/1.mp3', ...properties });
  document.body.append(element);
  await settled();
  return element;
}

const all = (element, selector) => [...element.shadowRoot.querySelectorAll(selector)];
const wordsOf = (element) => all(element, '.words').map((words) => words.textContent);
const audioOf = (element) => element.shadowRoot.querySelector('audio');

async function typed(element, words) {
  const search = element.shadowRoot.querySelector('input');
  search.value = words;
  search.dispatchEvent(new CustomEvent('input'));
  await settled();
}

async function playedTo(element, seconds) {
  audioOf(element).currentTime = seconds;
  audioOf(element).dispatchEvent(new CustomEvent('timeupdate'));
  await settled();
}

describe('a transcript', () => {
  it('is read into lines with time and speaker, each of which may be missing', () => {
    expect(linesOf(transcript)).toEqual([
      { key: 0, at: 1, speaker: 'Agent', text: 'Good morning, Patchcord.' },
      { key: 1, at: 6, speaker: 'Elena', text: 'Hello, I ask about my order.' },
      { key: 2, at: 3723, speaker: 'Agent', text: 'Your order left today.' },
      { key: 3, at: null, speaker: '', text: 'A line of its own' },
    ]);
    expect(linesOf(undefined)).toEqual([]);
  });

  it('is cut at every place that has the words', () => {
    expect(piecesOf('Order by order', 'ORDER').map(({ text, found }) => [text, found])).toEqual([
      ['Order', true],
      [' by ', false],
      ['order', true],
    ]);
  });

  it('is shown with its times, and is accessible', async () => {
    transcriptOf.mockResolvedValue(transcript);
    const element = await shown();
    expect(transcriptOf).toHaveBeenCalledWith({ callId: 'a00000000000001' });
    expect(wordsOf(element)[1]).toBe('ElenaHello, I ask about my order.');
    expect(all(element, 'button.time').map((button) => button.textContent)).toEqual(['0:01', '0:06', '1:02:03']);
    await expect(element).toBeAccessible();
  });

  it('is loading until it is there', async () => {
    transcriptOf.mockReturnValue(new Promise(() => {}));
    const element = await shown();
    expect(all(element, 'lightning-spinner')).toHaveLength(1);
    await expect(element).toBeAccessible();
  });

  it('says that there is none', async () => {
    transcriptOf.mockResolvedValue('');
    const element = await shown();
    expect(element.shadowRoot.textContent).toContain('No transcript was written.');
    await expect(element).toBeAccessible();
  });

  it('says why it cannot be read', async () => {
    transcriptOf.mockRejectedValue({ body: { message: 'This is not a call.' } });
    const element = await shown();
    expect(element.shadowRoot.querySelector('[role="alert"]').textContent).toContain('This is not a call.');
    await expect(element).toBeAccessible();
  });

  it('keeps the lines that have the words sought, and marks the words', async () => {
    transcriptOf.mockResolvedValue(transcript);
    const element = await shown();
    await typed(element, 'order');
    expect(wordsOf(element)).toHaveLength(2);
    expect(all(element, 'mark').map((mark) => mark.textContent)).toEqual(['order', 'order']);
    expect(element.shadowRoot.querySelector('.count').textContent).toBe('2 lines');
    await typed(element, 'refund');
    expect(element.shadowRoot.querySelector('.count').textContent).toBe('No line has these words.');
    await typed(element, '');
    expect(wordsOf(element)).toHaveLength(4);
  });

  it('stands without times to click when nothing was recorded', async () => {
    transcriptOf.mockResolvedValue(transcript);
    const element = await shown({ recordingUrl: null });
    expect(audioOf(element)).toBeNull();
    expect(all(element, 'button.time')).toHaveLength(0);
    expect(wordsOf(element)).toHaveLength(4);
  });
});

describe('the recording', () => {
  beforeEach(() => transcriptOf.mockResolvedValue(transcript));

  it('carries the transcript along', async () => {
    const element = await shown();
    await playedTo(element, 7);
    expect(element.shadowRoot.querySelector('[aria-current="true"]').textContent).toContain('Elena');
    await playedTo(element, 3800);
    expect(element.shadowRoot.querySelector('[aria-current="true"]').textContent).toContain('Your order left today');
  });

  it('goes to a line that is clicked', async () => {
    const element = await shown();
    all(element, 'button.time')[1].click();
    expect(audioOf(element).currentTime).toBe(6);
  });

  it('goes back and ahead by ten seconds, and never before its beginning', async () => {
    const element = await shown();
    element.shadowRoot.querySelector('.ahead').click();
    expect(audioOf(element).currentTime).toBe(10);
    element.shadowRoot.querySelector('.back').click();
    element.shadowRoot.querySelector('.back').click();
    expect(audioOf(element).currentTime).toBe(0);
  });

  it('plays at the speed that is chosen', async () => {
    const element = await shown();
    const select = element.shadowRoot.querySelector('select');
    select.value = '1.5';
    select.dispatchEvent(new CustomEvent('change'));
    expect(audioOf(element).playbackRate).toBe(1.5);
  });

  it('says that it is not available when its link fails, and leaves the transcript', async () => {
    const element = await shown();
    audioOf(element).dispatchEvent(new CustomEvent('error'));
    await settled();
    expect(audioOf(element)).toBeNull();
    expect(element.shadowRoot.querySelector('.lost').textContent).toContain('The recording is not available');
    expect(wordsOf(element)).toHaveLength(4);
    await expect(element).toBeAccessible();
  });
});
