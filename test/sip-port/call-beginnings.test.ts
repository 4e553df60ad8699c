/** How calls begin on the wire: who calls and for whom, forks, redirects both ways, refusals, feature codes, calls picked up. */
import { beforeEach, describe, expect, it } from 'vitest';
import { header, parseNameAddress, type SipRequest } from '../../sandbox/src/switch/sip-message.ts';
import { listenUntil } from '../browser/chromium.ts';
import { headerOf, PhoneDesk } from './phone-desk.ts';

const desk = new PhoneDesk();
/** Sound may take its time on a machine with much to do; what is looked at is that it comes. */
const patienceMs = 25_000;
const far = (which: 0 | 1 = 0) => desk.pbx.far[which];
const h = (name: string, value: string) => ({ name, value });

describe('a call that comes in', () => {
  beforeEach(() => desk.set());

  it('tells for whom it was, what the network found about the number, and that it wants to be answered by itself', async () => {
    await far().invites([
      h('P-Asserted-Identity', '<sip:+14155550101;verstat=TN-Validation-Passed@scripted.example;user=phone>'),
      h('Diversion', '"Sales" <sip:1005@scripted.example>;reason=no-answer;counter=1'),
      h('Call-Info', '<sip:scripted.example>;answer-after=2'),
    ]);
    expect((await desk.phone.next('sip.invited')).signal).toMatchObject({
      from: { number: '+14155550101' },
      diverted: { from: { number: '1005', name: 'Sales' }, reason: 'no answer' },
      verified: 'passed',
      answersAfterMs: 2_000,
    });
    await far(1).invites([h('P-Asserted-Identity', '<tel:+14155550102;verstat=TN-Validation-Failed>')]);
    const { signal } = await desk.phone.next('sip.invited');
    expect(signal).toMatchObject({ from: { number: '+14155550102' }, verified: 'failed' });
    expect(signal).not.toHaveProperty('diverted');
    expect(signal).not.toHaveProperty('answersAfterMs');
  });

  it('is refused with what the phone reads when its body is something else', async () => {
    await far().invites([h('Content-Type', 'application/xml')]);
    await expect.poll(() => far().call.refusal).toBe(415);
    expect(header(far().call.refused ?? far().call.missing, 'Accept')).toBe('application/sdp');
    expect((await desk.phone.signals()).map(({ signal }) => signal.type)).not.toContain('sip.invited');
  });

  it('is sent somewhere else with 302', async () => {
    await far().invites();
    const { signal } = await desk.phone.next('sip.invited');
    await desk.phone.command('redirect', signal.call, '*97');
    expect((await desk.phone.next('sip.ended', signal.call)).signal).toMatchObject({ by: 'agent', code: 302 });
    await expect.poll(() => far().call.refusal).toBe(302);
    expect(header(far().call.refused ?? far().call.missing, 'Contact')).toBe('<sip:*97@scripted.example>');
  });

  it('is declined with the code of the profile', async () => {
    for (const code of [486, 600, 603, 480]) {
      await far().invites();
      const { signal } = await desk.phone.next('sip.invited');
      await desk.phone.command('decline', signal.call, code);
      await expect.poll(() => far().call.refusal).toBe(code);
    }
  });

  it.each([
    ['SIP;cause=200;text="Call completed elsewhere"', true],
    ['Q.850;cause=26;text="Non-selected user clearing"', true],
    ['Q.850;cause=16;text="Normal call clearing"', false],
    ['SIP;cause=480, Q.850;cause=200', false],
  ])('that stops with %s was taken elsewhere: %s', async (reason, elsewhere) => {
    await far().invites();
    const { signal } = await desk.phone.next('sip.invited');
    far().call.cancel(reason);
    expect((await desk.phone.next('sip.ended', signal.call)).signal.elsewhere ?? false).toBe(elsewhere);
  });

  it('is not let take the place of one that only rings here', async () => {
    await far().invites();
    await desk.phone.next('sip.invited');
    const { value } = await far().call.ringingAsReplaces();
    await far(1).invites([h('Replaces', value)]);
    await expect.poll(() => far(1).call.refusal).toBe(481);
  });

  it('takes the place of one that we are still placing', async () => {
    const { call } = await desk.phone.dial('2001');
    const theirs = await far().invited();
    await theirs.ring(false);
    await desk.phone.next('sip.ringing', call);
    await far(1).invites([h('Replaces', `${theirs.asReplaces()};early-only`)]);
    const { signal } = await desk.phone.next('sip.invited');
    expect(signal.replaces).toBe(call);
    await desk.phone.answer(signal.call);
    expect((await desk.phone.next('sip.ended', call)).signal.by).toBe('far-side');
    await expect.poll(() => far().cancelReasons).toEqual(['SIP;cause=200;text="Call completed elsewhere"']);
  });
});

describe('a call that is placed', () => {
  it('is answered by one branch of several; a second answer is acknowledged and hung up', async () => {
    await desk.set();
    const { call } = await desk.phone.dial('2001');
    const theirs = await far().invited();
    await theirs.ring(false);
    await desk.phone.next('sip.ringing', call);
    await theirs.answerAsAnotherBranch();
    theirs.alsoAnswers();
    await desk.phone.next('sip.answered', call);
    await expect.poll(() => far().strays.map(({ method }) => method)).toEqual(['ACK', 'BYE']);
    await listenUntil(desk.phone.page.mainFrame(), '600 Hz', (it) => it.amplitude(600) > 0.02, patienceMs);
    expect(far().byes).toHaveLength(0);
  });

  it('is hung up when it was answered while the connection was gone, though nothing of the far side was heard', async () => {
    await desk.set();
    const { call } = await desk.phone.dial('2001');
    const theirs = await far().invited();
    desk.pbx.dropSockets();
    await theirs.answer().catch(() => {});
    await desk.phone.next('sip.ended', call);
    await expect.poll(() => far().byes.length, { timeout: patienceMs }).toBe(1);
    expect(parseNameAddress(header(far().byes[0] as SipRequest, 'To') ?? '').params.get('tag')).toBe(
      theirs.dialog?.id.localTag,
    );
  });

  it('learns who answered, and goes on over its own connection whatever transport the answer names', async () => {
    await desk.set();
    far().answerHeaders = [
      h('P-Asserted-Identity', '"Reception" <sip:2009@scripted.example>'),
      h('Contact', '<sip:2001@192.0.2.1:5060;transport=udp>'),
    ];
    const { call } = await desk.phone.dial('2001');
    const theirs = await far().invited();
    await theirs.answer();
    await desk.phone.next('sip.answered', call);
    const { farSide } = (await desk.phone.next('sip.identified', call)).signal;
    expect(farSide).toEqual({ number: '2009', name: 'Reception' });
    await desk.phone.command('hangUp', call);
    await expect.poll(() => far().byes.length).toBe(1);
  });

  it.each(['p-preferred-identity', 'from'] as const)('shows the chosen number in %s', async (callerIdIn) => {
    await desk.set({ callerIdIn });
    const call = await desk.phone.dial('2001');
    await far().refuses(486, 'Busy Here');
    await desk.phone.next('sip.ended', call.call);
    await desk.phone.command('dial', '00000000-0000-4000-8000-000000000001', '2001', '+14155550199');
    await far().refuses(486, 'Busy Here');
    const [plain, shown] = await desk.requests('INVITE');
    expect(headerOf(plain, 'From')).toContain('<sip:1001@scripted.example>');
    expect(headerOf(plain, 'P-Preferred-Identity')).toBe('');
    if (callerIdIn === 'from') expect(headerOf(shown, 'From')).toContain('<sip:+14155550199@scripted.example>');
    else expect(headerOf(shown, 'P-Preferred-Identity')).toBe('<sip:+14155550199@scripted.example>');
  });

  it('follows a redirect inside the own domain, in the order that is asked for', async () => {
    await desk.set();
    const { call } = await desk.phone.dial('2001');
    await far().refuses(302, 'Moved Temporarily', [
      h('Contact', '<sip:2001@scripted.example>;q=0.2, <sip:2002@scripted.example>;q=0.9, <sip:9@elsewhere.example>'),
    ]);
    await (await far(1).invited()).answer();
    await desk.phone.next('sip.answered', call);
    expect((await desk.requests('INVITE')).map((text) => text.split(' ')[1])).toEqual([
      'sip:2001@scripted.example',
      'sip:2002@scripted.example',
    ]);
  });

  it('does not go round in circles, out of the domain, or on for ever', async () => {
    await desk.set();
    const first = await desk.phone.dial('2001');
    await far().refuses(302, 'Moved', [h('Contact', '<sip:2001@scripted.example>')]);
    expect((await desk.phone.next('sip.ended', first.call)).signal).toMatchObject({ code: 302, by: 'far-side' });
    const second = await desk.phone.dial('2001');
    await far().refuses(301, 'Moved', [h('Contact', '<sip:2002@elsewhere.example>, <tel:112;phone-context=x>')]);
    // A telephone number is dialled in our own domain or not at all.
    await desk.phone.next('sip.dialing', second.call);
    expect((await desk.phone.next('sip.ended', second.call)).signal).toMatchObject({ code: 404 });
    const third = await desk.phone.dial('2001');
    await far().refuses(302, 'Moved', [h('Contact', '<sip:2002@elsewhere.example>')]);
    expect((await desk.phone.next('sip.ended', third.call)).signal.reason).toContain('outside your phone system');
    desk.pbx.answersStrangers = (user) => [302, h('Contact', `<sip:9${user}@scripted.example>`)];
    const fourth = await desk.phone.dial('9');
    expect((await desk.phone.next('sip.ended', fourth.call)).signal.reason).toContain('too many times');
    expect((await desk.requests('INVITE')).filter((text) => text.startsWith('INVITE sip:9'))).toHaveLength(6);
  });
});

describe('feature codes', () => {
  it('are dialled without a microphone, hung up by themselves, and never show as a call', async () => {
    await desk.set();
    desk.pbx.far[0].target = '*78';
    await desk.phone.command('sendCode', '*78');
    const theirs = await far().invited();
    await theirs.answer();
    // The far end hears nothing, and it is we who hang up.
    await expect.poll(() => far().byes.length, { timeout: 8_000 }).toBe(1);
    expect((await desk.phone.next('sip.code-done')).signal.code).toBe('*78');
    expect(theirs.media.packetsReceived).toBe(0);
    const signals = (await desk.phone.signals()).map(({ signal }) => signal);
    expect(signals.filter((signal) => 'call' in signal)).toEqual([]);
  });

  it('are done when the phone system hangs up, and say in plain words when it refuses', async () => {
    await desk.set();
    await desk.phone.command('sendCode', '2001');
    const theirs = await far().invited();
    await theirs.answer();
    await theirs.acknowledged.take('ACK');
    await far().hangsUp();
    await desk.phone.next('sip.code-done');
    await desk.phone.command('sendCode', '*99');
    expect((await desk.phone.next('sip.code-refused')).signal).toEqual({
      type: 'sip.code-refused',
      code: '*99',
      reason: 'The phone system does not know this code.',
    });
  });

  it('pick a call up like any other call', async () => {
    await desk.set();
    const call = '00000000-0000-4000-8000-000000000002';
    await desk.phone.command('pickUp', call, '1005', '2002');
    await (await far(1).invited()).answer();
    await desk.phone.next('sip.answered', call as Parameters<typeof desk.phone.answer>[0]);
    await desk.phone.command('pickUp', '00000000-0000-4000-8000-000000000003', '1005', null);
    expect((await desk.phone.next('sip.ended')).signal.reason).toContain('no pick-up code');
  });
});
