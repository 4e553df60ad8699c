/** Rooms, mailboxes, feature codes, intercom and the queue: the numbers of an office, dialled and heard. */
import { describe, expect, it } from 'vitest';
import { HOLD_TONE_HZ } from '../../../sandbox/src/switch/index.ts';
import { header } from '../../../sandbox/src/switch/sip-message.ts';
import {
  answer,
  call,
  DOMAIN,
  ERIKA,
  eventually,
  heard,
  JONAS,
  outcome,
  phoneOn,
  refer,
  silent,
  startTestSwitch,
} from './switch-under-test.ts';

describe('a conference room', () => {
  it('lets every member hear all others and not itself, and counts them', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    const own = await call(phone, '81001');
    const second = await call(other, '81001', 1200);
    const talk = await call(phone, ERIKA);
    await refer(phone, talk, '81001');
    expect(await outcome(phone)).toBe('SIP/2.0 200 OK');
    await eventually(() =>
      expect(sandbox.roomMembers('81001').map((member) => member.number)).toEqual(['1001', '1002', ERIKA]),
    );
    for (const hz of [600, 1200]) await heard(() => own.sound.level(hz));
    for (const hz of [600, 1000]) await heard(() => second.sound.level(hz));
    for (const hz of [1000, 1200]) await heard(() => sandbox.heard(ERIKA).levelAt(hz));
    expect(own.sound.level(1000)).toBeLessThan(0.005);
    expect(second.sound.level(1200)).toBeLessThan(0.005);
    expect(sandbox.heard(ERIKA).levelAt(600)).toBeLessThan(0.005);

    other.inDialog(second.dialog, 'BYE');
    await silent(() => own.sound.level(1200));
    expect(sandbox.roomMembers('81001')).toHaveLength(2);
    sandbox.hangUp(ERIKA);
    phone.inDialog(own.dialog, 'BYE');
    await eventually(() => expect(sandbox.roomMembers('81001')).toEqual([]));
  });

  it('plays no music into the room for a member who holds', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    const own = await call(phone, '81001');
    const second = await call(other, '81001', 1200);
    await heard(() => own.sound.level(1200));
    const offer = (await second.sound.peer.reoffer()).replace('a=sendrecv', 'a=sendonly');
    other.inDialog(second.dialog, 'INVITE', [{ name: 'Contact', value: other.gruu() }], offer);
    await other.nextResponse('INVITE');
    other.inDialog(second.dialog, 'ACK');
    await silent(() => own.sound.level(1200));
    expect(own.sound.level(HOLD_TONE_HZ)).toBeLessThan(0.005);
  });
});

describe('voicemail', () => {
  it('takes a message of a caller whom nobody answers, and plays it to its owner, who deletes it', async () => {
    const sandbox = await startTestSwitch({ voicemailAfterMs: 200 });
    const phone = await phoneOn(sandbox);
    const left = sandbox.events.next('voicemail.changed');
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    phone.respond(await phone.nextRequest('INVITE'), 180, 'Ringing', [], '', 'desk');
    await phone.nextRequest('CANCEL');
    expect(await placed.answered).toBe(true);
    await heard(() => placed.heard().levelAt(1150));
    // Half a second without the greeting: that is how long the message is at least.
    await silent(() => placed.heard(500).levelAt(1150));
    placed.hangUp();
    expect(await left).toMatchObject({ extension: '1001', fresh: 1, old: 0 });
    const [message] = sandbox.voicemail('1001').messages;
    expect(message).toMatchObject({ from: ERIKA, name: 'Erika Sommer', fresh: true });
    expect(message?.levelAt(600)).toBeGreaterThan(0.1);

    const listening = await call(phone, '*97');
    await heard(() => listening.sound.level(600));
    const gone = sandbox.events.next('voicemail.changed', ({ fresh, old }) => fresh + old === 0);
    pressByInfo(phone, listening.dialog, '7');
    await gone;
    await phone.nextRequest('BYE');
    expect(sandbox.voicemail('1001').messages).toEqual([]);
  });

  it('takes a call that an agent sends there: while it rings, and in the middle of it', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const contact = { name: 'Contact', value: `<sip:*97@${DOMAIN}>` };
    phone.respond(await phone.nextRequest('INVITE'), 302, 'Moved Temporarily', [contact], '', 'moved');
    expect(await placed.answered).toBe(true);
    await heard(() => placed.heard().levelAt(1150));
    await silent(() => placed.heard(300).levelAt(1150));
    placed.hangUp();
    await eventually(() => expect(sandbox.voicemail('1001').fresh).toBe(1));

    await refer(phone, await call(phone, JONAS), '*97');
    expect(await outcome(phone)).toBe('SIP/2.0 200 OK');
    await heard(() => sandbox.heard(JONAS).levelAt(1150));
    await silent(() => sandbox.heard(JONAS, 300).levelAt(1150));
    sandbox.hangUp(JONAS);
    await eventually(() => expect(sandbox.voicemail('1001').fresh).toBe(2));
  });

  it('counts a message as old once it was heard, and hangs up after the last one', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.voicemail('1001').leave({ number: ERIKA, name: 'Erika' }, 700, 400);
    const listening = await call(phone, '*97');
    await heard(() => listening.sound.level(700));
    await phone.nextRequest('BYE');
    expect(sandbox.voicemail('1001')).toMatchObject({ fresh: 0, old: 1 });
  });
});

function pressByInfo(
  phone: Awaited<ReturnType<typeof phoneOn>>,
  dialog: Parameters<typeof phone.inDialog>[0],
  key: string,
): void {
  dialog.sequence += 1;
  phone.send({
    kind: 'request',
    method: 'INFO',
    uri: dialog.target,
    headers: [
      { name: 'Via', value: `SIP/2.0/WS x.invalid;branch=z9hG4bK${Math.random()}` },
      { name: 'From', value: dialog.local },
      { name: 'To', value: dialog.remote },
      { name: 'Call-ID', value: dialog.callId },
      { name: 'CSeq', value: `${dialog.sequence} INFO` },
      { name: 'Content-Type', value: 'application/dtmf-relay' },
    ],
    body: `Signal=${key}\r\nDuration=120\r\n`,
  });
}

describe('feature codes', () => {
  it('turns do not disturb on and off, and obeys it', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const on = await call(phone, '*78');
    await heard(() => on.sound.level(1150));
    await phone.nextRequest('BYE');
    expect(sandbox.wishes('1001').doNotDisturb).toBe(true);
    const refused = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    expect(await refused.answered).toBe(false);
    expect(await refused.ended).toMatchObject({ ended: { status: 486 } });
    await call(phone, '*79');
    const rings = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    await phone.nextRequest('INVITE');
    rings.hangUp();
  });

  it('forwards every call to a number, and tells the next one where it comes from', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    await call(phone, '*721002');
    expect(sandbox.wishes('1001').forwardTo).toBe('1002');
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const invite = await other.nextRequest('INVITE');
    expect(header(invite, 'Diversion')).toBe(`<sip:1001@${DOMAIN}>;reason=unconditional;counter=1`);
    expect(header(invite, 'History-Info')).toBe(
      `<sip:1001@${DOMAIN}?Reason=SIP%3Bcause%3D302>;index=1, <sip:1002@${DOMAIN}>;index=1.1;mp=1`,
    );
    await answer(other, invite);
    expect(await placed.answered).toBe(true);
    await call(phone, '*73');
    expect(sandbox.wishes('1001').forwardTo).toBeUndefined();
  });

  it('obeys a redirection by the phone itself, with the same headers', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const contact = { name: 'Contact', value: `<sip:1002@${DOMAIN}>` };
    phone.respond(await phone.nextRequest('INVITE'), 302, 'Moved Temporarily', [contact], '', 'moved');
    const invite = await other.nextRequest('INVITE');
    expect(header(invite, 'Diversion')).toContain('reason=deflection');
  });

  it('ends a loop of forwarding', async () => {
    const sandbox = await startTestSwitch();
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    await call(phone, '*721002');
    await call(other, '*721001');
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    expect(await placed.answered).toBe(false);
  });

  it('refuses a forwarding to nowhere', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await expect(call(phone, '*72')).rejects.toThrow('484');
  });
});

describe('calls that a phone answers by itself', () => {
  it('rings one phone by *80 with the headers that ask for it', async () => {
    const sandbox = await startTestSwitch({ autoAnswer: ['call-info', 'alert-info', 'answer-mode'] });
    const [phone, other] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    const calling = call(phone, '*801002');
    const invite = await other.nextRequest('INVITE');
    expect(header(invite, 'Call-Info')).toBe(`<sip:${DOMAIN}>;answer-after=0`);
    expect(header(invite, 'Alert-Info')).toBe('info=alert-autoanswer');
    expect(header(invite, 'Answer-Mode')).toBe('Auto');
    const answered = await answer(other, invite, 1200);
    const talk = await calling;
    await heard(() => talk.sound.level(1200));
    await heard(() => answered.sound.level(1000));
  });

  it('pages everybody by *81: all hear the one who speaks, who hears nobody, and it ends with him', async () => {
    const sandbox = await startTestSwitch();
    const phones = [await phoneOn(sandbox, '1002'), await phoneOn(sandbox, '1003')];
    const speaker = await phoneOn(sandbox, '1001');
    const talk = await call(speaker, '*81', 700);
    for (const [index, phone] of phones.entries()) {
      const invite = await phone.nextRequest('INVITE');
      expect(header(invite, 'Call-Info')).toContain('answer-after=0');
      const page = await answer(phone, invite, 1200 + 100 * index);
      await heard(() => page.sound.level(700));
    }
    expect(talk.sound.level(1200)).toBeLessThan(0.005);
    speaker.inDialog(talk.dialog, 'BYE');
    for (const phone of phones) await phone.nextRequest('BYE');
  });
});

describe('numbers to try a phone with', () => {
  it('echoes at *43 and makes an announcement before the answer at *44', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const echo = await call(phone, '*43');
    await heard(() => echo.sound.level(1000));
    const early = sandbox.events.next('call.ringing', ({ number }) => number === '*44');
    const later = await call(phone, '*44');
    await early;
    await heard(() => later.sound.level(900));
  });

  it('lets a caller wait in the queue with music until an agent is free', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox, '1002');
    const first = await phoneOn(sandbox, '1001');
    const talk = await call(first, ERIKA);
    await refer(first, talk, '600');
    expect(await outcome(first)).toBe('SIP/2.0 200 OK');
    const invite = await Promise.race([phone.nextRequest('INVITE'), first.nextRequest('INVITE')]);
    await heard(() => sandbox.heard(ERIKA).levelAt(HOLD_TONE_HZ));
    const agent = header(invite, 'To')?.includes('1002') ? phone : first;
    const served = await answer(agent, invite, 1200);
    await heard(() => served.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1200));
  });
});
