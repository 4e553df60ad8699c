/** Watching: subscriptions to dialogs and message counts on the wire, as a phone lives with them. */
import { describe, expect, it } from 'vitest';
import type { Switch } from '../../../sandbox/src/switch/index.ts';
import { header, type SipRequest, type SipResponse } from '../../../sandbox/src/switch/sip-message.ts';
import { answer, call, DOMAIN, ERIKA, eventually, JONAS, phoneOn, startTestSwitch } from './switch-under-test.ts';
import type { ClientDialog, WireClient } from './wire-client.ts';

type Told = { version: number; state: string; dialogs: { state: string; element: string }[] };

function read(notify: SipRequest): Told {
  const root = /<dialog-info [^>]*version="(\d+)" state="(\w+)" entity="[^"]+">/.exec(notify.body);
  const dialogs = [...notify.body.matchAll(/<dialog [\s\S]*?<\/dialog>/g)].map(([element]) => ({
    element,
    state: /<state>(\w+)<\/state>/.exec(element)?.[1] ?? '',
  }));
  return { version: Number(root?.[1]), state: root?.[2] ?? '', dialogs };
}

const states = (told: Told): string[] => told.dialogs.map((dialog) => dialog.state);

async function subscribe(
  phone: WireClient,
  number: string,
  event = 'dialog',
  expires = 300,
): Promise<{ response: SipResponse; dialog: ClientDialog }> {
  const { request, response } = await phone.authenticated('SUBSCRIBE', `sip:${number}@${DOMAIN}`, [
    { name: 'Event', value: event },
    { name: 'Expires', value: String(expires) },
    { name: 'Contact', value: phone.gruu() },
  ]);
  return { response, dialog: phone.dialogFrom(request, response) };
}

async function notified(phone: WireClient): Promise<SipRequest> {
  const notify = await phone.nextRequest('NOTIFY');
  phone.respond(notify, 200, 'OK');
  return notify;
}

async function watchingColleague(options = {}): Promise<{ sandbox: Switch; phone: WireClient; dialog: ClientDialog }> {
  const sandbox = await startTestSwitch(options);
  const phone = await phoneOn(sandbox);
  const { response, dialog } = await subscribe(phone, '2001');
  expect(response.status).toBe(200);
  expect(read(await notified(phone))).toEqual({ version: 0, state: 'full', dialogs: [] });
  return { sandbox, phone, dialog };
}

describe('watching an extension', () => {
  it('tells a colleague who rings, talks and hangs up, whole each time, with rising versions', async () => {
    const { sandbox, phone } = await watchingColleague();
    sandbox.colleague('2001').ringFrom(ERIKA, 'Erika & Co');
    const ringing = await notified(phone);
    expect(header(ringing, 'Event')).toBe('dialog');
    expect(header(ringing, 'Subscription-State')).toMatch(/^active;expires=\d+$/);
    expect(header(ringing, 'Content-Type')).toBe('application/dialog-info+xml');
    const told = read(ringing);
    expect(told).toMatchObject({ version: 1, state: 'full' });
    expect(told.dialogs[0]?.element).toMatch(
      /call-id="[^"]+" local-tag="[^"]+" remote-tag="[^"]+" direction="recipient"/,
    );
    expect(told.dialogs[0]?.element).toContain(
      `<remote><identity display="Erika &amp; Co">sip:${ERIKA}@${DOMAIN}</identity>`,
    );
    expect(told.dialogs[0]?.element).toContain(`<local><identity display="Dana Holt">sip:2001@${DOMAIN}</identity>`);
    expect(states(told)).toEqual(['early']);
    sandbox.colleague('2001').answer();
    expect(states(read(await notified(phone)))).toEqual(['confirmed']);
    sandbox.colleague('2001').hangUp();
    const last = read(await notified(phone));
    expect(states(last)).toEqual(['terminated']);
    expect(last.version).toBe(3);
  });

  it('tells only what changed where it is set so', async () => {
    const { sandbox, phone } = await watchingColleague({ dialogState: 'partial' });
    sandbox.colleague('2001').ringFrom(ERIKA);
    expect(read(await notified(phone))).toMatchObject({ version: 1, state: 'partial', dialogs: [{ state: 'early' }] });
    const talk = await call(phone, '2002');
    expect(talk.dialog.callId).not.toBe('');
    sandbox.colleague('2001').hangUp();
    expect(read(await notified(phone))).toMatchObject({
      version: 2,
      state: 'partial',
      dialogs: [{ state: 'terminated' }],
    });
  });

  it('tells of an agent: rung at, talking and over, under the names that his own phone knows', async () => {
    const sandbox = await startTestSwitch();
    const [watcher, phone] = [await phoneOn(sandbox, '1001'), await phoneOn(sandbox, '1002')];
    await subscribe(watcher, '1002');
    await notified(watcher);
    const placed = await sandbox.callAgent('1002', { callerNumber: ERIKA });
    expect(states(read(await notified(watcher)))).toEqual(['trying']);
    const invite = await phone.nextRequest('INVITE');
    phone.respond(invite, 180, 'Ringing', [], '', 'desk');
    const early = read(await notified(watcher));
    expect(states(early)).toContain('early');
    expect(early.dialogs[0]?.element).toContain(`call-id="${header(invite, 'Call-ID')}" local-tag="desk"`);
    await answer(phone, invite);
    expect(states(read(await notified(watcher)))).toContain('confirmed');
    placed.hangUp();
    expect(states(read(await notified(watcher)))).toEqual(['terminated']);
  });

  it('tells of a colleague that an agent calls', async () => {
    const { phone } = await watchingColleague();
    const talk = await call(phone, '2001');
    const seen: string[] = [];
    while (seen.at(-1) !== 'confirmed') seen.push(...states(read(await notified(phone))));
    expect(seen).toContain('early');
    phone.inDialog(talk.dialog, 'BYE');
    expect(states(read(await notified(phone)))).toEqual(['terminated']);
  });

  it('finds a busy colleague busy', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.colleague('2003').busyWith(JONAS);
    await expect(call(phone, '2003')).rejects.toThrow('486');
  });
});

describe('the life of a subscription', () => {
  it('is refreshed with the whole state, and ended by its phone', async () => {
    const { sandbox, phone, dialog } = await watchingColleague();
    const refresh = (expires: number): SipRequest =>
      phone.inDialog(dialog, 'SUBSCRIBE', [
        { name: 'Event', value: 'dialog' },
        { name: 'Expires', value: String(expires) },
        { name: 'Contact', value: phone.gruu() },
      ]);
    refresh(60);
    expect(header(await phone.nextResponse('SUBSCRIBE'), 'Expires')).toBe('60');
    expect(read(await notified(phone))).toMatchObject({ version: 1, state: 'full' });
    refresh(0);
    expect((await phone.nextResponse('SUBSCRIBE')).status).toBe(200);
    expect(header(await notified(phone), 'Subscription-State')).toBe('terminated;reason=timeout');
    expect(sandbox.subscriptions()).toEqual([]);
    refresh(60);
    expect((await phone.nextResponse('SUBSCRIBE')).status).toBe(481);
  });

  it('lapses, is ended by the switch with a reason, and by a phone that knows nothing of it', async () => {
    const { sandbox, phone } = await watchingColleague();
    sandbox.endSubscriptions('deactivated');
    expect(header(await notified(phone), 'Subscription-State')).toBe('terminated;reason=deactivated');
    await subscribe(phone, '2001', 'dialog', 1);
    await notified(phone);
    expect(header(await notified(phone), 'Subscription-State')).toBe('terminated;reason=timeout');
    await subscribe(phone, '2001');
    phone.respond(await phone.nextRequest('NOTIFY'), 481, 'Subscription does not exist');
    await eventually(() => expect(sandbox.subscriptions()).toEqual([]));
  });

  it('moves to the new connection when its contact is a device address, with what was missed', async () => {
    const { sandbox, phone } = await watchingColleague();
    sandbox.dropSockets();
    await phone.closed();
    await eventually(() => expect(sandbox.registered()).toEqual([]));
    sandbox.colleague('2001').ringFrom(ERIKA);
    await phone.reconnect(sandbox.url);
    await phone.register();
    expect(states(read(await notified(phone)))).toEqual(['early']);
    sandbox.colleague('2001').hangUp();
    expect(states(read(await notified(phone)))).toEqual(['terminated']);
  });

  it.each([
    ['presence', '2001', 489],
    ['dialog', '9999', 404],
    ['message-summary', '1002', 403],
  ])('refuses %s of %s with %i', async (event, number, status) => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    const { response } = await subscribe(phone, number, event);
    expect(response.status).toBe(status);
    if (status === 489) expect(header(response, 'Allow-Events')).toBe('dialog, message-summary');
  });
});

describe('switches that misbehave', () => {
  it('accepts and never tells anything', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.faults.set({ subscriptions: 'silent' });
    expect((await subscribe(phone, '2001')).response.status).toBe(202);
    sandbox.colleague('2001').ringFrom(ERIKA);
    phone.request('OPTIONS', `sip:${DOMAIN}`);
    await phone.nextResponse('OPTIONS');
    expect(phone.inbox.filter((message) => message.kind === 'request')).toEqual([]);
  });

  it('ends a subscription at once', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.faults.set({ subscriptions: 'terminated' });
    await subscribe(phone, '2001');
    expect(header(await notified(phone), 'Subscription-State')).toBe('terminated;reason=deactivated');
  });

  it('refuses to subscribe anybody', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    sandbox.faults.set({ refuseSubscribe: { status: 503, reason: 'Service Unavailable' } });
    expect((await subscribe(phone, '2001')).response.status).toBe(503);
  });
});

describe('message counts', () => {
  it('come at once and with every change', async () => {
    const sandbox = await startTestSwitch();
    const phone = await phoneOn(sandbox);
    await subscribe(phone, '1001', 'message-summary');
    const first = await notified(phone);
    expect(header(first, 'Content-Type')).toBe('application/simple-message-summary');
    expect(first.body).toContain('Messages-Waiting: no');
    sandbox.voicemail('1001').leave({ number: ERIKA }, 600);
    const second = await notified(phone);
    expect(second.body).toContain('Messages-Waiting: yes');
    expect(second.body).toContain('Voice-Message: 1/0');
  });

  it('come without being asked for, where the switch is like that', async () => {
    const sandbox = await startTestSwitch();
    sandbox.faults.set({ unsolicitedMwi: true });
    const phone = await phoneOn(sandbox);
    const first = await notified(phone);
    expect(header(first, 'To')).not.toContain('tag=');
    expect(first.body).toContain('Voice-Message: 0/0');
    sandbox.voicemail('1001').leave({ number: ERIKA }, 600);
    expect((await notified(phone)).body).toContain('Voice-Message: 1/0');
  });
});
