/**
 * What passes between the panel half and the page once they know each other: clicks, records, what is opened, the utility bar, the message
 * channel.
 */
import { describe, expect, it } from 'vitest';
import { errorFaults, type PanelBench } from './panel-bench.ts';
import { eventually } from './rig.ts';

const channel = 'Patchcord_Phone__c';

export function panelOnPage(bench: PanelBench): void {
  const { fault, idOf, recordPop, rig, said, settled, unanswered, version } = bench;

  describe('click to dial', () => {
    it('reaches the phone as typed, with its record, and not while it is disabled', async () => {
      await bench.adapter.start();
      await bench.host.tell('open', idOf('Mina Sato'));
      await bench.adapter.host('showAvailability', { signedIn: false, available: false });
      await settled();
      expect(await bench.host.tell('dial', '(415) 555-0103 x12')).toBe(false);
      expect(await bench.host.page.locator('button.dial').first().isDisabled()).toBe(true);
      await bench.adapter.host('showAvailability', { signedIn: true, available: true });
      await settled();
      expect(await bench.host.tell('dial', '(415) 555-0103 x12')).toBe(true);
      expect(await bench.adapter.heardAtLeast('dials', 1)).toEqual([
        {
          number: '(415) 555-0103 x12',
          record: { crm: 'salesforce', object: 'Contact', id: idOf('Mina Sato'), name: 'Mina Sato' },
        },
      ]);
    });

    it('is believed from the host only', async () => {
      await bench.adapter.start();
      await settled();
      const forged = {
        ...{ apiVersion: version, apiType: 'opencti', methodName: 'onClickToDial' },
        ...{ shouldExecuteListener: true, response: { number: '+19005550100' } },
      };
      await bench.host.tell('strangerSays', forged);
      await bench.adapter.strangers(1);
      expect(await bench.host.tell('dial', '(415) 555-0103')).toBe(true);
      expect(await bench.adapter.heardAtLeast('dials', 1)).toMatchObject([{ number: '(415) 555-0103' }]);
    });

    it('is heard in the tab where it was clicked, with two tabs of one org open', async () => {
      await bench.adapter.start();
      await settled();
      const other = await rig().openHost();
      try {
        const second = await other.adapter();
        await second.start();
        await eventually(() => other.tell('dial', '(415) 555-0199')).toBe(true);
        expect(await second.heardAtLeast('dials', 1)).toHaveLength(1);
        expect(await bench.host.tell('dial', '(415) 555-0103')).toBe(true);
        expect(await bench.adapter.heardAtLeast('dials', 1)).toMatchObject([{ number: '(415) 555-0103' }]);
        expect(await second.heard('dials')).toHaveLength(1);
      } finally {
        await other.page.close();
      }
    });
  });

  describe('the record in front of the agent', () => {
    it('is told once, although the host tells it on focus and after our own pop too', async () => {
      await bench.host.tell('open', idOf('Elena Marchetti'));
      await bench.adapter.start();
      await bench.adapter.heardAtLeast('shown', 1);
      await bench.adapter.host('pop', recordPop('Mina Sato'));
      await bench.adapter.heardAtLeast('shown', 2);
      for (let times = 0; times < 3; times += 1) await bench.host.tell('fireNavigation');
      await bench.host.tell('search', '');
      await bench.host.page.evaluate('document.querySelector("a.tab").click()');
      expect((await bench.adapter.heardAtLeast('shown', 3)).map((record) => record?.name ?? null)).toEqual([
        'Elena Marchetti',
        'Mina Sato',
        null,
      ]);
    });

    it('is not told for a list in a console app, which keeps quiet there', async () => {
      const console_ = await rig().openHost('?app=console');
      try {
        await console_.page.waitForSelector('[data-shown]');
        const second = await console_.adapter();
        await second.start();
        await second.settled();
        const names = async () => (await second.heard('shown')).map((record) => record?.name ?? null);
        await console_.tell('open', idOf('Mina Sato'));
        await console_.page.evaluate('document.querySelector("a.tab").click()');
        await console_.tell('open', idOf('Oliver Whitcombe'));
        await eventually(names).toEqual(['Elena Marchetti', 'Mina Sato', 'Oliver Whitcombe']);
        // Both records stay open; their tabs are told when they come to the front.
        await console_.page.click(`[data-workspace-tab="${idOf('Mina Sato')}"]`);
        await eventually(async () => (await names()).at(-1)).toBe('Mina Sato');
      } finally {
        await console_.page.close();
      }
    });
  });

  describe('what is opened', () => {
    it('is a record, a search, a flow with its variables or a page of the org', async () => {
      await bench.adapter.start();
      expect(await bench.adapter.host('pop', recordPop('Mina Sato'))).toMatchObject({ ok: true });
      await bench.host.page.waitForSelector(`[data-shown="${idOf('Mina Sato')}"]`);
      expect(await bench.adapter.host('pop', { kind: 'search', text: 'Marchetti' })).toMatchObject({ ok: true });
      await expect
        .poll(() => bench.host.page.locator('a.person').allTextContents())
        .toEqual([expect.stringContaining('Elena')]);
      expect(
        await bench.adapter.host('pop', {
          kind: 'flow',
          name: 'Caller_Check',
          variables: { Number: '+14155550103', Ünicode: 'ä & =' },
        }),
      ).toMatchObject({ ok: true });
      await bench.host.page.waitForSelector('[data-flow="Caller_Check"]');
      expect(await bench.host.page.locator('[data-flow] dd').allTextContents()).toEqual(['+14155550103', 'ä & =']);
      expect(await bench.adapter.host('pop', { kind: 'url', url: '/lightning/o/Case/home' })).toMatchObject({
        ok: true,
      });
      await bench.host.page.waitForURL(/\/lightning\/o\/Case\/home/);
    });

    it('says in plain words what the org would not open', async () => {
      await bench.adapter.start();
      const gone = { kind: 'record', record: { crm: 'salesforce', object: 'Contact', id: '003Pc00000ZZZZZ' } };
      expect(await bench.adapter.host('pop', gone)).toMatchObject({ ok: false });
      expect(await bench.adapter.host('pop', { kind: 'flow', name: 'Inactive_Flow', variables: {} })).toMatchObject({
        ok: false,
        code: 'host.refused',
      });
      expect(await bench.adapter.host('pop', { kind: 'url', url: 'https://example.com' })).toMatchObject({ ok: false });
      for (const [name, words] of errorFaults) {
        fault(name, 'screenPop', { message: 'No luck.' });
        expect(await bench.adapter.host('pop', recordPop('Mina Sato'))).toMatchObject({
          ok: false,
          code: 'host.refused',
          message: expect.stringContaining(words),
        });
      }
      expect(
        await unanswered('host-never', 'screenPop', () => bench.adapter.host('pop', recordPop('Mina Sato'))),
      ).toMatchObject({ ok: false, code: 'host.silent' });
    });

    it('waits while the agent fills in a new record: the second caller does not replace the form', async () => {
      await bench.adapter.start();
      const create = (number: string) =>
        bench.adapter.host('pop', { kind: 'new-record', object: 'Contact', fields: {}, number });
      expect(await create('+14155550187')).toMatchObject({ ok: true });
      const form = bench.host.page.locator('form[role="dialog"]');
      await form.locator('input[name="LastName"]').fill('Novak');
      const second = create('+14155550188');
      await settled();
      expect(said('screenPop')).toHaveLength(1);
      expect(await form.locator('input[name="LastName"]').inputValue()).toBe('Novak');
      await form.locator('button[type="submit"]').click();
      await bench.host.page.waitForSelector('h1:has-text("Novak")');
      expect(await second).toMatchObject({ ok: true });
      await eventually(() => form.locator('input[name="Phone"]').inputValue()).toBe('+14155550188');
      expect(rig().sandbox.records.Contact.at(-1)).toMatchObject({ LastName: 'Novak', Phone: '+14155550187' });
      await form.getByText('Cancel').click();
    });
  });

  describe('the utility bar', () => {
    it('shows the state, comes to the front on a ring, and a host that refuses it disturbs nothing', async () => {
      await bench.adapter.start();
      await settled();
      await bench.host.page.click('button.minimise');
      await bench.adapter.host('showState', 'ringing', 'Mina Sato calls');
      await bench.host.page.waitForSelector('.utility-item[aria-expanded="true"]');
      await eventually(() => bench.host.page.locator('.utility-item').textContent()).toContain('Mina Sato calls');
      fault('host-container-error', 'setSoftphone*', { times: 4 });
      expect(await bench.adapter.host('showState', 'ready', 'Ready')).toMatchObject({ ok: true });
      await settled();
      rig().sandbox.faults.clear();
      await bench.adapter.host('showState', 'in-call', 'Call');
      await eventually(() => bench.host.page.locator('.utility-item').textContent()).toContain('Call');
    });
  });

  describe('the message channel', () => {
    const news = { type: 'logged', call: '3b241101-e2bb-4255-8caf-4136c566a962', logId: '00T' };
    const listen = () =>
      bench.host.page.evaluate((name) => {
        const page = window as unknown as {
          sandbox: { channel: { subscribe(name: string, l: (m: unknown) => void): () => void } };
          told: unknown[];
          deaf: () => void;
        };
        page.told = [];
        page.sandbox.channel.subscribe(name, () => {
          throw new Error('A component that fails.');
        });
        page.sandbox.channel.subscribe(name, (message) => page.told.push(message));
        page.deaf = page.sandbox.channel.subscribe(name, (message) => page.told.push(message));
      }, channel);
    const told = () => bench.host.page.evaluate<unknown[]>('told');

    if (version >= 47) {
      it('carries news to every component of the page and commands to the phone, and nothing else', async () => {
        await bench.adapter.start();
        await settled();
        await listen();
        await bench.adapter.host('logSaved', { id: news.call }, news.logId);
        await eventually(told).toEqual([{ news }, { news }]);
        await bench.host.page.evaluate('deaf()');
        for (const junk of [
          null,
          'text',
          { command: { command: 'explode', id: '1' } },
          { news: { command: 'sync', id: '1' } },
          { command: { command: 'dial', id: '1' } },
        ])
          expect(await bench.host.tell('publish', channel, junk)).toBe(true);
        await bench.host.tell('publish', 'Other__c', { command: { command: 'sync', id: 'elsewhere' } });
        await bench.host.tell('publish', channel, { command: { command: 'sync', id: 'last' } });
        expect(await bench.adapter.heardAtLeast('commands', 1)).toEqual([{ command: 'sync', id: 'last' }]);
      });

      it('is left when the phone stops, and a page without it leaves the phone whole', async () => {
        await bench.adapter.start();
        await settled();
        expect(await bench.host.tell('publish', channel, {})).toBe(true);
        await bench.adapter.host('stop');
        await eventually(() => said('unsubscribe').length).toBe(1);
        await eventually(() => bench.host.tell('publish', channel, {})).toBe(false);
        fault('host-error', 'subscribe');
        bench.adapter = await bench.host.fresh();
        await bench.adapter.start();
        await settled();
        expect(await bench.host.tell('publish', channel, {})).toBe(false);
        expect(await bench.adapter.host('logSaved', { id: news.call }, news.logId)).toMatchObject({ ok: true });
        expect(await bench.adapter.host('pop', recordPop('Mina Sato'))).toMatchObject({ ok: true });
      });
    } else
      it('is not there before version 47, and everything else works without it', async () => {
        await bench.adapter.start();
        expect(await bench.adapter.host('logSaved', { id: news.call }, news.logId)).toMatchObject({ ok: true });
        expect(await bench.adapter.host('pop', recordPop('Mina Sato'))).toMatchObject({ ok: true });
        expect([...said('subscribe'), ...said('publish')]).toEqual([]);
      });
  });

  it('says nothing to anybody after it was stopped', async () => {
    await bench.adapter.start();
    await settled();
    await bench.adapter.host('stop');
    await eventually(() => said('disableClickToDial').length).toBe(1);
    await settled();
    expect(await bench.host.tell('dial', '(415) 555-0103')).toBe(false);
    await bench.host.tell('open', idOf('Mina Sato'));
    await settled();
    expect(await bench.adapter.heard('dials')).toEqual([]);
  });
}
