/**
 * A page that is reloaded with a call up: the real port takes the call up again, behind Kamailio and rtpengine with baresip and linphone, and at
 * Asterisk. By the way the far side allows; sound is judged on both sides.
 * Run inside: node test/sip-lab/run-in-lab.ts -- npx vitest run --project lab test/survival/reload.lab.test.ts
 */
import { randomBytes } from 'node:crypto';
import type { CallId } from '@patchcord/call-protocol';
import type { KeptDialog, SipAccount, SipCredential } from '@patchcord/phone-engine';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { listenUntil, startBrowser, type TestBrowser } from '../browser/chromium.ts';
import { type Asterisk, browserEndpoint, startAsterisk } from '../sip-lab/asterisk.ts';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { type Linphone, startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential } from '../sip-lab/wss-client.ts';
import { accountFor, PhoneInBrowser, type PhonePageServer, servePhonePage } from '../sip-port/phone-in-browser.ts';

const lab = labFromEnvironment();
const [bobAddress = '', doraAddress = '', deskAddress = ''] = lab.far.addresses;
const ourTone = 440;

let browser: TestBrowser;
let server: PhonePageServer;
let phone: PhoneInBrowser;
let account: SipAccount;
let credential: () => SipCredential;

beforeAll(async () => {
  [browser, server] = await Promise.all([startBrowser({ toneHz: ourTone }), servePhonePage()]);
});
afterAll(async () => {
  await browser?.close();
  await server?.close();
});
afterEach(async () => {
  const errors = await phone.errors();
  await phone.stop();
  await phone.page.close();
  expect(errors).toEqual([]);
});

const open = async () => {
  phone = await PhoneInBrowser.open(await browser.newPage(), server);
  await start();
};
const start = async (dialogs: readonly KeptDialog[] = []) => {
  await phone.command('takeUp', dialogs);
  await phone.start(account, credential());
  await phone.next('sip.registered');
};
const reload = async () => start(await phone.reload());
const recovered = async (call: CallId) => {
  const { way, peer } = (await phone.next('sip.recovered', call, 20_000)).signal;
  return `${peer}: ${way}`;
};
const tries = async () =>
  (await phone.signals()).flatMap(({ signal }) =>
    signal.type === 'sip.recovery-tried' ? [`${signal.way} ${signal.worked ? 'worked' : 'failed'}`] : [],
  );
const hears = (hz: number) =>
  listenUntil(phone.page.mainFrame(), `${hz} Hz`, (heard) => heard.amplitude(hz) > 0.01, 15_000);
const connected = async (far: FarPhone, target: string = far.user) => {
  const { call } = await phone.dial(target);
  await phone.next('sip.answered', call);
  await far.waitFor('established');
  await hears(far.toneHz);
  return call;
};
/** Both sides hear each other, the call can be held, and the far side's goodbye arrives. */
const goesOn = async (call: CallId, far: FarPhone) => {
  await hears(far.toneHz);
  await far.hears(ourTone);
  await phone.command('hold', call, true);
  await phone.next('sip.held', call);
  await far.hearsSilence();
  await phone.command('hold', call, false);
  await phone.next('sip.resumed', call);
  await hears(far.toneHz);
  await far.hears(ourTone);
  await far.hangUp();
  expect((await phone.next('sip.ended', call)).signal.by).toBe('far-side');
};

describe('behind Kamailio and rtpengine', () => {
  const secret = randomBytes(32).toString('hex');
  let edge: Edge;
  let bob: Baresip;
  let dora: Linphone;

  beforeAll(async () => {
    edge = await startEdge(lab, { credentialSecret: secret, turnSecret: randomBytes(16).toString('hex') });
    bob = await startBaresip(lab, { user: '2001', address: bobAddress, toneHz: 600, autoAnswer: true });
    dora = await startLinphone(lab, { user: '2003', address: doraAddress, toneHz: 1700, autoAnswer: true });
    credential = () => ({ ...ephemeralCredential(secret, '1001', 300), expiresAt: Date.now() + 300_000 });
  });
  afterAll(async () => {
    await Promise.all([bob?.stop(), dora?.stop()]);
    await edge?.stop();
  });
  const setUp = async (way: SipAccount['recovery']['way'] = 'auto') => {
    account = accountFor({ url: edge.wssUrl, domain: edge.domain }, '1001', {
      recovery: { way, applications: [], known: [] },
    });
    await open();
  };

  it('a call with baresip, which knows no Replaces, is resumed; and again after the next reload', async () => {
    await setUp();
    const call = await connected(bob);
    await reload();
    expect(await recovered(call)).toBe('baresip: resume');
    await hears(600);
    await bob.hears(ourTone);
    await reload();
    expect(await recovered(call)).toBe('baresip: resume');
    await goesOn(call, bob);
  });

  it('a call that baresip placed is resumed', async () => {
    await setUp();
    await bob.dial('1001');
    const { call } = (await phone.next('sip.invited')).signal;
    await phone.answer(call);
    await phone.next('sip.answered', call);
    await bob.waitFor('established');
    await hears(600);
    await reload();
    expect(await recovered(call)).toBe('baresip: resume');
    await goesOn(call, bob);
  });

  it('baresip refuses to be replaced, and the call is resumed all the same', async () => {
    await setUp('replaces');
    const call = await connected(bob);
    await reload();
    expect(await recovered(call)).toBe('baresip: resume');
    expect(await tries()).toEqual(['replaces failed', 'resume worked']);
    await goesOn(call, bob);
  });

  it.each([
    ['auto', ['resume worked']],
    ['replaces', ['replaces failed', 'resume worked']],
  ] as const)(
    'a call with linphone, which takes no second call of the same caller, is resumed (%s)',
    async (way, tried) => {
      await setUp(way);
      const call = await connected(dora);
      await reload();
      expect(await recovered(call)).toMatch(/^Linphone\w*: resume$/);
      expect(await tries()).toEqual(tried);
      await goesOn(call, dora);
    },
  );

  it('a call on hold comes back on hold', async () => {
    await setUp();
    const call = await connected(bob);
    await phone.command('hold', call, true);
    await phone.next('sip.held', call);
    await reload();
    await recovered(call);
    await bob.hearsSilence();
    await phone.command('hold', call, false);
    await phone.next('sip.resumed', call);
    await goesOn(call, bob);
  });

  it('what was still being placed is cancelled', async () => {
    await bob.stop();
    bob = await startBaresip(lab, { user: '2001', address: bobAddress, toneHz: 600 });
    await setUp();
    const { call } = await phone.dial('2001');
    await bob.waitFor('incoming');
    await phone.next('sip.ringing', call);
    await reload();
    expect((await phone.next('sip.ended', call)).signal.by).toBe('network');
    await bob.waitFor('closed');
  });
});

describe('at Asterisk', () => {
  let asterisk: Asterisk;
  let desk: Baresip;

  beforeAll(async () => {
    asterisk = await startAsterisk(lab, {
      more: {
        'pjsip.conf': browserEndpoint(),
        'extensions.conf': `
[from-internal]
exten => 3001,1,Dial(PJSIP/3001,30)
`,
      },
    });
    desk = await startBaresip(lab, {
      user: asterisk.desk.user,
      password: asterisk.desk.password,
      registrar: `${asterisk.address}:5060`,
      address: deskAddress,
      toneHz: 850,
      autoAnswer: true,
    });
    credential = () => ({ username: '3001', password: 'agent', expiresAt: 4_102_444_800_000 });
  });
  afterAll(async () => {
    await desk?.stop();
    await asterisk?.stop();
  });
  const setUp = async (way: SipAccount['recovery']['way']) => {
    account = accountFor({ url: asterisk.wssUrl, domain: asterisk.domain }, '3001', {
      recovery: { way, applications: [], known: [] },
    });
    await open();
  };

  it('a call is replaced; and again after the next reload', async () => {
    await setUp('auto');
    const call = await connected(desk);
    await reload();
    expect(await recovered(call)).toBe('Asterisk: replaces');
    await hears(850);
    await reload();
    expect(await recovered(call)).toBe('Asterisk: replaces');
    await goesOn(call, desk);
  });

  it('a re-INVITE brings no sound, which is noticed, and the call is replaced', async () => {
    await setUp('resume');
    const call = await connected(desk);
    await reload();
    expect(await recovered(call)).toBe('Asterisk: replaces');
    expect(await tries()).toEqual(['resume failed', 'replaces worked']);
    await goesOn(call, desk);
  });
});
