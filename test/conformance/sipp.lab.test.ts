/**
 * What an agent's phone does with a far side that no phone on a desk is: SIPp, behind the edge, saying exactly what a scenario says. Its sound is an
 * echo. What is recorded here stands in docs/conformance.md.
 */
import { randomBytes } from 'node:crypto';
import type { SipAccount } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type Sipp, type SippStep, sippStep, startSipp } from '../sip-lab/sipp.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { type DeskPhone, Phones } from './phones.ts';
import { conforms } from './record.ts';
import { direction } from './wire.ts';

const lab = labFromEnvironment();
const [address = ''] = lab.far.addresses;
const ourTone = 440;
const credentialSecret = randomBytes(32).toString('hex');
const { invited, asked, answered, respond, respondInCall, request, wait } = sippStep;

let edge: Edge;
let phones: Phones;
let ada: DeskPhone;
const running: Sipp[] = [];

beforeAll(async () => {
  [edge, phones] = await Promise.all([
    startEdge(lab, {
      credentialSecret,
      turnSecret: randomBytes(16).toString('hex'),
      // What is registered nowhere is for SIPp.
      pbxUri: `sip:${address}:5060`,
    }),
    Phones.start(ourTone),
  ]);
});
afterAll(async () => {
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
afterEach(async () => {
  await phones.closeAll();
  await Promise.all(running.splice(0).map((sipp) => sipp.stop()));
});

async function scenario(...steps: readonly SippStep[]): Promise<Sipp> {
  const sipp = await startSipp(lab, { address, steps });
  running.push(sipp);
  return sipp;
}
/** Scenarios that call the phone. */
async function calling(...steps: readonly SippStep[]): Promise<Sipp> {
  const sipp = await startSipp(lab, { address, steps, to: edge.sipAddress, service: '1001' });
  running.push(sipp);
  return sipp;
}
const bye = [asked('BYE'), respondInCall(200, 'OK')];
const answers = [respond(200, 'OK', { withSound: true }), asked('ACK')];
const audio = 'm=audio [media_port] RTP/AVP 0 101\na=rtpmap:0 PCMU/8000\na=rtpmap:101 telephone-event/8000';
const offer = (...more: readonly string[]) =>
  [...['v=0', 'o=sipp 1 1 IN IP4 [local_ip]', 's=-', 'c=IN IP4 [media_ip]', 't=0 0', audio, ...more]].join('\n');
const invite = (headers: readonly string[], body = offer()) =>
  sippStep.begin('INVITE', { domain: 'patchcord.test', from: '2001', headers, body });
/** Within a call that SIPp began: to what the last response said. */
const inOwnCall = (method: string, cseq: number, headers: readonly string[] = []): SippStep =>
  `<send><![CDATA[\n${[
    `${method} [next_url] SIP/2.0`,
    'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
    '[routes]',
    'Max-Forwards: 70',
    'From: <sip:2001@patchcord.test>;tag=[pid]SIPp[call_number]',
    'To: <sip:[service]@patchcord.test>[peer_tag_param]',
    'Call-ID: [call_id]',
    `CSeq: ${cseq} ${method}`,
    'Contact: <sip:sipp@[local_ip]:[local_port]>',
    ...headers,
    'Content-Length: 0',
  ].join('\n')}\n\n]]></send>`;
/** To the INVITE that SIPp began so many steps ago: with its branch (RFC 3261 section 9.1). */
const ofTheInvite = (method: string, stepsAgo: number, headers: readonly string[] = []): SippStep =>
  `<send><![CDATA[\n${[
    `${method} sip:[service]@patchcord.test SIP/2.0`,
    `Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-${stepsAgo}]`,
    'Max-Forwards: 70',
    'From: <sip:2001@patchcord.test>;tag=[pid]SIPp[call_number]',
    `To: <sip:[service]@patchcord.test>${method === 'ACK' ? '[peer_tag_param]' : ''}`,
    'Call-ID: [call_id]',
    `CSeq: 1 ${method}`,
    ...headers,
    'Content-Length: 0',
  ].join('\n')}\n\n]]></send>`;

it('rings without a Contact, speaks before it answers, and answers', async () => {
  const bare = respond(180, 'Ringing').replace(/^Contact:.*\n/m, '');
  const sipp = await scenario(invited(), bare, wait(300), ...answers, ...bye);
  const { call } = await ada.port.dial('3001');
  expect((await ada.port.next('sip.ringing', call)).signal.earlyMedia).toBe(false);
  await ada.port.next('sip.answered', call, 15_000);
  expect((await ada.wire.seesResponse('far', 180, 'INVITE')).header('contact')).toBe('');
  await ada.hears(ourTone);
  await ada.hangUp(call);
  await sipp.passed();
  conforms('18x without Contact', 'sipp', {
    heard: 'the agent: its own 440 Hz, echoed, after the answer',
    wire: '180 without Contact → 200 → ACK; BYE → 200',
  });
  conforms('outbound call', 'sipp', {
    heard: 'the agent: its own 440 Hz, echoed',
    wire: 'INVITE → 180 → 200 → ACK; BYE → 200',
  });

  ada.wire.forget();
  const early = await scenario(
    invited(),
    respond(183, 'Session Progress', { withSound: true }),
    asked('CANCEL'),
    respondInCall(200, 'OK'),
    respond(487, 'Request Terminated', { later: true }),
    asked('ACK'),
  );
  const second = await ada.port.dial('3001');
  expect((await ada.port.next('sip.ringing', second.call)).signal.earlyMedia).toBe(true);
  // A microphone that is open before the answer would be heard in the echo.
  expect((await ada.wire.seesResponse('far', 183, 'INVITE')).body).toMatch(/^m=audio/m);
  await ada.hangUp(second.call);
  await ada.wire.seesRequest('phone', 'CANCEL');
  await early.passed();
  conforms('early media', 'sipp', { heard: '–', wire: '183 with a description → CANCEL → 200 and 487 → ACK' });
});

it('refuses in every way, and sends elsewhere', async () => {
  for (const [code, reason] of [
    [486, 'Busy Here'],
    [603, 'Decline'],
    [480, 'Temporarily Unavailable'],
  ] as const) {
    const sipp = await scenario(invited(), respond(code, reason), asked('ACK'));
    const { call } = await ada.port.dial('3001');
    expect(await ada.ended(call)).toMatchObject({ by: 'far-side', code });
    await sipp.passed();
    await sipp.stop();
  }
  const sipp = await scenario(
    invited(),
    respond(302, 'Moved Temporarily', { headers: ['Contact: <sip:9@elsewhere.example>'] }).replace(
      'Contact: <sip:sipp@[local_ip]:[local_port]>\n',
      '',
    ),
    asked('ACK'),
  );
  const { call } = await ada.port.dial('3001');
  expect(await ada.ended(call)).toMatchObject({ by: 'far-side', code: 302 });
  await sipp.passed();
  expect(ada.wire.requests('phone', 'INVITE').filter((it) => !it.first.includes('3001'))).toEqual([]);
  conforms('decline, busy, redirect', 'sipp', {
    heard: '–',
    wire: '486, 603, 480 → ACK, told as such; 302 to another domain → ACK, and no INVITE there',
  });
});

it('has its ringing acknowledged, says by UPDATE who it is, and takes keys by INFO', async () => {
  const phone = await open({ digits: 'info' });
  const sipp = await scenario(
    invited(),
    respond(183, 'Session Progress', { headers: ['Require: 100rel', 'RSeq: 7'], withSound: true }),
    asked('PRACK'),
    respondInCall(200, 'OK'),
    respond(200, 'OK', { withSound: true, later: true }),
    asked('ACK'),
    request('UPDATE', ['P-Asserted-Identity: "Carol" <sip:2002@patchcord.test>']),
    answered(200),
    asked('INFO'),
    respondInCall(200, 'OK'),
    ...bye,
  );
  const { call } = await phone.port.dial('3001');
  await phone.port.next('sip.answered', call, 15_000);
  expect((await phone.wire.seesRequest('phone', 'PRACK')).header('rack')).toMatch(/^7 \d+ INVITE$/);
  await phone.hears(ourTone);
  conforms('reliable ringing (PRACK)', 'sipp', {
    heard: 'the agent: its own 440 Hz, echoed, with the description of the 183',
    wire: '183 with RSeq: 7 → PRACK with RAck: 7 → 200 to both',
  });
  phone.port.rewind();
  expect((await phone.port.next('sip.identified', call)).signal.farSide).toEqual({ number: '2002', name: 'Carol' });
  await phone.wire.seesResponse('phone', 200, 'UPDATE');
  conforms('connected identity (UPDATE)', 'sipp', {
    heard: '–',
    wire: 'UPDATE with P-Asserted-Identity → 200; the phone shows the name',
  });
  await phone.port.command('sendDigits', call, '5');
  expect((await phone.wire.seesRequest('phone', 'INFO')).body).toMatch(/^Signal=5/);
  await phone.wire.seesResponse('far', 200, 'INFO');
  conforms('DTMF by INFO', 'sipp', { heard: '–', wire: 'INFO application/dtmf-relay with Signal=5 → 200' });
  await phone.hangUp(call);
  await sipp.passed();
});

it('leaves it to the phone to keep the session up', async () => {
  const sipp = await scenario(
    invited(),
    respond(200, 'OK', { withSound: true, headers: ['Require: timer', 'Session-Expires: 10;refresher=uac'] }),
    asked('ACK'),
    asked('UPDATE'),
    respondInCall(200, 'OK'),
    ...bye,
  );
  const call = await ada.connect('3001');
  const update = await ada.wire.seesRequest('phone', 'UPDATE');
  expect(update.header('session-expires')).toMatch(/;refresher=uac$/);
  await ada.hears(ourTone);
  await ada.hangUp(call);
  await sipp.passed();
  conforms('session timer', 'sipp', {
    heard: 'the agent: its own 440 Hz, echoed, after the refresh',
    wire: '200 with Session-Expires: 10;refresher=uac → UPDATE half-way through, with the same',
  });
});

it('calls with video, for somebody else, or to be answered at once', async () => {
  const video = await calling(
    invite([], offer('m=video 6000 RTP/AVP 96', 'a=rtpmap:96 VP8/90000')),
    answered(100, true),
    answered(180, true),
    answered(200),
    inOwnCall('ACK', 1),
    ...bye,
  );
  const first = await ada.invited();
  await ada.answer(first.call);
  const answer = await ada.wire.seesResponse('phone', 200, 'INVITE');
  expect(answer.body).toMatch(/^m=audio [1-9]/m);
  expect(answer.body).toMatch(/^m=video 0 /m);
  expect(direction(answer)).toBe('sendrecv');
  await ada.hears(ourTone);
  await ada.hangUp(first.call);
  await video.passed();
  conforms('video offer', 'sipp', {
    heard: 'the agent: its own 440 Hz, echoed',
    wire: 'offer with audio and video → answer with audio and m=video 0',
  });
  conforms('inbound call', 'sipp', {
    heard: 'the agent: its own 440 Hz, echoed',
    wire: 'INVITE → 180 → 200 → ACK; BYE → 200',
  });

  const elsewhere = await calling(
    invite(
      [
        'P-Asserted-Identity: "Carol" <sip:2002@patchcord.test>',
        'Diversion: <sip:1009@patchcord.test>;reason=no-answer',
        `Call-Info: <sip:patchcord.test>;answer-after=0`,
      ],
      offer(),
    ),
    answered(100, true),
    answered(180),
    // Asked to end before the answer: another device has it.
    ofTheInvite('CANCEL', 3, ['Reason: SIP;cause=200;text="Call completed elsewhere"']),
    answered(200),
    answered(487),
    ofTheInvite('ACK', 6),
  );
  const second = await ada.invited();
  expect(second.from).toEqual({ number: '2002', name: 'Carol' });
  expect(second.diverted).toMatchObject({ from: { number: '1009' }, reason: expect.stringMatching(/no.answer/i) });
  expect(second.answersAfterMs).toBe(0);
  expect(await ada.ended(second.call)).toMatchObject({ by: 'far-side', elsewhere: true });
  await elsewhere.passed();
  conforms('caller ID shown', 'sipp', {
    heard: '–',
    wire: 'INVITE with P-Asserted-Identity and Diversion: the phone shows who calls and whom it was for',
  });
  conforms('intercom', 'sipp', {
    heard: '–',
    wire: 'INVITE with Call-Info answer-after=0: the phone is told to answer by itself',
  });
  conforms('answered elsewhere', 'sipp', {
    heard: '–',
    wire: 'CANCEL with Reason: SIP;cause=200 → 200 and 487',
  });
});
