/** Signalling that a phone must cope with though it meets it rarely: each way is switched on for one test. */
import { describe, expect, it } from 'vitest';
import {
  header,
  headerList,
  parseNameAddress,
  type SipRequest,
  type SipResponse,
} from '../../../sandbox/src/switch/sip-message.ts';
import {
  answer,
  call,
  DOMAIN,
  ERIKA,
  eventually,
  heard,
  JONAS,
  phoneOn,
  refer,
  startTestSwitch,
} from './switch-under-test.ts';
import { type ClientDialog, ClientSound, type WireClient } from './wire-client.ts';

const response = async (phone: WireClient, status: number): Promise<SipResponse> =>
  (await phone.next((message) => message.kind === 'response' && message.status === status)) as SipResponse;

/** An INVITE on its way, whose answers the test looks at one by one. */
async function dial(
  phone: WireClient,
  number: string,
  extra: { name: string; value: string }[] = [],
  change: (offer: string) => string = (offer) => offer,
): Promise<{ sound: ClientSound; done: Promise<{ request: SipRequest; response: SipResponse }> }> {
  const sound = new ClientSound();
  const offer = change(await sound.peer.offer());
  const headers = [{ name: 'Contact', value: phone.gruu() }, ...extra];
  return { sound, done: phone.authenticated('INVITE', `sip:${number}@${DOMAIN}`, headers, offer) };
}

function prack(phone: WireClient, ringing: SipResponse, dialog: ClientDialog): void {
  const [number = ''] = (header(ringing, 'CSeq') ?? '').split(' ');
  phone.inDialog(dialog, 'PRACK', [{ name: 'RAck', value: `${header(ringing, 'RSeq')} ${number} INVITE` }]);
}

function earlyDialog(phone: WireClient, ringing: SipResponse): ClientDialog {
  return phone.dialogFrom({ kind: 'request', method: 'INVITE', uri: '', headers: ringing.headers, body: '' }, ringing);
}

describe('before the answer', () => {
  it('wants a PRACK for every 18x, repeats what is not acknowledged, and describes the sound once', async () => {
    const sandbox = await startTestSwitch({
      callers: [{ number: ERIKA, kind: 'person', toneHz: 600, earlyMedia: 'then-ringing', answerAfterMs: 0 }],
    });
    sandbox.faults.set({ reliableProvisionals: true });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA, [{ name: 'Supported', value: '100rel' }]);
    const progress = await response(phone, 183);
    expect(header(progress, 'Require')).toBe('100rel');
    expect(progress.body).toContain('m=audio');
    expect(header(await response(phone, 183), 'RSeq')).toBe(header(progress, 'RSeq'));
    const dialog = earlyDialog(phone, progress);
    const [invited = ''] = (header(progress, 'CSeq') ?? '').split(' ');
    const wrong = Number(header(progress, 'RSeq')) + 1;
    phone.inDialog({ ...dialog }, 'PRACK', [{ name: 'RAck', value: `${wrong} ${invited} INVITE` }]);
    expect((await phone.nextResponse('PRACK')).status).toBe(481);
    dialog.sequence += 1;
    prack(phone, progress, dialog);
    expect((await phone.nextResponse('PRACK')).status).toBe(200);
    await sound.peer.accept(progress.body);
    const ringing = await response(phone, 180);
    expect(Number(header(ringing, 'RSeq'))).toBe(Number(header(progress, 'RSeq')) + 1);
    expect(ringing.body).toBe('');
    prack(phone, ringing, dialog);
    const { response: answered } = await done;
    expect(answered.body).toBe('');
    await heard(() => sound.level(600));
    sound.close();
  });

  it('gives up when no PRACK comes', async () => {
    const sandbox = await startTestSwitch({ ackDeadlineMs: 300 });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA, [{ name: 'Require', value: '100rel' }]);
    expect((await done).response.status).toBe(504);
    sound.close();
  });

  it('acknowledges a reliable 180 of the phone', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invite = await phone.nextRequest('INVITE');
    expect(header(invite, 'Supported')).toContain('100rel');
    const reliable = [
      { name: 'Require', value: '100rel' },
      { name: 'RSeq', value: '7' },
      { name: 'Contact', value: phone.gruu() },
    ];
    phone.respond(invite, 180, 'Ringing', reliable, '', 'desk');
    expect(header(await phone.nextRequest('PRACK'), 'RAck')).toBe('7 1 INVITE');
  });

  it('sends sound first and then a 180 without any', async () => {
    const sandbox = await startTestSwitch({
      callers: [{ number: ERIKA, kind: 'person', earlyMedia: 'then-ringing' }],
    });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA);
    const progress = await response(phone, 183);
    expect((await response(phone, 180)).body).toBe('');
    expect((await done).response.body).toBe(progress.body);
    sound.close();
  });

  it('rings in several branches of a fork before one answers', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ forkedRinging: 2 });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA);
    const rings = [await response(phone, 180), await response(phone, 180), await response(phone, 180)];
    const tags = rings.map((ringing) => parseNameAddress(header(ringing, 'To') ?? '').params.get('tag'));
    expect(new Set(tags).size).toBe(3);
    expect(tags).toContain(parseNameAddress(header((await done).response, 'To') ?? '').params.get('tag'));
    sound.close();
  });
});

describe('in a running call', () => {
  const allow = { name: 'Allow', value: 'INVITE, ACK, BYE, UPDATE' };

  it.each(['update', 're-invite'] as const)('tells by %s who is at the other end after a transfer', async (how) => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ connectedIdentity: how });
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    const calling = call(other, '1001');
    const talk = await answer(phone, await phone.nextRequest('INVITE'));
    const own = await calling;
    // 1001 gives the call of 1002 on to somebody else, and 1002 is told to whom.
    await refer(phone, talk, ERIKA);
    const request = await other.nextRequest(how === 'update' ? 'UPDATE' : 'INVITE');
    expect(parseNameAddress(header(request, 'P-Asserted-Identity') ?? '')).toMatchObject({
      display: 'Erika Sommer',
      uri: `sip:${ERIKA}@${DOMAIN}`,
    });
    expect(request.body === '').toBe(how === 'update');
    if (how === 'update') other.respond(request, 200, 'OK');
    else
      other.respond(
        request,
        200,
        'OK',
        [
          { name: 'Contact', value: other.gruu() },
          { name: 'Content-Type', value: 'application/sdp' },
        ],
        await own.sound.peer.answer(request.body),
      );
    await heard(() => own.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
  });

  it('agrees on a session timer, and ends the call when the phone forgets to refresh it', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ sessionTimer: { seconds: 1, leastSeconds: 1, refresher: 'phone' } });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA, [{ name: 'Supported', value: 'timer' }, allow]);
    const { request, response: answered } = await done;
    expect(header(answered, 'Session-Expires')).toBe('1;refresher=uac');
    expect(header(answered, 'Require')).toBe('timer');
    const dialog = phone.dialogFrom(request, answered);
    phone.inDialog(dialog, 'ACK');
    phone.inDialog(dialog, 'UPDATE', [{ name: 'Session-Expires', value: '1;refresher=uac' }]);
    expect(header(await phone.nextResponse('UPDATE'), 'Session-Expires')).toBe('1;refresher=uac');
    expect(header(await phone.nextRequest('BYE'), 'Reason')).toContain('Session timer expired');
    sound.close();
  });

  it('refreshes the session itself where that is its duty', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ sessionTimer: { seconds: 1, leastSeconds: 1, refresher: 'switch' } });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA, [{ name: 'Supported', value: 'timer' }, allow]);
    const { request, response: answered } = await done;
    phone.inDialog(phone.dialogFrom(request, answered), 'ACK');
    for (let round = 0; round < 2; round += 1) {
      const update = await phone.nextRequest('UPDATE');
      expect(header(update, 'Session-Expires')).toBe('1;refresher=uac');
      phone.respond(update, 200, 'OK');
    }
    phone.respond(await phone.nextRequest('UPDATE'), 481, 'Call/Transaction Does Not Exist');
    await phone.nextRequest('BYE');
    sound.close();
  });

  it('refuses an interval that is too small, and takes a longer one that a phone wants', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ sessionTimer: { seconds: 1800, leastSeconds: 120, refresher: 'phone' } });
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA, [
      { name: 'Supported', value: 'timer' },
      { name: 'Session-Expires', value: '90' },
    ]);
    const refused = (await done).response;
    expect([refused.status, header(refused, 'Min-SE')]).toEqual([422, '120']);
    sound.close();
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invite = await phone.nextRequest('INVITE');
    expect(header(invite, 'Session-Expires')).toBe('1800;refresher=uas');
    phone.respond(invite, 422, 'Session Interval Too Small', [{ name: 'Min-SE', value: '3600' }], '', 'desk');
    const again = await phone.nextRequest('INVITE');
    expect([header(again, 'Session-Expires'), header(again, 'Min-SE')]).toEqual(['3600;refresher=uas', '3600']);
    expect(header(again, 'Call-ID')).toBe(header(invite, 'Call-ID'));
  });

  it.each(['sendonly', 'inactive'] as const)(
    'tells by re-INVITE with %s that the far side holds, and that it is back',
    async (direction) => {
      const sandbox = await startTestSwitch();
      sandbox.faults.set({ farHold: direction });
      const phone = await phoneOn(sandbox);
      const talk = await call(phone, ERIKA);
      const accept = async (wanted: string, answered: string): Promise<void> => {
        const invite = await phone.nextRequest('INVITE');
        expect(invite.body).toContain(`a=${wanted}`);
        const contact = { name: 'Contact', value: phone.gruu() };
        const sdp = await talk.sound.peer.answer(invite.body);
        expect(sdp).toContain(`a=${answered}`);
        phone.respond(invite, 200, 'OK', [contact, { name: 'Content-Type', value: 'application/sdp' }], sdp);
        await phone.nextRequest('ACK');
      };
      sandbox.hold(ERIKA, true);
      await accept(direction, direction === 'sendonly' ? 'recvonly' : 'inactive');
      sandbox.hold(ERIKA, false);
      await accept('sendrecv', 'sendrecv');
      await heard(() => talk.sound.level(600));
      await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    },
  );

  it('asks a phone to wait that changes the call in the same moment', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const talk = await call(phone, ERIKA);
    const asked = sandbox.refreshCall(talk.dialog.callId, 're-invite');
    const invite = await phone.nextRequest('INVITE');
    phone.inDialog(talk.dialog, 'INVITE', [{ name: 'Contact', value: phone.gruu() }], await talk.sound.peer.reoffer());
    expect((await phone.nextResponse('INVITE')).status).toBe(491);
    phone.respond(invite, 491, 'Request Pending');
    expect(await asked).toBe(491);
    const contact = { name: 'Contact', value: phone.gruu() };
    phone.inDialog(talk.dialog, 'INVITE', [contact], await talk.sound.peer.reoffer());
    const settled = await phone.nextResponse('INVITE');
    expect(settled.status).toBe(200);
    phone.inDialog(talk.dialog, 'ACK');
    await talk.sound.peer.accept(settled.body);
    await heard(() => talk.sound.level(600));
    await heard(() => sandbox.heard(ERIKA, 200).levelAt(1000));
  });

  it('says why it hangs up', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await call(phone, ERIKA);
    sandbox.hangUp(ERIKA, 'Q.850;cause=16;text="Normal call clearing"');
    expect(header(await phone.nextRequest('BYE'), 'Reason')).toBe('Q.850;cause=16;text="Normal call clearing"');
  });
});

describe('keys', () => {
  it.each(['application/dtmf-relay', 'application/dtmf'])('come by INFO with %s', async (type) => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const talk = await call(phone, ERIKA);
    const info = phone.inDialog(talk.dialog, 'INFO', [{ name: 'Content-Type', value: type }]);
    expect((await phone.nextResponse('INFO')).status).toBe(200);
    const branch = { name: 'Via', value: 'SIP/2.0/WS x.invalid;branch=z9hG4bKkey' };
    const headers = info.headers.map((entry) =>
      entry.name === 'CSeq'
        ? { name: 'CSeq', value: `${talk.dialog.sequence + 1} INFO` }
        : entry.name === 'Via'
          ? branch
          : entry,
    );
    phone.send({ ...info, headers, body: type.endsWith('relay') ? 'Signal=5\r\nDuration=160\r\n' : '5' });
    expect((await phone.nextResponse('INFO')).status).toBe(200);
    expect(sandbox.digits(ERIKA)).toBe('5');
  });

  it('are heard in the sound', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ inBandDigits: true });
    const phone = await phoneOn(sandbox);
    const talk = await call(phone, ERIKA);
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    for (const tones of [[770, 1336], [], [941, 1477], []]) await talk.sound.sing(tones, 200);
    await eventually(() => expect(sandbox.digits(ERIKA)).toBe('5#'));
  });
});

describe('who calls', () => {
  it('is asserted, marked as verified, and diverted from somebody else', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await sandbox.callAgent('1001', {
      callerNumber: ERIKA,
      verstat: 'TN-Validation-Passed',
      asserted: { number: JONAS, name: 'Jonas' },
      diverted: [{ number: '2001', name: 'Dana', reason: 'no-answer' }],
      headers: { 'X-Queue': 'sales' },
    });
    const invite = await phone.nextRequest('INVITE');
    expect(header(invite, 'From')).toMatch(
      `"Erika Sommer" <sip:${ERIKA};verstat=TN-Validation-Passed@${DOMAIN};user=phone>;tag=`,
    );
    expect(headerList(invite, 'P-Asserted-Identity')).toEqual([
      `"Jonas" <sip:${JONAS};verstat=TN-Validation-Passed@${DOMAIN};user=phone>`,
    ]);
    expect(header(invite, 'Diversion')).toBe(`"Dana" <sip:2001@${DOMAIN}>;reason=no-answer;counter=1`);
    expect(header(invite, 'History-Info')).toContain('index=1.1;mp=1');
    expect(header(invite, 'X-Queue')).toBe('sales');
  });

  it('may be chosen by the phone, and is shown to whoever is called', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    const chosen = { name: 'P-Preferred-Identity', value: `<sip:+493023125999@${DOMAIN}>` };
    const { sound } = await dial(phone, '1002', [chosen]);
    const invite = await other.nextRequest('INVITE');
    expect(header(invite, 'From')).toContain(`<sip:+493023125999@${DOMAIN}>`);
    expect(sandbox.calls()[0]).toMatchObject({ extension: '1001', callerId: '+493023125999' });
    sound.close();
  });

  it('may be another number in From only where the switch allows it', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const from = { name: 'From', value: `<sip:+493023125999@${DOMAIN}>;tag=chosen` };
    await expect(phone.call(ERIKA, [from])).rejects.toThrow('403');
    sandbox.faults.set({ anyFrom: true });
    const talk = await phone.call(ERIKA, [from]);
    expect(sandbox.calls().at(-1)).toMatchObject({ extension: '1001', callerId: '+493023125999' });
    talk.sound.close();
  });
});

describe('sound and picture', () => {
  it.each([
    ['0 8 101', 'PCMU'],
    ['8 0 101', 'PCMA'],
    ['111 9 8 101', 'PCMA'],
  ])('answers an offer of %s with the first it can speak', async (formats, codec) => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const { sound, done } = await dial(phone, ERIKA, [], (offer) =>
      offer.replace(/^(m=audio \d+ \S+) .*$/m, `$1 ${formats}`),
    );
    const { request, response: answered } = await done;
    phone.inDialog(phone.dialogFrom(request, answered), 'ACK');
    expect(answered.body).toContain(`a=rtpmap:${codec === 'PCMU' ? 0 : 8} ${codec}/8000`);
    await sound.peer.accept(answered.body);
    expect(sandbox.calls()[0]?.codec).toBe(codec);
    await heard(() => sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    sound.close();
  });

  it('offers video where told to, and takes an answer without it', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ offerVideo: true });
    const phone = await phoneOn(sandbox);
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invite = await phone.nextRequest('INVITE');
    expect(invite.body).toMatch(/^m=audio [\s\S]*^m=video 9 /m);
    const talk = await answer(phone, invite);
    await heard(() => talk.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
  });

  it('refuses the picture of an offer and takes its sound', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const video = 'm=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:video\r\na=rtpmap:96 VP8/90000\r\n';
    const { sound, done } = await dial(phone, ERIKA, [], (offer) => `${offer.trimEnd()}\r\n${video}`);
    const { request, response: answered } = await done;
    phone.inDialog(phone.dialogFrom(request, answered), 'ACK');
    expect(answered.body).toMatch(/^m=video 0 UDP\/TLS\/RTP\/SAVPF 96/m);
    await sound.peer.accept(answered.body);
    await heard(() => sound.level(600));
    sound.close();
  });
});

describe('questions and challenges', () => {
  it('asks a phone what it can do', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const asked = sandbox.ask('1001', 'OPTIONS');
    phone.respond(await phone.nextRequest('OPTIONS'), 200, 'OK', [], '', 'desk');
    expect(await asked).toEqual([200]);
  });

  it('challenges with every algorithm in its order, and takes each', async () => {
    const sandbox = await startTestSwitch({ digestAlgorithms: ['SHA-512-256', 'SHA-256', 'MD5'] });
    const phone = await phoneOn(sandbox);
    phone.request('SUBSCRIBE', `sip:2001@${DOMAIN}`, [{ name: 'Event', value: 'dialog' }]);
    const challenge = await phone.nextResponse('SUBSCRIBE');
    const algorithms = challenge.headers
      .filter((entry) => entry.name === 'Proxy-Authenticate')
      .map((entry) => /algorithm=([\w-]+)/.exec(entry.value)?.[1]);
    expect(algorithms).toEqual(['SHA-512-256', 'SHA-256', 'MD5']);
  });
});
