/**
 * What an office phone asks of the Kamailio edge of deploy/kamailio: lamps, waiting messages, presence, caller ID, redirections, everything that
 * happens inside a dialog, and a second edge beside the first. The browsers are scripted and have no sound.
 */
import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { startBaresip } from './baresip.ts';
import { type Edge, startEdge } from './edge.ts';
import type { FarPhone } from './far-phone.ts';
import { startLinphone } from './linphone.ts';
import { labFromEnvironment } from './namespaces.ts';
import type { SipText } from './sip-text.ts';
import { publishMessages, type Sipp, type SippStep, sippStep, startSipp } from './sipp.ts';
import { ephemeralCredential } from './wss-client.ts';
import { WssPhone } from './wss-phone.ts';

const lab = labFromEnvironment();
const [phoneAddress = '', sippAddress = '', pbxAddress = ''] = lab.far.addresses;
const secret = randomBytes(32).toString('hex');
const dialogSecret = randomBytes(32).toString('hex');

let edge: Edge;
const phones: WssPhone[] = [];
const far: (FarPhone | Sipp)[] = [];

async function browser(extension: string, at = edge): Promise<WssPhone> {
  const phone = await WssPhone.connect(at, { user: extension, credential: ephemeralCredential(secret, extension) });
  phones.push(phone);
  return phone;
}
async function scripted(...steps: SippStep[]): Promise<Sipp> {
  const sipp = await startSipp(lab, { address: sippAddress, steps });
  far.push(sipp);
  return sipp;
}

beforeAll(async () => {
  edge = await startEdge(lab, { credentialSecret: secret, dialogSecret, turnSecret: 'turn-secret', presence: true });
});
beforeEach(() => edge.forgetSip());
afterEach(async () => {
  await Promise.all(phones.splice(0).map((phone) => phone.close()));
  await Promise.all(far.splice(0).map((phone) => phone.stop()));
});
afterAll(async () => {
  await edge?.stop();
});

const is = (status: number) => (response: SipText) => response.status === status;
const final = (response: SipText) => response.status >= 200;
const shows = (state: string) => (notify: SipText) =>
  notify.body.includes(`<state>${state}</state>`) || notify.body.includes(`<state >${state}<`);
const shown = (number: string) => ({ number, label: number });
const watch = (phone: WssPhone, target: string) =>
  phone.subscribe(target, 'dialog', { accept: 'application/dialog-info+xml' });

describe('watching', () => {
  test('the lamp of an extension follows its calls, whichever end began them', async () => {
    const [ada, bo, cy] = await Promise.all([browser('1001'), browser('1002'), browser('1003')]);
    const [lamp, other] = await Promise.all([watch(cy, '1001'), watch(cy, '1002')]);
    expect([lamp.answer.status, other.answer.status]).toEqual([200, 200]);
    const call = bo.invite('1001');
    const rung = await ada.invited();
    expect((await lamp.notified(shows('early'))).body).toMatch(/direction="recipient"/);
    rung.respond(200, 'OK');
    await call.answered(is(200));
    await lamp.notified(shows('confirmed'));
    const seen = await other.notified(shows('confirmed'));
    expect(seen.body).toContain(`call-id="${call.callId}"`);
    await call.request('BYE');
    await Promise.all([lamp.notified(shows('terminated')), other.notified(shows('terminated'))]);
  });

  test('a subscription is refreshed and ended by its own connection', async () => {
    const [, cy] = await Promise.all([browser('1001'), browser('1003')]);
    const lamp = await watch(cy, '1001');
    await lamp.notified();
    expect((await lamp.refresh(300)).status).toBe(200);
    await lamp.notified(({ header }) => header('subscription-state').startsWith('active'));
    expect((await lamp.refresh(0)).status).toBe(200);
    await lamp.notified(({ header }) => header('subscription-state').startsWith('terminated'));
  });

  test('a voicemail server of the far side lights the lamp of the own mailbox, and only of that', async () => {
    const ada = await browser('1001');
    const waiting = await ada.subscribe('1001', 'message-summary', { accept: 'application/simple-message-summary' });
    expect(waiting.answer.status).toBe(200);
    const published = await publishMessages(lab, { address: sippAddress, edge, extension: '1001', fresh: 2, old: 1 });
    far.push(published);
    await published.passed();
    expect((await waiting.notified(({ body }) => body !== '')).body).toContain('Voice-Message: 2/1');
    const foreign = await ada.subscribe('1002', 'message-summary');
    expect([foreign.answer.status, foreign.answer.reason]).toEqual([403, 'Mailbox of another extension']);
  });

  test('an agent publishes his own presence, and nobody else’s, nor lamps or messages', async () => {
    const [ada, bo] = await Promise.all([browser('1001'), browser('1002')]);
    const watched = await bo.subscribe('1001', 'presence', { accept: 'application/pidf+xml' });
    expect(watched.answer.status).toBe(200);
    const pidf =
      '<?xml version="1.0"?><presence xmlns="urn:ietf:params:xml:ns:pidf" entity="sip:1001@patchcord.test">' +
      '<tuple id="t1"><status><basic>open</basic></status><note>at lunch</note></tuple></presence>';
    const publish = (target: string, event: string) =>
      ada.ask('PUBLISH', target, {
        headers: [`Event: ${event}`, 'Expires: 300'],
        body: pidf,
        type: 'application/pidf+xml',
      });
    expect((await publish('1001', 'presence')).status).toBe(200);
    await watched.notified(({ body }) => body.includes('at lunch'));
    for (const [target, event] of [
      ['1002', 'presence'],
      ['1001', 'dialog'],
      ['1001', 'message-summary'],
    ] as const) {
      const refused = await publish(target, event);
      expect([refused.status, refused.reason]).toEqual([403, 'Only your own presence']);
    }
  });

  test('nobody watches without a credential', async () => {
    const stranger = await WssPhone.connect(edge, {
      user: '1009',
      credential: ephemeralCredential('guessed', '1009'),
      register: false,
    });
    phones.push(stranger);
    expect((await watch(stranger, '1001')).answer.status).toBe(403);
  });

  test('notifications follow a browser that came back on another connection', async () => {
    const instance = '7d1d2a3c-6a0e-4a06-9d3b-0c6a1c6f1b11';
    const credential = ephemeralCredential(secret, '1003');
    const first = await WssPhone.connect(edge, { user: '1003', credential, instance });
    phones.push(first);
    const gruu = /pub-gruu="([^"]+)"/.exec(first.client.received.join('\n'))?.[1] ?? '';
    const watching = await first.subscribe('1001', 'dialog', { contact: gruu });
    expect(watching.answer.status).toBe(200);
    await first.close();
    const back = await WssPhone.connect(edge, { user: '1003', credential, instance });
    phones.push(back);
    const [ada, bo] = await Promise.all([browser('1001'), browser('1002')]);
    const call = bo.invite('1001');
    await ada.invited();
    await back.unasked.next(shows('early'));
    call.cancel();
  });
});

describe('caller ID', () => {
  test('a phone is shown as one of its numbers, and as no other', async () => {
    const [ada, bo] = await Promise.all([browser('1001'), browser('1002')]);
    await edge.rpc('htable.sets', 'caller_id', '1002', '+12125550100,+12125550101');
    const asks = (uri: string) => ({ headers: [`P-Preferred-Identity: "Front (desk)" <${uri}>`] });
    for (const uri of ['sip:+12125550101@patchcord.test', 'tel:+12125550100', 'sip:1002@patchcord.test']) {
      const call = bo.invite('1001', asks(uri));
      const { message } = await ada.invited();
      const number = /[:](\+?\d+)/.exec(uri)?.[1] ?? '';
      expect(message.headers('p-asserted-identity')).toEqual([`<sip:${number}@patchcord.test>`]);
      expect(message.header('p-preferred-identity')).toBe('');
      call.cancel();
      await call.answered(is(487));
    }
    for (const uri of ['sip:+1212555010@patchcord.test', 'sip:1001@patchcord.test', 'tel:+12125550100,+12125550101']) {
      const refused = await bo.invite('1001', asks(uri)).answered(final);
      expect([refused.status, refused.reason]).toEqual([403, 'Caller ID not allowed']);
    }
    const forged = ['P-Asserted-Identity', 'remote-party-id', 'Diversion', 'History-Info', 'Identity', 'y'];
    const claimed = bo.invite('1001', { headers: forged.map((name) => `${name}: <sip:911@patchcord.test>`) });
    const { message: shown } = await ada.invited();
    expect(forged.flatMap((name) => shown.headers(name))).toEqual([]);
    claimed.cancel();
  });

  test('the relay tells the edge which numbers whose phone may show, and the far side sees those and no others', async () => {
    const behind = await startEdge(lab, {
      credentialSecret: secret,
      dialogSecret,
      turnSecret: 'turn-secret',
      pbxUri: `sip:${pbxAddress}:5060`,
      portsFrom: 100,
    });
    const agent = (id: string, extension: string, more: object = {}) => ({
      ...{ id, name: id, extension, crmUserId: `0050000000${extension}`, ...more },
    });
    let relay: RelayInTest | undefined;
    try {
      relay = await startRelayInTest(
        testConfig({
          tenants: [
            testTenant({
              sip: {
                domain: behind.domain,
                servers: [behind.wssUrl],
                credential: { kind: 'kamailio-ephemeral', secret },
                revocation: { kamailioRpcUrl: behind.rpcUrl },
              },
              features: { park: { to: '700' }, callerIds: [shown('+14155550100'), shown('+14155550101')] },
              agents: [
                agent('ada', '1001'),
                agent('bob', '1002', { features: { callerIds: [shown('+14155550177')] } }),
                agent('cy', '1003', { features: { callerIds: [] } }),
              ],
            }),
          ],
        }),
      );
      // Written last, when the rest is there.
      await vi.waitFor(() => behind.rpc('htable.get', 'brake', 'relay'), { timeout: 10_000, interval: 50 });
      const pbx = await startSipp(lab, {
        address: pbxAddress,
        calls: 4,
        steps: [sippStep.invited(), sippStep.respond(486, 'Busy Here'), sippStep.asked('ACK')],
      });
      far.push(pbx);
      for (const [extension, number, dialled] of [
        ['1001', '+14155550101', '+14155550144'],
        ['1001', '+14155550100', '700'],
        ['1002', '+14155550177', '+14155550144'],
        ['1003', '1003', '+14155550144'],
      ] as const) {
        const phone = await browser(extension, behind);
        const call = phone.invite(dialled, { headers: [`P-Preferred-Identity: <sip:${number}@${behind.domain}>`] });
        expect((await call.answered(final)).status).toBe(486);
        const told = await behind.waitForSip(
          ({ callId, method, direction, transport }) =>
            callId === call.callId && method === 'INVITE' && direction === 'out' && transport === 'udp',
        );
        expect(told.raw).toMatch(new RegExp(`^P-Asserted-Identity: <sip:${number.replace('+', '[+]')}@`, 'm'));
        expect(told.raw).not.toMatch(/^P-Preferred-Identity:/im);
      }
      await pbx.passed();
      for (const [extension, number] of [
        ['1001', '+14155550177'],
        ['1002', '+14155550100'],
        ['1003', '+14155550100'],
        ['1001', '+14155550199'],
      ] as const) {
        const phone = await browser(extension, behind);
        const refused = await phone
          .invite('+14155550144', { headers: [`P-Preferred-Identity: <sip:${number}@${behind.domain}>`] })
          .answered(final);
        expect([refused.status, refused.reason]).toEqual([403, 'Caller ID not allowed']);
      }
    } finally {
      await relay?.closed();
      await behind.stop();
    }
  });
});

describe('sending calls elsewhere', () => {
  test('a redirection of the far side reaches the browser whole', async () => {
    const ada = await browser('1001');
    const sipp = await scripted(
      sippStep.invited(),
      sippStep.respond(302, 'Moved Temporarily', {
        headers: ['Contact: <sip:1002@patchcord.test>;q=0.7', 'Diversion: <sip:2001@patchcord.test>;reason=no-answer'],
      }),
      sippStep.asked('ACK'),
    );
    const moved = await ada.invite(sipp.uri).answered(final);
    expect(moved.status).toBe(302);
    expect(moved.headers('contact').join()).toContain('sip:1002@patchcord.test');
    expect(moved.header('diversion')).toContain('reason=no-answer');
    await sipp.passed();
  });

  test('a browser sends a call on where no call rules are set', async () => {
    const phone = await startBaresip(lab, { user: '2001', address: phoneAddress, toneHz: 600 });
    far.push(phone);
    const ada = await browser('1001');
    await phone.dial('1001');
    const rung = await ada.invited();
    rung.respond(302, 'Moved Temporarily', ['Contact: <sip:1002@patchcord.test>']);
    const { callId } = rung;
    const told = await edge.waitForSip(
      (one) => one.callId === callId && one.direction === 'out' && one.transport === 'udp' && (one.status ?? 0) >= 300,
    );
    expect(told.status).toBe(302);
  });

  test('a browser sends a call on to an extension, but to no place that costs money or lies elsewhere', async () => {
    const phone = await startBaresip(lab, { user: '2001', address: phoneAddress, toneHz: 600 });
    far.push(phone);
    await edge.rpc('htable.sets', 'brake', 'default', '-|10|100|5|lab|*');
    await edge.rpc('htable.sets', 'brake_list', 'lab::internal', '3,4');
    await edge.rpc('htable.sets', 'brake_list', 'lab::behind', '7.*98');
    await edge.rpc('htable.sets', 'brake_list', 'lab::forwards', '*72');
    const ada = await browser('1001');
    for (const [contact, status] of [
      ['<sip:1002@patchcord.test>', 302],
      ['<sip:1002@patchcord.test:5099;maddr=203.0.113.7?Diversion=%3Csip%3A911%40patchcord.test%3E>', 302],
      ['<sip:*97@patchcord.test>', 302],
      ['<sip:*981001@patchcord.test>', 302],
      ['<sip:*72900@patchcord.test>', 480],
      ['<sip:*811001@patchcord.test>', 480],
      ['<sip:0015550100@patchcord.test>', 480],
      ['<sip:1002@203.0.113.7>', 480],
      ['<sip:1002@patchcord.test>, <sip:0015550100@patchcord.test>', 480],
    ] as const) {
      await phone.dial('1001');
      const rung = await ada.invited();
      rung.respond(302, 'Moved Temporarily', [`Contact: ${contact}`]);
      const { callId } = rung;
      const told = await edge.waitForSip(
        (one) =>
          one.callId === callId && one.direction === 'out' && one.transport === 'udp' && (one.status ?? 0) >= 300,
      );
      expect([contact, told.status]).toEqual([contact, status]);
      expect(told.raw.includes('0015550100') && status === 480).toBe(false);
      // What was judged, and nothing of what stood around it.
      const [, moved = ''] = /^<sip:([^@]+)@/.exec(contact) ?? [];
      if (status === 302) expect(told.raw).toMatch(`Contact: <sip:${moved}@patchcord.test>\r\n`);
      await phone.waitFor('closed');
    }
    await edge.rpc('htable.delete', 'brake', 'default');
  });
});

describe('inside a dialog', () => {
  test('reliable ringing, UPDATE, INFO and NOTIFY pass in both directions', async () => {
    const ada = await browser('1001');
    const sipp = await scripted(
      sippStep.invited(),
      sippStep.respond(183, 'Session Progress', { headers: ['Require: 100rel', 'RSeq: 7'], withSound: true }),
      sippStep.asked('PRACK'),
      sippStep.respondInCall(200, 'OK'),
      sippStep.respond(200, 'OK', { withSound: true, later: true }),
      sippStep.asked('ACK'),
      sippStep.request('UPDATE', [
        'P-Asserted-Identity: <sip:2002@patchcord.test>',
        'Session-Expires: 90;refresher=uas',
      ]),
      sippStep.answered(200),
      sippStep.asked('INFO'),
      sippStep.respondInCall(200, 'OK'),
      sippStep.asked('REFER'),
      sippStep.respondInCall(202, 'Accepted'),
      sippStep.request('NOTIFY', ['Event: refer', 'Subscription-State: terminated;reason=noresource']),
      sippStep.answered(200),
      sippStep.asked('BYE'),
      sippStep.respondInCall(200, 'OK'),
    );
    const call = ada.invite(sipp.uri, { headers: ['Supported: 100rel, timer'] });
    expect((await call.answered(is(183))).header('rseq')).toBe('7');
    await call.answered(is(200));
    const update = await call.asked(({ method }) => method === 'UPDATE');
    expect(update.header('p-asserted-identity')).toContain('2002');
    expect((await call.request('INFO', { body: 'Signal=5\r\n', type: 'application/dtmf-relay' })).status).toBe(200);
    expect((await call.request('REFER', { headers: ['Refer-To: <sip:1002@patchcord.test>'] })).status).toBe(202);
    await call.asked(({ method }) => method === 'NOTIFY');
    await call.request('BYE');
    await sipp.passed();
  });

  test('an INVITE with Replaces for the address of a browser’s call reaches that browser', async () => {
    const [ada, bo, cy] = await Promise.all([browser('1001'), browser('1002'), browser('1003')]);
    const call = ada.invite('1002');
    (await bo.invited()).respond(200, 'OK');
    await call.answered(is(200));
    // Whoever takes a call over that is not his was sent by its agent.
    const consult = ada.invite('1003');
    (await cy.invited()).respond(200, 'OK');
    await consult.answered(is(200));
    const target = `<${call.target}?Replaces=${encodeURIComponent(call.replaces())}>`;
    expect((await consult.request('REFER', { headers: [`Refer-To: ${target}`] })).status).toBe(202);
    cy.invite(call.target, { headers: [`Replaces: ${call.replaces()}`, 'Require: replaces'] });
    const { message } = await bo.invited();
    expect(message.header('replaces')).toContain(call.callId);
  });
});

describe('the far phones', () => {
  test('have the codecs they were given, take keys by INFO, and refuse as busy', async () => {
    const phone = await startBaresip(lab, {
      ...{ user: '2001', address: phoneAddress, toneHz: 600 },
      codecs: ['PCMA', 'G722'],
    });
    far.push(phone);
    const ada = await browser('1001');
    const call = ada.invite('2001');
    await phone.waitFor('incoming');
    await phone.answer();
    expect((await call.answered(is(200))).body).toMatch(/m=audio \d+ \S+ 8 /);
    const key = { body: 'Signal=5\r\nDuration=160\r\n', type: 'application/dtmf-relay' };
    expect((await call.request('INFO', key)).status).toBe(200);
    expect((await phone.waitFor('dtmf')).detail).toBe('5');
    await call.request('BYE');
    await phone.waitFor('closed');
    const refused = ada.invite('2001');
    await phone.waitFor('incoming');
    await phone.refuse();
    expect((await refused.answered(final)).status).toBe(486);
    const other = await startLinphone(lab, { user: '2002', address: sippAddress, toneHz: 850, codecs: ['PCMA'] });
    far.push(other);
    const declined = ada.invite('2002');
    await other.waitFor('incoming');
    await other.refuse();
    expect((await declined.answered(final)).status).toBe(603);
    const taken = ada.invite('2002');
    await other.waitFor('incoming');
    await other.answer();
    expect((await taken.answered(is(200))).body).toMatch(/m=audio \d+ \S+ 8 /);
    await taken.request('BYE');
  });

  test('with A-law are heard, too', async () => {
    const [one, other] = await Promise.all(
      [
        { user: '2001', address: phoneAddress, toneHz: 600 },
        { user: '2002', address: pbxAddress, toneHz: 1250, autoAnswer: true },
      ].map((phone) => startBaresip(lab, { ...phone, codecs: ['PCMA'] })),
    );
    if (one === undefined || other === undefined) throw new Error('Two phones are needed.');
    far.push(one, other);
    await one.dial('2002');
    await one.hears(1250);
    await other.hears(600);
  });
});

describe('a PBX behind the edge', () => {
  test('is asked for lamps and messages, even of who is registered at the edge', async () => {
    const behind = await startEdge(lab, {
      credentialSecret: secret,
      dialogSecret,
      turnSecret: 'turn-secret',
      pbxUri: `sip:${pbxAddress}:5060`,
      portsFrom: 100,
    });
    try {
      const [ada, cy] = await Promise.all([browser('1001', behind), browser('1003', behind)]);
      const pbx = await startSipp(lab, {
        address: pbxAddress,
        calls: 2,
        steps: [sippStep.begun('SUBSCRIBE'), sippStep.respond(202, 'Accepted', { headers: ['Expires: 300'] })],
      });
      far.push(pbx);
      expect((await watch(cy, '1001')).answer.status).toBe(202);
      expect((await ada.subscribe('1001', 'message-summary')).answer.status).toBe(202);
      await pbx.passed();
      for (const event of ['message-summary', 'Message-Summary']) {
        const foreign = await ada.subscribe('1003', event);
        expect([foreign.answer.status, foreign.answer.reason]).toEqual([403, 'Mailbox of another extension']);
      }
    } finally {
      await behind.stop();
    }
  });
});

test('a call goes on at a second edge when the first one is gone', async () => {
  const options = { credentialSecret: secret, dialogSecret, turnSecret: 'turn-secret' };
  const first = await startEdge(lab, { ...options, portsFrom: 100 });
  const second = await startEdge(lab, { ...options, portsFrom: 200, siblingPortsFrom: 100 });
  try {
    // As a PBX: known to both edges by its address alone. SIPp would answer the first edge for ever.
    const phone = await startBaresip(lab, {
      ...{ user: '2001', address: phoneAddress, toneHz: 600, autoAnswer: true },
      register: false,
    });
    far.push(phone);
    const before = await browser('1001', first);
    const call = before.invite(phone.uri);
    await call.answered(is(200));
    await first.stopKamailio();
    const after = await browser('1001', second);
    const goesOn = after.takeOver(before, call.callId);
    expect((await goesOn.request('INVITE')).status).toBe(200);
    expect((await goesOn.request('BYE')).status).toBe(200);
    await phone.waitFor('closed');
  } finally {
    await Promise.all([first.stop(), second.stop()]);
  }
});
