/** What becomes of calls whose page or connection went away: the switch by its own manners, by FreeSWITCH's and by Asterisk's. */
import { describe, expect, it } from 'vitest';
import type { Switch, SwitchOptions } from '../../../sandbox/src/switch/index.ts';
import {
  header,
  parseNameAddress,
  type SipHeader,
  type SipMessage,
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
  startTestSwitch,
} from './switch-under-test.ts';
import { type ClientCall, type ClientDialog, ClientSound, WireClient } from './wire-client.ts';

/** The same device after its page was reloaded: a new connection, nothing remembered. */
async function reloaded(sandbox: Switch, phone: WireClient): Promise<WireClient> {
  const gone = sandbox.events.next('unregistered');
  phone.close();
  await gone;
  return again(sandbox, phone);
}

async function again(sandbox: Switch, phone: WireClient): Promise<WireClient> {
  const next = await WireClient.connect(sandbox.url, phone.extension, DOMAIN);
  Object.assign(next, sandbox.credential(phone.extension), { instance: phone.instance });
  expect((await next.register()).status).toBe(200);
  return next;
}

const tellsMessages = (message: SipMessage): boolean => header(message, 'Event') === 'message-summary';
const isInvite = (message: SipMessage): boolean => message.kind === 'request' && message.method === 'INVITE';
/** What a dialog is called by whoever is asked to replace it. */
const replaces = (dialog: ClientDialog): SipHeader[] => [
  { name: 'Replaces', value: `${dialog.callId};to-tag=${dialog.remoteTag};from-tag=${dialog.localTag}` },
  { name: 'Require', value: 'replaces' },
];

/** INVITE with Replaces to a number that nobody has. */
async function replace(phone: WireClient, dialog: ClientDialog, number = 'resume-none'): Promise<ClientCall> {
  return phone.call(number, replaces(dialog), new ClientSound(1300));
}

/** Sends a re-INVITE of a new peer in an old dialog and gives the answer. */
async function resume(phone: WireClient, dialog: ClientDialog, sound: ClientSound): Promise<SipResponse> {
  const kept = { ...dialog, sequence: dialog.sequence + 100 };
  phone.inDialog(kept, 'INVITE', [{ name: 'Contact', value: phone.gruu() }], await sound.peer.offer());
  const response = await phone.nextResponse('INVITE');
  if (response.status === 200) {
    phone.inDialog(kept, 'ACK');
    await sound.peer.accept(response.body);
  }
  return response;
}

/** Nothing but what comes of this question has arrived: the switch has had every chance to say something before it. */
async function nothingElse(sandbox: Switch, phone: WireClient): Promise<void> {
  const asked = sandbox.ask(phone.extension, 'OPTIONS');
  const options = await phone.nextRequest('OPTIONS');
  phone.respond(options, 200, 'OK', [], '', 'asked');
  await asked;
  expect(phone.inbox.filter((message) => message.kind === 'request' && !tellsMessages(message))).toEqual([]);
}

const starting = (options: Partial<SwitchOptions> = {}): Promise<Switch> => startTestSwitch(options);

describe('a call that rings while the page goes away', () => {
  it('rings on at the reloaded page as the same call, and is answered there', async () => {
    const sandbox = await starting();
    const phone = await phoneOn(sandbox);
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA, toneHz: 600 });
    const first = await phone.nextRequest('INVITE');
    phone.respond(first, 180, 'Ringing', [{ name: 'Contact', value: phone.gruu() }], '', 'before');
    const page = await reloaded(sandbox, phone);
    const second = await page.nextRequest('INVITE');
    for (const name of ['Call-ID', 'From', 'CSeq']) expect(header(second, name)).toBe(header(first, name));
    page.respond(second, 180, 'Ringing', [{ name: 'Contact', value: page.gruu() }], '', 'after');
    const made = await answer(page, second);
    expect(await placed.answered).toBe(true);
    await heard(() => made.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1000));
    expect(sandbox.calls()).toHaveLength(1);
    page.close();
  });

  it('is refused for all when the reloaded page says no: what rang before it does not hold the caller', async () => {
    const sandbox = await starting();
    const phone = await phoneOn(sandbox);
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const first = await phone.nextRequest('INVITE');
    phone.respond(first, 180, 'Ringing', [{ name: 'Contact', value: phone.gruu() }], '', 'before');
    const page = await reloaded(sandbox, phone);
    page.respond(await page.nextRequest('INVITE'), 486, 'Busy Here', [], '', 'after');
    expect(await placed.answered).toBe(false);
    expect((await placed.ended).ended).toMatchObject({ status: 486 });
    page.close();
  });

  it('goes on ringing where only the connection was new, and is answered or given up over that one', async () => {
    const sandbox = await starting();
    const phone = await phoneOn(sandbox);
    const placed = await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const first = await phone.nextRequest('INVITE');
    phone.respond(first, 180, 'Ringing', [{ name: 'Contact', value: phone.gruu() }], '', 'here');
    phone.close();
    await phone.reconnect(sandbox.url);
    expect((await phone.register()).status).toBe(200);
    phone.respond(await phone.nextRequest('INVITE'), 482, 'Loop Detected', [], '', 'merged');
    await phone.nextRequest('ACK');
    placed.hangUp();
    const cancel = await phone.nextRequest('CANCEL');
    expect(header(cancel, 'Via')).toBe(header(first, 'Via'));
    expect(await placed.answered).toBe(false);
  });

  it('does not come back to a device that declined it, nor to one that only refreshes its registration', async () => {
    const sandbox = await starting();
    const [declining, ringing] = [await phoneOn(sandbox), await phoneOn(sandbox)];
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    const rings = await ringing.nextRequest('INVITE');
    ringing.respond(rings, 180, 'Ringing', [{ name: 'Contact', value: ringing.gruu() }], '', 'rings');
    declining.respond(await declining.nextRequest('INVITE'), 486, 'Busy Here', [], '', 'no');
    await declining.nextRequest('ACK');
    await ringing.register();
    const page = await reloaded(sandbox, declining);
    const asked = sandbox.ask('1001', 'OPTIONS');
    for (const phone of [page, ringing]) phone.respond(await phone.nextRequest('OPTIONS'), 200, 'OK', [], '', 'asked');
    await asked;
    expect([...page.inbox, ...ringing.inbox].filter(isInvite)).toEqual([]);
    page.close();
  });

  it('does not ring again at a page of FreeSWITCH', async () => {
    const sandbox = await starting({ behaveLike: 'freeswitch' });
    const phone = await phoneOn(sandbox);
    await sandbox.callAgent('1001', { callerNumber: ERIKA });
    await phone.nextRequest('INVITE');
    const page = await reloaded(sandbox, phone);
    const asked = sandbox.ask('1001', 'OPTIONS');
    page.respond(await page.nextRequest('OPTIONS'), 200, 'OK', [], '', 'asked');
    await asked;
    expect(page.inbox.filter(isInvite)).toEqual([]);
    page.close();
  });
});

describe('a call that talks while the page goes away', () => {
  it('is replaced from the reloaded page: same far side, sound both ways, and ends there', async () => {
    const sandbox = await starting();
    const phone = await phoneOn(sandbox);
    const old = await call(phone, ERIKA);
    await heard(() => old.sound.level(600));
    const page = await reloaded(sandbox, phone);
    const made = await replace(page, old.dialog);
    await heard(() => made.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1300));
    expect(sandbox.calls()).toHaveLength(1);
    // What is left of the old one is ended where the device is now.
    expect(header(await page.nextRequest('BYE'), 'Call-ID')).toBe(old.dialog.callId);
    sandbox.hangUp(ERIKA);
    expect(header(await page.nextRequest('BYE'), 'Call-ID')).toBe(made.dialog.callId);
    made.sound.close();
    page.close();
  });

  it('is not replaced by another agent, nor by wrong tags, nor while it only rings, nor early-only', async () => {
    const sandbox = await starting();
    const [phone, thief] = [await phoneOn(sandbox), await phoneOn(sandbox, '1002')];
    const old = await call(phone, ERIKA);
    await expect(replace(thief, old.dialog)).rejects.toThrow('403');
    await expect(replace(phone, { ...old.dialog, localTag: 'other' })).rejects.toThrow('481');
    await expect(replace(phone, { ...old.dialog, callId: 'other' })).rejects.toThrow('481');
    const [value] = replaces(old.dialog);
    const early = [{ name: 'Replaces', value: `${value?.value};early-only` }];
    await expect(phone.call('resume-none', early)).rejects.toThrow('486');
    await heard(() => old.sound.level(600));
    expect(sandbox.calls()).toHaveLength(1);
  });

  it('takes no request twice: whoever counts below the last one is refused', async () => {
    const sandbox = await starting();
    const phone = await phoneOn(sandbox);
    const old = await call(phone, ERIKA);
    const page = await reloaded(sandbox, phone);
    const sound = new ClientSound(1300);
    expect((await resume(page, old.dialog, sound)).status).toBe(200);
    // The page that was thought gone.
    page.inDialog({ ...old.dialog }, 'INFO', [{ name: 'Content-Type', value: 'application/dtmf-relay' }]);
    expect((await page.nextResponse('INFO')).status).toBe(500);
    await heard(() => sandbox.heard(ERIKA).levelAt(1300));
    sound.close();
    page.close();
  });

  it('is hung up where the device is registered now, though its old connection still looks open', async () => {
    const sandbox = await starting();
    const phone = await phoneOn(sandbox);
    await call(phone, ERIKA);
    const page = await again(sandbox, phone);
    sandbox.hangUp(ERIKA);
    await page.nextRequest('BYE');
    expect(phone.inbox.filter((message) => message.kind === 'request')).toEqual([]);
    page.close();
  });
});

describe("with FreeSWITCH's manners", () => {
  const freeswitch = (): Promise<Switch> => starting({ behaveLike: 'freeswitch' });

  it('says who it is, what it can do, and knows no address of a device', async () => {
    const sandbox = await freeswitch();
    const phone = await phoneOn(sandbox);
    const registered = await phone.register();
    expect(header(registered, 'User-Agent')).toMatch(/^FreeSWITCH-mod_sofia/);
    expect(header(registered, 'Supported')).toBe('timer, path, replaces');
    expect(header(registered, 'Flow-Timer')).toBeUndefined();
    expect(header(registered, 'Contact')).not.toContain('gruu');
    const sound = new ClientSound();
    const { response, request } = await phone.authenticated(
      'INVITE',
      `sip:${ERIKA}@${DOMAIN}`,
      [{ name: 'Contact', value: `<${phone.contact}>` }],
      await sound.peer.offer(),
    );
    expect(header(response, 'Contact')).toMatch(/^<sip:\+493023125001@127\.0\.0\.1:\d+;transport=udp>$/);
    phone.inDialog(phone.dialogFrom(request, response), 'ACK');
    await sandbox.callAgent('1001', { callerNumber: JONAS });
    const invite = await phone.nextRequest('INVITE');
    expect(parseNameAddress(header(invite, 'From') ?? '').uri).toBe(`sip:${JONAS}@127.0.0.1`);
    expect(header(invite, 'Remote-Party-Id')).toContain(JONAS);
    sound.close();
  });

  it('loses its BYE after a new connection, whatever came over that, and knows nothing of the call then', async () => {
    const sandbox = await freeswitch();
    const phone = await phoneOn(sandbox);
    const old = await call(phone, ERIKA);
    const page = await reloaded(sandbox, phone);
    const sound = new ClientSound(1300);
    expect((await resume(page, old.dialog, sound)).status).toBe(200);
    await heard(() => sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1300));
    const ended = sandbox.events.next('call.ended');
    sandbox.hangUp(ERIKA);
    await ended;
    await nothingElse(sandbox, page);
    const late = { ...old.dialog, sequence: old.dialog.sequence + 200 };
    page.inDialog(late, 'INFO');
    expect((await page.nextResponse('INFO')).status).toBe(200);
    page.inDialog(late, 'INVITE', [], await new ClientSound().peer.offer());
    expect((await page.nextResponse('INVITE')).status).toBe(481);
    page.inDialog(late, 'BYE');
    expect((await page.nextResponse('BYE')).status).toBe(481);
    sound.close();
    page.close();
  });

  it('takes Replaces whatever the address says, and its BYE then arrives', async () => {
    const sandbox = await freeswitch();
    const phone = await phoneOn(sandbox);
    const old = await call(phone, ERIKA);
    const page = await reloaded(sandbox, phone);
    const made = await replace(page, old.dialog);
    await heard(() => made.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1300));
    sandbox.hangUp(ERIKA);
    // The old one's BYE went to the connection that is gone.
    expect(header(await page.nextRequest('BYE'), 'Call-ID')).toBe(made.dialog.callId);
    made.sound.close();
    page.close();
  });

  it('takes Replaces from whoever knows the dialog', async () => {
    const sandbox = await freeswitch();
    const [phone, thief] = [await phoneOn(sandbox), await phoneOn(sandbox, '1002')];
    const old = await call(phone, ERIKA);
    const taken = await replace(thief, old.dialog);
    await heard(() => taken.sound.level(600));
    await phone.nextRequest('BYE');
    taken.sound.close();
  });

  it('takes Replaces of a dead dialog for a new call: 404 where nobody is, a second call where somebody is', async () => {
    const sandbox = await freeswitch();
    const phone = await phoneOn(sandbox);
    const old = await call(phone, ERIKA);
    sandbox.hangUp(ERIKA);
    phone.respond(await phone.nextRequest('BYE'), 200, 'OK');
    await expect(replace(phone, old.dialog)).rejects.toThrow('404');
    const made = await replace(phone, old.dialog, JONAS);
    await heard(() => made.sound.level(850));
    expect(sandbox.calls().filter(({ state }) => state === 'answered')).toHaveLength(1);
    made.sound.close();
  });

  it('ends an application that is replaced, and keeps one that is resumed', async () => {
    const sandbox = await freeswitch();
    const phone = await phoneOn(sandbox);
    const clock = await call(phone, '+442079460123');
    await heard(() => clock.sound.level(1200));
    const page = await reloaded(sandbox, phone);
    const sound = new ClientSound();
    expect((await resume(page, clock.dialog, sound)).status).toBe(200);
    await heard(() => sound.level(1200));
    const made = await replace(page, clock.dialog);
    expect(header(await page.nextRequest('BYE'), 'Call-ID')).toBe(made.dialog.callId);
    await eventually(() => expect(sandbox.calls().every(({ state }) => state === 'ended')).toBe(true));
    made.sound.close();
    sound.close();
    page.close();
  });

  it('keeps the seat of a member of a room that is replaced', async () => {
    const sandbox = await freeswitch();
    const [phone, other] = [await phoneOn(sandbox), await phoneOn(sandbox, '1002')];
    const mine = await call(phone, '81001');
    const theirs = await call(other, '81001', 1100);
    await heard(() => mine.sound.level(1100));
    const page = await reloaded(sandbox, phone);
    const made = await replace(page, mine.dialog);
    await heard(() => made.sound.level(1100));
    await heard(() => theirs.sound.level(1300));
    made.sound.close();
    page.close();
  });

  it('tells of a transfer as done at once, and drops who is sent to nobody', async () => {
    const sandbox = await freeswitch();
    const phone = await phoneOn(sandbox);
    for (const [target, left] of [
      ['+493023125408', 'call.ringing'],
      ['4040', 'call.ended'],
    ] as const) {
      const made = await call(phone, ERIKA);
      const happened = sandbox.events.next(left);
      phone.inDialog(made.dialog, 'REFER', [{ name: 'Refer-To', value: `<sip:${target}@${DOMAIN}>` }]);
      const notify = (await phone.next(
        (message) => message.kind === 'request' && message.method === 'NOTIFY' && !tellsMessages(message),
      )) as SipRequest;
      expect(notify.body.trim()).toBe('SIP/2.0 200 OK');
      phone.respond(notify, 200, 'OK');
      phone.respond(await phone.nextRequest('BYE'), 200, 'OK');
      if (target === '4040') await happened;
      else await eventually(() => expect(sandbox.calls().at(-1)?.state).toBe('ended'));
    }
  });
});

describe("with Asterisk's manners", () => {
  const asterisk = (): Promise<Switch> => starting({ behaveLike: 'asterisk' });

  it('answers a resumed dialog and never encrypts it, while Replaces brings the sound back', async () => {
    const sandbox = await asterisk();
    const phone = await phoneOn(sandbox);
    const old = await call(phone, ERIKA);
    await heard(() => old.sound.level(600));
    const page = await reloaded(sandbox, phone);
    const sound = new ClientSound(1300);
    const response = await resume(page, old.dialog, sound);
    expect(response.status).toBe(200);
    expect(header(response, 'Server')).toMatch(/^Asterisk/);
    expect(header(response, 'Supported')).toMatch(/\breplaces\b/);
    const made = await replace(page, old.dialog);
    await heard(() => made.sound.level(600));
    await heard(() => sandbox.heard(ERIKA).levelAt(1300));
    expect(sound.peer.packetsReceived).toBe(0);
    made.sound.close();
    sound.close();
    page.close();
  });

  it('says BYE where the call was last invited: lost without a re-INVITE on the new connection, there with one', async () => {
    const sandbox = await asterisk();
    const phone = await phoneOn(sandbox);
    const lost = await call(phone, ERIKA);
    phone.close();
    await phone.reconnect(sandbox.url);
    await phone.register();
    phone.inDialog(lost.dialog, 'INFO', [{ name: 'Content-Type', value: 'application/dtmf' }], '1');
    await phone.nextResponse('INFO');
    const ended = sandbox.events.next('call.ended');
    sandbox.hangUp(ERIKA);
    await ended;
    await nothingElse(sandbox, phone);

    const kept = await call(phone, ERIKA);
    phone.close();
    await phone.reconnect(sandbox.url);
    await phone.register();
    const restarted = { ...kept.dialog };
    phone.inDialog(restarted, 'INVITE', [{ name: 'Contact', value: phone.gruu() }], await kept.sound.peer.reoffer());
    expect((await phone.nextResponse('INVITE')).status).toBe(200);
    phone.inDialog(restarted, 'ACK');
    sandbox.hangUp(ERIKA);
    await phone.nextRequest('BYE');
  });
});
