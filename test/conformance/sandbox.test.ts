/**
 * What an agent's phone does with the sandbox switch, which the demo and most tests run on: everything an office has, each party with its own tone. What
 * is recorded here stands in docs/conformance.md.
 */
import { newCallId } from '@patchcord/call-protocol';
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type CallerDescription, HOLD_TONE_HZ, type Switch, startSwitch } from '../../sandbox/src/switch/index.ts';
import { listenUntil } from '../browser/chromium.ts';
import { type DeskPhone, Phones } from './phones.ts';
import { conforms } from './record.ts';
import { direction } from './wire.ts';

const ourTone = 440;
const person = '+493023125001';
const other = '+493023125002';
const machine = '+442079460123';
const callers: readonly CallerDescription[] = [
  { number: person, name: 'Erika Sommer', kind: 'person', toneHz: 600 },
  { number: other, name: 'Jonas Winter', kind: 'person', toneHz: 850 },
  { number: machine, name: 'Speaking Clock', kind: 'announcement', toneHz: 1250 },
  { number: '+493023125486', kind: 'busy' },
  { number: '+493023125603', kind: 'declines' },
  { number: '2001', name: 'Dana Holt', kind: 'colleague', toneHz: 1700 },
];

let phones: Phones;
let pbx: Switch;
let ada: DeskPhone;

beforeAll(async () => {
  phones = await Phones.start(ourTone);
});
afterAll(() => phones?.stop());
const open = (extension = '1001', changes: Partial<SipAccount> = {}) =>
  phones.open(pbx, extension, pbx.credential(extension), changes);
beforeEach(async () => {
  pbx = await startSwitch({
    ...{ domain: 'sandbox.example', credentialSecret: 'secret', iceAddresses: ['127.0.0.1'], sound: 'tones', callers },
  });
  ada = await open();
});
afterEach(async () => {
  await phones.closeAll();
  await pbx.close();
});
const farHears = (number: string, hz: number) =>
  expect.poll(() => pbx.heard(number, 200).levelAt(hz), { timeout: 10_000 }).toBeGreaterThan(0.005);
const farHearsNothing = (number: string, hz: number) =>
  expect.poll(() => pbx.heard(number, 300).levelAt(hz), { timeout: 10_000 }).toBeLessThan(0.002);
const agentHears = (hz: number) =>
  listenUntil(ada.port.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.01, 12_000);

it('is called and held, calls, and is transferred', async () => {
  await ada.wire.seesResponse('far', 401, 'REGISTER');
  await ada.wire.seesResponse('far', 200, 'REGISTER');
  conforms('register and digest', 'sandbox', {
    heard: '–',
    wire: 'REGISTER → 401 with a challenge → REGISTER with the answer → 200',
  });
  const call = await ada.connect(person);
  await ada.hears(600);
  await farHears(person, ourTone);
  await ada.port.command('mute', call, true);
  await farHearsNothing(person, ourTone);
  await ada.port.command('mute', call, false);
  await farHears(person, ourTone);
  conforms('mute', 'sandbox', { heard: 'the far side: 440 Hz, silence, 440 Hz', wire: 'nothing' });
  ada.wire.forget();
  await ada.hold(call, true);
  expect(direction(await ada.wire.seesRequest('phone', 'INVITE'))).toBe('sendonly');
  await farHears(person, HOLD_TONE_HZ);
  await ada.hold(call, false);
  await farHears(person, ourTone);
  pbx.faults.set({ farHold: 'sendonly' });
  pbx.hold(person, true);
  await ada.port.next('sip.far-held', call);
  pbx.hold(person, false);
  await ada.port.next('sip.far-resumed', call);
  pbx.faults.clear();
  await ada.hears(600);
  conforms('hold, both ways', 'sandbox', {
    heard: 'the far side: 440 Hz, music (380 Hz), 440 Hz; the agent 600 Hz again after either hold',
    wire: 're-INVITE a=sendonly, and one from the switch',
  });
  await ada.hangUp(call);
  conforms('outbound call', 'sandbox', {
    heard: 'both sides: the agent 600 Hz, the far side 440 Hz',
    wire: 'INVITE → 180 → 200 → ACK; BYE → 200',
  });

  const placed = await pbx.callAgent('1001', { callerNumber: other });
  const invited = await ada.invited();
  expect(invited.from).toEqual({ number: other, name: 'Jonas Winter' });
  await ada.answer(invited.call);
  await ada.hears(850);
  placed.hangUp();
  expect((await ada.ended(invited.call)).by).toBe('far-side');
  conforms('inbound call', 'sandbox', { heard: 'the agent: 850 Hz', wire: 'INVITE → 180 → 200 → ACK; BYE → 200' });

  const blind = await ada.connect(person);
  await ada.port.command('transfer', blind, other);
  await ada.port.next('sip.transferred', blind, 15_000);
  await ada.ended(blind);
  await farHears(other, 600);
  conforms('blind transfer', 'sandbox', {
    heard: 'the third: 600 Hz of who was handed over',
    wire: 'REFER → 202 → NOTIFY with 200 OK → BYE',
  });
  pbx.hangUp(other);
  const first = await ada.connect(person);
  await ada.hold(first, true);
  const consult = await ada.connect(machine);
  await ada.port.command('transferAttended', first, consult);
  await ada.port.next('sip.transferred', first, 15_000);
  expect((await ada.wire.seesRequest('phone', 'REFER', (it) => /Replaces=/.test(it.header('refer-to')))).method).toBe(
    'REFER',
  );
  await farHears(machine, 600);
  conforms('attended transfer', 'sandbox', {
    heard: 'the consulted side: 600 Hz of the first',
    wire: 'REFER with Replaces in Refer-To → 202 → NOTIFY with 200 OK',
  });
});

it('refuses, rings oddly, speaks early, and takes keys', async () => {
  for (const [number, code] of [
    ['+493023125486', 486],
    ['+493023125603', 603],
  ] as const) {
    const { call } = await ada.port.dial(number);
    expect(await ada.ended(call)).toMatchObject({ by: 'far-side', code });
  }
  await pbx.callAgent('1001', { callerNumber: other });
  const sentOn = await ada.invited();
  await ada.port.command('redirect', sentOn.call, '*97');
  expect((await ada.wire.seesResponse('phone', 302, 'INVITE')).header('contact')).toContain('97@');
  conforms('decline, busy, redirect', 'sandbox', { heard: '–', wire: '486 and 603 → ACK; 302 of the phone' });
  pbx.hangUp(other);

  pbx.faults.set({ provisionalWithoutContact: true, reliableProvisionals: true });
  ada.wire.forget();
  const early = await ada.port.dial('*44');
  expect((await ada.port.next('sip.ringing', early.call)).signal.earlyMedia).toBe(true);
  await agentHears(900);
  expect((await ada.wire.seesResponse('far', 183, 'INVITE')).header('contact')).toBe('');
  await ada.wire.seesRequest('phone', 'PRACK');
  await ada.wire.seesResponse('far', 200, 'PRACK');
  await ada.port.next('sip.answered', early.call);
  await ada.hangUp(early.call);
  pbx.faults.clear();
  conforms('early media', 'sandbox', { heard: 'the agent: 900 Hz before the answer', wire: '183 with a description' });
  conforms('18x without Contact', 'sandbox', { heard: 'the agent: 900 Hz', wire: '183 without Contact → 200 → ACK' });
  conforms('reliable ringing (PRACK)', 'sandbox', { heard: 'the agent: 900 Hz', wire: '183 with RSeq → PRACK → 200' });

  const call = await ada.connect(machine);
  await ada.port.command('sendDigits', call, '42#');
  await expect.poll(() => pbx.digits(machine), { timeout: 8_000 }).toBe('42#');
  await ada.hangUp(call);
  conforms('DTMF by RFC 4733', 'sandbox', { heard: 'the switch takes the keys 4, 2, #', wire: 'no INFO' });
});

it('knows rooms, slots, lamps, mailboxes and codes', async () => {
  await ada.port.command('watch', { extensions: ['2001', '701'], mailbox: true });
  await ada.lampBecomes('2001', 'free');
  pbx.colleague('2001').ringFrom(person, 'Erika Sommer');
  await ada.lampBecomes('2001', 'ringing');
  const taken = newCallId();
  ada.wire.forget();
  await ada.port.command('pickUp', taken, '2001', '**2001');
  await ada.port.next('sip.answered', taken);
  expect((await ada.wire.seesRequest('phone', 'INVITE')).header('replaces')).toContain('early-only');
  await ada.hangUp(taken);
  await ada.lampBecomes('2001', 'free');
  conforms('directed pickup by Replaces', 'sandbox', {
    heard: '–',
    wire: 'INVITE with Replaces: …;early-only of the watched dialog → 200',
  });
  conforms('busy lamps', 'sandbox', { heard: '–', wire: 'SUBSCRIBE dialog → NOTIFY dialog-info: early, terminated' });
  for (const code of ['**2001', '*8']) {
    pbx.colleague('2001').ringFrom(person, 'Erika Sommer');
    const call = await ada.connect(code);
    await ada.hangUp(call);
  }
  conforms('directed pickup by code', 'sandbox', { heard: '–', wire: 'INVITE to ** and the extension → 200' });
  conforms('group pickup', 'sandbox', { heard: '–', wire: 'INVITE to *8 → 200' });

  const parked = await ada.connect(person);
  await ada.port.command('transfer', parked, '701');
  await ada.port.next('sip.transferred', parked, 15_000);
  await ada.lampBecomes('701', 'busy');
  const back = await ada.connect('701');
  await ada.hears(600);
  await ada.lampBecomes('701', 'free');
  await ada.hangUp(back);
  conforms('park and slot', 'sandbox', {
    heard: 'the agent: 600 Hz again after taking the call back',
    wire: 'REFER to 701 → NOTIFY 200; dialog-info of the slot; INVITE to the slot',
  });

  pbx.voicemail('1001').leave({ number: other }, 700, 6_000);
  await expect.poll(() => ada.newMessages(), { timeout: 8_000 }).toBe(1);
  const box = await ada.connect('*97');
  await agentHears(700);
  await ada.hangUp(box);
  conforms('mailbox', 'sandbox', {
    heard: 'the agent: the message (700 Hz) at *97',
    wire: 'SUBSCRIBE message-summary → NOTIFY with one new message',
  });
  for (const [code, wishes] of [
    ['*78', { doNotDisturb: true }],
    ['*79', { doNotDisturb: false }],
    [`*72${other}`, { forwardTo: other }],
    ['*73', { forwardTo: undefined }],
  ] as const) {
    await ada.port.command('sendCode', code);
    await ada.port.next('sip.code-done', undefined, 10_000);
    expect(pbx.wishes('1001')).toMatchObject(wishes);
  }
  conforms('do not disturb and forwarding codes', 'sandbox', {
    heard: '–',
    wire: 'INVITE to *78, *79, *72…, *73 → 200, taken by the switch',
  });
});

it('has two agents: a room, an intercom, two devices, a queue, a changed far side', async () => {
  const bo = await open('1002');
  const [mine, his] = await Promise.all([ada.connect('81001'), bo.connect('81001')]);
  await ada.hears(ourTone);
  await bo.hears(ourTone);
  expect(pbx.roomMembers('81001')).toHaveLength(2);
  await Promise.all([ada.hangUp(mine), bo.hangUp(his)]);
  conforms('conference room', 'sandbox', {
    heard: 'two agents in a room hear each other (440 Hz)',
    wire: 'INVITE to 8 and the extension → 200',
  });

  const { call: called } = await bo.port.dial('*801001');
  const intercom = await ada.invited();
  expect(intercom.answersAfterMs).toBe(0);
  await ada.answer(intercom.call);
  await bo.port.next('sip.answered', called);
  await bo.hangUp(called);
  await ada.ended(intercom.call);
  conforms('intercom', 'sandbox', { heard: '–', wire: 'INVITE with Call-Info answer-after=0' });

  const home = await open('1001');
  await pbx.callAgent('1001', { callerNumber: other, verstat: 'TN-Validation-Passed' });
  const [here, there] = await Promise.all([ada.invited(), home.invited()]);
  expect(here).toMatchObject({ from: { number: other }, verified: 'passed' });
  await home.answer(there.call);
  expect(await ada.ended(here.call)).toMatchObject({ elsewhere: true });
  await ada.wire.seesRequest('far', 'CANCEL', (it) => it.header('reason').includes('200'));
  conforms('answered elsewhere', 'sandbox', { heard: '–', wire: 'CANCEL with Reason: SIP;cause=200' });
  conforms('caller ID shown', 'sandbox', { heard: '–', wire: 'INVITE with verstat: the phone shows it as passed' });
  expect(await pbx.refreshCall(other, 'update')).toBe(200);
  await home.hangUp(there.call);
  conforms('connected identity (UPDATE)', 'sandbox', { heard: '–', wire: 'UPDATE with P-Asserted-Identity → 200' });
});
