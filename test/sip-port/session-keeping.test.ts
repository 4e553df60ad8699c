/** What keeps a call up on the wire: acknowledged ringing (RFC 3262), UPDATE (RFC 3311), session timers (RFC 4028). */
import { describe, expect, it } from 'vitest';
import { header } from '../../sandbox/src/switch/sip-message.ts';
import { listen, listenUntil } from '../browser/chromium.ts';
import { headerOf, PhoneDesk } from './phone-desk.ts';

const desk = new PhoneDesk();
/** Sound may take its time on a machine with much to do; what is looked at is that it comes. */
const patienceMs = 25_000;
const far = () => desk.pbx.far[0];

describe('ringing that wants to be acknowledged', () => {
  it('is acknowledged each time, in order, and the sound agreed there goes on after the answer', async () => {
    await desk.set();
    const { call } = await desk.phone.dial('2001');
    const theirs = await far().invited();
    expect(header(theirs.invite?.request ?? theirs.missing, 'Supported')).toContain('100rel');
    await theirs.ringReliably(7);
    await theirs.ringReliably(8, 180);
    // Repeated by a PBX that is impatient: not acknowledged twice.
    await theirs.ringReliably(8, 180);
    await desk.phone.next('sip.ringing', call);
    await expect.poll(() => far().got('PRACK').length).toBe(2);
    expect(
      far()
        .got('PRACK')
        .map((request) => header(request, 'RAck')),
    ).toEqual(['7 1 INVITE', '8 1 INVITE']);
    await listenUntil(
      desk.phone.page.mainFrame(),
      '600 Hz while it rings',
      (it) => it.amplitude(600) > 0.02,
      patienceMs,
    );
    await theirs.answer();
    await desk.phone.next('sip.answered', call);
    await desk.phone.command('hangUp', call);
    await expect.poll(() => far().byes.length).toBe(1);
    // Each request of the dialog has a number of its own.
    const numbers = far().inside.map((request) => Number.parseInt(header(request, 'CSeq') ?? '', 10));
    expect(new Set(numbers).size).toBe(numbers.length);
  });

  it('is sent with its number to a caller that insists on it, repeated until acknowledged, without opening the microphone', async () => {
    await desk.set();
    await far().invites([{ name: 'Require', value: '100rel' }]);
    const { signal } = await desk.phone.next('sip.invited');
    const theirs = far().call;
    const first = await theirs.provisional.take('180');
    expect(first.status).toBe(180);
    const number = header(first, 'RSeq');
    expect(header(first, 'Require')).toBe('100rel');
    expect(first.body).toBe('');
    expect(header(await theirs.provisional.take('180 again'), 'RSeq')).toBe(number);
    expect((await theirs.acknowledgesRinging(first, `${Number(number) + 1} 1 INVITE`)).status).toBe(481);
    expect((await theirs.acknowledgesRinging(first, `${number} 1 INVITE`)).status).toBe(200);
    await desk.phone.answer(signal.call);
    await far().answered();
    await desk.phone.next('sip.answered', signal.call);
  });

  it('is refused to a caller that insists on what this phone does not know', async () => {
    await desk.set();
    await far().invites([{ name: 'Require', value: 'precondition, 100rel' }]);
    await expect.poll(() => far().call.refusal).toBe(420);
    expect(header(far().call.refused ?? far().call.missing, 'Unsupported')).toBe('precondition');
  });
});

describe('UPDATE', () => {
  it('is taken as a sign of life, and tells who the far side is now', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    const answer = await theirs.request('UPDATE', [
      theirs.contact,
      { name: 'P-Asserted-Identity', value: '"Carol" <sip:2003@scripted.example>' },
    ]);
    expect(answer.status).toBe(200);
    expect(header(answer, 'Contact')).toContain('1001');
    expect((await desk.phone.next('sip.identified', call)).signal.farSide).toEqual({ number: '2003', name: 'Carol' });
    expect(answer.body).toBe('');
    expect((await theirs.request('UPDATE', [theirs.contact])).status).toBe(200);
  });

  it('carries an offer: the far side holds and resumes with it', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    const offer = { name: 'Content-Type', value: 'application/sdp' };
    const held = await theirs.request('UPDATE', [theirs.contact, offer], theirs.offerAgain('sendonly'));
    expect(held.status).toBe(200);
    expect(held.body).toMatch(/^a=recvonly/m);
    await desk.phone.next('sip.far-held', call);
    const back = await theirs.request('UPDATE', [theirs.contact, offer], theirs.offerAgain('sendrecv'));
    expect(back.body).toMatch(/^a=sendrecv/m);
    await desk.phone.next('sip.far-resumed', call);
    const { packetsReceived } = await listen(desk.phone.page.mainFrame());
    await listenUntil(
      desk.phone.page.mainFrame(),
      'sound goes on',
      (it) => it.packetsReceived > packetsReceived + 20,
      patienceMs,
    );
    // Our own re-INVITE has its turn after it.
    await desk.phone.command('hold', call, true);
    await desk.phone.next('sip.held', call);
  });

  it('with an offer that cannot be used is refused, and the call goes on as it was', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    const refused = await theirs.request(
      'UPDATE',
      [theirs.contact, { name: 'Content-Type', value: 'application/sdp' }],
      'v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n',
    );
    expect(refused.status).toBe(488);
    expect((await theirs.reinvite('sendonly')).status).toBe(200);
    await desk.phone.next('sip.far-held', call);
  });

  it('and re-INVITE with a body that is no description are refused, and the call goes on as it was', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    const typed = (value: string) => [theirs.contact, { name: 'Content-Type', value }];
    for (const method of ['INVITE', 'UPDATE']) {
      const refused = await theirs.request(method, typed('application/isup'), 'x');
      expect(refused.status).toBe(415);
      expect(header(refused, 'Accept')).toBe('application/sdp');
      // What may be passed over is; a description may be spelled in any way.
      const besides = { name: 'Content-Disposition', value: 'signal;handling=optional' };
      if (method === 'UPDATE')
        expect((await theirs.request(method, [...typed('application/isup'), besides], 'x')).status).toBe(200);
      const offer = theirs.offerAgain(method === 'INVITE' ? 'sendonly' : 'sendrecv');
      const taken = await theirs.request(method, typed('Application/SDP;charset=utf-8'), offer);
      expect(taken.body).toMatch(/^m=audio [1-9]/m);
      await desk.phone.next(method === 'INVITE' ? 'sip.far-held' : 'sip.far-resumed', call);
    }
  });

  it('for a dialog nobody knows is answered 481', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    await desk.phone.command('hangUp', call);
    await desk.phone.next('sip.ended', call);
    expect((await theirs.request('UPDATE', [theirs.contact])).status).toBe(481);
  });
});

describe('a session timer', () => {
  it('is asked for by the profile, again with what the far side wants at least, and kept up from here by UPDATE', async () => {
    await desk.set({ sessionSeconds: 100 });
    const { call } = await desk.phone.dial('2001');
    await far().refuses(422, 'Session Interval Too Small', [{ name: 'Min-SE', value: '120' }]);
    const theirs = await far().invited();
    const [first, second] = await desk.requests('INVITE');
    expect(headerOf(first, 'Session-Expires')).toBe('100');
    expect(headerOf(second, 'Session-Expires')).toBe('120');
    expect(headerOf(second, 'Min-SE')).toBe('120');
    expect(headerOf(second, 'Supported')).toContain('timer');
    // Shorter than anybody may ask for; this phone keeps to it, so that the test need not wait.
    far().answerHeaders = [{ name: 'Session-Expires', value: '10;refresher=uac' }];
    await theirs.answer();
    await desk.phone.next('sip.answered', call);
    await expect.poll(() => far().got('UPDATE').length, { timeout: 8_000 }).toBe(1);
    expect(header(far().got('UPDATE')[0] ?? theirs.missing, 'Session-Expires')).toMatch(/;refresher=uac$/);
    expect((await desk.phone.signals()).some(({ signal }) => signal.type === 'sip.ended')).toBe(false);
  });

  it('is kept up by re-INVITE where the far side takes no UPDATE, and the sound goes on', async () => {
    await desk.set();
    far().allows = 'INVITE, ACK, BYE, CANCEL';
    far().answerHeaders = [{ name: 'Session-Expires', value: '10;refresher=uac' }];
    await desk.connected();
    await expect.poll(() => far().reinvites.length, { timeout: 8_000 }).toBe(1);
    expect(far().got('UPDATE')).toHaveLength(0);
    const { packetsReceived } = await listen(desk.phone.page.mainFrame());
    await listenUntil(
      desk.phone.page.mainFrame(),
      'sound goes on',
      (it) => it.packetsReceived > packetsReceived + 20,
      patienceMs,
    );
  });

  it('ends a call whose far side gives no sign of life, and says so to both sides', async () => {
    await desk.set();
    far().answerHeaders = [
      { name: 'Session-Expires', value: '10;refresher=uas' },
      { name: 'Require', value: 'timer' },
    ];
    const { call } = await desk.connected();
    const { signal } = await desk.phone.next('sip.ended', call, 12_000);
    expect(signal).toMatchObject({ by: 'network', reason: 'The far side gave no sign of life for 10 seconds.' });
    await expect.poll(() => far().byes.length).toBe(1);
    expect(header(far().byes[0] ?? far().call.missing, 'Reason')).toBe('SIP;cause=408;text="Session timer expired"');
  });

  it('of a caller is agreed upon, with the caller to keep it up; one that is too short is refused', async () => {
    await desk.set();
    const timer = [{ name: 'Session-Expires', value: '60' }];
    far().supports = 'timer, replaces';
    await far().invites(timer);
    await expect.poll(() => far().call.refusal).toBe(422);
    expect(header(far().call.refused ?? far().call.missing, 'Min-SE')).toBe('90');
    await far().invites([{ name: 'Session-Expires', value: '1800' }]);
    const { signal } = await desk.phone.next('sip.invited');
    await desk.phone.answer(signal.call);
    const theirs = await far().answered();
    const accepted = theirs.accepted ?? theirs.missing;
    expect(header(accepted, 'Session-Expires')).toBe('1800;refresher=uac');
    expect(header(accepted, 'Require')).toBe('timer');
    expect(header(accepted, 'Allow')).toContain('UPDATE');
    // Each sign of life is answered with what is agreed.
    const again = await theirs.reinvite('sendrecv', [{ name: 'Session-Expires', value: '1800;refresher=uac' }]);
    expect(header(again, 'Session-Expires')).toBe('1800;refresher=uac');
  });
});
