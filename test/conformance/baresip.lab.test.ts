/**
 * What an agent's phone does with baresip, an ordinary phone behind the edge (Kamailio, rtpengine). What is recorded here stands in
 * docs/conformance.md; transfers, conferences and the way through a crashed media relay are shown in test/sip-port.
 */
import { randomBytes } from 'node:crypto';
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { type DeskPhone, Phones } from './phones.ts';
import { conforms } from './record.ts';
import { direction, formats } from './wire.ts';

const lab = labFromEnvironment();
const [bobAddress = '', carolAddress = ''] = lab.far.addresses;
const [ourTone, bobTone, carolTone] = [440, 600, 850];
const credentialSecret = randomBytes(32).toString('hex');

let edge: Edge;
let phones: Phones;
/** Answers by himself, and speaks PCMU; she does not, and speaks PCMA too. */
let bob: Baresip;
let carol: Baresip;
let ada: DeskPhone;

beforeAll(async () => {
  [edge, phones] = await Promise.all([
    startEdge(lab, { credentialSecret, turnSecret: randomBytes(16).toString('hex') }),
    Phones.start(ourTone),
  ]);
  [bob, carol] = await Promise.all([
    startBaresip(lab, { user: '2001', address: bobAddress, toneHz: bobTone, autoAnswer: true }),
    startBaresip(lab, { user: '2002', address: carolAddress, toneHz: carolTone, codecs: ['PCMU', 'PCMA'] }),
  ]);
});
afterAll(async () => {
  await Promise.all([bob?.stop(), carol?.stop()]);
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

it('is called, muted, given keys, held, and holds', async () => {
  await ada.wire.seesResponse('far', 401, 'REGISTER');
  const signed = ada.wire.requests('phone', 'REGISTER').find((it) => it.header('authorization') !== '');
  expect(signed?.header('authorization')).toMatch(/^Digest .*response=/);
  await ada.wire.seesResponse('far', 200, 'REGISTER');
  conforms('register and digest', 'baresip', {
    heard: '–',
    wire: 'at Kamailio: REGISTER → 401 with a challenge → REGISTER with the answer → 200',
  });

  const call = await ada.connect(bob.user);
  await ada.hears(bobTone);
  await bob.hears(ourTone);
  expect((await ada.wire.seesRequest('phone', 'INVITE')).body).toMatch(/^m=audio \d+ UDP\/TLS\/RTP\/SAVPF/m);
  await ada.wire.seesRequest('phone', 'ACK');

  await ada.port.command('mute', call, true);
  await bob.hearsSilence();
  expect((await bob.listen(400)).packets).toBeGreaterThan(5);
  await ada.port.command('mute', call, false);
  await bob.hears(ourTone);
  conforms('mute', 'baresip', { heard: 'the far side: 440 Hz, silence in packets, 440 Hz', wire: 'nothing' });

  await ada.port.command('sendDigits', call, '12#');
  await expect.poll(() => bob.dtmf.join(''), { timeout: 8_000 }).toMatch(/12#$/);
  // The last key is over when the voice is heard again.
  await bob.hears(ourTone);
  expect((await ada.wire.seesResponse('far', 200, 'INVITE')).body).toMatch(/telephone-event/);
  expect(ada.wire.requests('phone', 'INFO')).toEqual([]);
  conforms('DTMF by RFC 4733', 'baresip', {
    heard: 'the far side takes the keys 1, 2, # in their order',
    wire: 'telephone-event in the answer, no INFO',
  });

  ada.wire.forget();
  await ada.hold(call, true);
  expect(direction(await ada.wire.seesRequest('phone', 'INVITE'))).toBe('sendonly');
  expect(['recvonly', 'inactive']).toContain(direction(await ada.wire.seesResponse('far', 200, 'INVITE')));
  await bob.hearsSilence();
  expect((await bob.listen(400)).packets).toBe(0);
  ada.wire.forget();
  await ada.hold(call, false);
  expect(direction(await ada.wire.seesRequest('phone', 'INVITE'))).toBe('sendrecv');
  await ada.hears(bobTone);
  await bob.hears(ourTone);
  ada.wire.forget();
  await bob.hold();
  await ada.port.next('sip.far-held', call);
  expect(direction(await ada.wire.seesRequest('far', 'INVITE'))).toBe('sendonly');
  expect(direction(await ada.wire.seesResponse('phone', 200, 'INVITE'))).toBe('recvonly');
  await bob.resume();
  await ada.port.next('sip.far-resumed', call);
  await ada.hears(bobTone);
  conforms('hold, both ways', 'baresip', {
    heard: 'the far side: 440 Hz, not one packet, 440 Hz; the agent 600 Hz again after either hold',
    wire: 're-INVITE a=sendonly → 200 a=recvonly or inactive, re-INVITE a=sendrecv; theirs a=sendonly → 200 a=recvonly',
  });
  await bob.hangUp();
  expect((await ada.ended(call)).by).toBe('far-side');
  await ada.wire.seesRequest('far', 'BYE');
  conforms('outbound call', 'baresip', {
    heard: 'both sides: the agent 600 Hz, the far side 440 Hz',
    wire: 'INVITE with DTLS-SRTP → 200 → ACK; BYE of the far side → 200',
  });
});

it('calls, is answered and declined; declines itself', async () => {
  await bob.dial('1001');
  const first = await ada.invited();
  expect(first.from.number).toBe('2001');
  await ada.answer(first.call);
  await ada.hears(bobTone);
  await bob.hears(ourTone);
  await ada.hangUp(first.call);
  await bob.waitFor('closed');
  await ada.wire.seesResponse('far', 200, 'BYE');
  conforms('inbound call', 'baresip', {
    heard: 'both sides: the agent 600 Hz, the far side 440 Hz',
    wire: 'INVITE → 180 → 200 → ACK; BYE → 200',
  });

  await bob.dial('1001');
  const second = await ada.invited();
  await ada.port.command('decline', second.call, 603);
  const whyClosed = () => bob.events.findLast(({ kind }) => kind === 'closed')?.detail;
  await expect.poll(whyClosed, { timeout: 8_000 }).toContain('603');

  const { call } = await ada.port.dial(carol.user);
  await carol.waitFor('incoming');
  await carol.refuse();
  expect(await ada.ended(call)).toMatchObject({ by: 'far-side', code: 486 });

  conforms('decline, busy, redirect', 'baresip', {
    heard: '–',
    wire: '603 of the phone → ACK, told as such; 486 of baresip → ACK',
  });
});

it('takes keys by INFO and as tones', async () => {
  const info = await open({ digits: 'info' });
  const before = bob.dtmf.length;
  const first = await info.connect(bob.user);
  await info.port.command('sendDigits', first, '5');
  const request = await info.wire.seesRequest('phone', 'INFO');
  expect(request.body).toMatch(/^Signal=5/);
  await info.wire.seesResponse('far', 200, 'INFO');
  await expect.poll(() => bob.dtmf.slice(before).join(''), { timeout: 8_000 }).toBe('5');
  await info.hangUp(first);
  conforms('DTMF by INFO', 'baresip', {
    heard: 'the far side takes the key 5',
    wire: 'INFO application/dtmf-relay with Signal=5 → 200',
  });

  const tones = await open({ digits: 'in-band' });
  const second = await tones.connect(bob.user);
  await bob.hears(ourTone);
  await tones.port.command('sendDigits', second, '5555');
  await bob.hears(770, { amplitude: 0.02 });
  await tones.port.command('sendDigits', second, '9999');
  await bob.hears(1477, { amplitude: 0.02 });
  await bob.hears(ourTone);
  expect(tones.wire.requests('phone', 'INFO')).toEqual([]);
  await tones.hangUp(second);
  conforms('DTMF in-band', 'baresip', {
    heard: 'the far side: 770 Hz of a 5, 1477 Hz of a 9, then 440 Hz again',
    wire: 'no INFO',
  });
});

it('speaks the codec that stands first in the profile', async () => {
  for (const [codec, other] of [
    ['PCMA', 'PCMU'],
    ['PCMU', 'PCMA'],
  ] as const) {
    const phone = await open({ codecs: [codec, other] });
    const { call } = await phone.port.dial(carol.user);
    await carol.waitFor('incoming');
    await carol.answer();
    await phone.port.next('sip.answered', call);
    await phone.hears(carolTone);
    await carol.hears(ourTone);
    expect(formats(await phone.wire.seesRequest('phone', 'INVITE'))[0]).toBe(codec);
    expect(formats(await phone.wire.seesResponse('far', 200, 'INVITE'))[0]).toBe(codec);
    expect(await phone.speaks()).toEqual([codec]);
    await phone.hangUp(call);
  }
  conforms('codec order', 'baresip', {
    heard: 'both sides: the agent 850 Hz, the far side 440 Hz, in PCMA and in PCMU, with the other behind it',
    wire: 'the first format of the offer is the first of the answer, and the one that is sent',
  });
});
