/** Calls handed over and sent on: what is asked of the far side and how it may end, and what a far side may ask of us. */
import { describe, expect, it } from 'vitest';
import { header, type SipResponse } from '../../sandbox/src/switch/sip-message.ts';
import { listenUntil } from '../browser/chromium.ts';
import { headerOf, PhoneDesk } from './phone-desk.ts';

const desk = new PhoneDesk();
/** Sound may take its time on a machine with much to do; what is looked at is that it comes. */
const patienceMs = 25_000;
const far = (which: 0 | 1 = 0) => desk.pbx.far[which];
const h = (name: string, value: string) => ({ name, value });

describe('handing a call over', () => {
  it('is refused when the phone system stops reporting', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    await desk.phone.command('transfer', call, '2002');
    (await far().referred()).respond(202, 'Accepted');
    await theirs.notify('180 Ringing');
    await desk.phone.next('sip.transfer-ringing', call);
    await theirs.report('terminated;reason=timeout', 'SIP/2.0 180 Ringing\r\n');
    expect((await desk.phone.next('sip.transfer-refused', call)).signal.reason).toContain('stopped reporting');
    // The call is the agent's again.
    await desk.phone.command('hold', call, true);
    await desk.phone.next('sip.held', call);
  });

  it('says that it cannot be taken back, gives the call back all the same, and is over when the target answers', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    await desk.phone.command('transfer', call, '2002');
    (await far().referred()).respond(202, 'Accepted');
    await theirs.notify('180 Ringing');
    await desk.phone.next('sip.transfer-ringing', call);
    await desk.phone.command('cancelTransfer', call);
    expect((await desk.phone.next('sip.transfer-refused', call)).signal.reason).toContain('cannot be told to stop');
    await desk.phone.command('hold', call, true);
    await desk.phone.next('sip.held', call);
    await theirs.notify('200 OK', true);
    await desk.phone.next('sip.ended', call);
    expect((await desk.phone.signals()).filter(({ signal }) => signal.type === 'sip.transfer-refused')).toHaveLength(1);
  });

  it('answers a challenge in the middle of a call, and its next requests have numbers of their own', async () => {
    await desk.set();
    const { call, theirs } = await desk.connected();
    await desk.phone.command('transfer', call, '2002');
    const challenge = 'Digest realm="scripted.example", nonce="n1", algorithm=MD5';
    (await far().referred()).respond(407, 'Proxy Authentication Required', {
      headers: [h('Proxy-Authenticate', challenge)],
    });
    const again = await far().referred();
    expect(header(again.request, 'Proxy-Authorization')).toContain('nonce="n1"');
    again.respond(603, 'Decline');
    await desk.phone.next('sip.transfer-refused', call);
    await desk.phone.command('hangUp', call);
    await expect.poll(() => far().byes.length).toBe(1);
    expect(far().inside.map((request) => header(request, 'CSeq'))).toEqual(['2 REFER', '3 REFER', '4 BYE']);
    expect(theirs.closed).toBe(true);
  });

  it('joins by Replaces where the second far side can be replaced', async () => {
    await desk.set();
    const first = await desk.connected(0);
    const second = await desk.connected(1);
    await desk.phone.command('transferAttended', first.call, second.call);
    const refer = await far().referred();
    expect(decodeURIComponent(header(refer.request, 'Refer-To') ?? '')).toContain(
      `Replaces=${second.theirs.callId};to-tag`,
    );
    refer.respond(202, 'Accepted');
    // FreeSWITCH: 200 at once, then both calls are hung up from there.
    await first.theirs.notify('200 OK', true);
    await far(0).hangsUp();
    await far(1).hangsUp();
    await desk.phone.next('sip.transferred', first.call);
    await desk.phone.next('sip.ended', first.call);
    await desk.phone.next('sip.ended', second.call);
  });

  it('ends the second call first where it cannot be replaced, and gives the first back when nobody answers then', async () => {
    await desk.set();
    far(1).supports = 'timer';
    const first = await desk.connected(0);
    const second = await desk.connected(1);
    await desk.phone.command('transferAttended', first.call, second.call);
    expect((await desk.phone.next('sip.ended', second.call)).signal.by).toBe('agent');
    const refer = await far().referred();
    expect(far(1).byes).toHaveLength(1);
    expect(header(refer.request, 'Refer-To')).toBe('<sip:2002@scripted.example>');
    refer.respond(202, 'Accepted');
    await first.theirs.notify('486 Busy Here', true);
    expect((await desk.phone.next('sip.transfer-refused', first.call)).signal.reason).toBe('The target is busy.');
    await desk.phone.command('hold', first.call, true);
    await desk.phone.next('sip.held', first.call);
  });
});

describe('a far side that sends us on', () => {
  const refer = (to: string, ...more: { name: string; value: string }[]) =>
    far().call.request('REFER', [h('Refer-To', to), far().call.contact, ...more]);
  const reports = () => far().reported;

  it('is followed inside the own domain: the call goes on under its id, with the new far side and its sound', async () => {
    await desk.set({ followTransfers: true });
    const { call } = await desk.connected(0);
    await listenUntil(desk.phone.page.mainFrame(), '600 Hz', (it) => it.amplitude(600) > 0.02, patienceMs);
    const answer: SipResponse = await refer(
      '<sip:2002@scripted.example?Replaces=abc%3Bto-tag%3Dt%3Bfrom-tag%3Df>',
      h('Referred-By', '<sip:2001@scripted.example>'),
    );
    expect(answer.status).toBe(202);
    const theirs = await far(1).invited();
    const invite = theirs.invite?.request ?? theirs.missing;
    expect(header(invite, 'Replaces')).toBe('abc;to-tag=t;from-tag=f');
    expect(header(invite, 'Referred-By')).toBe('<sip:2001@scripted.example>');
    await theirs.ring(false);
    await theirs.answer();
    expect((await desk.phone.next('sip.identified', call)).signal.farSide.number).toBe('2002');
    await expect.poll(() => reports()).toEqual(['100', '180', '200']);
    await listenUntil(
      desk.phone.page.mainFrame(),
      '850 Hz alone',
      (it) => it.amplitude(850) > 0.02 && it.amplitude(600) < 0.003,
      patienceMs,
    );
    // The old one is ended from here when its far side does not.
    await expect.poll(() => far().byes.length, { timeout: 5_000 }).toBe(1);
    await desk.phone.command('hold', call, true);
    await desk.phone.next('sip.held', call);
    await far(1).hangsUp();
    expect((await desk.phone.next('sip.ended', call)).signal.by).toBe('far-side');
    const types = (await desk.phone.signals()).map(({ signal }) => signal.type);
    expect(types.filter((type) => type === 'sip.answered' || type === 'sip.ended')).toEqual([
      'sip.answered',
      'sip.ended',
    ]);
  });

  it('keeps the call where nobody answers there, and tells the far side', async () => {
    await desk.set({ followTransfers: true });
    const { call } = await desk.connected(0);
    await refer('<sip:2002@scripted.example>');
    await far(1).refuses(486, 'Busy Here');
    await expect.poll(() => reports()).toEqual(['100', '486']);
    await desk.phone.command('hold', call, true);
    await desk.phone.next('sip.held', call);
    expect((await desk.phone.signals()).some(({ signal }) => signal.type === 'sip.ended')).toBe(false);
    // And it may be sent on again.
    await desk.phone.command('hold', call, false);
    await desk.phone.next('sip.resumed', call);
    expect((await refer('<sip:2002@scripted.example>')).status).toBe(202);
    await (await far(1).invited()).answer();
    await desk.phone.next('sip.identified', call);
  });

  it('may hang up before the new one answers; a held call stays held, a muted one muted', async () => {
    await desk.set({ followTransfers: true });
    const { call } = await desk.connected(0);
    await desk.phone.command('hold', call, true);
    await desk.phone.next('sip.held', call);
    await desk.phone.command('mute', call, true);
    await refer('<sip:2002@scripted.example>');
    const theirs = await far(1).invited();
    await far(0).hangsUp();
    await theirs.answer();
    await desk.phone.next('sip.identified', call);
    expect(theirs.invite?.request.body).toMatch(/^a=sendonly/m);
    expect(theirs.media.packetsReceived).toBe(0);
    await desk.phone.command('hold', call, false);
    await desk.phone.next('sip.resumed', call);
    await expect.poll(() => theirs.media.packetsReceived, { timeout: 5_000 }).toBeGreaterThan(5);
    expect(Math.max(...theirs.heard(400).map(Math.abs))).toBeLessThan(50);
    await desk.phone.command('hangUp', call);
    await expect.poll(() => far(1).byes.length).toBe(1);
  });

  it('that hung up, and whose target does not answer, has ended the call', async () => {
    await desk.set({ followTransfers: true });
    const { call } = await desk.connected(0);
    await refer('<sip:2002@scripted.example>');
    await far(1)
      .invited()
      .then(async (theirs) => {
        await far(0).hangsUp();
        theirs.invite?.respond(480, 'Temporarily Unavailable');
      });
    expect((await desk.phone.next('sip.ended', call)).signal).toMatchObject({ by: 'far-side' });
  });

  it('is refused out of the domain, for anything but a call, twice at once, and where the profile does not want it', async () => {
    await desk.set({ followTransfers: true });
    const { call } = await desk.connected(0);
    for (const to of [
      '<sip:2002@elsewhere.example>',
      '<sip:2002@scripted.example;method=BYE>',
      '<sip:2002@scripted.example?Replaces=abc%0d%0aX%3A%20y%3Bto-tag%3Dt%3Bfrom-tag%3Df>',
    ])
      expect((await refer(to)).status, to).toBeGreaterThanOrEqual(400);
    expect((await refer('<sip:2002@scripted.example>')).status).toBe(202);
    await far(1).invited();
    expect((await refer('<sip:2002@scripted.example>')).status).toBe(603);
    await desk.phone.command('hangUp', call);
    await expect.poll(() => far(1).cancelReasons.length).toBe(1);
    expect((await desk.requests('INVITE')).filter((text) => headerOf(text, 'X') !== '')).toHaveLength(0);
  });
});
