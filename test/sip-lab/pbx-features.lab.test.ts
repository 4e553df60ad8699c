/**
 * The office features of a real Asterisk 22 with the files of deploy/asterisk, seen from agents' browsers whose credentials the relay pushed: two
 * browsers of one extension, another agent, desk phones. Of the servers, not of the engine: the browsers here are scripted and have no sound.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { AgentId, DeviceId } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { checkConfig } from '../../server/src/config.ts';
import type { CredentialIssuer } from '../../server/src/credentials/issuer.ts';
import { issuerOf } from '../../server/src/credentials/issuers.ts';
import { createLog } from '../../server/src/logging.ts';
import type { Store } from '../../server/src/store/contract.ts';
import { openStore } from '../../server/src/store/open.ts';
import { type Asterisk, startAsterisk } from './asterisk.ts';
import { numbersThatRefuse } from './asterisk-numbers.ts';
import { type Baresip, startBaresip } from './baresip.ts';
import { untilReady } from './lab-process.ts';
import { labFromEnvironment } from './namespaces.ts';
import type { SipText } from './sip-text.ts';
import { goertzel, readWav } from './tone.ts';
import { WssPhone } from './wss-phone.ts';

const lab = labFromEnvironment();
const [deskAddress = '', callerAddress = ''] = lab.far.addresses;
const [musicHz, deskTone, callerTone] = [700, 600, 1250];
const callerPassword = 'second-desk-phone';

let asterisk: Asterisk;
let desk: Baresip;
let caller: Baresip;
let store: Store;
let issuer: CredentialIssuer;
/** Two browsers of one agent, and one of another. */
let ada: WssPhone;
let adaAtHome: WssPhone;
let bo: WssPhone;
const open: WssPhone[] = [];

beforeAll(async () => {
  asterisk = await startAsterisk(lab, {
    musicHz,
    more: {
      'pjsip.conf': [
        ...['[1002](desk)', 'auth=1002', 'aors=1002', 'callerid=Second desk <1002>'],
        ...['[1002]', 'type=auth', 'auth_type=digest', 'username=1002', `password=${callerPassword}`],
        ...['[1002]', 'type=aor', 'max_contacts=1'],
        // A browser that insists on what is otherwise offered.
        ...['[1003](desk)', 'transport=transport-wss', 'webrtc=yes', 'auth=1003', 'aors=1003'],
        ...['timers=required', '100rel=required', 'callerid=Strict <1003>'],
        ...['[1003]', 'type=auth', 'auth_type=digest', 'username=1003', `password=${callerPassword}`],
        ...['[1003]', 'type=aor', 'max_contacts=1'],
      ].join('\n'),
      'voicemail.conf': '1101 => 4711,Ada Byron\n1002 => 4711,Second desk,,,envelope=no|saycid=no\n',
      'queues.conf': 'member => Local/1101@queue-agent/n,0,Ada Byron,hint:1101@hints\n',
      ...numbersThatRefuse,
    },
  });
  const phone = (user: string, password: string, address: string, toneHz: number) =>
    startBaresip(lab, { user, password, address, toneHz, registrar: `${asterisk.address}:5060`, autoAnswer: true });
  [desk, caller] = await Promise.all([
    phone('1001', asterisk.desk.password, deskAddress, deskTone),
    phone('1002', callerPassword, callerAddress, callerTone),
  ]);
  store = await openStore({ kind: 'sqlite', folder: mkdtempSync(join(lab.folder, 'store-')) });
  const [tenant] = checkConfig({
    tenants: [
      {
        id: 'lab',
        name: 'Lab',
        country: 'US',
        hostOrigins: ['https://crm.example.com'],
        crm: { kind: 'memory' },
        sip: {
          domain: asterisk.domain,
          servers: [asterisk.wssUrl],
          credential: { kind: 'asterisk-ari', ...asterisk.ari },
        },
        agents: [
          { id: 'ada', name: 'Ada Byron', extension: '1101', crmUserId: 'ada' },
          {
            ...{ id: 'bo', name: 'Bo Diaz', extension: '1102', crmUserId: 'bo' },
            features: {
              callerIds: [
                { number: '+12125550100', label: 'Front desk' },
                { number: '+12125550101', label: 'Sales' },
              ],
            },
          },
        ],
      },
    ],
  }).tenants;
  if (tenant === undefined) throw new Error('The configuration lost its tenant.');
  issuer = issuerOf(tenant, { store: store.credentials, log: createLog('silent'), now: Date.now });
});
afterAll(async () => {
  await Promise.all([desk?.stop(), caller?.stop(), store?.close()]);
  await asterisk?.stop();
});

async function browser(agent: string, extension: string, name: string): Promise<WssPhone> {
  const device = { agent: agent as AgentId, id: randomUUID() as DeviceId, extension, name };
  const { username, password, user = '' } = await issuer.issue(device);
  const phone = await WssPhone.connect(asterisk, { user, credential: { username, password } });
  open.push(phone);
  return phone;
}

beforeEach(async () => {
  [ada, adaAtHome, bo] = await Promise.all([
    browser('ada', '1101', 'Ada Byron'),
    browser('ada', '1101', 'Ada Byron'),
    browser('bo', '1102', 'Bo Diaz'),
  ]);
});
afterEach(async () => {
  // What a test that failed half-way left must not fail the next one.
  await Promise.all(['channel request hangup all', 'database deltree DND', 'database deltree CF'].map(asterisk.cli));
  await Promise.all(open.splice(0).map((phone) => phone.close()));
});

const shows = (state: string) => (notify: SipText) => notify.body.includes(`<state>${state}</state>`);
const watch = (phone: WssPhone, target: string) =>
  phone.subscribe(target, 'dialog', { accept: 'application/dialog-info+xml' });
const is = (status: number) => (response: SipText) => response.status === status;

describe('busy lamps', () => {
  test('an agent’s lamp follows whichever of his browsers is called or calls', async () => {
    const lamp = await watch(bo, '1101');
    expect(lamp.answer.status).toBe(200);
    await lamp.notified(shows('terminated'));
    const call = bo.invite('1101');
    await call.answered(is(180));
    await lamp.notified(shows('early'));
    const elsewhere = await ada.invited();
    (await adaAtHome.invited()).respond(200, 'OK');
    await call.answered(is(200));
    const cancel = await elsewhere.asked(({ method }) => method === 'CANCEL');
    expect(cancel.header('reason')).toMatch(/^SIP;cause=200/);
    await lamp.notified(shows('confirmed'));
    await call.request('BYE');
    await lamp.notified(shows('terminated'));
    const back = ada.invite('*43');
    await back.answered(is(200));
    await lamp.notified(shows('confirmed'));
    await back.request('BYE');
    await lamp.notified(shows('terminated'));
  });
});

/** Dials a feature code, which answers with a tone when it has taken it. */
async function code(phone: WssPhone, number: string): Promise<void> {
  const call = phone.invite(number);
  await call.answered(is(200));
  await call.request('BYE');
}

/** Skips the greeting, speaks for a while after the beep, hangs up. */
async function leaveMessage(phone: Baresip): Promise<void> {
  const recording = () => readFileSync(asterisk.log, 'utf8').split('Recording the message').length;
  const before = recording();
  await phone.sendDtmf('#');
  await untilReady('Nothing is recorded', () => recording() > before || undefined);
  await phone.listen(1_500);
  await phone.hangUp();
}

/** Both ends of the call are joined: only then can it be transferred. */
const joined = () =>
  untilReady('The call is not joined', async () =>
    /basic +simple_bridge|simple_bridge/.test(await asterisk.cli('bridge show all')) ? true : undefined,
  );

describe('park', () => {
  test('a call transferred to 700 waits with music in a slot whose lamp burns, and is retrieved by dialling it', async () => {
    const lamp = await watch(bo, '701');
    await lamp.notified(shows('terminated'));
    const call = ada.invite('1001');
    await call.answered(is(200));
    await joined();
    const refer = await call.request('REFER', { headers: [`Refer-To: <sip:700@${asterisk.domain}>`] });
    expect(refer.status).toBe(202);
    await call.asked(({ body }) => body.includes('200 OK'));
    await lamp.notified(shows('confirmed'));
    await desk.hears(musicHz);
    await caller.dial('701');
    await desk.hears(callerTone);
    await caller.hears(deskTone);
    await lamp.notified(shows('terminated'));
  });
});

describe('the mailbox', () => {
  test('takes a call that do not disturb turned away, and tells both browsers, the one that subscribed and the one that did not', async () => {
    const waiting = await ada.subscribe(ada.user, 'message-summary', { accept: 'application/simple-message-summary' });
    expect(waiting.answer.status).toBe(200);
    await waiting.notified(({ body }) => body.includes('Messages-Waiting: no'));
    await code(adaAtHome, '*78');
    await desk.dial('1101');
    await desk.waitFor('established');
    await leaveMessage(desk);
    const recorded = join(dirname(asterisk.log), 'spool/voicemail/default/1101/INBOX/msg0000.wav');
    const told = await waiting.notified(({ body }) => body.includes('Messages-Waiting: yes'));
    expect(told.body).toMatch(/Voice-Message: 1\/0/);
    await adaAtHome.unasked.next(({ body }) => /Voice-Message: 1\/0/.test(body));
    expect(goertzel(readWav(recorded).samples, 8_000, deskTone)).toBeGreaterThan(0.01);
    await code(ada, '*79');
  });

  test('takes a call that nobody answers, one that finds nobody, and one that is sent to it', async () => {
    await asterisk.cli('dialplan set global RING_SECONDS 1');
    await desk.dial('1101');
    await ada.invited();
    await desk.waitFor('established');
    await desk.hangUp();
    await desk.waitFor('closed');
    await asterisk.cli('dialplan set global RING_SECONDS 30');
    await Promise.all([ada.close(), adaAtHome.close()]);
    await untilReady('The browsers are still registered', async () =>
      (await asterisk.cli('pjsip show contacts')).includes(' 1101-') ? undefined : true,
    );
    await desk.dial('1101');
    await desk.waitFor('established');
    await code(bo, '*981101');
    expect((await bo.invite('*981102').answered(({ status }) => status >= 300)).status).toBe(404);
  });

  test('is opened with *97 by its own phone and plays what was left', async () => {
    await caller.dial('*78');
    await untilReady('The code was not taken', async () =>
      (await asterisk.cli('database get DND 1002')).includes('YES') ? true : undefined,
    );
    await untilReady('The code is still busy', async () =>
      (await asterisk.cli('pjsip show channels')).includes('/1002-') ? undefined : true,
    );
    await desk.dial('1002');
    await desk.waitFor('established');
    await leaveMessage(desk);
    await caller.dial('*97');
    await caller.waitFor('established');
    await caller.listen(500);
    await caller.sendDtmf('1');
    await caller.hears(deskTone, { withinMs: 15_000 });
    await caller.hangUp();
    await caller.dial('*79');
    await untilReady('The code was not taken', async () =>
      (await asterisk.cli('database get DND 1002')).includes('YES') ? undefined : true,
    );
  });
});

/** What AstDB holds that a crash would leave: it is written once a second. */
function onDisk(key: string): unknown {
  const database = new DatabaseSync(join(dirname(asterisk.log), 'lib/astdb.sqlite3'), { readOnly: true });
  const row = database.prepare('SELECT value FROM astdb WHERE key = ?').get(key);
  database.close();
  return row?.value;
}

test('after a crash Asterisk knows nothing of calls that it cut off, but what forwarding and caller IDs were', async () => {
  const lamp = await watch(bo, '1101');
  await code(bo, '*721101');
  const cut = ada.invite('*43');
  await cut.answered(is(200));
  await lamp.notified(shows('confirmed'));
  await untilReady('AstDB is not on disk', () => onDisk('/CustomDevstate/agent1101') === 'INUSE' || undefined);
  await asterisk.restart('crash');
  await issuer.reconcile();
  const [again, caller] = await Promise.all([browser('bo', '1102', 'Bo Diaz'), browser('ada', '1101', 'Ada Byron')]);
  await (await watch(again, '1101')).notified(shows('terminated'));
  const call = caller.invite('1102');
  expect((await caller.invited()).message.header('diversion')).toContain('1102');
  call.cancel();
  await code(again, '*73');
  const shown = again.invite('1101', { headers: ['P-Preferred-Identity: <sip:+12125550101@patchcord.test>'] });
  await shown.answered(is(180));
  shown.cancel();
});

describe('do not disturb and forwarding', () => {
  test('without a mailbox the caller hears busy, until it is switched off', async () => {
    await code(bo, '*78');
    expect((await ada.invite('1102').answered(is(486))).status).toBe(486);
    await code(bo, '*79');
    const call = ada.invite('1102');
    await call.answered(is(180));
    call.cancel();
    await call.answered(is(487));
  });

  test('calls go to the number of *72 with their history, and no longer after *73', async () => {
    await code(bo, '*721101');
    const call = adaAtHome.invite('1102');
    const forwarded = await ada.invited();
    expect(forwarded.message.header('diversion')).toMatch(/<sip:1102@.*reason=unconditional/);
    call.cancel();
    await code(bo, '*73');
    const direct = adaAtHome.invite('1102');
    await bo.invited();
    direct.cancel();
  });

  test('nobody forwards to a number that no phone here could dial', async () => {
    expect((await bo.invite('*720015550100').answered(is(404))).status).toBe(404);
  });
});

describe('pick-up', () => {
  test('**<extension> takes a call from an agent’s browsers, and the lamp of who took it burns', async () => {
    const lamp = await watch(ada, '1102');
    await lamp.notified(shows('terminated'));
    await desk.dial('1101');
    await Promise.all([ada.invited(), adaAtHome.invited()]);
    const taken = bo.invite('**1101');
    await taken.answered(is(200));
    await desk.waitFor('established');
    await lamp.notified(shows('confirmed'));
    await taken.request('BYE');
    await lamp.notified(shows('terminated'));
  });

  test('*8 takes a call of the own group, and both browsers stop ringing', async () => {
    await desk.dial('1101');
    const rung = await Promise.all([ada.invited(), adaAtHome.invited()]);
    const taken = bo.invite('*8');
    await taken.answered(is(200));
    await desk.waitFor('established');
    const cancels = await Promise.all(rung.map((call) => call.asked(({ method }) => method === 'CANCEL')));
    // The one whose place was taken is told nothing of "elsewhere".
    const reasons = cancels.map((cancel) => cancel.header('reason').split(';text')[0]);
    expect(reasons.sort()).toEqual(['Q.850;cause=16', 'SIP;cause=200']);
    await taken.request('BYE');
  });
});

describe('intercom and paging', () => {
  test('*80<extension> asks the called phones to answer by themselves, in both usual ways', async () => {
    const call = bo.invite('*801101');
    const { message } = await ada.invited();
    expect(message.header('call-info')).toBe('<sip:patchcord.test>;answer-after=0');
    expect(message.header('alert-info')).toBe('info=alert-autoanswer');
    call.cancel();
  });

  test('*81 reaches everybody in the list but the one who pages', async () => {
    await asterisk.cli('dialplan set global PAGED 1001,1101,1102');
    const call = bo.invite('*81');
    const rung = await ada.invited();
    expect(rung.message.header('call-info')).toContain('answer-after=0');
    rung.respond(200, 'OK');
    await desk.waitFor('established');
    await call.answered(is(200));
    await call.request('BYE');
  });
});

test('99<extension> rings the browsers of an agent, to move a call to them', async () => {
  await code(bo, '*721101');
  const call = adaAtHome.invite('991102');
  await bo.invited();
  call.cancel();
  await code(bo, '*73');
});

describe('queue and conference', () => {
  test('who calls 600 hears music until a browser of an agent answers', async () => {
    await asterisk.cli('queue pause member Local/1001@queue-agent/n queue 600');
    await caller.dial('600');
    const rung = await adaAtHome.invited();
    await caller.hears(musicHz);
    rung.respond(200, 'OK');
    await rung.asked(({ method }) => method === 'ACK');
    await rung.request('BYE');
    await caller.waitFor('closed');
  });

  test('those in the room of an agent hear each other, and its lamp burns', async () => {
    const lamp = await watch(bo, '81101');
    await desk.dial('81101');
    await caller.dial('81101');
    await desk.hears(callerTone);
    await caller.hears(deskTone);
    await lamp.notified(shows('confirmed'));
  });
});

describe('on the wire', () => {
  test('*44 has sound before the answer', async () => {
    const before = caller.events.filter(({ kind }) => kind === 'established').length;
    await caller.dial('*44');
    await caller.hears(850);
    expect(caller.events.filter(({ kind }) => kind === 'established')).toHaveLength(before);
    await caller.hangUp();
  });

  test('ringing is reliable with a phone that offers it, and the call goes on after PRACK', async () => {
    const call = ada.invite('1102', { headers: ['Supported: 100rel'] });
    const ringing = await call.answered(is(180));
    expect([ringing.header('require'), ringing.header('rseq')]).toEqual(['100rel', expect.stringMatching(/^\d+$/)]);
    (await bo.invited()).respond(200, 'OK');
    await call.answered(is(200));
    await call.request('BYE');
  });

  test('a session timer is agreed on, one that is too short is not', async () => {
    const timed = (seconds: number) => ({ headers: ['Supported: timer', `Session-Expires: ${seconds}`] });
    const short = await ada.invite('*43', timed(60)).answered(({ status }) => status >= 200);
    expect([short.status, short.header('min-se')]).toEqual([422, '90']);
    const call = ada.invite('*43', timed(90));
    expect((await call.answered(is(200))).header('session-expires')).toMatch(/^90;refresher=/);
    await call.request('BYE');
  });

  test('an endpoint that requires timers and reliable ringing refuses a call without them', async () => {
    const strict = await WssPhone.connect(asterisk, {
      user: '1003',
      credential: { username: '1003', password: callerPassword },
    });
    open.push(strict);
    const refused = await strict.invite('*43').answered(({ status }) => status >= 200);
    expect(refused.status).toBe(421);
    const taken = strict.invite('*43', { headers: ['Supported: timer, 100rel', 'Session-Expires: 90'] });
    await taken.answered(is(200));
    await taken.request('BYE');
  });

  test('the called phone is told who calls, and a transfer changes that by UPDATE', async () => {
    await desk.dial('1101');
    const { message } = await ada.invited();
    expect(message.header('p-asserted-identity')).toContain('<sip:1001@');
    await desk.hangUp();
    const call = bo.invite('1001');
    await call.answered(is(200));
    await desk.waitFor('established');
    await joined();
    await desk.transfer('1002');
    const update = await call.asked(
      ({ method, header }) => method === 'UPDATE' && header('p-asserted-identity') !== '',
    );
    expect(update.header('p-asserted-identity')).toContain('1002');
    await call.request('BYE');
  });

  test('a phone shows one of the numbers it may show, and no other', async () => {
    const asks = (number: string) => ({
      headers: [`P-Preferred-Identity: "Front (desk)" <sip:${number}@patchcord.test>`],
    });
    for (const number of ['+12125550100', '+12125550101', '1102']) {
      const call = bo.invite('1101', asks(number));
      const { message } = await ada.invited();
      expect(message.header('from')).toContain(`<sip:${number}@`);
      call.cancel();
      await call.answered(is(487));
    }
    for (const number of ['+1212555010', '+12125550199', '1101']) {
      const refused = await bo.invite('1101', asks(number)).answered(({ status }) => status >= 200);
      expect([number, refused.status]).toEqual([number, 403]);
    }
  });

  test('a phone may send a call elsewhere', async () => {
    await desk.dial('1101');
    const rung = await ada.invited();
    rung.respond(302, 'Moved Temporarily', [`Contact: <sip:1102@${asterisk.domain}>`]);
    await bo.invited();
    await desk.hangUp();
  });

  test('a key sent by INFO reaches the far side as RFC 4733', async () => {
    const call = bo.invite('1001');
    await call.answered(is(200));
    await desk.waitFor('established');
    const info = { body: 'Signal=5\r\nDuration=160\r\n', type: 'application/dtmf-relay' };
    expect((await call.request('INFO', info)).status).toBe(200);
    expect((await desk.waitFor('dtmf')).detail).toBe('5');
    await call.request('BYE');
  });

  test.each([
    ['4302', 302],
    ['4403', 403],
    ['4480', 480],
    ['4486', 486],
    ['4603', 603],
  ])('%s ends with %i', async (number, status) => {
    const answer = await ada.invite(number).answered((response) => response.status >= 200);
    expect(answer.status).toBe(status);
    if (status === 302) expect(answer.header('contact')).toContain('sip:1001@');
  });
});
