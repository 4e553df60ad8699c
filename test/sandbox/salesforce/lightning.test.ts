import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { plantDemoCalls } from '../../../sandbox/src/salesforce/demo-calls.ts';
import { type SalesforceSandbox, startSalesforceSandbox } from '../../../sandbox/src/salesforce/sandbox.ts';
import { launchChromium, type OpenPage, openPage, servePanel } from './browser-page.ts';

/** A panel that enables click-to-dial and keeps the clicks. */
const panelHtml = `<!doctype html><body>Panel of the test<script>
  heard = [];
  const script = document.createElement('script');
  script.src = new URLSearchParams(location.search).get('sfdcIframeOrigin') + '/support/api/66.0/lightning/opencti_min.js';
  script.onload = () => {
    sforce.opencti.onClickToDial({ listener: (payload) => heard.push(payload) });
    sforce.opencti.enableClickToDial({ callback: () => { ready = true; } });
  };
  document.head.append(script);
</script>`;

declare const heard: Record<string, unknown>[];
declare const sandbox: {
  channel: {
    publish(channel: string, message: unknown): void;
    subscribe(channel: string, listener: (message: unknown) => void): void;
  };
};

const channel = 'Patchcord_Phone__c';
const callId = '8c1f6a34-5f52-4b1c-9a0c-2d1f6f0a7c11';
const minute = 60_000;
let browser: Browser;
let panel: { origin: string; close(): Promise<void> };
let org: SalesforceSandbox;
let serial = 0;

beforeAll(async () => {
  browser = await launchChromium();
  panel = await servePanel(panelHtml);
});
afterAll(async () => {
  await browser.close();
  await panel.close();
});
beforeEach(async () => {
  org = await startSalesforceSandbox({ panelUrl: `${panel.origin}/salesforce/` });
});
afterEach(async () => {
  await org.close();
});

const idOf = (name: string): string =>
  `${[...org.records.Contact, ...org.records.Lead, ...org.records.Account].find((row) => row.Name === name)?.Id}`;
const userNamed = (first: string) => {
  const user = org.users.find((one) => one.name.startsWith(first));
  if (!user) throw new Error(`no user ${first}`);
  return user;
};

/** A call of one minute with Elena that Robin took, `ago` ms before now. */
function plant(ago: number, more: Readonly<Record<string, string | number | null>> = {}): string {
  serial += 1;
  const startedAt = Date.now() - ago;
  return org.store.plant('Patchcord_Call__c', {
    Call_Key__c: `test-${serial}`,
    Direction__c: 'Inbound',
    From_Number__c: '+14155550101',
    To_Number__c: '101',
    Far_Side_Name__c: 'Elena Marchetti',
    Contact__c: idOf('Elena Marchetti'),
    Agent__c: userNamed('Robin').id,
    Started_At__c: new Date(startedAt).toISOString(),
    Ended_At__c: new Date(startedAt + minute).toISOString(),
    Duration_Seconds__c: 60,
    Outcome__c: 'answered',
    ...more,
  });
}

async function aura(apexClass: string, methodName: string, params: unknown, user = userNamed('Robin')) {
  const response = await fetch(`${org.url}sandbox/aura`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user: user.username, args: { apexClass, methodName, params } }),
  });
  return (await response.json()) as { returnValue?: Record<string, unknown>; message?: string };
}

describe('the call history of the emulated Apex', () => {
  const callsOf = (params: unknown, user = userNamed('Robin')) => aura('PatchcordCallHistory', 'callsOf', params, user);
  const idsIn = (answer: { returnValue?: Record<string, unknown> }): unknown[] =>
    ((answer.returnValue?.calls ?? []) as { id: string }[]).map((call) => call.id);

  it('goes page by page, the newest first, calls of one second together', async () => {
    const [oldest, third, second, newest] = [plant(9 * minute), plant(5 * minute), plant(5 * minute), plant(minute)];
    const together = new Date(Date.now() - 5 * minute).toISOString();
    for (const id of [second, third]) {
      const row = org.store.get('Patchcord_Call__c', id);
      if (row) org.store.plant('Patchcord_Call__c', { ...row, Started_At__c: together });
    }
    const first = await callsOf({ recordId: idOf('Elena Marchetti'), limitSize: 2 });
    expect(idsIn(first)).toEqual([newest, ...[second, third].sort().reverse()]);
    expect(first.returnValue?.more).toBe(true);
    const rest = await aura('PatchcordCallHistory', 'earlierCalls', {
      recordId: idOf('Elena Marchetti'),
      limitSize: 2,
      before: together,
    });
    expect(idsIn(rest)).toEqual([oldest]);
    expect(rest.returnValue?.more).toBe(false);
  });

  it('of an account has the calls of its contacts', async () => {
    const call = plant(minute);
    expect(idsIn(await callsOf({ recordId: idOf('Northlight Cameras'), limitSize: 5 }))).toEqual([call]);
    expect(idsIn(await callsOf({ recordId: idOf('Theo Okafor'), limitSize: 5 }))).toEqual([]);
  });

  it('leaves out what the user may not see, and refuses other objects', async () => {
    const recordId = idOf('Elena Marchetti');
    plant(minute, { Note__c: 'Secret.' });
    const sam = userNamed('Sam');
    org.rights.deny({ user: sam.username, object: 'Patchcord_Call__c', field: 'Note__c' });
    expect(await callsOf({ recordId, limitSize: 5 }, sam)).toMatchObject({
      returnValue: { calls: [{ note: null, phone: '+14155550101' }] },
    });
    org.rights.deny({ user: sam.username, object: 'Contact', id: recordId });
    expect(idsIn(await callsOf({ recordId, limitSize: 5 }, sam))).toEqual([]);
    org.rights.deny({ user: sam.username, object: 'Patchcord_Call__c' });
    expect((await callsOf({ recordId, limitSize: 5 }, sam)).message).toContain('Patchcord Agent');
    expect((await callsOf({ recordId: sam.id, limitSize: 5 })).message).toContain('contacts, leads');
  });
});

describe('a call that is private to its agent', () => {
  const transcript = 'Robin: Good morning.';
  const sam = () => userNamed('Sam');
  const read = async (callId: string) =>
    (await aura('PatchcordCallHistory', 'transcriptOf', { callId }, sam())).returnValue;

  beforeEach(() => {
    org.rights.deny({ user: sam().username, object: 'Patchcord_Call__c', others: true });
  });

  it('opens to whoever may read the contact, and to nobody else by its id', async () => {
    const recordId = idOf('Elena Marchetti');
    const call = plant(minute, { OwnerId: userNamed('Robin').id, Transcript__c: transcript });
    const listed = async () =>
      (await aura('PatchcordCallHistory', 'callsOf', { recordId, limitSize: 5 }, sam())).returnValue?.calls;
    expect(await listed()).toMatchObject([{ id: call }]);
    expect(await read(call)).toBe(transcript);
    org.rights.deny({ user: sam().username, object: 'Contact', id: recordId });
    expect(await listed()).toEqual([]);
    expect(await read(call)).toBe('');
  });

  it('opens to the agent who took it, without any record', async () => {
    const own = plant(minute, { Contact__c: null, OwnerId: sam().id, Agent__c: sam().id, Transcript__c: transcript });
    const others = plant(minute, { Contact__c: null, OwnerId: userNamed('Robin').id, Transcript__c: transcript });
    expect(await read(own)).toBe(transcript);
    expect(await read(others)).toBe('');
  });

  it('of a hidden contact is not on the page of its account either', async () => {
    plant(minute, { OwnerId: userNamed('Robin').id });
    const ofAccount = { recordId: idOf('Northlight Cameras'), limitSize: 5 };
    const listed = async () => (await aura('PatchcordCallHistory', 'callsOf', ofAccount, sam())).returnValue?.calls;
    expect(await listed()).toHaveLength(1);
    org.rights.deny({ user: sam().username, object: 'Contact', id: idOf('Elena Marchetti') });
    expect(await listed()).toEqual([]);
  });
});

describe('the board of the emulated Apex', () => {
  it('counts the day in a zone, and nobody as missed who was called back or got through', async () => {
    plant(2 * minute);
    plant(3 * minute, { Outcome__c: 'answered-elsewhere' });
    plant(9 * minute, { Outcome__c: 'missed', From_Number__c: '+14155550102', Duration_Seconds__c: 0 });
    plant(8 * minute, { Direction__c: 'Outbound', To_Number__c: '+14155550102', Outcome__c: 'no-answer' });
    plant(7 * minute, { Outcome__c: 'missed', From_Number__c: '+14155550103', Duration_Seconds__c: 0 });
    plant(6 * minute, { Outcome__c: 'declined', From_Number__c: '+14155550103', Duration_Seconds__c: 0 });
    // A zone in which the last quarter of an hour certainly lies within one day.
    const hour = new Date().getUTCHours();
    const zone = hour >= 1 && hour <= 22 ? 'UTC' : 'Asia/Tokyo';
    const { returnValue } = await aura('PatchcordBoard', 'today', { zone });
    expect(returnValue).toMatchObject({ zone, moreMissed: false });
    expect(returnValue?.missed).toMatchObject([{ phone: '+14155550103', calls: 2 }]);
    expect(returnValue?.agents).toMatchObject([{ name: 'Robin Avery', calls: 5, answered: 1, missed: 3, wrapUps: 1 }]);
    expect((await aura('PatchcordBoard', 'today', { zone: 'Europe/Berlln' })).message).toContain('Europe/Berlln');
    expect((await aura('PatchcordBoard', 'today', { zone }, userNamed('Sam'))).message).toContain('for managers');
  });

  it('is told apart from the admin’s check, which is for admins', async () => {
    expect(await aura('PatchcordSetup', 'check', {})).toMatchObject({
      returnValue: [{ what: 'callCenter' }, { what: 'permissionSet', state: 'good' }, {}, {}],
    });
    expect((await aura('PatchcordSetup', 'check', {}, userNamed('Sam'))).message).toContain('for admins');
  });
});

describe('the genuine components', () => {
  let open: OpenPage;
  let page: Page;

  async function show(path = '', first = 'Robin'): Promise<void> {
    open = await openPage(browser, `${org.url}${path}?user=${encodeURIComponent(userNamed(first).username)}`);
    page = open.page;
    await open.panel('typeof ready === "boolean"');
  }
  afterEach(async () => {
    await open.context.close();
  });

  const says = (news: unknown): Promise<void> =>
    page.evaluate(([name, message]) => sandbox.channel.publish(`${name}`, { news: message }), [channel, news] as const);
  const inCall = {
    type: 'state',
    phone: 'in-call',
    available: true,
    agent: 'Robin Avery',
    at: 0,
    calls: [
      {
        id: callId,
        direction: 'inbound',
        phase: 'active',
        number: '+14155550101',
        name: 'Elena Marchetti',
        recordId: '',
        object: '',
        startedAt: Date.now() - 70_000,
        answeredAt: Date.now() - 64_000,
        endedAt: 0,
        held: false,
        muted: false,
        matches: 1,
      },
    ],
  };

  it('show the calls of the record, more of them on request, and a new one as soon as it is logged', async () => {
    for (let index = 1; index <= 7; index += 1) plant(index * minute, { Disposition__c: `Call ${index}` });
    await show();
    const calls = page.locator('c-patchcord-call-history li.call');
    await calls.nth(4).waitFor();
    expect(await calls.count()).toBe(5);
    await page.getByRole('button', { name: 'Load more' }).click();
    await calls.nth(6).waitFor();
    expect(await calls.last().textContent()).toContain('Call 7');
    plant(0, { Outcome__c: 'missed', Disposition__c: 'The newest' });
    await says({ type: 'logged', call: callId, logId: '00T000000000001' });
    await page.getByText('The newest').waitFor();
    expect(await calls.first().textContent()).toContain('Missed call');
    // What was pushed off the first page stands above the second.
    expect(await calls.count()).toBe(8);
  });

  it('let a number in a component be clicked into the phone, with the record', async () => {
    plant(minute);
    await show();
    await page.locator('c-patchcord-call-history').getByRole('button', { name: '+14155550101' }).click();
    const frame = await open.panel('heard.length > 0');
    expect(await frame.evaluate(() => heard)).toMatchObject([
      { number: '+14155550101', recordId: idOf('Elena Marchetti'), objectType: 'Contact' },
    ]);
  });

  it('play a recording with its transcript, and say when it is gone', async () => {
    plant(minute, {
      Recording_Url__c: 'https://recordings.example/1.wav',
      Transcript__c: '[0:01] Robin: Good morning.\n[0:06] Elena: Hello, about my order.',
    });
    await show();
    await page.route('https://recordings.example/**', (route) => route.fulfill({ status: 404 }));
    await page.getByRole('button', { name: 'Recording and transcript' }).click();
    await page.getByText('The recording is not available.').waitFor();
    await page.getByPlaceholder('Search the transcript').fill('order');
    await page.getByText('1 line').waitFor();
    expect(await page.locator('c-patchcord-recording mark').textContent()).toBe('order');
  });

  it('follow the call in the phone, ask it for things, and show its refusal', async () => {
    await show();
    const live = page.locator('c-patchcord-live-call');
    await live.waitFor();
    await page.evaluate((name) => {
      const asked: unknown[] = [];
      Object.assign(window, { asked });
      sandbox.channel.subscribe(name, (message) => {
        const { command } = message as { command?: unknown };
        if (command) asked.push(command);
      });
    }, channel);
    await says(inCall);
    await says({
      type: 'transcript',
      call: callId,
      line: 1,
      speaker: 'far-side',
      text: 'About my or',
      startMs: 1_000,
      endMs: 2_000,
      final: false,
    });
    await live.getByText('About my or').waitFor();
    expect(await live.getByText('still being said').count()).toBe(1);
    await live.getByRole('button', { name: 'Hold' }).click();
    await page.waitForFunction('asked.length > 0');
    const [asked] = (await page.evaluate('asked')) as { id: string }[];
    expect(asked).toMatchObject({ command: 'hold', call: callId });
    await says({ type: 'result', id: asked?.id, ok: false, reason: 'Commands of the page are refused.' });
    await live.getByText('Commands of the page are refused.').waitFor();
    await says({ ...inCall, phone: 'ready', calls: [] });
    await live.getByText('No call.').waitFor();
  });

  it('stay as they are while the page draws around them', async () => {
    plant(minute, { Transcript__c: 'Good morning.' });
    await show();
    await page.getByRole('button', { name: 'Transcript' }).click();
    await page.locator('c-patchcord-recording').getByText('Good morning.').waitFor();
    const task = {
      Subject: 'Call with Elena',
      TaskSubtype: 'Call',
      WhoId: idOf('Elena Marchetti'),
      Status: 'Completed',
    };
    org.store.create('Task', task, userNamed('Robin').id);
    await page.locator('.timeline').getByText('Call with Elena').waitFor();
    expect(await page.locator('c-patchcord-recording').getByText('Good morning.').isVisible()).toBe(true);
  });

  it('give the manager the board, and the agent a reason', async () => {
    plant(minute, { Outcome__c: 'missed', Duration_Seconds__c: 0 });
    await show();
    await page.getByRole('link', { name: 'Board' }).click();
    await page.locator('c-patchcord-board .sums').waitFor();
    await page.getByRole('link', { name: 'People' }).click();
    await page.locator('h1', { hasText: 'Elena Marchetti' }).waitFor();
    expect(await page.locator('c-patchcord-board').count()).toBe(0);
    await open.context.close();
    await show('', 'Sam');
    await page.getByRole('link', { name: 'Board' }).click();
    await page.getByText('The board is for managers.').waitFor();
  });

  it('check the set-up for an admin, and tell others that it is not theirs', async () => {
    await show();
    await page.getByRole('link', { name: 'Set-up' }).click();
    const check = page.locator('c-patchcord-setup');
    await check.getByText('Everything that can be seen from here is well.').waitFor();
    expect(await check.locator('li.finding').count()).toBe(4);
    await open.context.close();
    await show('', 'Sam');
    await page.getByRole('link', { name: 'Set-up' }).click();
    await page.locator('c-patchcord-setup').getByText('The check is for admins.').waitFor();
  });

  it('stand beside the reports of the org, which add up', async () => {
    plantDemoCalls(org.store, org.users);
    const rows = org.records.Patchcord_Call__c;
    const answered = rows.filter((row) => row.Outcome__c === 'answered');
    await show();
    await page.getByRole('link', { name: 'Reports' }).click();
    await page.locator('.report-totals', { hasText: `${rows.length}` }).waitFor();
    await page.getByRole('button', { name: 'Talk time per agent' }).click();
    const total = page.locator('.report-table tfoot tr');
    expect(await total.locator('td').first().textContent()).toBe(`${answered.length}`);
    const robins = answered.filter((row) => row.Agent__c === userNamed('Robin').id);
    const row = page.locator('.report-table tbody tr', { hasText: 'Robin Avery' });
    expect(await row.locator('td').first().textContent()).toBe(`${robins.length}`);
    for (const name of ['Outcome and disposition', 'Missed calls by hour']) {
      await page.getByRole('button', { name }).click();
      await page.locator('h1', { hasText: name }).waitFor();
    }
  });
});
