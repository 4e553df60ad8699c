/**
 * Calls that outlive their page, at the Kamailio edge of deploy/kamailio: a reloaded page that rings on, takes its call over (Replaces) or gives
 * up what it had dialled; and who may not. The browsers are scripted and have no sound.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run --project lab test/sip-lab/edge-survival.lab.test.ts
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { destinationsOf, usualEmergencyNumbers } from '../../server/src/brakes/destinations.ts';
import { callsAtEdge, edgeLists, edgeRow, tellEdge } from '../../server/src/brakes/edge-rules.ts';
import { type Edge, startEdge } from './edge.ts';
import { labFromEnvironment } from './namespaces.ts';
import type { SipText } from './sip-text.ts';
import { type Sipp, type SippStep, sippStep, startSipp } from './sipp.ts';
import { ephemeralCredential } from './wss-client.ts';
import { type Call, WssPhone } from './wss-phone.ts';

const lab = labFromEnvironment();
const pbxAddress = lab.far.addresses[1] ?? '';
const secret = randomBytes(32).toString('hex');
const number = '+4930901820';

let edge: Edge;
const phones: WssPhone[] = [];
const far: Sipp[] = [];

async function browser(extension: string, instance?: string): Promise<WssPhone> {
  const credential = ephemeralCredential(secret, extension);
  const phone = await WssPhone.connect(edge, {
    user: extension,
    credential,
    ...(instance === undefined ? {} : { instance }),
  });
  phones.push(phone);
  return phone;
}
async function pbx(calls: number, ...steps: SippStep[]): Promise<Sipp> {
  const sipp = await startSipp(lab, { address: pbxAddress, calls, steps });
  far.push(sipp);
  return sipp;
}
/** Answers so many calls and waits for their end. */
const answering = (calls: number): Promise<Sipp> =>
  pbx(
    calls,
    sippStep.invited(),
    sippStep.respond(200, 'OK', { withSound: true }),
    sippStep.asked('ACK'),
    sippStep.asked('BYE'),
    sippStep.respondInCall(200, 'OK'),
  );

beforeAll(async () => {
  edge = await startEdge(lab, {
    credentialSecret: secret,
    turnSecret: 'turn-secret',
    pbxUri: `sip:${pbxAddress}:5060`,
  });
  const destinations = destinationsOf({
    country: 'DE',
    countries: ['DE'],
    allowedPrefixes: [],
    refusedPrefixes: [],
    emergencyNumbers: usualEmergencyNumbers,
    outsideLine: '',
    internalDigits: [4],
    numberForm: 'e164',
  });
  const rules = {
    callsPerMinute: 600,
    callsPerHour: 9_000,
    // A call that goes on under another name must not need a second place.
    concurrentCalls: 1,
    hours: null,
    daySpend: null,
    monthSpend: null,
    destinations,
    list: 'de',
  };
  const row = edgeRow(rules, Date.now(), { stopped: null, callsPerMinute: 600 });
  await tellEdge(
    { url: edge.rpcUrl, token: undefined },
    { brake: new Map([['default', row]]), lists: new Map(edgeLists('de', destinations)), callerIds: new Map() },
  );
});
beforeEach(() => edge.forgetSip());
afterEach(async () => {
  await Promise.all(phones.splice(0).map((phone) => phone.close()));
  await Promise.all(far.splice(0).map((phone) => phone.stop()));
});
afterAll(() => edge?.stop());

const is = (status: number) => (response: SipText) => response.status === status;
const final = (response: SipText) => response.status >= 200;
const live = async () =>
  (await callsAtEdge({ url: edge.rpcUrl, token: undefined })).filter(({ endedAt }) => endedAt === null);
const invites = (phone: WssPhone): string[] => phone.client.received.filter((text) => text.startsWith('INVITE '));
const replacing = (call: Call, more = ''): { readonly headers: readonly string[] } => ({
  headers: [`Replaces: ${call.replaces()}${more}`, 'Require: replaces'],
});
async function refused(phone: WssPhone, target: string, value: string): Promise<string> {
  const response = await phone.invite(target, { headers: [`Replaces: ${value}`] }).answered(final);
  return `${response.status} ${response.reason}`;
}

describe('a call that rings while the page goes away', () => {
  test('rings on at the reloaded page as the same call, once, and is answered there', async () => {
    const instance = randomUUID();
    const [cy, before] = await Promise.all([browser('1003'), browser('1001', instance)]);
    const call = cy.invite('1001');
    const first = await before.invited();
    await call.answered(is(180));
    await before.close();
    const page = await browser('1001', instance);
    const again = await page.invited();
    expect(again.callId).toBe(first.callId);
    // A refreshed registration on the same connection is no new phone.
    const credential = ephemeralCredential(secret, '1001');
    expect((await page.client.register('1001', credential)).status).toBe(200);
    again.respond(200, 'OK');
    expect((await call.answered(is(200))).header('contact')).not.toBe('');
    expect((await call.request('BYE')).status).toBe(200);
    expect(invites(page)).toHaveLength(1);
  });

  test('ends for the caller when the reloaded page declines it, the only one that rings', async () => {
    const instance = randomUUID();
    const [cy, before] = await Promise.all([browser('1003'), browser('1004', instance)]);
    const call = cy.invite('1004');
    await before.invited();
    await call.answered(is(180));
    await before.close();
    const page = await browser('1004', instance);
    (await page.invited()).respond(480, 'Declined here');
    expect((await call.answered(final, 15_000)).status).toBe(480);
  });
});

describe('a call that talks while the page goes away', () => {
  test('goes on under a new Call-ID with its row, its place and its beginning', async () => {
    const sipp = await answering(2);
    const before = await browser('1001');
    const call = before.invite(number);
    await call.answered(is(200));
    const [row] = await live();
    await before.close();
    const page = await browser('1001');
    const next = page.invite('resume-none', replacing(call));
    await next.answered(is(200));
    const arrived = await edge.waitForSip(
      (message) => message.direction === 'out' && message.method === 'INVITE' && message.callId === next.callId,
    );
    expect(arrived.raw).toMatch(/^Replaces: /m);
    expect(arrived.raw).toMatch(/^Require: replaces/m);
    expect(await live()).toEqual([{ ...row, sipCallId: next.callId }]);
    // Its only place is taken by it, and free again after it.
    expect((await page.invite(number).answered(final)).status).toBe(403);
    expect((await next.request('BYE')).status).toBe(200);
    expect(await live()).toEqual([]);
    const old = page.takeOver(before, call.callId);
    expect((await old.request('BYE')).status).toBe(200);
    await sipp.passed();
  });

  test('is not taken by another agent, nor with wrong tags, nor to another number, nor after its end', async () => {
    await answering(9);
    const [ada, mallory] = await Promise.all([browser('1001'), browser('1002')]);
    const call = ada.invite(number);
    await call.answered(is(200));
    const value = call.replaces();
    expect(await refused(mallory, 'resume-none', value)).toBe('403 Only the agent of a call may replace it');
    expect(await refused(mallory, `sip:sipp@${pbxAddress}:5060`, value)).toMatch(/^403 Only the agent/);
    const [id = '', to = '', from = ''] = value.split(';');
    expect(await refused(ada, 'resume-none', `${id};${to}x;${from}`)).toBe('481 No such dialog');
    // Another number is another call, and there is no place for one.
    expect(await refused(ada, '+4930901821', value)).toMatch(/^403 Too many calls at once/);
    expect(await live()).toHaveLength(1);
    // What does not know Replaces must not take it for a new call, whoever forgot to say so.
    const moved = ada.invite('resume-none', { headers: [`Replaces: ${value}`] });
    await moved.answered(is(200));
    const arrived = await edge.waitForSip(
      (message) => message.direction === 'out' && message.method === 'INVITE' && message.callId === moved.callId,
    );
    expect(arrived.raw).toMatch(/^Require: replaces/m);
    expect(await live()).toMatchObject([{ sipCallId: moved.callId }]);
    await moved.request('BYE');
    await call.request('BYE');
    expect(await live()).toEqual([]);
  });

  test('is taken by whom its agent sends', async () => {
    await answering(2);
    const [ada, bo, cy] = await Promise.all([browser('1001'), browser('1002'), browser('1003')]);
    const first = ada.invite(number);
    await first.answered(is(200));
    const consult = ada.invite('1003');
    const asked = await cy.invited();
    asked.respond(200, 'OK');
    await consult.answered(is(200));
    expect(await refused(cy, first.target, first.replaces())).toMatch(/^403 Only the agent/);
    const target = `<${first.target}?Replaces=${encodeURIComponent(first.replaces())}>`;
    expect((await consult.request('REFER', { headers: [`Refer-To: ${target}`] })).status).toBe(202);
    await asked.asked(({ method }) => method === 'REFER');
    expect((await cy.invite(first.target, replacing(first)).answered(final)).status).toBe(200);
    await first.request('BYE');
    await bo.close();
  });
});

describe('a call that was dialled while the page goes away', () => {
  test('is given up over the new connection with the branch of its INVITE', async () => {
    const sipp = await pbx(
      1,
      sippStep.invited(),
      sippStep.respond(180, 'Ringing'),
      sippStep.asked('CANCEL'),
      sippStep.respondInCall(200, 'OK'),
      sippStep.respond(487, 'Request Terminated', { later: true }),
      sippStep.asked('ACK'),
    );
    const before = await browser('1001');
    const call = before.invite(number);
    await call.answered(is(180));
    await before.close();
    const page = await browser('1001');
    page.takeOver(before, call.callId).cancel();
    await sipp.passed();
    await expect.poll(live).toEqual([]);
  });
});
