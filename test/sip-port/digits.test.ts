/** Digits in each of the three ways, judged by what the far end gets: events, INFO requests, or two frequencies at once. */
import type { CallId } from '@patchcord/call-protocol';
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { header, type SipRequest } from '../../sandbox/src/switch/sip-message.ts';
import { levelAt } from '../../sandbox/src/switch/sound.ts';
import { listen, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import { type FarCall, ScriptedPbx } from './scripted-pbx.ts';

const ourTone = 440;
const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };
const sdpType = { name: 'Content-Type', value: 'application/sdp' };

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: ScriptedPbx;
let phone: PhoneInBrowser;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: ourTone }), servePhonePage()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await pbx.close();
  expect(errors).toEqual([]);
});

/** An answered call. `events`: the far end agrees to telephone events. `allow`: what its answer allows. */
async function connected(
  digits: SipAccount['digits'],
  far: { readonly events?: boolean; readonly allow?: string } = {},
): Promise<{ call: CallId; theirs: FarCall; last: (ms: number) => Int16Array }> {
  pbx = await ScriptedPbx.start();
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await phone.start(accountFor(pbx, '1001', { digits }), credential);
  await phone.next('sip.registered');
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].invited();
  // Chooses the sound without saying so yet: the description is changed before it leaves.
  theirs.sdp = await theirs.media.answer(theirs.invite?.request.body ?? '');
  if (far.events === false) theirs.sdp = withoutEvents(theirs.sdp);
  theirs.invite?.respond(200, 'OK', {
    headers: [theirs.contact, sdpType, ...(far.allow === undefined ? [] : [{ name: 'Allow', value: far.allow }])],
    body: theirs.sdp,
  });
  await theirs.answer();
  await phone.next('sip.answered', call);
  return { call, theirs, last: record(theirs) };
}

function withoutEvents(sdp: string): string {
  const types = [...sdp.matchAll(/^a=rtpmap:(\d+) telephone-event/gm)].map((match) => match[1] ?? '');
  return sdp
    .split('\r\n')
    .filter((line) => !types.some((type) => line.startsWith(`a=rtpmap:${type} `) || line.startsWith(`a=fmtp:${type} `)))
    .map((line) =>
      line.startsWith('m=audio ')
        ? line
            .split(' ')
            .filter((piece, index) => index < 3 || !types.includes(piece))
            .join(' ')
        : line,
    )
    .join('\r\n');
}

const rows = [697, 770, 852, 941];
const columns = [1209, 1336, 1477, 1633];
const keys = ['123A', '456B', '789C', '*0#D'];

/** The keys that sound in these samples, in their order: exactly one low and one high frequency, for at least 40 ms. */
function keysIn(samples: Int16Array): string {
  const block = 160;
  let text = '';
  let last = '';
  let run = 0;
  for (let at = 0; at + block * 2 <= samples.length; at += block) {
    const part = samples.subarray(at, at + block * 2);
    const loud = (hz: number) => levelAt(part, hz) > 0.08;
    const low = rows.filter(loud);
    const high = columns.filter(loud);
    const key =
      low.length === 1 && high.length === 1
        ? (keys[rows.indexOf(low[0] ?? 0)]?.[columns.indexOf(high[0] ?? 0)] ?? '')
        : '';
    run = key === last ? run + 1 : 1;
    last = key;
    if (key !== '' && run === 2) text += key;
  }
  return text;
}

const infos = (): Promise<string[]> =>
  phone.sent().then((all) => all.filter(({ text }) => text.startsWith('INFO ')).map(({ text }) => text));
const bodyOf = (text: string) => text.slice(text.indexOf('\r\n\r\n') + 4);

/**
 * An ear that takes everything as it comes: that of the far end listens every 20 ms, and loses what piles up while this machine is busy.
 * @returns the last milliseconds of what was heard
 */
function record(theirs: FarCall): (ms: number) => Int16Array {
  const { media } = theirs;
  const read = media.read.bind(media);
  const heard: number[] = [];
  media.read = () => {
    for (let frame = read(); frame; frame = read()) heard.push(...frame);
    return undefined;
  };
  return (ms) => {
    media.read();
    return Int16Array.from(heard.slice(-ms * 8));
  };
}
const isHeard = (last: (ms: number) => Int16Array) => levelAt(last(200), ourTone) > 0.005;

it('sends events one after the other, in the order in which they were pressed', async () => {
  const { call } = await connected('rfc4733');
  for (const digits of ['1', '2', '34', '*#', 'd']) await phone.command('sendDigits', call, digits);
  await expect.poll(() => pbx.far[0].heardDigits(), { timeout: 8_000 }).toBe('1234*#D');
  expect(await infos()).toEqual([]);
});

it('waits two seconds for a comma, and sends what was pressed meanwhile after it', async () => {
  const { call } = await connected('rfc4733');
  await phone.command('sendDigits', call, '1,2');
  await phone.command('sendDigits', call, '3');
  await expect.poll(() => pbx.far[0].heardDigits(), { timeout: 5_000 }).toBe('1');
  await expect.poll(() => pbx.far[0].heardDigits(), { timeout: 8_000 }).toBe('123');
});

it('sends INFO where the profile says so, one digit a request', async () => {
  const { call } = await connected('info');
  await phone.command('sendDigits', call, '5#');
  await expect.poll(infos, { timeout: 5_000 }).toHaveLength(2);
  const sent = await infos();
  expect(sent.map(bodyOf)).toEqual(['Signal=5\r\nDuration=100\r\n', 'Signal=#\r\nDuration=100\r\n']);
  for (const text of sent) expect(text).toMatch(/^Content-Type: application\/dtmf-relay\r$/m);
  expect(pbx.far[0].heardDigits()).toBe('');
});

it('sends INFO where the far end takes no events but allows it', async () => {
  const { call } = await connected('rfc4733', { events: false, allow: 'INVITE, ACK, BYE, CANCEL, INFO' });
  await phone.command('sendDigits', call, '9');
  await expect.poll(infos, { timeout: 5_000 }).toHaveLength(1);
});

it('sounds the keys where the far end takes neither events nor INFO, and gives the microphone back', async () => {
  const { call, last } = await connected('rfc4733', { events: false, allow: 'INVITE, ACK, BYE, CANCEL' });
  await expect.poll(() => isHeard(last), { timeout: 8_000 }).toBe(true);
  await phone.command('sendDigits', call, '147');
  await phone.command('sendDigits', call, '2D');
  await expect.poll(() => keysIn(last(5_000)), { timeout: 8_000 }).toBe('1472D');
  await expect.poll(() => isHeard(last), { timeout: 8_000 }).toBe(true);
  expect(await infos()).toEqual([]);
});

it('sounds the keys alone while the agent is muted, and is muted again after them', async () => {
  const { call, theirs, last } = await connected('in-band');
  await phone.command('mute', call, true);
  await phone.command('sendDigits', call, '12');
  await expect.poll(() => keysIn(last(4_000)), { timeout: 8_000 }).toBe('12');
  const before = theirs.media.packetsReceived;
  await expect.poll(() => theirs.media.packetsReceived - before, { timeout: 4_000 }).toBeGreaterThan(30);
  expect(isHeard(last)).toBe(false);
  await phone.command('mute', call, false);
  await expect.poll(() => isHeard(last), { timeout: 8_000 }).toBe(true);
});

it('sends no packet of a key tone on a call that was put on hold meanwhile, and says why digits do not go there', async () => {
  const { call, last } = await connected('in-band');
  await phone.command('sendDigits', call, '1,,2');
  await expect.poll(() => keysIn(last(2_000)), { timeout: 8_000 }).toBe('1');
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  const frame = phone.page.mainFrame();
  const before = await listen(frame);
  // The second key would sound in this time.
  await new Promise((resolve) => setTimeout(resolve, 4_500));
  expect((await listen(frame)).packetsSent - before.packetsSent).toBe(0);
  await phone.command('sendDigits', call, '3');
  expect((await phone.next('sip.digits-refused', call)).signal.reason).toContain('on hold');
  await phone.command('hold', call, false);
  await phone.next('sip.resumed', call);
  await expect.poll(() => isHeard(last), { timeout: 8_000 }).toBe(true);
});

it('goes over to events when INFO is refused, with the digit that was refused first', async () => {
  const { call, theirs } = await connected('info');
  const refused: SipRequest[] = [];
  const receive = pbx.far[0].receive.bind(pbx.far[0]);
  pbx.far[0].receive = (transaction) => {
    if (transaction.request.method !== 'INFO') return receive(transaction);
    refused.push(transaction.request);
    transaction.respond(415, 'Unsupported Media Type');
  };
  await phone.command('sendDigits', call, '12');
  await phone.command('sendDigits', call, '3');
  await expect.poll(() => pbx.far[0].heardDigits(), { timeout: 8_000 }).toBe('123');
  expect(refused.map((request) => header(request, 'Content-Type'))).toEqual(['application/dtmf-relay']);
  expect(theirs.closed).toBe(false);
});
