/** Calls through the real port, in Chromium, with far ends that do what good and bad PBX do. Sound is judged by its frequency, on both sides. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { levelAt } from '../../sandbox/src/switch/sound.ts';
import { listen, listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from './phone-in-browser.ts';
import { type FarCall, ScriptedPbx, type ScriptedPbxOptions } from './scripted-pbx.ts';

const ourTone = 440;
const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };

let browser: TestBrowser;
let server: PhonePageServer;
let pbx: ScriptedPbx;
let phone: PhoneInBrowser;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: ourTone }), servePhonePage()]);
});
afterAll(async () => {
  await browser.close();
  await server.close();
});

async function set(options: ScriptedPbxOptions = {}, changes: Parameters<typeof accountFor>[2] = {}): Promise<void> {
  pbx = await ScriptedPbx.start(options);
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await phone.start(accountFor(pbx, '1001', changes), credential);
  await phone.next('sip.registered');
}
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  await pbx.close();
  // Every rejected promise is handled and nothing is thrown into the page, whatever the far side did.
  expect(errors).toEqual([]);
});

/** An outbound call that the far end answered. */
async function connected(
  far: 0 | 1 = 0,
): Promise<{ call: Awaited<ReturnType<typeof phone.dial>>['call']; theirs: FarCall }> {
  const { call } = await phone.dial(pbx.far[far].target);
  const theirs = await pbx.far[far].answers();
  await phone.next('sip.answered', call);
  return { call, theirs };
}

/** Waits until the far end hears (or no longer hears) the agent's tone. */
async function farHears(theirs: FarCall, tone: boolean): Promise<void> {
  await expect.poll(() => levelAt(theirs.heard(200), ourTone) > 0.005, { timeout: 8_000, interval: 50 }).toBe(tone);
}

describe('sound', () => {
  beforeEach(() => set());

  it('flows both ways from the very first call of a page', async () => {
    const { theirs } = await connected();
    await farHears(theirs, true);
    const heard = await listenUntil(phone.page.mainFrame(), '600 Hz', (it) => it.amplitude(600) > 0.02);
    expect(heard.amplitude(850)).toBeLessThan(0.003);
  });

  it('stops at the microphone while the call is held, and comes back with the mute kept', async () => {
    const { call, theirs } = await connected();
    await farHears(theirs, true);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    expect(pbx.far[0].reinvites.at(-1)?.body).toMatch(/^a=sendonly/m);
    const frame = phone.page.mainFrame();
    const before = await listen(frame);
    await new Promise((resolve) => setTimeout(resolve, 600));
    const after = await listen(frame);
    expect(after.packetsSent - before.packetsSent).toBe(0);
    expect(after.packetsReceived - before.packetsReceived).toBe(0);

    await phone.command('mute', call, true);
    await phone.command('hold', call, false);
    await phone.next('sip.resumed', call);
    expect(pbx.far[0].reinvites.at(-1)?.body).toMatch(/^a=sendrecv/m);
    await listenUntil(frame, '600 Hz again', (it) => it.amplitude(600) > 0.02);
    // Muted is silence in packets, not an end of packets.
    const muted = theirs.media.packetsReceived;
    await expect.poll(() => theirs.media.packetsReceived - muted, { timeout: 4_000 }).toBeGreaterThan(10);
    expect(levelAt(theirs.heard(200), ourTone)).toBeLessThan(0.003);
    await phone.command('mute', call, false);
    await farHears(theirs, true);
  });

  it('comes back when the hold was refused', async () => {
    const { call, theirs } = await connected();
    pbx.far[0].refusesNextHold();
    await phone.command('hold', call, true);
    await phone.next('sip.hold-refused', call);
    const refused = theirs.media.packetsReceived;
    await expect.poll(() => theirs.media.packetsReceived - refused, { timeout: 4_000 }).toBeGreaterThan(10);
    await farHears(theirs, true);
    await listenUntil(phone.page.mainFrame(), '600 Hz again', (it) => it.amplitude(600) > 0.02);
    expect(pbx.far[0].reinvites).toHaveLength(1);
  });

  it('is offered again as it is when hold or resume failed and an answer was lost', async () => {
    const { call, theirs } = await connected();
    await farHears(theirs, true);
    const [far] = pbx.far;
    const lost = () => far.nextReinvite.push('answer lost', { status: 488, reason: 'Not Acceptable Here' });
    lost();
    await phone.command('hold', call, true);
    await phone.next('sip.hold-refused', call);
    await expect.poll(() => far.reinvites.length, { timeout: 8_000 }).toBe(3);
    expect(far.reinvites.at(-1)?.body).toMatch(/^a=sendrecv/m);
    await listenUntil(phone.page.mainFrame(), '600 Hz', (it) => it.amplitude(600) > 0.02);
    await farHears(theirs, true);

    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    lost();
    await phone.command('hold', call, false);
    await phone.next('sip.hold-refused', call);
    await expect.poll(() => far.reinvites.length, { timeout: 8_000 }).toBe(7);
    expect(far.reinvites.at(-1)?.body).toMatch(/^a=sendonly/m);
    expect(theirs.media.remoteDirection).toBe('sendonly');
  });

  it('follows the agent to another microphone, muted or not', async () => {
    const { call, theirs } = await connected();
    await farHears(theirs, true);
    await phone.command('mute', call, true);
    const chosen = await phone.page.evaluate(async () => {
      const { sound } = (window as unknown as { phonePage: import('./phone-page.ts').PhonePage }).phonePage;
      const other = (await sound.devices()).microphones.find(({ id }) => id !== 'default');
      if (other) await sound.choose('microphone', other.id);
      return other !== undefined;
    });
    expect(chosen).toBe(true);
    await farHears(theirs, false);
    const before = theirs.media.packetsReceived;
    await expect.poll(() => theirs.media.packetsReceived - before, { timeout: 4_000 }).toBeGreaterThan(10);
    await phone.command('mute', call, false);
    // The other fake microphone beeps instead of playing our tone; that it is heard at all is what counts.
    await expect.poll(() => Math.max(...theirs.heard(900).map(Math.abs)), { timeout: 6_000 }).toBeGreaterThan(300);
  });

  it('leaves no player behind', async () => {
    const { call } = await connected();
    const players = () =>
      phone.page.evaluate(() =>
        (window as unknown as { phonePage: import('./phone-page.ts').PhonePage }).phonePage.audioElements(),
      );
    expect(await players()).toBe(1);
    await phone.command('hangUp', call);
    await phone.next('sip.ended', call);
    expect(await players()).toBe(0);
  });
});

describe('placing a call', () => {
  it('hears ringing from phones that leave out Contact and To tag', async () => {
    await set();
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    await theirs.ring(false, []);
    expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(false);
    await theirs.answer();
    await phone.next('sip.answered', call);
  });

  it('plays sound that comes before the answer, and goes on with the same after it', async () => {
    await set();
    const { call } = await phone.dial('2001');
    await pbx.far[0].rings(true);
    expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(true);
    await listenUntil(phone.page.mainFrame(), '600 Hz before the answer', (it) => it.amplitude(600) > 0.02);
    await pbx.far[0].answers();
    await phone.next('sip.answered', call);
    await listenUntil(phone.page.mainFrame(), '600 Hz after the answer', (it) => it.amplitude(600) > 0.02);
  });

  it('does not call it early media when a description comes without sound', async () => {
    await set();
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    await theirs.ringSilently();
    expect((await phone.next('sip.ringing', call)).signal.earlyMedia).toBe(false);
  });

  it('is answered by another branch than the one that was heard ringing', async () => {
    await set();
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    await theirs.ring(true);
    await phone.next('sip.ringing', call);
    await theirs.answerAsAnotherBranch();
    await phone.next('sip.answered', call);
    const before = (await listen(phone.page.mainFrame())).packetsReceived;
    await listenUntil(
      phone.page.mainFrame(),
      '600 Hz of the second branch',
      (it) => it.amplitude(600) > 0.02 && it.packetsReceived > before + 30,
    );
    await farHears(theirs, true);
  });

  it('tries once more with all candidates when 488 refuses the first, and remembers that', async () => {
    await set();
    const { call } = await phone.dial('2001');
    await pbx.far[0].refuses(488, 'Not Acceptable Here');
    const theirs = await pbx.far[0].invited();
    await theirs.answer();
    await phone.next('sip.answered', call);
    expect((await phone.signals()).filter(({ signal }) => signal.type === 'sip.ended')).toHaveLength(0);
    await phone.command('hangUp', call);
    await phone.next('sip.ended', call);
    // The second refusal is believed.
    const again = await phone.dial('2001');
    await pbx.far[0].refuses(488, 'Not Acceptable Here');
    expect((await phone.next('sip.ended', again.call)).signal).toMatchObject({ by: 'far-side', code: 488 });
  });

  it('ends a call that was answered and hung up in one breath', async () => {
    await set();
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    await theirs.answerAndHangUpAtOnce();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
    expect((await theirs.byeAnswer)?.status).toBe(200);
  });

  it('ends politely on a redirect', async () => {
    await set();
    const { call } = await phone.dial('2001');
    await pbx.far[0].refuses(302, 'Moved Temporarily', [{ name: 'Contact', value: '<sip:9@elsewhere.example>' }]);
    expect((await phone.next('sip.ended', call)).signal).toMatchObject({ by: 'far-side', code: 302 });
  });

  it('cancels a ringing call, and undoes an answer that crosses the CANCEL', async () => {
    await set();
    const first = await phone.dial('2001');
    await pbx.far[0].rings();
    await phone.next('sip.ringing', first.call);
    await phone.command('hangUp', first.call);
    expect((await phone.next('sip.ended', first.call)).signal).toMatchObject({ by: 'agent', code: 0 });
    await expect.poll(() => pbx.far[0].cancelReasons.length).toBe(1);

    const second = await phone.dial('2002');
    const theirs = await pbx.far[1].invited();
    await theirs.ring(false);
    await phone.next('sip.ringing', second.call);
    if (theirs.invite) theirs.invite.onCancel = () => void theirs.answer();
    await phone.command('hangUp', second.call);
    await phone.next('sip.ended', second.call);
    await expect.poll(() => pbx.far[1].byes.length).toBe(1);
  });

  it('refuses what cannot be dialled, and an answer without encryption', async () => {
    await set();
    const bad = await phone.dial('not a number@evil');
    expect((await phone.next('sip.ended', bad.call)).signal.reason).toMatch(/cannot? be dialled|can be dialled/);
    const { call } = await phone.dial('2001');
    const theirs = await pbx.far[0].invited();
    theirs.invite?.respond(200, 'OK', {
      headers: [theirs.contact, { name: 'Content-Type', value: 'application/sdp' }],
      body: 'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n',
    });
    expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
  });
});

describe('candidates', () => {
  it('waits for no dead server, and only so long where the profile wants everything', async () => {
    await set();
    const dead = [
      { urls: ['stun:192.0.2.1:3478'] },
      { urls: ['turn:192.0.2.1:3478?transport=udp'], username: 'u', credential: 'c' },
    ];
    await phone.renew(credential, dead);
    const { call } = await phone.dial('2001');
    await pbx.far[0].answers();
    await phone.next('sip.answered', call);
    await phone.command('hangUp', call);
    const offer = (await phone.sent()).find(({ text }) => text.startsWith('INVITE'))?.text ?? '';
    expect(offer).toMatch(/ udp .* typ host/);
    expect(offer).not.toMatch(/ tcp .* typ host/);
    expect(offer).not.toContain('trickle');
  });

  it('says so when only TURN may be used and none answers', async () => {
    await set({}, { iceTransportPolicy: 'relay' });
    await phone.renew(credential, [{ urls: ['turn:192.0.2.1:3478?transport=udp'], username: 'u', credential: 'c' }]);
    const { call } = await phone.dial('2001');
    const { signal } = await phone.next('sip.ended', call, 9_000);
    expect(signal.by).toBe('network');
    expect(signal.reason).toContain('TURN');
    expect((await phone.sent()).some(({ text }) => text.startsWith('INVITE'))).toBe(false);
  });
});

describe('being called', () => {
  beforeEach(() => set());

  it('names the caller the network vouches for, and nobody who wants privacy', async () => {
    await pbx.far[0].invites([
      { name: 'P-Asserted-Identity', value: '"Ada Example" <sip:+14155550101@scripted.example>' },
    ]);
    expect((await phone.next('sip.invited')).signal.from).toEqual({ number: '+14155550101', name: 'Ada Example' });
    await pbx.far[1].invites([{ name: 'Privacy', value: 'id' }], '"Anonymous" <sip:anonymous@anonymous.invalid>');
    expect((await phone.next('sip.invited')).signal.from).toEqual({ number: '' });
  });

  it('refuses an offer without encryption before it rings', async () => {
    const status = await pbx.far[0].invitesUnencrypted();
    expect(status).toBe(488);
    expect((await phone.signals()).some(({ signal }) => signal.type === 'sip.invited')).toBe(false);
  });

  it('takes the place of a running call on Replaces, and says which', async () => {
    const { call, theirs } = await connected(0);
    await pbx.far[1].invites([{ name: 'Replaces', value: theirs.asReplaces() }]);
    const { signal } = await phone.next('sip.invited');
    expect(signal.replaces).toBe(call);
    await phone.answer(signal.call);
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
    await listenUntil(phone.page.mainFrame(), '850 Hz', (it) => it.amplitude(850) > 0.02);
    await expect.poll(() => pbx.far[0].byes.length).toBe(1);
  });

  it('does not call it answered until the caller acknowledged, and ends it when that never comes', async () => {
    pbx.far[0].acknowledges = false;
    await pbx.far[0].invites();
    const { signal } = await phone.next('sip.invited');
    await phone.answer(signal.call);
    const ended = await phone.next('sip.ended', signal.call, 40_000);
    expect(ended.signal).toMatchObject({ by: 'network', code: 408 });
    expect((await phone.signals()).some((it) => it.signal.type === 'sip.answered')).toBe(false);
  });

  it('answers 481 to a Replaces for a dialog it does not know', async () => {
    await pbx.far[0].invites([{ name: 'Replaces', value: 'nobody;to-tag=a;from-tag=b' }]);
    await expect.poll(() => pbx.far[0].call.refusal).toBe(481);
  });

  it('never dials because a far side says so', async () => {
    const { theirs } = await connected();
    const answer = await theirs.request('REFER', [
      { name: 'Refer-To', value: '<sip:2002@scripted.example>' },
      theirs.contact,
    ]);
    expect(answer.status).toBe(603);
    expect((await phone.sent()).filter(({ text }) => text.startsWith('INVITE sip:2002'))).toHaveLength(0);
  });

  it('answers a REFER that nobody can read', async () => {
    const { theirs } = await connected();
    for (const values of [['sip:2002@'], ['<sip:2002@scripted.example>', '<sip:2001@scripted.example>'], []]) {
      const referTo = values.map((value) => ({ name: 'Refer-To', value }));
      expect((await theirs.request('REFER', [...referTo, theirs.contact])).status).toBe(400);
    }
  });

  it('survives messages that no parser likes', async () => {
    const { call } = await connected();
    for (const text of [
      'garbage',
      'SIP/2.0 \r\n\r\n',
      'INVITE sip:1001 SIP/2.0\r\n\r\n',
      'SIP/2.0 180 Ringing\r\nCSeq: x INVITE\r\nTo: ;;\r\nVia: \r\n\r\n',
      `INVITE ${pbx.device.contact} SIP/2.0\r\nVia: SIP/2.0/WS x;branch=z9hG4bK1\r\nFrom: <sip:\u0000>;tag=1\r\nTo: <sip:1001@x>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\nContact: <>\r\n\r\n`,
      `${'X: y\r\n'.repeat(200)}\r\n`,
    ])
      await phone.receive(text);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
  });
});

describe('agreeing anew', () => {
  it('tries a hold again after glare', async () => {
    await set();
    const { call } = await connected();
    pbx.far[0].nextReinvite.push({ status: 491, reason: 'Request Pending' });
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    expect(pbx.far[0].reinvites).toHaveLength(2);
  });

  it('ends a call that the far side no longer knows', async () => {
    await set();
    const { call } = await connected();
    pbx.far[0].nextReinvite.push({ status: 481, reason: 'Call/Transaction Does Not Exist' });
    await phone.command('hold', call, true);
    expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
  });

  it('brings the new connection to running calls where there is no GRUU', async () => {
    await set({ gruu: false });
    const { call, theirs } = await connected();
    pbx.dropSockets();
    await phone.next('sip.lost');
    await phone.next('sip.registered');
    await expect.poll(() => pbx.far[0].reinvites.length).toBe(1);
    expect(theirs.closed).toBe(false);
    await pbx.far[0].hangsUp();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
  });

  it('needs no new offer where there is one', async () => {
    await set({ gruu: true });
    const { call } = await connected();
    pbx.dropSockets();
    await phone.next('sip.lost');
    await phone.next('sip.registered');
    await pbx.far[0].hangsUp();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
    expect(pbx.far[0].reinvites).toHaveLength(0);
  });

  it('tells the far side of a hang-up as soon as the line is back', async () => {
    await set();
    const { call } = await connected();
    pbx.faults.set({ refuseSockets: true });
    pbx.dropSockets();
    await phone.next('sip.lost');
    await phone.command('hangUp', call);
    expect((await phone.next('sip.ended', call)).signal.by).toBe('agent');
    expect(pbx.far[0].byes).toHaveLength(0);
    pbx.faults.clear();
    await phone.next('sip.registered');
    await expect.poll(() => pbx.far[0].byes.length).toBe(1);
  });

  it('notices within seconds of a network change that the connection is dead', async () => {
    await set();
    const { call } = await connected();
    pbx.faults.set({ deaf: true });
    await phone.page.evaluate(() => dispatchEvent(new Event('online')));
    await phone.next('sip.lost', undefined, 8_000);
    pbx.faults.clear();
    // The first try may still have met the silent server; its REGISTER has a deadline of 10 s.
    await phone.next('sip.registered', undefined, 20_000);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
  });

  it('gives up a call that was still ringing when the line was lost', async () => {
    await set();
    const { call } = await phone.dial('2001');
    await pbx.far[0].rings();
    await phone.next('sip.ringing', call);
    pbx.dropSockets();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
  });
});
