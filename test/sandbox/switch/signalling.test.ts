/** The switch on the wire: a hand-made phone says every SIP message itself and looks at what comes back. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  HOLD_TONE_HZ,
  mintCredential,
  type Switch,
  type SwitchOptions,
  startSwitch,
} from '../../../sandbox/src/switch/index.ts';
import { header, parseNameAddress, type SipRequest } from '../../../sandbox/src/switch/sip-message.ts';
import { ClientSound, openSocket, WireClient } from './wire-client.ts';

const DOMAIN = 'sandbox.example';
const SECRET = 'switch test secret';
const ERIKA = '+493023125001';
const JONAS = '+493023125002';

let sandbox: Switch;
const opened: { close(): void }[] = [];

async function start(options: Partial<SwitchOptions> = {}): Promise<void> {
  sandbox = await startSwitch({
    domain: DOMAIN,
    credentialSecret: SECRET,
    iceAddresses: ['127.0.0.1'],
    sound: 'tones',
    ...options,
  });
}

async function client(extension = '1001'): Promise<WireClient> {
  const made = await WireClient.connect(sandbox.url, extension, DOMAIN);
  Object.assign(made, sandbox.credential(extension));
  opened.push(made);
  return made;
}

async function registered(extension = '1001'): Promise<WireClient> {
  const made = await client(extension);
  expect((await made.register()).status).toBe(200);
  return made;
}

const keep = <Closable extends { close(): void }>(thing: Closable): Closable => {
  opened.push(thing);
  return thing;
};
const status = (request: SipRequest): string => request.body.trim();
const heard = (probe: () => number, least = 0.1): Promise<void> =>
  vi.waitFor(() => expect(probe()).toBeGreaterThan(least), { timeout: 10_000, interval: 50 });
const silent = (probe: () => number): Promise<void> =>
  vi.waitFor(() => expect(probe()).toBeLessThan(0.005), { timeout: 10_000, interval: 50 });

beforeEach(() => start());
afterEach(async () => {
  for (const thing of opened.splice(0)) thing.close();
  await sandbox.close();
});

describe('signing in', () => {
  it('challenges, then registers, and tells device address and expiry', async () => {
    const phone = await client();
    const response = await phone.register(120);
    expect(response.status).toBe(200);
    expect(header(response, 'Contact')).toContain(`pub-gruu="sip:1001@${DOMAIN};gr=${phone.instance}"`);
    expect(header(response, 'Contact')).toContain('expires=120');
    expect(header(response, 'Supported')).toContain('outbound');
    expect(header(response, 'Flow-Timer')).toBe('30');
    expect(sandbox.registered()).toMatchObject([{ extension: '1001', contact: phone.contact }]);
  });

  it('signs out, by expires 0 and by lapse', async () => {
    const phone = await registered();
    expect((await phone.register(0)).status).toBe(200);
    expect(sandbox.registered()).toEqual([]);
    const gone = sandbox.events.next('unregistered');
    await phone.register(1);
    expect((await gone).extension).toBe('1001');
    expect(sandbox.registered()).toEqual([]);
  });

  it.each([
    ['an expired credential', () => mintCredential(SECRET, '1001', -5), 'Credential expired'],
    ['a password of another secret', () => mintCredential('other', '1001', 60), 'Bad credential'],
    [
      'a name that was changed',
      () => ({ ...mintCredential(SECRET, '1001', 60), username: '9999999999:1001' }),
      'Bad credential',
    ],
    ['a name without an expiry', () => ({ username: '1001', password: 'x' }), 'Bad credential'],
    ['a credential of another extension', () => mintCredential(SECRET, '1002', 60), 'Credential of another extension'],
  ])('refuses %s with 403', async (_name, credential, reason) => {
    const phone = await client();
    Object.assign(phone, credential());
    expect(await phone.register()).toMatchObject({ status: 403, reason });
    expect(sandbox.registered()).toEqual([]);
  });

  it('refuses an INVITE whose From is somebody else', async () => {
    const phone = await client('1002');
    Object.assign(phone, sandbox.credential('1001'));
    const { response } = await phone.authenticated('INVITE', `sip:${ERIKA}@${DOMAIN}`);
    expect(response).toMatchObject({ status: 403, reason: 'Credential of another extension' });
  });

  it('forgets a revoked extension at once and lets it back in when allowed', async () => {
    const phone = await registered();
    sandbox.revoke('1001');
    expect(sandbox.registered()).toEqual([]);
    expect(await phone.register()).toMatchObject({ status: 403, reason: 'Credential revoked' });
    sandbox.allow('1001');
    expect((await phone.register()).status).toBe(200);
  });

  it('speaks SHA-256 when asked to', async () => {
    await sandbox.close();
    await start({ digestAlgorithms: ['SHA-256'] });
    expect((await (await client()).register()).status).toBe(200);
  });

  it('refuses a WebSocket that does not speak sip', async () => {
    await expect(openSocket(sandbox.url, [])).rejects.toThrow('400');
    await expect(openSocket(sandbox.url, ['xmpp'])).rejects.toThrow('400');
  });
});

describe('messages that are odd or broken', () => {
  it('answers garbage with 400 and goes on working', async () => {
    const socket = await openSocket(sandbox.url);
    keep({ close: () => socket.terminate() });
    const answer = (text: string): Promise<string> =>
      new Promise((resolve) => {
        socket.once('message', (data) => resolve(String(data)));
        socket.send(text);
      });
    const noise = '\u0000\u0001';
    for (const garbage of ['hello\r\n\r\n', 'INVITE sip:x SIP/2.0\r\nVia: x\r\n\r\n', '{"json":true}', noise]) {
      expect(await answer(garbage)).toMatch(/^SIP\/2\.0 400 Bad Request/);
    }
    // Broken responses and ACKs get no answer: the keep-alive behind them is the next thing that does.
    socket.send('SIP/2.0 999\r\nVia: x\r\n\r\n');
    socket.send('ACK sip:x SIP/2.0\r\nVia: x\r\n\r\n');
    expect(await answer('\r\n\r\n')).toBe('\r\n');
  });

  it('lives on after an answer, a registration and a transfer that make no sense', async () => {
    const phone = await registered();
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invite = await phone.nextRequest('INVITE');
    phone.respond(invite, 200, 'OK', [{ name: 'Contact', value: '<"nonsense' }], 'no sdp', 'odd');
    phone.respond(invite, 302, 'Moved', [{ name: 'Contact', value: '<sip:%zz@x>' }], '', 'odd');
    for (const value of ['<sip:%zz@a>', '"<', '<http://a>']) {
      const { response } = await phone.authenticated('REGISTER', `sip:${DOMAIN}`, [{ name: 'Contact', value }]);
      expect(response.status).toBe(400);
    }
    const call = await phone.call(JONAS);
    keep(call.sound);
    for (const value of ['', '<sip:a@b>, <sip:c@d>', '<mailto:a@b>']) {
      phone.inDialog(call.dialog, 'REFER', [{ name: 'Refer-To', value }]);
      expect((await phone.nextResponse('REFER')).status).toBe(400);
    }
    expect(sandbox.heard(JONAS).rms).toBeGreaterThanOrEqual(0);
  });

  it('answers a keep-alive with one line break', async () => {
    const phone = await client();
    const answer = phone.frame();
    phone.raw('\r\n\r\n');
    expect(await answer).toBe('\r\n');
  });

  it.each([
    ['SUBSCRIBE', 489],
    ['PUBLISH', 405],
    ['MESSAGE', 405],
    ['REFER', 403],
    ['BYE', 481],
    ['INFO', 481],
  ])('answers %s outside a call with %i', async (method, expected) => {
    const phone = await client();
    phone.request(method, `sip:${DOMAIN}`);
    expect((await phone.nextResponse(method)).status).toBe(expected);
  });

  it('names the extension it does not have', async () => {
    const phone = await client();
    phone.request('INVITE', `sip:${ERIKA}@${DOMAIN}`, [{ name: 'Require', value: 'replaces, gin' }]);
    const response = await phone.nextResponse('INVITE');
    expect(response.status).toBe(420);
    expect(header(response, 'Unsupported')).toBe('gin');
  });

  it('takes a repeated request for what it is', async () => {
    const phone = await registered();
    const request = phone.request('OPTIONS', `sip:${DOMAIN}`);
    phone.send(request);
    const [first, second] = [await phone.nextResponse('OPTIONS'), await phone.nextResponse('OPTIONS')];
    expect(header(second, 'To')).toBe(header(first, 'To'));
  });
});

describe('calls an agent places', () => {
  it.each([
    ['a busy number', '+493023125486', 486],
    ['one who declines', '+493023125603', 603],
    ['a number out of service', '+493023125404', 404],
    ['a number that is too short', '12', 404],
    ['no number at all', 'nobody', 404],
  ])('%s', async (_name, number, expected) => {
    const phone = await registered();
    await expect(phone.call(number)).rejects.toThrow(String(expected));
    expect(sandbox.calls().at(-1)).toMatchObject({
      direction: 'outbound',
      state: 'ended',
      ended: { status: expected },
    });
  });

  it('refuses a session description that cannot be encrypted sound', async () => {
    const phone = await registered();
    const sound = keep(new ClientSound());
    const offer = await sound.peer.offer();
    for (const sdp of [
      offer.replace(/^a=fingerprint.*\r?\n/gm, ''),
      offer.replace(/^m=audio .*$/m, 'm=audio 9 UDP/TLS/RTP/SAVPF 111'),
      'v=0',
    ]) {
      const { response } = await phone.authenticated(
        'INVITE',
        `sip:${ERIKA}@${DOMAIN}`,
        [{ name: 'Contact', value: `<${phone.contact}>` }],
        sdp,
      );
      expect(response.status).toBe(488);
      expect(header(response, 'Warning')).toBeDefined();
    }
  });

  it('is cancelled while it rings', async () => {
    const phone = await registered();
    const ended = sandbox.events.next('call.ended');
    const first = phone.request(
      'INVITE',
      `sip:+493023125408@${DOMAIN}`,
      [{ name: 'Contact', value: `<${phone.contact}>` }],
      'x',
    );
    const challenge = await phone.nextResponse('INVITE');
    phone.ackRefusal(first, challenge);
    const attempt = phone.authenticated(
      'INVITE',
      `sip:+493023125408@${DOMAIN}`,
      [{ name: 'Contact', value: `<${phone.contact}>` }],
      'x',
    );
    const ringing = await phone.nextResponse('INVITE', 180);
    const pending = ringing.status === 180 ? ringing : await phone.nextResponse('INVITE', 180);
    expect(header(pending, 'Contact')).toBeDefined();
    phone.send({
      kind: 'request',
      method: 'CANCEL',
      uri: `sip:+493023125408@${DOMAIN}`,
      headers: [
        ...pending.headers.filter((entry) => ['Via', 'From', 'Call-ID'].includes(entry.name)),
        { name: 'To', value: (header(pending, 'To') ?? '').replace(/;tag=.*/, '') },
        { name: 'CSeq', value: (header(pending, 'CSeq') ?? '').replace('INVITE', 'CANCEL') },
      ],
      body: '',
    });
    expect((await phone.nextResponse('CANCEL')).status).toBe(200);
    expect((await attempt).response.status).toBe(487);
    expect(await ended).toMatchObject({ ended: { by: 'agent', status: 487 } });
  });

  it('talks both ways, is held with music, resumed, and ended', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await heard(() => call.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    expect(call.sound.level(850)).toBeLessThan(0.005);

    const held = sandbox.events.next('call.held');
    const offer = await call.sound.peer.offer();
    phone.inDialog(
      call.dialog,
      'INVITE',
      [{ name: 'Contact', value: phone.gruu() }],
      offer.replace('a=sendrecv', 'a=sendonly'),
    );
    const answer = await phone.nextResponse('INVITE');
    expect(answer.body).toContain('a=recvonly');
    phone.inDialog(call.dialog, 'ACK');
    await call.sound.peer.accept(answer.body);
    expect(await held).toMatchObject({ by: 'agent', heldByAgent: true });
    await heard(() => sandbox.heard(ERIKA, 300).levelAt(HOLD_TONE_HZ));
    await silent(() => sandbox.heard(ERIKA, 300).levelAt(1000));
    await silent(() => call.sound.level(600));

    phone.inDialog(call.dialog, 'BYE');
    expect((await phone.nextResponse('BYE')).status).toBe(200);
    expect(sandbox.calls().at(-1)).toMatchObject({
      state: 'ended',
      number: ERIKA,
      name: 'Erika Sommer',
      ended: { by: 'agent' },
    });
  });

  it('gives its offer in the 200 when the INVITE brings none', async () => {
    const phone = await registered();
    const sound = keep(new ClientSound());
    const { request, response } = await phone.authenticated('INVITE', `sip:${ERIKA}@${DOMAIN}`, [
      { name: 'Contact', value: phone.gruu() },
    ]);
    expect(response.status).toBe(200);
    const dialog = phone.dialogFrom(request, response);
    phone.inDialog(dialog, 'ACK', [], await sound.peer.answer(response.body));
    await heard(() => sound.level(600));
  });

  it('is ended by the switch when the ACK never comes, after repeating the 200', async () => {
    await sandbox.close();
    await start({ ackDeadlineMs: 1200 });
    const phone = await registered();
    const sound = keep(new ClientSound());
    const offer = await sound.peer.offer();
    const { response } = await phone.authenticated(
      'INVITE',
      `sip:${ERIKA}@${DOMAIN}`,
      [{ name: 'Contact', value: phone.gruu() }],
      offer,
    );
    expect(response.status).toBe(200);
    expect((await phone.nextResponse('INVITE')).status).toBe(200);
    await phone.nextRequest('BYE');
    expect(sandbox.calls().at(-1)?.ended).toEqual({ by: 'switch', reason: 'no ACK' });
  });

  it('keeps a call that the socket dropped, and its BYE finds the new socket by GRUU', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    sandbox.dropSockets();
    await phone.closed();
    expect(sandbox.calls().at(-1)?.state).toBe('answered');
    sandbox.hangUp(ERIKA);
    await phone.reconnect(sandbox.url);
    expect((await phone.register()).status).toBe(200);
    const bye = await phone.nextRequest('BYE');
    expect(header(bye, 'Call-ID')).toBe(call.dialog.callId);
  });

  it('takes a page that was reloaded back in: same dialog, new certificate, new sound', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    call.sound.close();
    sandbox.dropSockets();
    await phone.closed();
    await phone.reconnect(sandbox.url);
    await phone.register();
    const sound = keep(new ClientSound());
    phone.inDialog(call.dialog, 'INVITE', [{ name: 'Contact', value: phone.gruu() }], await sound.peer.offer());
    const response = await phone.nextResponse('INVITE');
    expect(response.status).toBe(200);
    phone.inDialog(call.dialog, 'ACK');
    await sound.peer.accept(response.body);
    await heard(() => sound.level(600));
    await heard(() => sandbox.heard(ERIKA, 300).levelAt(1000));
  });

  it('is taken over by INVITE with Replaces, and by nobody else', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    const value = `${call.dialog.callId};to-tag=${call.dialog.remoteTag};from-tag=${call.dialog.localTag}`;
    const stranger = await registered('1002');
    await expect(stranger.call('x', [{ name: 'Replaces', value }])).rejects.toThrow('403');
    await expect(phone.call('x', [{ name: 'Replaces', value: 'none;to-tag=a;from-tag=b' }])).rejects.toThrow('481');

    const again = await phone.call('x', [{ name: 'Replaces', value }]);
    keep(again.sound);
    expect(header(await phone.nextRequest('BYE'), 'Call-ID')).toBe(call.dialog.callId);
    await heard(() => again.sound.level(600));
    expect(sandbox.calls().filter((entry) => entry.state === 'answered')).toHaveLength(1);
  });

  it('sends early sound before the answer when the far side is like that', async () => {
    await sandbox.close();
    await start({ callers: [{ number: ERIKA, kind: 'person', earlyMedia: true, answerAfterMs: 400 }] });
    const phone = await registered();
    const sound = keep(new ClientSound());
    const attempt = phone.authenticated(
      'INVITE',
      `sip:${ERIKA}@${DOMAIN}`,
      [{ name: 'Contact', value: phone.gruu() }],
      await sound.peer.offer(),
    );
    const progress = await phone.next((message) => message.kind === 'response' && message.status === 183);
    expect(progress.body).toContain('m=audio');
    expect((await attempt).response.body).toBe(progress.body);
  });
});

describe('transfers', () => {
  async function refer(
    phone: WireClient,
    call: { dialog: Parameters<WireClient['inDialog']>[0] },
    to: string,
  ): Promise<void> {
    phone.inDialog(call.dialog, 'REFER', [
      { name: 'Refer-To', value: to },
      { name: 'Contact', value: phone.gruu() },
    ]);
    expect((await phone.nextResponse('REFER')).status).toBe(202);
  }

  it('blind: progress, then both far sides hear each other and the agent is let go', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await refer(phone, call, `<sip:${JONAS}@${DOMAIN}>`);
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 100 Trying');
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 180 Ringing');
    const last = await phone.nextRequest('NOTIFY');
    expect(status(last)).toBe('SIP/2.0 200 OK');
    expect(header(last, 'Subscription-State')).toMatch(/^terminated/);
    await phone.nextRequest('BYE');
    await heard(() => sandbox.heard(ERIKA).levelAt(850));
    await heard(() => sandbox.heard(JONAS).levelAt(600));
    expect(sandbox.calls()).toMatchObject([
      { direction: 'outbound', state: 'ended', transferredTo: JONAS },
      { direction: 'transferred', state: 'answered', joined: [ERIKA, JONAS] },
    ]);
    sandbox.hangUp(JONAS);
    expect(sandbox.calls().at(-1)?.state).toBe('ended');
  });

  it('blind to somebody busy: the agent is told and keeps the call', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await refer(phone, call, `<sip:+493023125486@${DOMAIN}>`);
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 100 Trying');
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 486 Busy Here');
    await heard(() => sandbox.heard(ERIKA, 200).levelAt(1000));
    expect(sandbox.calls().at(-1)).toMatchObject({ number: ERIKA, state: 'answered' });
  });

  it('attended: REFER with Replaces joins the two far sides and ends both calls of the agent', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    const consult = await phone.call(JONAS);
    keep(call.sound);
    keep(consult.sound);
    const replaces = `${consult.dialog.callId};to-tag=${consult.dialog.remoteTag};from-tag=${consult.dialog.localTag}`;
    await refer(phone, call, `<sip:switch@${DOMAIN}?Replaces=${encodeURIComponent(replaces)}>`);
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 100 Trying');
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 200 OK');
    const byes = [await phone.nextRequest('BYE'), await phone.nextRequest('BYE')];
    expect(byes.map((bye) => header(bye, 'Call-ID')).sort()).toEqual(
      [call.dialog.callId, consult.dialog.callId].sort(),
    );
    await heard(() => sandbox.heard(ERIKA).levelAt(850));
    await heard(() => sandbox.heard(JONAS).levelAt(600));
  });

  it('attended to a call that does not exist: 481, and the call goes on', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await refer(phone, call, `<sip:x@${DOMAIN}?Replaces=gone%3Bto-tag%3Da%3Bfrom-tag%3Db>`);
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 100 Trying');
    expect(status(await phone.nextRequest('NOTIFY'))).toBe('SIP/2.0 481 Call/Transaction Does Not Exist');
    expect(sandbox.calls().at(-1)?.state).toBe('answered');
  });

  it('to another agent: that agent rings and talks to the caller', async () => {
    const [phone, colleague] = [await registered('1001'), await registered('1002')];
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await refer(phone, call, `<sip:1002@${DOMAIN}>`);
    const invite = await colleague.nextRequest('INVITE');
    expect(parseNameAddress(header(invite, 'From') ?? '')).toMatchObject({
      display: 'Erika Sommer',
      uri: `sip:${ERIKA}@${DOMAIN}`,
    });
    const taken = await colleague.answer(invite);
    keep(taken.sound);
    await phone.nextRequest('BYE');
    await heard(() => taken.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
  });

  it('survives the agent who hangs up before the target answers', async () => {
    await sandbox.close();
    await start({
      callers: [
        { number: ERIKA, kind: 'person', toneHz: 600 },
        { number: JONAS, kind: 'person', toneHz: 850, answerAfterMs: 500 },
      ],
    });
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await refer(phone, call, `<sip:${JONAS}@${DOMAIN}>`);
    phone.inDialog(call.dialog, 'BYE');
    expect((await phone.nextResponse('BYE')).status).toBe(200);
    await heard(() => sandbox.heard(ERIKA).levelAt(850));
  });
});

describe('calls to an agent', () => {
  it('cannot be made while nobody is registered', async () => {
    await expect(sandbox.callAgent('1001', { callerNumber: ERIKA })).rejects.toThrow('no phone is registered');
  });

  it('rings, is answered, sounds, and ends when the caller hangs up', async () => {
    const phone = await registered();
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invite = await phone.nextRequest('INVITE');
    expect(parseNameAddress(header(invite, 'From') ?? '').display).toBe('Erika Sommer');
    phone.respond(invite, 180, 'Ringing', [], '', 'ring');
    const call = await phone.answer(invite);
    keep(call.sound);
    expect(await placed.answered).toBe(true);
    await heard(() => call.sound.level(600));
    await heard(() => placed.heard().levelAt(1000));
    placed.hold();
    await heard(() => call.sound.level(HOLD_TONE_HZ));
    placed.resume();
    placed.hangUp();
    await phone.nextRequest('BYE');
    expect(await placed.ended).toMatchObject({ direction: 'inbound', ended: { by: 'far side' } });
  });

  it('rings every device, and the losers learn that it was answered elsewhere', async () => {
    const [desk, laptop] = [await registered(), await registered()];
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invites = [await desk.nextRequest('INVITE'), await laptop.nextRequest('INVITE')];
    for (const [index, phone] of [desk, laptop].entries())
      phone.respond(invites[index] as SipRequest, 180, 'Ringing', [], '', `r${index}`);
    keep((await desk.answer(invites[0] as SipRequest)).sound);
    const cancel = await laptop.nextRequest('CANCEL');
    expect(header(cancel, 'Reason')).toBe('SIP;cause=200;text="Call completed elsewhere"');
    laptop.respond(cancel, 200, 'OK');
    laptop.respond(invites[1] as SipRequest, 487, 'Request Terminated', [], '', 'r1');
    await laptop.nextRequest('ACK');
    expect(await placed.answered).toBe(true);
  });

  it('gives up after a while, without a Reason', async () => {
    const phone = await registered();
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA, ringSeconds: 0.3 });
    const invite = await phone.nextRequest('INVITE');
    phone.respond(invite, 180, 'Ringing', [], '', 'ring');
    expect(header(await phone.nextRequest('CANCEL'), 'Reason')).toBeUndefined();
    expect(await placed.answered).toBe(false);
    expect(await placed.ended).toMatchObject({ ended: { by: 'far side', status: 487 } });
  });

  it('is declined, or sent elsewhere', async () => {
    const phone = await registered();
    const declined = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    phone.respond(await phone.nextRequest('INVITE'), 486, 'Busy Here', [], '', 'no');
    expect(await declined.answered).toBe(false);
    expect(await declined.ended).toMatchObject({ ended: { by: 'agent', status: 486 } });

    const joined = sandbox.events.next('call.answered', (call) => call.direction === 'transferred');
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const contact = { name: 'Contact', value: `<sip:${JONAS}@${DOMAIN}>` };
    phone.respond(await phone.nextRequest('INVITE'), 302, 'Moved Temporarily', [contact], '', 'moved');
    expect(await joined).toMatchObject({ joined: [ERIKA, JONAS] });
  });

  it('comes from another agent: both hear each other', async () => {
    const [ann, bob] = [await registered('1001'), await registered('1002')];
    const answering = bob.nextRequest('INVITE').then((invite) => bob.answer(invite));
    const call = await ann.call('1002');
    keep(call.sound);
    const other = await answering;
    keep(other.sound);
    await heard(() => call.sound.level(1000));
    await heard(() => other.sound.level(1000));
    bob.inDialog(other.dialog, 'BYE');
    await ann.nextRequest('BYE');
    await expect(ann.call('1003')).rejects.toThrow('404');
    bob.close();
    await sandbox.events.next('unregistered');
    await expect(ann.call('1002')).rejects.toThrow('480');
  });
});

describe('faults on command', () => {
  it('refuses REGISTER, then forgives', async () => {
    const phone = await client();
    sandbox.faults.set({ refuseRegister: { status: 503, reason: 'Service Unavailable' } });
    expect((await phone.register()).status).toBe(503);
    sandbox.faults.clear();
    expect((await phone.register()).status).toBe(200);
  });

  it('refuses the next INVITE only', async () => {
    const phone = await registered();
    sandbox.faults.set({ refuseInvite: { status: 488, reason: 'Not Acceptable Here', times: 1 } });
    await expect(phone.call(ERIKA)).rejects.toThrow('488');
    keep((await phone.call(ERIKA)).sound);
  });

  it('rings without a Contact, and sends every request twice', async () => {
    const phone = await registered();
    sandbox.faults.set({ provisionalWithoutContact: true, duplicateRequests: true });
    const attempt = phone.call(ERIKA);
    const ringing = await phone.next((message) => message.kind === 'response' && message.status === 180);
    expect(header(ringing, 'Contact')).toBeUndefined();
    keep((await attempt).sound);
    sandbox.hangUp(ERIKA);
    const [first, second] = [await phone.nextRequest('BYE'), await phone.nextRequest('BYE')];
    expect(header(second, 'Via')).toBe(header(first, 'Via'));
  });

  it('never answers BYE, though the call is over', async () => {
    const phone = await registered();
    const call = await phone.call(ERIKA);
    keep(call.sound);
    sandbox.faults.set({ neverAnswerBye: true });
    const ended = sandbox.events.next('call.ended');
    phone.inDialog(call.dialog, 'BYE');
    await ended;
    phone.request('OPTIONS', `sip:${DOMAIN}`);
    await phone.nextResponse('OPTIONS');
    expect(phone.inbox.some((message) => message.kind === 'response' && header(message, 'CSeq')?.endsWith('BYE'))).toBe(
      false,
    );
  });

  it('refuses new sockets', async () => {
    sandbox.faults.set({ refuseSockets: true });
    await expect(openSocket(sandbox.url)).rejects.toThrow('503');
  });

  it('makes the far side mute: sound goes one way', async () => {
    const phone = await registered();
    sandbox.faults.set({ muteFarSide: true });
    const call = await phone.call(ERIKA);
    keep(call.sound);
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    expect(call.sound.level(600)).toBeLessThan(0.005);
  });
});
