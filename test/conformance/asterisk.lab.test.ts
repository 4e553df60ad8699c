/**
 * What an agent's phone does with a real Asterisk 22 and the files of deploy/asterisk: two phones in the browser (1101, 1102) and two desk phones
 * (1001, 1002), each with its own tone. What is recorded here stands in docs/conformance.md.
 */
import { newCallId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Asterisk, startAsterisk } from '../sip-lab/asterisk.ts';
import { numbersThatRefuse } from '../sip-lab/asterisk-numbers.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type DeskPhone, Phones } from './phones.ts';
import { conforms, limited } from './record.ts';
import { direction } from './wire.ts';

const lab = labFromEnvironment();
const [deskAddress = '', callerAddress = ''] = lab.far.addresses;
const [ourTone, musicHz, deskTone, callerTone] = [440, 700, 600, 1250];
const password = 'of-the-laboratory';

let asterisk: Asterisk;
let phones: Phones;
let desk: Baresip;
let caller: Baresip;
let ada: DeskPhone;
let bo: DeskPhone;

const account = (extension: string, kind: readonly string[], name: string): readonly string[] => [
  ...[`[${extension}](desk)`, ...kind, `auth=${extension}`, `aors=${extension}`, `callerid=${name} <${extension}>`],
  ...[`[${extension}]`, 'type=auth', 'auth_type=digest', `username=${extension}`, `password=${password}`],
  ...[`[${extension}]`, 'type=aor', 'max_contacts=2', 'remove_unavailable=yes'],
];
const browserKind = ['transport=transport-wss', 'webrtc=yes'];

beforeAll(async () => {
  [asterisk, phones] = await Promise.all([
    startAsterisk(lab, {
      musicHz,
      more: {
        'pjsip.conf': [
          ...account('1002', [], 'Second desk'),
          ...account('1101', browserKind, 'Ada Byron'),
          'mailboxes=1101@default',
          ...account('1102', browserKind, 'Bo Diaz'),
        ].join('\n'),
        'voicemail.conf': '1101 => 4711,Ada Byron,,,envelope=no|saycid=no\n',
        'queues.conf': 'member => Local/1101@queue-agent/n,0,Ada Byron,hint:1101@hints\n',
        ...numbersThatRefuse,
      },
    }),
    Phones.start(ourTone),
  ]);
  const phone = (user: string, secret: string, address: string, toneHz: number) =>
    startBaresip(lab, {
      user,
      password: secret,
      address,
      toneHz,
      registrar: `${asterisk.address}:5060`,
      autoAnswer: true,
    });
  [desk, caller] = await Promise.all([
    phone('1001', asterisk.desk.password, deskAddress, deskTone),
    phone('1002', password, callerAddress, callerTone),
  ]);
  await asterisk.cli('queue pause member Local/1001@queue-agent/n queue 600');
  await asterisk.cli('database put CALLERIDS/1102 +12125550100 1');
});
afterAll(async () => {
  await Promise.all([desk?.stop(), caller?.stop()]);
  await phones?.stop();
  await asterisk?.stop();
});

const open = (extension: string, changes = {}) =>
  phones.open(
    { url: asterisk.wssUrl, domain: asterisk.domain },
    extension,
    { username: extension, password, expiresAt: 4_102_444_800_000 },
    changes,
  );
beforeEach(async () => {
  [ada, bo] = await Promise.all([open('1101'), open('1102')]);
});
afterEach(async () => {
  await phones.closeAll();
  await Promise.all(['channel request hangup all', 'database deltree DND', 'database deltree CF'].map(asterisk.cli));
});

describe('a call', () => {
  it('goes out and is heard, muted, held, given keys and ended', async () => {
    const challenge = await ada.wire.seesResponse('far', 401, 'REGISTER');
    expect(challenge.header('www-authenticate')).toMatch(/^Digest/);
    const signed = ada.wire.requests('phone', 'REGISTER').find((it) => it.header('authorization') !== '');
    expect(signed?.header('authorization')).toMatch(/^Digest .*response=/);
    await ada.wire.seesResponse('far', 200, 'REGISTER');
    conforms('register and digest', 'asterisk', {
      heard: '–',
      wire: 'REGISTER → 401 with a challenge → REGISTER with the answer → 200',
    });

    const call = await ada.connect('1001');
    await ada.hears(deskTone);
    await desk.hears(ourTone);
    expect((await ada.wire.seesRequest('phone', 'INVITE')).body).toMatch(/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF/m);
    await ada.wire.seesRequest('phone', 'ACK');
    await ada.port.command('mute', call, true);
    await desk.hearsSilence();
    expect((await desk.listen(400)).packets).toBeGreaterThan(5);
    await ada.port.command('mute', call, false);
    await desk.hears(ourTone);
    conforms('mute', 'asterisk', { heard: 'the far side: 440 Hz, silence in packets, 440 Hz', wire: 'nothing' });

    await ada.port.command('sendDigits', call, '12#');
    await expect.poll(() => desk.dtmf.join(''), { timeout: 8_000 }).toBe('12#');
    // The last key is over when the voice is heard again.
    await desk.hears(ourTone);
    expect((await ada.wire.seesResponse('far', 200, 'INVITE')).body).toMatch(/telephone-event/);
    expect(ada.wire.requests('phone', 'INFO')).toEqual([]);
    conforms('DTMF by RFC 4733', 'asterisk', {
      heard: 'the far side takes the keys 1, 2, # in their order',
      wire: 'telephone-event in the answer, no INFO',
    });

    ada.wire.forget();
    await ada.hold(call, true);
    expect(direction(await ada.wire.seesRequest('phone', 'INVITE'))).toBe('sendonly');
    expect(direction(await ada.wire.seesResponse('far', 200, 'INVITE'))).toBe('recvonly');
    await desk.hears(musicHz);
    ada.wire.forget();
    await ada.hold(call, false);
    expect(direction(await ada.wire.seesRequest('phone', 'INVITE'))).toBe('sendrecv');
    await desk.hears(ourTone);
    conforms('hold, both ways', 'asterisk', {
      heard: 'the far side: 440 Hz, music of the phone system (700 Hz), 440 Hz',
      wire: 're-INVITE a=sendonly → 200 a=recvonly, re-INVITE a=sendrecv',
    });
    ada.wire.forget();
    await desk.hold();
    await ada.hears(musicHz);
    expect(ada.wire.requests('far', 'INVITE')).toEqual([]);
    limited(
      'hold, both ways',
      'asterisk',
      'a hold of the far side is kept from the phone: it gets music (700 Hz) and no re-INVITE, so it cannot show it',
    );
    await desk.resume();
    await ada.hears(deskTone);
    await ada.hangUp(call);
    await ada.wire.seesResponse('far', 200, 'BYE');
    await desk.waitFor('closed');
    conforms('outbound call', 'asterisk', {
      heard: 'both sides: the agent 600 Hz, the far side 440 Hz',
      wire: 'INVITE with DTLS-SRTP → 200 → ACK; BYE → 200',
    });
  });

  it('comes in with who calls, is answered, declined, sent on', async () => {
    await desk.dial('1101');
    const first = await ada.invited();
    expect(first.from).toEqual({ number: '1001', name: 'Desk phone' });
    expect((await ada.wire.seesRequest('far', 'INVITE')).header('p-asserted-identity')).toContain('<sip:1001@');
    await ada.answer(first.call);
    await ada.hears(deskTone);
    await desk.hears(ourTone);
    await desk.hangUp();
    expect((await ada.ended(first.call)).by).toBe('far-side');
    conforms('inbound call', 'asterisk', {
      heard: 'both sides: the agent 600 Hz, the far side 440 Hz',
      wire: 'INVITE with P-Asserted-Identity of the caller → 200 → ACK; BYE of the far side → 200',
    });

    await desk.dial('1102');
    const declined = await bo.invited();
    await bo.port.command('decline', declined.call, 486);
    await bo.wire.seesResponse('phone', 486, 'INVITE');
    await desk.waitFor('closed');
    for (const [number, code] of [
      ['4486', 486],
      ['4603', 603],
    ] as const) {
      const { call } = await bo.port.dial(number);
      expect(await bo.ended(call)).toMatchObject({ by: 'far-side', code });
    }
    await desk.dial('1102');
    const sentOn = await bo.invited();
    await bo.port.command('redirect', sentOn.call, '1101');
    const moved = await bo.wire.seesResponse('phone', 302, 'INVITE');
    expect(moved.header('contact')).toContain('sip:1101@');
    const there = await ada.invited();
    await ada.answer(there.call);
    await ada.hears(deskTone);
    await ada.hangUp(there.call);
    conforms('decline, busy, redirect', 'asterisk', {
      heard: 'the call that was sent on: 600 Hz at the other agent',
      wire: '486 of the phone, 486 and 603 of Asterisk; 302 with the other extension in Contact → INVITE there',
    });
  });

  it('stops ringing at one device when another of the same agent answers', async () => {
    const home = await open('1101');
    await desk.dial('1101');
    const [here, there] = await Promise.all([ada.invited(), home.invited()]);
    await home.answer(there.call);
    expect(await ada.ended(here.call)).toMatchObject({ elsewhere: true });
    const cancel = await ada.wire.seesRequest('far', 'CANCEL');
    expect(cancel.header('reason')).toMatch(/^SIP;cause=200/);
    await home.hears(deskTone);
    await home.hangUp(there.call);
    conforms('answered elsewhere', 'asterisk', {
      heard: 'the device that answered: 600 Hz',
      wire: 'CANCEL with Reason: SIP;cause=200 to the other',
    });
  });

  it('is heard before it is answered', async () => {
    const { call } = await ada.port.dial('*44');
    expect((await ada.port.next('sip.ringing', call)).signal.earlyMedia).toBe(true);
    await ada.hears(850);
    expect((await ada.wire.seesResponse('far', 183, 'INVITE')).body).toMatch(/^m=audio/m);
    expect(ada.wire.responses('far', 200, 'INVITE')).toEqual([]);
    await ada.hangUp(call);
    conforms('early media', 'asterisk', {
      heard: 'the agent: 850 Hz before the answer',
      wire: '183 with a description, no 200 yet',
    });
  });

  it('carries keys as INFO, and as tones', async () => {
    const info = await open('1101', { digits: 'info' });
    const before = desk.dtmf.length;
    const call = await info.connect('1001');
    await desk.hears(ourTone);
    await info.port.command('sendDigits', call, '5');
    const request = await info.wire.seesRequest('phone', 'INFO');
    expect([request.header('content-type'), request.body]).toEqual([
      'application/dtmf-relay',
      expect.stringMatching(/^Signal=5/),
    ]);
    await info.wire.seesResponse('far', 200, 'INFO');
    await expect.poll(() => desk.dtmf.slice(before).join(''), { timeout: 8_000 }).toBe('5');
    await info.hangUp(call);
    conforms('DTMF by INFO', 'asterisk', {
      heard: 'the desk phone takes the key 5, which Asterisk turns into RFC 4733',
      wire: 'INFO application/dtmf-relay with Signal=5 → 200',
    });
  });
});

describe('a transfer', () => {
  it('hands the far side over blindly, and goes where a far side sends it', async () => {
    const call = await ada.connect('1001');
    await ada.hears(deskTone);
    await desk.hears(ourTone);
    await ada.port.command('transfer', call, '1002');
    await ada.port.next('sip.transferred', call, 15_000);
    await ada.ended(call);
    const refer = await ada.wire.seesRequest('phone', 'REFER');
    expect(refer.header('refer-to')).toContain('sip:1002@');
    await ada.wire.seesResponse('far', 202, 'REFER');
    await ada.wire.seesRequest('far', 'NOTIFY', ({ body }) => body.includes('SIP/2.0 200'));
    await caller.hears(deskTone);
    await desk.hears(callerTone);
    await desk.hangUp();
    conforms('blind transfer', 'asterisk', {
      heard: 'the two far sides hear each other (600 and 1250 Hz)',
      wire: 'REFER → 202 → NOTIFY with 200 OK → BYE',
    });

    const again = await bo.connect('1001');
    await bo.hears(deskTone);
    await desk.transfer('1002');
    expect((await bo.port.next('sip.identified', again, 15_000)).signal.farSide.number).toBe('1002');
    const update = await bo.wire.seesRequest('far', 'UPDATE', (it) => it.header('p-asserted-identity') !== '');
    expect(update.header('p-asserted-identity')).toContain('1002');
    await bo.hears(callerTone);
    await bo.hangUp(again);
    conforms('far side transfers us', 'asterisk', {
      heard: 'the agent: 600 Hz, then 1250 Hz of the one it was sent to',
      wire: 'no REFER reaches the phone: Asterisk joins the two and says so by UPDATE',
    });
    conforms('connected identity (UPDATE)', 'asterisk', {
      heard: 'the agent: 1250 Hz of who is named',
      wire: 'UPDATE with P-Asserted-Identity of the new far side → 200',
    });
  });

  it('joins a held call with a consult call', async () => {
    const call = await ada.connect('1001');
    await ada.hold(call, true);
    const consult = await ada.connect('1002');
    await ada.hears(callerTone);
    await ada.port.command('transferAttended', call, consult);
    await ada.port.next('sip.transferred', call, 15_000);
    const refer = await ada.wire.seesRequest('phone', 'REFER');
    expect(refer.header('refer-to')).toMatch(/Replaces=/);
    await caller.hears(deskTone);
    await desk.hears(callerTone);
    await desk.hangUp();
    conforms('attended transfer', 'asterisk', {
      heard: 'the two far sides hear each other (600 and 1250 Hz)',
      wire: 'REFER with Replaces of the consult call in Refer-To → 202 → NOTIFY',
    });
  });
});

describe('an office', () => {
  it('lets three in a room hear each other and none itself', async () => {
    const call = await ada.connect('81101');
    await desk.dial('81101');
    await caller.dial('81101');
    await ada.hears(deskTone, callerTone);
    const hears = (heard: ReturnType<Baresip['heard']>) =>
      [ourTone, deskTone, callerTone].filter((hz) => heard.amplitude(hz) > 0.005);
    await expect.poll(() => hears(desk.heard(500)), { timeout: 12_000 }).toEqual([ourTone, callerTone]);
    await expect.poll(() => hears(caller.heard(500)), { timeout: 12_000 }).toEqual([ourTone, deskTone]);
    await ada.wire.seesResponse('far', 200, 'INVITE');
    await ada.hangUp(call);
    conforms('conference room', 'asterisk', {
      heard: 'three tones: the agent 600 and 1250 Hz, one desk phone 440 and 1250, the other 440 and 600',
      wire: 'INVITE to 8 and the extension → 200',
    });
  });

  it('parks a call in a slot that is watched, and takes it back; lamps of colleagues burn', async () => {
    await bo.port.command('watch', { extensions: ['701', '1001'], mailbox: false });
    await bo.lampBecomes('701', 'free');
    await bo.lampBecomes('1001', 'free');
    const call = await ada.connect('1001');
    await bo.lampBecomes('1001', 'busy');
    await desk.hears(ourTone);
    await ada.port.command('transfer', call, '700');
    await ada.port.next('sip.transferred', call, 15_000);
    await bo.lampBecomes('701', 'busy');
    await desk.hears(musicHz);
    const back = await bo.connect('701');
    await bo.hears(deskTone);
    await desk.hears(ourTone);
    await bo.lampBecomes('701', 'free');
    await bo.wire.seesRequest('phone', 'SUBSCRIBE', (it) => it.header('event') === 'dialog');
    const notify = await bo.wire.seesRequest('far', 'NOTIFY', (it) => it.body.includes('<state>confirmed</state>'));
    expect(notify.header('content-type')).toContain('application/dialog-info+xml');
    await bo.hangUp(back);
    await bo.lampBecomes('1001', 'free');
    conforms('park and slot', 'asterisk', {
      heard: 'the parked side: music (700 Hz), then 440 Hz of the one who took it back',
      wire: 'REFER to 700 → NOTIFY 200; the slot’s dialog-info: confirmed, terminated; INVITE to the slot',
    });
    conforms('busy lamps', 'asterisk', {
      heard: '–',
      wire: 'SUBSCRIBE dialog → 200 → NOTIFY dialog-info: terminated, confirmed, terminated, by the hint',
    });
  });

  it('picks up what rings at a colleague, and in the group', async () => {
    await bo.port.command('watch', { extensions: ['1101'], mailbox: false });
    await bo.lampBecomes('1101', 'free');
    await desk.dial('1101');
    await ada.invited();
    await bo.lampBecomes('1101', 'ringing');
    expect((await bo.lamp('1101'))?.canTake).toBe(false);
    limited(
      'directed pickup by Replaces',
      'asterisk',
      'its dialog-info names no dialog (no Call-ID and tags), so that nothing can be replaced: the phone dials the code',
    );
    const taken = newCallId();
    await bo.port.command('pickUp', taken, '1101', '**1101');
    await bo.port.next('sip.answered', taken, 15_000);
    await bo.hears(deskTone);
    await desk.hears(ourTone);
    expect((await bo.wire.seesRequest('phone', 'INVITE')).first).toMatch(/^INVITE sip:(\*|%2A){2}1101@/i);
    await bo.hangUp(taken);
    conforms('directed pickup by code', 'asterisk', {
      heard: 'the agent 600 Hz, the caller 440 Hz',
      wire: 'INVITE to ** and the extension → 200, while the colleague’s lamp is early',
    });

    await desk.waitFor('closed');
    await desk.dial('1101');
    await ada.invited();
    bo.wire.forget();
    const group = await bo.connect('*8');
    await bo.hears(deskTone);
    await bo.hangUp(group);
    conforms('group pickup', 'asterisk', {
      heard: 'the agent: 600 Hz of who was ringing at another',
      wire: 'INVITE to *8 → 200; CANCEL to the phone that rang',
    });
  });

  it('takes messages while do not disturb is on, says how many, plays them; and forwards', async () => {
    await ada.port.command('watch', { extensions: [], mailbox: true });
    await expect.poll(() => ada.newMessages(), { timeout: 10_000 }).toBe(0);
    await ada.port.command('sendCode', '*78');
    await ada.port.next('sip.code-done', undefined, 15_000);
    await desk.dial('1101');
    await desk.waitFor('established');
    // Skips the greeting; what is said behind the beep is the message.
    await desk.sendDtmf('#');
    await desk.listen(2_500);
    await desk.hangUp();
    await expect.poll(() => ada.newMessages(), { timeout: 15_000 }).toBe(1);
    const notify = await ada.wire.seesRequest('far', 'NOTIFY', (it) => /Voice-Message: 1\/0/.test(it.body));
    expect(notify.header('event')).toBe('message-summary');
    await ada.port.command('sendCode', '*79');
    await ada.port.next('sip.code-done', undefined, 15_000);
    const box = await ada.connect('*97');
    await desk.listen(500);
    await ada.port.command('sendDigits', box, '1');
    await ada.hears(deskTone);
    await ada.hangUp(box);
    conforms('mailbox', 'asterisk', {
      heard: 'the agent: the message (600 Hz) at *97, after the key 1',
      wire: 'SUBSCRIBE message-summary → NOTIFY Voice-Message: 0/0, then 1/0',
    });

    await bo.port.command('sendCode', '*721101');
    await bo.port.next('sip.code-done', undefined, 15_000);
    await desk.dial('1102');
    const forwarded = await ada.invited();
    expect(forwarded.diverted?.from.number).toBe('1102');
    expect((await ada.wire.seesRequest('far', 'INVITE')).header('diversion')).toContain('reason=unconditional');
    await ada.port.command('decline', forwarded.call, 486);
    await desk.hangUp();
    await bo.port.command('sendCode', '*73');
    await bo.port.next('sip.code-done', undefined, 15_000);
    conforms('do not disturb and forwarding codes', 'asterisk', {
      heard: '–',
      wire: 'INVITE to *78, *79, *72…, *73 → 200; a forwarded call brings Diversion with reason=unconditional',
    });
  });

  it('asks a phone to answer by itself, shows a chosen number, and waits in a queue', async () => {
    await desk.dial('*801101');
    const intercom = await ada.invited();
    expect(intercom.answersAfterMs).toBe(0);
    expect((await ada.wire.seesRequest('far', 'INVITE')).header('call-info')).toContain('answer-after=0');
    await ada.answer(intercom.call);
    await ada.hears(deskTone);
    await ada.hangUp(intercom.call);
    conforms('intercom', 'asterisk', {
      heard: 'the agent: 600 Hz',
      wire: 'INVITE with Call-Info answer-after=0 and Alert-Info info=alert-autoanswer',
    });

    const shown = newCallId();
    await bo.port.command('dial', shown, '1101', '+12125550100');
    const invited = await ada.invited();
    expect(invited.from.number).toBe('+12125550100');
    expect((await bo.wire.seesRequest('phone', 'INVITE')).header('p-preferred-identity')).toContain('+12125550100');
    await bo.hangUp(shown);
    conforms('caller ID shown', 'asterisk', {
      heard: '–',
      wire: 'INVITE with P-Preferred-Identity; the called phone’s From has that number',
    });

    await caller.dial('600');
    const queued = await ada.invited();
    await caller.hears(musicHz);
    await ada.answer(queued.call);
    await ada.hears(callerTone);
    await caller.hears(ourTone);
    await ada.hangUp(queued.call);
    conforms('queue', 'asterisk', {
      heard: 'who waits: music (700 Hz), then 440 Hz; the agent 1250 Hz',
      wire: 'INVITE from the queue → 200',
    });
  });
});
