/**
 * The laboratory proves itself: the edge of deploy/kamailio with real credentials, the far phones with real sound.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run test/sip-lab/lab.test.ts
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { connect } from 'node:tls';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startBaresip } from './baresip.ts';
import { type Edge, startEdge } from './edge.ts';
import type { FarPhone } from './far-phone.ts';
import { startLabProcess } from './lab-process.ts';
import { startLinphone } from './linphone.ts';
import { labFromEnvironment } from './namespaces.ts';
import { ephemeralCredential, WssClient } from './wss-client.ts';

const lab = labFromEnvironment();
const [firstAddress = '', secondAddress = '', thirdAddress = '', fourthAddress = ''] = lab.far.addresses;
const secret = randomBytes(32).toString('hex');
const oldSecret = randomBytes(32).toString('hex');
const options = { credentialSecret: secret, previousCredentialSecret: oldSecret, turnSecret: 'turn-secret' };

let edge: Edge;
const clients: WssClient[] = [];
const phones: FarPhone[] = [];

async function connected(instance?: string): Promise<WssClient> {
  const client = await WssClient.connect(edge, instance === undefined ? {} : { instance });
  clients.push(client);
  return client;
}

async function baresip(user: string, address: string, toneHz: number) {
  const phone = await startBaresip(lab, { user, address, toneHz });
  phones.push(phone);
  return phone;
}

async function linphone(user: string, address: string, toneHz: number) {
  const phone = await startLinphone(lab, { user, address, toneHz });
  phones.push(phone);
  return phone;
}

beforeAll(async () => {
  edge = await startEdge(lab, options);
});
beforeEach(() => edge.forgetSip());
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.close()));
  await Promise.all(phones.splice(0).map((phone) => phone.stop()));
});
afterAll(async () => {
  await edge?.stop();
});

describe('credentials', () => {
  test('a valid one registers, with a GRUU and a flow timer for reconnects', async () => {
    const answer = await (await connected()).register('1001', ephemeralCredential(secret, '1001'));
    expect(answer.status).toBe(200);
    expect(answer.header('contact')).toContain('pub-gruu=');
    expect(answer.header('flow-timer')).toBe('30');
  });

  test('one made with the previous secret is still taken, one made with another secret is not', async () => {
    const old = await (await connected()).register('1001', ephemeralCredential(oldSecret, '1001'));
    expect(old.status).toBe(200);
    const other = await (await connected()).register('1001', ephemeralCredential('guessed', '1001'));
    expect([other.status, other.reason]).toEqual([403, 'Bad credential']);
  });

  test('an expired one is refused as expired', async () => {
    const answer = await (await connected()).register('1001', ephemeralCredential(secret, '1001', -1));
    expect([answer.status, answer.reason]).toEqual([403, 'Credential expired']);
  });

  test('one whose life was stretched is refused', async () => {
    const { username, password } = ephemeralCredential(secret, '1001', 5);
    const stretched = { username: username.replace(/^\d+/, (seconds) => String(Number(seconds) + 3600)), password };
    const answer = await (await connected()).register('1001', stretched);
    expect([answer.status, answer.reason]).toEqual([403, 'Bad credential']);
  });

  test('one of another extension is refused, for REGISTER and for INVITE', async () => {
    const client = await connected();
    const credential = ephemeralCredential(secret, '1002');
    const registered = await client.register('1001', credential);
    expect([registered.status, registered.reason]).toEqual([403, 'Credential of another extension']);
    const invited = await client.request('INVITE', 'sip:2001@patchcord.test', { from: '1001', to: '2001', credential });
    expect(invited.status).toBe(403);
  });

  test('a revoked device is refused and cannot be called, the other device of the agent is not touched', async () => {
    const lost = ephemeralCredential(secret, '1001', 300);
    const kept = ephemeralCredential(secret, '1001', 301);
    const phone = await baresip('2001', firstAddress, 600);
    const client = await connected();
    expect((await client.register('1001', lost)).status).toBe(200);

    await edge.rpc('htable.setxs', 'denied', lost.username, '1', 3600);
    await edge.rpc('ul.rm', 'location', '1001');

    const again = await client.register('1001', lost);
    expect([again.status, again.reason]).toEqual([403, 'Credential revoked']);
    const invited = await client.request('INVITE', 'sip:2001@patchcord.test', {
      from: '1001',
      to: '2001',
      credential: lost,
    });
    expect([invited.status, invited.reason]).toEqual([403, 'Credential revoked']);
    await phone.dial('1001');
    expect((await phone.waitFor('closed')).detail).toContain('404');
    expect((await (await connected()).register('1001', kept)).status).toBe(200);
  });

  test('a revoked agent is refused on every device, and let in again with a credential made later', async () => {
    const life = 300;
    const devices = [ephemeralCredential(secret, '1003', life), ephemeralCredential(secret, '1003', life - 60)];
    await edge.rpc('htable.setxi', 'denied_until', '1003', Math.floor(Date.now() / 1000) + life, 3600);
    for (const device of devices) {
      const answer = await (await connected()).register('1003', device);
      expect([answer.status, answer.reason]).toEqual([403, 'Credential revoked']);
    }
    const later = ephemeralCredential(secret, '1003', life + 2);
    expect((await (await connected()).register('1003', later)).status).toBe(200);
  });

  test('a connection that was revoked cannot go on in a dialog, except to end it', async () => {
    const client = await connected();
    const credential = ephemeralCredential(secret, '1004');
    await client.register('1004', credential);
    await edge.rpc('htable.setxs', 'denied', credential.username, '1', 3600);
    const inDialog = { from: '1004', to: '2001', toTag: 'far', headers: ['Route: <sip:10.77.0.1;lr>'] };
    const refer = await client.request('REFER', `sip:2001@${firstAddress}`, inDialog);
    expect([refer.status, refer.reason]).toEqual([403, 'Credential revoked']);
  });
});

describe('the edge', () => {
  test('answers a keep-alive OPTIONS exactly once', async () => {
    const client = await connected();
    const answer = await client.request('OPTIONS', 'sip:patchcord.test', { from: '1001', to: '1001' });
    expect(answer.status).toBe(200);
    // A second answer to the first question would come before the answer to the second.
    await client.request('OPTIONS', 'sip:patchcord.test', { from: '1001', to: '1001' });
    expect(client.received.filter((text) => text.startsWith('SIP/2.0 200'))).toHaveLength(2);
  });

  test('forgets a browser whose connection is gone, but not one that has come back on a new connection', async () => {
    const instance = randomUUID();
    const [leaving, before, after] = [await connected(), await connected(instance), await connected(instance)];
    await leaving.register('1006', ephemeralCredential(secret, '1006'));
    await before.register('1007', ephemeralCredential(secret, '1007'));
    await after.register('1007', ephemeralCredential(secret, '1007'));
    await Promise.all([leaving.close(), before.close()]);
    const bindings = (extension: string) => edge.rpc('ul.lookup', 'location', extension);
    await vi.waitFor(() => expect(bindings('1006')).rejects.toThrow(/not found/), { timeout: 9000, interval: 200 });
    expect(await bindings('1007')).toMatchObject({ AoR: '1007' });
  });

  test('opens no WebSocket for a foreign page', async () => {
    await expect(WssClient.connect(edge, { origin: 'https://elsewhere.example' })).rejects.toThrow(/403/);
  });

  test('sends a browser nowhere but to registered phones and trusted networks', async () => {
    const client = await connected();
    const credential = ephemeralCredential(secret, '1005');
    const invite = (uri: string) => client.request('INVITE', uri, { from: '1005', to: '2001', credential });
    expect((await invite('sip:victim@203.0.113.7')).status).toBe(403);
    expect((await invite('sip:victim@elsewhere.example')).status).toBe(403);
    expect((await invite('sip:nobody@patchcord.test')).status).toBe(404);
    const inDialog = { from: '1001', to: '2001', toTag: 'far', headers: ['Route: <sip:10.77.0.1;lr>'] };
    const unregistered = await client.request('INFO', `sip:2001@${firstAddress}`, inDialog);
    expect([unregistered.status, unregistered.reason]).toEqual([403, 'Register on this connection first']);
  });

  test('keeps its control port to the relay', async () => {
    const status = await new Promise<string>((resolve) => {
      const ask = `fetch(${JSON.stringify(edge.rpcUrl)}, { method: 'POST', body: '{}' }).then((answer) => console.log(answer.status))`;
      const asked = startLabProcess({ namespace: lab.far.namespace, command: [process.execPath, '-e', ask] });
      asked.onLine(resolve);
    });
    expect(status).toBe('403');
  });

  test('offers a browser DTLS-SRTP and ICE when a plain phone calls it, and tells the phone that it is busy', async () => {
    const client = await connected();
    await client.register('1001', ephemeralCredential(secret, '1001'));
    const phone = await baresip('2001', firstAddress, 600);
    await phone.dial('1001');
    const invite = await client.waitFor(/^INVITE /);
    expect(invite).toMatch(/m=audio \d+ UDP\/TLS\/RTP\/SAVPF /);
    expect(invite).toMatch(/a=fingerprint:/);
    expect(invite).toMatch(/a=candidate:.* 10\.77\.0\.1 .* typ host/);
    client.answer(invite, 486, 'Busy Here');
    expect((await phone.waitFor('closed')).detail).toContain('486');
  });

  test('gives a plain phone plain RTP when a browser calls it, and the browser DTLS-SRTP in the answer', async () => {
    const client = await connected();
    const credential = ephemeralCredential(secret, '1001');
    await client.register('1001', credential);
    const phone = await baresip('2001', firstAddress, 600);
    const answered = client.request('INVITE', 'sip:2001@patchcord.test', {
      from: '1001',
      to: '2001',
      credential,
      body: browserOffer,
    });
    await phone.waitFor('incoming');
    await phone.answer();
    const answer = await answered;
    expect(answer.status).toBe(200);
    expect(answer.body).toMatch(/UDP\/TLS\/RTP\/SAVPF/);
    expect(answer.body).toMatch(/a=fingerprint:/);
    const toPhone = await edge.waitForSip((message) => message.method === 'INVITE' && message.direction === 'out');
    expect(toPhone.body).toMatch(/m=audio \d+ RTP\/AVP /);
    expect(toPhone.body).not.toMatch(/fingerprint|candidate|crypto/);

    client.acknowledge(answer);
    await phone.waitFor('established');
    await phone.hangUp();
    // Our Contact was an .invalid host: the alias of the edge led the BYE back into this WebSocket.
    await client.waitFor(/^BYE sip:1001@/);
  });

  test('relays the media between two browsers, too', async () => {
    const [caller, callee] = [await connected(), await connected()];
    const credential = ephemeralCredential(secret, '1001');
    await caller.register('1001', credential);
    await callee.register('1002', ephemeralCredential(secret, '1002'));
    const call = { from: '1001', to: '1002', credential, body: browserOffer };
    const refused = caller.request('INVITE', 'sip:1002@patchcord.test', call);
    const invite = await callee.waitFor(/^INVITE /);
    expect(invite).toMatch(/m=audio \d+ UDP\/TLS\/RTP\/SAVPF /);
    expect(invite).toMatch(/a=candidate:.* 10\.77\.0\.1 .* typ host/);
    expect(invite).not.toContain('10.77.0.10 50000');
    callee.answer(invite, 603, 'Decline');
    expect((await refused).status).toBe(603);
  });

  test('rings a browser and a plain phone of one extension, each in its own kind of media', async () => {
    const browser = await connected();
    await browser.register('2002', ephemeralCredential(secret, '2002'));
    const desk = await baresip('2002', secondAddress, 850);
    const caller = await baresip('2001', firstAddress, 600);
    await caller.dial('2002');
    const invite = await browser.waitFor(/^INVITE /);
    expect(invite).toMatch(/UDP\/TLS\/RTP\/SAVPF.*a=fingerprint/s);
    browser.answer(invite, 180, 'Ringing');
    await desk.waitFor('incoming');
    await desk.answer();
    await Promise.all([caller.hears(850), desk.hears(600)]);
    await browser.waitFor(/^CANCEL /);
  });

  test('answers again after a restart', async () => {
    await edge.restartKamailio();
    const answer = await (await connected()).register('1001', ephemeralCredential(secret, '1001'));
    expect(answer.status).toBe(200);
  });
});

describe('connections that break off together', () => {
  /** Goes through the handshake and is then dropped without a farewell, or in the middle of it. */
  const broken = (at: 'handshake' | 'open') =>
    new Promise<void>((resolve) => {
      const { hostname: host, port } = new URL(edge.wssUrl);
      const socket = connect({ host, port: Number(port), rejectUnauthorized: false });
      socket.on(at === 'open' ? 'secureConnect' : 'connect', () => setTimeout(() => socket.destroy(), 3));
      socket.on('error', () => socket.destroy());
      socket.on('close', () => resolve());
    });

  test('spoil no handshake of others, and the edge stays up', async () => {
    for (let round = 0; round < 60; round += 1) {
      const drops = Array.from({ length: 16 }, (_, place) => broken(place % 2 === 0 ? 'open' : 'handshake'));
      const steady = await Promise.all([connected(), connected()]);
      await Promise.all(drops);
      await Promise.all(steady.map((client) => client.close()));
    }
    expect((await (await connected()).register('1001', ephemeralCredential(secret, '1001'))).status).toBe(200);
  });
});

describe('an attacker at the edge', () => {
  /** Outside of the trusted networks; nothing has to listen there, the trace shows what was sent. */
  const victim = `${lab.agent.address}:5060`;
  const edgeRoute = `Route: <sip:${lab.edge.address};lr>`;
  /** Next hops that only look like a WebSocket. */
  const disguises = [`<sip:${victim};lr;x-transport=ws>`, `<sip:transport=ws@${victim};lr>`];

  /** What the edge has sent of these calls. The answered OPTIONS proves that all the client has sent before is dealt with. */
  async function sentOn(client: WssClient, ...callIds: string[]): Promise<string[]> {
    const callId = randomUUID();
    await client.request('OPTIONS', 'sip:patchcord.test', { from: '1', to: '1', callId });
    await edge.waitForSip((message) => message.callId === callId && message.status === 200);
    return edge
      .sipTrace()
      .filter((message) => message.direction === 'out' && callIds.includes(message.callId))
      .filter((message) => !message.transport.startsWith('ws') && message.transport !== 'tls')
      .map((message) => message.summary);
  }

  function inDialogText(method: string, uri: string, callId: string, routes: string[]): string {
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/WSS attacker.invalid;branch=z9hG4bK${randomUUID()}`,
      'Max-Forwards: 70',
      'From: <sip:1001@patchcord.test>;tag=invented',
      'To: <sip:2001@patchcord.test>;tag=invented-too',
      `Call-ID: ${callId}`,
      `CSeq: 1 ${method}`,
      ...routes,
      'Content-Length: 0\r\n\r\n',
    ].join('\r\n');
  }

  /** A call of extension 1001 to a plain phone, with the Route headers that lead back into it. */
  async function runningCall() {
    const client = await connected();
    const credential = ephemeralCredential(secret, '1001');
    await client.register('1001', credential);
    const phone = await baresip('2001', firstAddress, 600);
    const ids = { callId: randomUUID(), fromTag: 'ours' };
    const call = { from: '1001', to: '2001', credential, body: browserOffer, ...ids };
    const answered = client.request('INVITE', 'sip:2001@patchcord.test', call);
    await phone.waitFor('incoming');
    await phone.answer();
    const answer = await answered;
    client.acknowledge(answer);
    await phone.waitFor('established');
    const routes = answer
      .headers('record-route')
      .flatMap((value) => value.split(/,\s*(?=<)/))
      .reverse();
    const target = /<([^>]+)>/.exec(answer.header('contact') ?? '')?.[1] ?? '';
    const toTag = /;tag=([^;\s]+)/.exec(answer.header('to') ?? '')?.[1] ?? '';
    return { client, phone, target, routes, dialog: { from: '1001', to: '2001', toTag, ...ids } };
  }

  test('gets nothing relayed without a credential, whatever the Route says', async () => {
    const client = await connected();
    const callIds: string[] = [];
    for (const method of ['BYE', 'ACK']) {
      for (const hop of [...disguises, `<sip:${firstAddress}:5060;lr>`]) {
        const callId = randomUUID();
        callIds.push(callId);
        client.send(inDialogText(method, `sip:2001@${victim}`, callId, [edgeRoute, `Route: ${hop}`]));
      }
    }
    expect(await sentOn(client, ...callIds)).toEqual([]);
    // ACK is never answered
    expect(client.received.filter((text) => /^SIP\/2\.0 403 Not a dialog of this edge.* BYE/s.test(text))).toHaveLength(
      3,
    );
  });

  test('as an agent in a real call cannot lead it to a foreign address that only looks like a WebSocket', async () => {
    const { client, phone, target, routes, dialog } = await runningCall();
    for (const hop of disguises) {
      const headers = [...routes, hop].map((route) => `Route: ${route}`);
      const answer = await client.request('INVITE', target, { ...dialog, headers });
      expect([answer.status, answer.reason]).toEqual([403, 'Not a destination of this edge']);
    }
    expect((await sentOn(client, dialog.callId)).filter((line) => line.includes(victim))).toEqual([]);
    const headers = routes.map((route) => `Route: ${route}`);
    expect((await client.request('BYE', target, { ...dialog, headers })).status).toBe(200);
    await phone.waitFor('closed');
  });

  test('is told from a browser that comes back into its call on a new connection, even after a restart', async () => {
    const { client, phone, target, routes, dialog } = await runningCall();
    await Promise.all([client.close(), edge.restartKamailio()]);
    const back = await connected();
    await back.register('1001', ephemeralCredential(secret, '1001'));
    const headers = routes.map((route) => `Route: ${route}`);
    // The new client counts from the beginning, but in the dialog the BYE has to be numbered above the INVITE (RFC 3261 section 12.2.1.1).
    for (let sent = 0; sent < 3; sent++)
      await back.request('OPTIONS', 'sip:patchcord.test', { from: '1001', to: '1001' });
    expect((await back.request('BYE', target, { ...dialog, headers })).status).toBe(200);
    await phone.waitFor('closed');
  });

  test('as an agent cannot pass the credential check by an invented To tag, nor with the mark of another call', async () => {
    const { client, routes, dialog } = await runningCall();
    const headers = routes.map((route) => `Route: ${route}`);
    const [withoutMark, withOthersMark] = [randomUUID(), randomUUID()];
    for (const [callId, given] of [
      [withoutMark, [edgeRoute]],
      [withOthersMark, headers],
    ] as const) {
      const invented = { from: '1099', to: '2001', toTag: 'invented', callId, headers: [...given] };
      for (const method of ['INVITE', 'REFER', 'BYE']) {
        const answer = await client.request(method, `sip:2001@${firstAddress}`, invented);
        expect([method, answer.status, answer.reason]).toEqual([method, 403, 'Not a dialog of this edge']);
      }
    }
    expect(await sentOn(client, withoutMark, withOthersMark)).toEqual([]);
    expect((await client.request('BYE', `sip:2001@${firstAddress}`, { ...dialog, headers })).status).toBe(200);
  });

  test('without a credential cannot cut the sound of a call whose Call-ID and tags it knows', async () => {
    const [caller, callee] = [await baresip('2001', firstAddress, 600), await baresip('2002', secondAddress, 850)];
    await caller.dial('2002');
    await callee.waitFor('incoming');
    await callee.answer();
    await Promise.all([caller.hears(850), callee.hears(600)]);
    const accepted = await edge.waitForSip((message) => message.status === 200 && message.cseq.method === 'INVITE');
    const tag = (name: string) => /;tag=([^;\s]+)/.exec(accepted.header(name) ?? '')?.[1] ?? '';
    const client = await connected();
    const answer = await client.request('BYE', `sip:2002@${secondAddress}`, {
      from: '2001',
      to: '2002',
      callId: accepted.callId,
      fromTag: tag('from'),
      toTag: tag('to'),
      headers: [edgeRoute],
    });
    expect([answer.status, answer.reason]).toEqual([403, 'Not a dialog of this edge']);
    await Promise.all([caller.hears(850), callee.hears(600)]);
  });

  test('cannot have a response sent on to the address in its Via', async () => {
    const client = await connected();
    const callIds: string[] = [];
    for (const target of [victim, `${firstAddress}:5060`]) {
      const callId = randomUUID();
      callIds.push(callId);
      client.send(
        [
          'SIP/2.0 200 OK',
          `Via: SIP/2.0/UDP ${lab.edge.address}:5060;branch=z9hG4bK${randomUUID()}`,
          `Via: SIP/2.0/UDP ${target};branch=z9hG4bK${randomUUID()}`,
          'From: <sip:2001@patchcord.test>;tag=invented',
          'To: <sip:1001@patchcord.test>;tag=invented-too',
          `Call-ID: ${callId}`,
          'CSeq: 1 INVITE',
          'Content-Length: 0\r\n\r\n',
        ].join('\r\n'),
      );
    }
    expect(await sentOn(client, ...callIds)).toEqual([]);
  });
});

describe('the far phones', () => {
  test('two baresips hear each other and nothing else, through hold and resume', async () => {
    const caller = await baresip('2001', firstAddress, 600);
    const callee = await baresip('2002', secondAddress, 850);
    await caller.dial('2002');
    await callee.waitFor('incoming');
    await caller.waitFor('ringing');
    await callee.answer();
    await Promise.all([caller.waitFor('established'), callee.waitFor('established')]);

    const [atCaller, atCallee] = await Promise.all([caller.hears(850), callee.hears(600)]);
    expect(atCaller.amplitude(850)).toBeGreaterThan(0.1);
    expect(atCallee.amplitude(600)).toBeGreaterThan(0.1);
    expect((await caller.listen()).amplitude(600)).toBeLessThan(0.003);
    expect(callee.ownRecordings().length).toBeGreaterThan(0);

    await callee.hold();
    await caller.hearsSilence();
    await callee.resume();
    await caller.hears(850);

    await caller.sendDtmf('1#');
    await callee.waitFor('dtmf');
    await callee.waitFor('dtmf');
    expect(callee.dtmf).toEqual(['1', '#']);

    await caller.hangUp();
    await callee.waitFor('closed');
    const bye = await edge.waitForSip((message) => message.method === 'BYE');
    expect(bye.header('call-id')).toBe(bye.callId);
  });

  test('baresip and linphone hear each other', async () => {
    const caller = await baresip('2001', firstAddress, 600);
    const callee = await linphone('2003', thirdAddress, 1700);
    await caller.dial('2003');
    await callee.waitFor('incoming');
    await callee.answer();
    await Promise.all([caller.hears(1700, { amplitude: 0.1 }), callee.hears(600, { amplitude: 0.1 })]);
    await callee.sendDtmf('5');
    await caller.waitFor('dtmf');
    expect(caller.dtmf).toEqual(['5']);
    await callee.hangUp();
    await caller.waitFor('closed');
  });

  test('linphone transfers one linphone to another: two calls become one, and both hear each other', async () => {
    const first = await linphone('2001', firstAddress, 700);
    const agent = await linphone('2002', secondAddress, 1250);
    const second = await linphone('2003', thirdAddress, 1700);
    await first.dial('2002');
    await agent.waitFor('incoming');
    await agent.answer();
    await agent.hears(700);
    await agent.hold();
    await agent.dial('2003');
    await second.waitFor('incoming');
    await second.answer();
    await second.hears(1250);
    await agent.transferToCall(1, 2);
    await Promise.all([first.hears(1700), second.hears(700)]);
    const replacing = await edge.waitForSip((message) => message.header('replaces') !== undefined);
    expect(replacing.method).toBe('INVITE');
    expect(await second.callCount()).toBe(1);
  });

  test('an address behind the edge that never answers stays silent: no refusal comes back', async () => {
    const { createSocket } = await import('node:dgram');
    const socket = createSocket('udp4');
    const refusals: Error[] = [];
    socket.on('error', (error) => refusals.push(error));
    // Connected, so that an ICMP refusal would come back as an error.
    await new Promise<void>((resolve) => socket.connect(3478, lab.blackHole.address, resolve));
    for (let sent = 0; sent < 5; sent++) {
      await new Promise((resolve) => socket.send('hello', resolve));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    socket.close();
    expect(refusals).toEqual([]);
  });
});

describe('an edge with a PBX behind it that counts refused credentials', () => {
  beforeAll(async () => {
    await edge.stop();
    edge = await startEdge(lab, {
      ...options,
      failedCredentialLimit: 3,
      rpcToken: 'relay-token',
      pbxUri: `sip:${fourthAddress}:5060`,
    });
  });

  test('sends to the PBX what no browser is registered for, and never back what came from the PBX', async () => {
    const pbx = await startBaresip(lab, { user: '3000', address: fourthAddress, toneHz: 700, register: false });
    phones.push(pbx);
    const client = await connected();
    const credential = ephemeralCredential(secret, '1001');
    await client.register('1001', credential);
    const call = { from: '1001', to: '3000', credential, body: browserOffer };
    const answered = client.request('INVITE', 'sip:3000@patchcord.test', call);
    await pbx.waitFor('incoming');
    await pbx.answer();
    expect((await answered).status).toBe(200);
    await pbx.dial('sip:1999@patchcord.test');
    await edge.waitForSip((message) => message.status === 404 && message.peer.startsWith(fourthAddress));
  });

  test('takes control requests with its token only', async () => {
    const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'core.uptime', params: [] });
    const authorization = 'Bearer guessed';
    expect((await fetch(edge.rpcUrl, { method: 'POST', body })).status).toBe(401);
    expect((await fetch(edge.rpcUrl, { method: 'POST', body, headers: { authorization } })).status).toBe(401);
    expect(await edge.rpc('core.uptime')).toBeTruthy();
  });

  test('stops answering an address that guesses, but not a connection that has proved itself', async () => {
    const honest = await connected();
    const credential = ephemeralCredential(secret, '1001');
    expect((await honest.register('1001', credential)).status).toBe(200);
    for (let guess = 0; guess < 3; guess++) {
      const answer = await (await connected()).register('1001', ephemeralCredential('guessed', '1001'));
      expect(answer.status).toBe(403);
    }
    const silenced = (await connected()).request('OPTIONS', 'sip:patchcord.test', {
      from: '1',
      to: '1',
      withinMs: 400,
    });
    await expect(silenced).rejects.toThrow(/Nothing like/);
    expect((await honest.register('1001', credential)).status).toBe(200);
  });
});

/** What a browser offers, shortened; nothing answers at its candidate. */
const browserOffer = [
  'v=0',
  'o=- 4611731400430051336 2 IN IP4 127.0.0.1',
  's=-',
  't=0 0',
  'a=group:BUNDLE 0',
  'm=audio 50000 UDP/TLS/RTP/SAVPF 111 0 8 126',
  'c=IN IP4 10.77.0.10',
  'a=rtcp:9 IN IP4 0.0.0.0',
  'a=candidate:1 1 udp 2122260223 10.77.0.10 50000 typ host',
  'a=ice-ufrag:abcd',
  'a=ice-pwd:abcdefghijklmnopqrstuvwx',
  `a=fingerprint:sha-256 ${Array.from({ length: 32 }, () => 'AB').join(':')}`,
  'a=setup:actpass',
  'a=mid:0',
  'a=sendrecv',
  'a=rtcp-mux',
  'a=rtpmap:111 opus/48000/2',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:8 PCMA/8000',
  'a=rtpmap:126 telephone-event/8000',
  '',
].join('\r\n');
