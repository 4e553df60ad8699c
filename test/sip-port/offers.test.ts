/** What other phones and PBX offer: video, several sounds, none, without encryption; and sound that comes before the answer, or does not. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { levelAt } from '../../sandbox/src/switch/sound.ts';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { BrowserFarEnd, inviteWith, warningOf } from './browser-far-end.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import { plainRtp, ScriptedPbx } from './scripted-pbx.ts';

const ourTone = 440;
const theirTone = 1700;
const nextTone = 850;
const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };
const sdpType = { name: 'Content-Type', value: 'application/sdp' };
/** Keys in the description itself (RFC 4568). */
const sdes =
  'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=sendrecv\r\n';

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
beforeEach(async () => {
  pbx = await ScriptedPbx.start();
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await phone.start(accountFor(pbx, '1001'), credential);
  await phone.next('sip.registered');
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await pbx.close();
  expect(errors).toEqual([]);
});

const hears = (hz: number) => listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.01);

describe('an offer', () => {
  let far: BrowserFarEnd;
  beforeEach(async () => {
    far = await BrowserFarEnd.open(browser, server.url, theirTone);
  });
  afterEach(() => far.close());

  it.each([
    ['sound and video', ['sound', 'video'], /^m=video 0 /m],
    ['video before sound', ['video', 'sound'], /^m=video 0 /m],
    ['two sounds', ['sound', 'silence'], /^m=audio [1-9][\s\S]*^m=audio 0 /m],
  ] as const)('of %s is answered with the first sound alone', async (_, lines, answered) => {
    const placed = inviteWith(pbx, await far.offer(lines));
    const { signal } = await phone.next('sip.invited');
    await phone.answer(signal.call);
    const { response } = await placed;
    expect(response.status).toBe(200);
    expect(response.body).toMatch(answered);
    await far.accept(response.body);
    await hears(theirTone);
    await far.hears(ourTone);
  });

  it('of video alone is refused before it rings, with the reason', async () => {
    const { response } = await inviteWith(pbx, await far.offer(['video']));
    expect(response.status).toBe(488);
    expect(warningOf(response)).toContain('offers no sound');
    expect((await phone.signals()).some(({ signal }) => signal.type === 'sip.invited')).toBe(false);
  });

  it('that adds video to a running call is answered with sound alone, which goes on', async () => {
    const placed = inviteWith(pbx, await far.offer());
    const { signal } = await phone.next('sip.invited');
    await phone.answer(signal.call);
    const { response, request } = await placed;
    await far.accept(response.body);
    await hears(theirTone);
    // From another telephone, so that nothing of the first is taken for it.
    const next = await BrowserFarEnd.open(browser, server.url, nextTone);
    const again = await request('INVITE', await next.offer(['sound', 'video']));
    expect(again.status).toBe(200);
    expect(again.body).toMatch(/^m=video 0 /m);
    await next.accept(again.body);
    await hears(nextTone);
    await next.close();
  });
});

it('an offer whose call ends while it is being answered gets its answer all the same', async () => {
  const { call } = await phone.dial('2001');
  const theirs = await pbx.far[0].answers();
  await phone.next('sip.answered', call);
  const offer = theirs.offerAgain('sendonly');
  const [again, bye] = await Promise.all([
    theirs.request('INVITE', [theirs.contact, sdpType], offer),
    theirs.request('BYE'),
  ]);
  // 487 where the BYE came in between; the phone may have been quicker. Left unanswered it would be 408.
  expect([200, 487]).toContain(again.status);
  expect(bye.status).toBe(200);
  await phone.next('sip.ended', call);
});

describe('sound without encryption', () => {
  it.each([
    ['plain RTP', plainRtp],
    ['keys in the description (SDES)', sdes],
  ])('is refused when a caller offers %s, with the reason', async (_, body) => {
    const { response } = await inviteWith(pbx, body);
    expect(response.status).toBe(488);
    expect(warningOf(response)).toContain('does not encrypt');
    expect((await phone.signals()).some(({ signal }) => signal.type === 'sip.invited')).toBe(false);
  });

  it('ends a call that is answered with it, and tells the agent why', async () => {
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    theirs.invite?.respond(200, 'OK', { headers: [theirs.contact, sdpType], body: sdes });
    const { signal } = await phone.next('sip.ended', call);
    expect(signal).toMatchObject({ by: 'network', code: 488 });
    expect(signal.reason).toContain('does not encrypt');
    // The far end is not left in a call that nobody hears.
    await expect.poll(() => pbx.far[0].byes.length).toBe(1);
  });

  it('is refused in a running call, which goes on encrypted', async () => {
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].answers();
    await phone.next('sip.answered', call);
    const answer = await theirs.request('INVITE', [theirs.contact, sdpType], sdes);
    expect(answer.status).toBe(488);
    await hears(600);
    await expect.poll(() => levelAt(theirs.heard(200), ourTone) > 0.005, { timeout: 8_000 }).toBe(true);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
  });
});

describe('before the answer', () => {
  it('rings here until sound really comes, and stays silent here from then on', async () => {
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    await theirs.ringSilently();
    expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(false);
    // The same description again, this time with sound.
    await theirs.ring(true);
    expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(true);
    await hears(600);
    // A plain 180 after it does not take the sound away.
    await theirs.ring(false);
    await theirs.answer();
    await phone.next('sip.answered', call);
    const rung = (await phone.signals()).flatMap(({ signal }) =>
      signal.type === 'sip.ringing' ? [signal.earlyMedia] : [],
    );
    expect(rung).toEqual([false, true]);
    await hears(600);
  });

  it('rings here again when the announcement is over and nobody has answered', async () => {
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    await theirs.ring(true);
    expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(true);
    theirs.stopSpeaking();
    expect((await phone.next('sip.ringing', call, 12_000)).signal.earlyMedia).toBe(false);
  });
});
