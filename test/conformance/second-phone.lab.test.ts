/**
 * What an agent's phone does with other phones of its kind, through the edge: browser to browser, each with its own tone. What is recorded here
 * stands in docs/conformance.md.
 */
import { randomBytes } from 'node:crypto';
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { type DeskPhone, Phones } from './phones.ts';
import { conforms } from './record.ts';
import { direction, formats } from './wire.ts';

const lab = labFromEnvironment();
const [adaTone, boTone] = [440, 550];
const credentialSecret = randomBytes(32).toString('hex');

let edge: Edge;
let here: Phones;
let there: Phones;
let ada: DeskPhone;
let bo: DeskPhone;

beforeAll(async () => {
  [edge, here, there] = await Promise.all([
    startEdge(lab, { credentialSecret, turnSecret: randomBytes(16).toString('hex') }),
    Phones.start(adaTone),
    Phones.start(boTone),
  ]);
});
afterAll(async () => {
  await here?.stop();
  await there?.stop();
  await edge?.stop();
});
const open = (phones: Phones, extension: string, changes: Partial<SipAccount> = {}) =>
  phones.open(
    { url: edge.wssUrl, domain: edge.domain },
    extension,
    { ...ephemeralCredential(credentialSecret, extension, 300), expiresAt: Date.now() + 300_000 },
    changes,
  );
beforeEach(async () => {
  [ada, bo] = await Promise.all([open(here, '1001'), open(there, '1002')]);
});
afterEach(async () => {
  await here.closeAll();
  await there.closeAll();
});
async function talking() {
  const { call } = await ada.port.dial('1002');
  const theirs = (await bo.invited()).call;
  await bo.answer(theirs);
  await ada.port.next('sip.answered', call);
  await ada.hears(boTone);
  await bo.hears(adaTone);
  return { call, theirs };
}

it('talks, is muted, held from both sides, and hung up', async () => {
  await ada.wire.seesResponse('far', 401, 'REGISTER');
  await ada.wire.seesResponse('far', 200, 'REGISTER');
  const { call, theirs } = await talking();
  expect(formats(await ada.wire.seesResponse('far', 200, 'INVITE'))[0]).toBe('opus');
  expect(await ada.speaks()).toEqual(['opus']);
  expect(await bo.speaks()).toEqual(['opus']);
  conforms('codec order', 'patchcord', {
    heard: 'both sides in opus, the first of the profile',
    wire: 'opus is the first format of offer and answer',
  });
  await bo.port.command('mute', theirs, true);
  await ada.hears();
  await bo.port.command('mute', theirs, false);
  await ada.hears(boTone);
  conforms('mute', 'patchcord', { heard: 'the other side: 550 Hz, silence, 550 Hz', wire: 'nothing' });
  for (const [holder, held, ours, other, back] of [
    [ada, bo, call, theirs, adaTone],
    [bo, ada, theirs, call, boTone],
  ] as const) {
    holder.wire.forget();
    held.wire.forget();
    await holder.hold(ours, true);
    await held.port.next('sip.far-held', other);
    expect(direction(await held.wire.seesRequest('far', 'INVITE'))).toBe('sendonly');
    expect(direction(await held.wire.seesResponse('phone', 200, 'INVITE'))).toBe('recvonly');
    await held.hears();
    await holder.hold(ours, false);
    await held.port.next('sip.far-resumed', other);
    await held.hears(back);
  }
  conforms('hold, both ways', 'patchcord', {
    heard: 'the held side: a tone, silence, the tone; then the same the other way',
    wire: 're-INVITE a=sendonly → 200 a=recvonly, re-INVITE a=sendrecv, from either side',
  });
  await ada.hangUp(call);
  expect((await bo.ended(theirs)).by).toBe('far-side');
  await bo.wire.seesRequest('far', 'BYE');
  conforms('outbound call', 'patchcord', {
    heard: 'both sides: 550 Hz here, 440 Hz there',
    wire: 'INVITE with DTLS-SRTP → 200 → ACK; BYE → 200',
  });
  conforms('inbound call', 'patchcord', {
    heard: 'both sides: 550 Hz here, 440 Hz there',
    wire: 'INVITE → 180 → 200 → ACK; BYE → 200',
  });
  conforms('register and digest', 'patchcord', {
    heard: '–',
    wire: 'at Kamailio: REGISTER → 401 → REGISTER with the answer → 200, both',
  });
});

it('declines, sends on, and stops ringing when another device answers', async () => {
  const first = await ada.port.dial('1002');
  await bo.port.command('decline', (await bo.invited()).call, 486);
  expect(await ada.ended(first.call)).toMatchObject({ by: 'far-side', code: 486 });
  const second = await ada.port.dial('1002');
  await bo.port.command('decline', (await bo.invited()).call, 603);
  expect(await ada.ended(second.call)).toMatchObject({ by: 'far-side', code: 603 });
  expect(ada.wire.responses('far', 486, 'INVITE')).not.toEqual([]);
  expect(ada.wire.responses('far', 603, 'INVITE')).not.toEqual([]);
  conforms('decline, busy, redirect', 'patchcord', { heard: '–', wire: 'INVITE → 486, and → 603' });

  const atHome = await open(there, '1002');
  const { call } = await ada.port.dial('1002');
  const [desk, home] = await Promise.all([bo.invited(), atHome.invited()]);
  await atHome.answer(home.call);
  await ada.port.next('sip.answered', call);
  expect(await bo.ended(desk.call)).toMatchObject({ elsewhere: true });
  expect((await bo.wire.seesRequest('far', 'CANCEL')).header('reason')).toMatch(/SIP;cause=200/);
  await ada.hears(boTone);
  await ada.hangUp(call);
  conforms('answered elsewhere', 'patchcord', {
    heard: 'the caller: 550 Hz of the device that answered',
    wire: 'CANCEL with Reason: SIP;cause=200 to the other device',
  });
});

it('is handed over blindly and after a consult call, to a third of its kind', async () => {
  await ada.port.stop();
  await bo.port.stop();
  // Whoever is handed over agrees to it; the third has the tone of the first.
  [ada, bo] = await Promise.all([open(here, '1001'), open(there, '1002', { followTransfers: true })]);
  const cy = await open(here, '1003');
  const blind = await talking();
  await ada.port.command('transfer', blind.call, '1003');
  const reached = await cy.invited();
  await cy.answer(reached.call);
  await ada.port.next('sip.transferred', blind.call, 15_000);
  await ada.ended(blind.call);
  await cy.hears(boTone);
  expect((await bo.wire.seesRequest('far', 'REFER')).header('refer-to')).toContain('1003@');
  await bo.wire.seesResponse('phone', 202, 'REFER');
  await bo.wire.seesRequest('phone', 'NOTIFY', (it) => it.body.includes('SIP/2.0 200'));
  await bo.hears(adaTone);
  await cy.hangUp(reached.call);
  await bo.ended(blind.theirs);
  conforms('blind transfer', 'patchcord', {
    heard: 'who was handed over and the third hear each other (550 and 440 Hz)',
    wire: 'REFER → 202 → INVITE of the far side to the third → NOTIFY with 200 OK → BYE',
  });
  conforms('far side transfers us', 'patchcord', {
    heard: 'who is handed over: 440 Hz of the third, in the same call',
    wire: 'REFER → 202, INVITE to the third, NOTIFY with 200 OK',
  });

  const { call, theirs } = await talking();
  await ada.hold(call, true);
  const { call: consult } = await ada.port.dial('1003');
  const asked = await cy.invited();
  await cy.answer(asked.call);
  await ada.port.next('sip.answered', consult);
  bo.wire.forget();
  cy.wire.forget();
  await ada.port.command('transferAttended', call, consult);
  // The call machine answers in place of the consult call, and ends that.
  const replacing = await cy.invited();
  expect(replacing.replaces).toBe(asked.call);
  await cy.answer(replacing.call);
  await cy.port.command('hangUp', asked.call);
  await ada.port.next('sip.transferred', call, 20_000);
  expect((await bo.wire.seesRequest('far', 'REFER')).header('refer-to')).toMatch(/Replaces=/);
  expect((await cy.wire.seesRequest('far', 'INVITE')).header('replaces')).not.toBe('');
  await cy.hears(boTone);
  await bo.hears(adaTone);
  await bo.hangUp(theirs);
  conforms('attended transfer', 'patchcord', {
    heard: 'the two far sides hear each other (550 and 440 Hz)',
    wire: 'REFER with Replaces in Refer-To → 202 → INVITE with Replaces to the third → NOTIFY → BYE in both calls',
  });
});
