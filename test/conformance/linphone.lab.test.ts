/**
 * What an agent's phone does with linphone behind the edge (Kamailio, rtpengine): a phone whose 180 has no Contact, which plays music to whom it holds,
 * and which can be replaced. What is recorded here stands in docs/conformance.md; attended transfers and conferences with it in test/sip-port.
 */
import { randomBytes } from 'node:crypto';
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { type Linphone, startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { type DeskPhone, Phones } from './phones.ts';
import { conforms } from './record.ts';
import { direction, formats } from './wire.ts';

const lab = labFromEnvironment();
const [doraAddress = '', erikAddress = ''] = lab.far.addresses;
const [ourTone, doraTone, erikTone] = [440, 1700, 1250];
const credentialSecret = randomBytes(32).toString('hex');

let edge: Edge;
let phones: Phones;
/** Answers by herself; he does not. */
let dora: Linphone;
let erik: Linphone;
let ada: DeskPhone;

beforeAll(async () => {
  [edge, phones] = await Promise.all([
    startEdge(lab, { credentialSecret, turnSecret: randomBytes(16).toString('hex') }),
    Phones.start(ourTone),
  ]);
  const codecs = ['PCMU', 'PCMA'] as const;
  [dora, erik] = await Promise.all([
    startLinphone(lab, { user: '2003', address: doraAddress, toneHz: doraTone, autoAnswer: true, codecs }),
    startLinphone(lab, { user: '2004', address: erikAddress, toneHz: erikTone }),
  ]);
});
afterAll(async () => {
  await Promise.all([dora?.stop(), erik?.stop()]);
  await phones?.stop();
  await edge?.stop();
});
const open = (changes: Partial<SipAccount> = {}) =>
  phones.open(
    { url: edge.wssUrl, domain: edge.domain },
    '1001',
    { ...ephemeralCredential(credentialSecret, '1001', 300), expiresAt: Date.now() + 300_000 },
    changes,
  );
beforeEach(async () => {
  ada = await open();
});
afterEach(() => phones.closeAll());

it('is called, muted, given keys, held, and holds with music', async () => {
  const call = await ada.connect(dora.user);
  await ada.hears(doraTone);
  await dora.hears(ourTone);
  expect((await ada.wire.seesResponse('far', 180, 'INVITE')).header('contact')).toBe('');
  conforms('18x without Contact', 'linphone', {
    heard: 'both sides after the answer: the agent 1700 Hz, the far side 440 Hz',
    wire: '180 without Contact → 200 → ACK',
  });
  await ada.port.command('mute', call, true);
  await dora.hearsSilence();
  expect((await dora.listen(400)).packets).toBeGreaterThan(5);
  await ada.port.command('mute', call, false);
  await dora.hears(ourTone);
  conforms('mute', 'linphone', { heard: 'the far side: 440 Hz, silence in packets, 440 Hz', wire: 'nothing' });
  await ada.port.command('sendDigits', call, '12#');
  await expect.poll(() => dora.dtmf.join(''), { timeout: 8_000 }).toBe('12#');
  await dora.hears(ourTone);
  expect((await ada.wire.seesResponse('far', 200, 'INVITE')).body).toMatch(/telephone-event/);
  conforms('DTMF by RFC 4733', 'linphone', {
    heard: 'the far side takes the keys 1, 2, # in their order',
    wire: 'telephone-event in the answer, no INFO',
  });

  ada.wire.forget();
  await ada.hold(call, true);
  expect(direction(await ada.wire.seesRequest('phone', 'INVITE'))).toBe('sendonly');
  expect(['recvonly', 'inactive']).toContain(direction(await ada.wire.seesResponse('far', 200, 'INVITE')));
  await dora.hearsSilence();
  await ada.hold(call, false);
  await ada.hears(doraTone);
  ada.wire.forget();
  await dora.hold();
  await ada.port.next('sip.far-held', call);
  expect(direction(await ada.wire.seesRequest('far', 'INVITE'))).toBe('sendonly');
  expect(direction(await ada.wire.seesResponse('phone', 200, 'INVITE'))).toBe('recvonly');
  await ada.hears(doraTone);
  await dora.resume();
  await ada.port.next('sip.far-resumed', call);
  await dora.hears(ourTone);
  conforms('hold, both ways', 'linphone', {
    heard: 'the far side: 440 Hz, silence, 440 Hz; the agent goes on hearing 1700 Hz, linphone’s music, while it holds',
    wire: 're-INVITE a=sendonly → 200 a=recvonly or inactive; theirs a=sendonly → 200 a=recvonly',
  });
  await dora.hangUp();
  expect((await ada.ended(call)).by).toBe('far-side');
  conforms('outbound call', 'linphone', {
    heard: 'both sides: the agent 1700 Hz, the far side 440 Hz',
    wire: 'INVITE with DTLS-SRTP → 180 → 200 → ACK; BYE of the far side → 200',
  });
});

it('calls, declines, is declined, and is handed over', async () => {
  await dora.dial('1001');
  const first = await ada.invited();
  expect(first.from.number).toBe('2003');
  await ada.answer(first.call);
  await ada.hears(doraTone);
  await dora.hears(ourTone);
  await ada.hangUp(first.call);
  conforms('inbound call', 'linphone', {
    heard: 'both sides: the agent 1700 Hz, the far side 440 Hz',
    wire: 'INVITE → 180 → 200 → ACK; BYE → 200',
  });
  await expect.poll(() => dora.callCount(), { timeout: 8_000 }).toBe(0);
  await dora.dial('1001');
  const second = await ada.invited();
  await ada.port.command('decline', second.call, 486);
  await ada.wire.seesResponse('phone', 486, 'INVITE');
  await expect.poll(() => dora.callCount(), { timeout: 8_000 }).toBe(0);
  const { call } = await ada.port.dial(erik.user);
  await erik.waitFor('incoming');
  await erik.refuse();
  expect(await ada.ended(call)).toMatchObject({ by: 'far-side', code: 603 });
  conforms('decline, busy, redirect', 'linphone', {
    heard: '–',
    wire: '486 of the phone → ACK; 603 of linphone → ACK',
  });

  ada.wire.forget();
  const handed = await ada.connect(dora.user);
  await ada.hears(doraTone);
  await ada.port.command('transfer', handed, erik.user);
  await erik.waitFor('incoming');
  await erik.answer();
  await ada.port.next('sip.transferred', handed, 15_000);
  await ada.ended(handed);
  await ada.wire.seesRequest('far', 'NOTIFY', (it) => it.body.includes('SIP/2.0 200'));
  await erik.hears(doraTone);
  await erik.hangUp();
  conforms('blind transfer', 'linphone', {
    heard: 'the third phone: 1700 Hz of who was handed over',
    wire: 'REFER → 202 → NOTIFY with 200 OK → BYE',
  });
});

it('speaks the codec that stands first in the profile, and hears keys as tones', async () => {
  const phone = await open({ codecs: ['PCMA', 'PCMU'], digits: 'in-band' });
  const call = await phone.connect(dora.user);
  await phone.hears(doraTone);
  await dora.hears(ourTone);
  expect(formats(await phone.wire.seesResponse('far', 200, 'INVITE'))[0]).toBe('PCMA');
  expect(await phone.speaks()).toEqual(['PCMA']);
  conforms('codec order', 'linphone', {
    heard: 'both sides in PCMA, with PCMU behind it',
    wire: 'the first format of the offer is the first of the answer, and the one that is sent',
  });
  await phone.port.command('sendDigits', call, '5555');
  await dora.hears(770, { amplitude: 0.02 });
  await dora.hears(ourTone);
  conforms('DTMF in-band', 'linphone', { heard: 'the far side: 770 Hz of a 5, then 440 Hz again', wire: 'no INFO' });
  await phone.hangUp(call);
});
