/**
 * Whom the panel half believes: the handshake, who the agent is, and answers that are late, silent, double, foreign, broken or from a page that
 * is gone.
 */
import { describe, expect, it } from 'vitest';
import { errorFaults, type PanelBench } from './panel-bench.ts';
import { eventually } from './rig.ts';

export function panelTrust(bench: PanelBench): void {
  const { fault, lost, recordPop, rig, said, settled, unanswered, version } = bench;

  describe('the handshake', () => {
    it('registers each listener once and reports itself ready, however often it is started', async () => {
      await bench.adapter.start();
      await bench.adapter.start();
      await settled();
      for (const once of ['onClickToDial', 'onNavigationChange', 'notifyInitializationComplete', 'enableClickToDial'])
        expect([once, said(once).length]).toEqual([once, 1]);
      expect(said('getCallCenterSettings')[0]).toMatchObject({ apiVersion: version, callId: 0 });
      await bench.host.page.waitForSelector('.utility-item.ready');
    });

    it('takes the script from the host that has it, and names both when none has', async () => {
      rig().front.script.from = 'nowhere';
      expect(await bench.adapter.host('start')).toMatchObject({
        ok: false,
        code: 'host.silent',
        message: expect.stringMatching(/acme\.my\.salesforce\.com.*acme\.lightning\.force\.com/),
      });
      // Where an org serves it from the page's own host, the second address works.
      rig().front.script.from = 'lightning';
      await bench.adapter.start();
    });

    it('calls a host silent that never answers, answers from elsewhere or for another version, and starts when it does', async () => {
      for (const name of ['host-never', 'host-wrong-origin', 'host-other-version']) {
        expect([
          name,
          await unanswered(name, 'getCallCenterSettings', () => bench.adapter.host('start')),
        ]).toMatchObject([name, { ok: false, code: 'host.silent' }]);
      }
      await bench.adapter.start();
    });

    it('tells a refusal in the host’s words, in every shape an error can have', async () => {
      for (const [name, words] of errorFaults) {
        fault(name, 'getCallCenterSettings', { message: 'No luck.' });
        expect([name, await bench.adapter.host('start')]).toMatchObject([
          name,
          {
            ok: false,
            // A page that is still being built refuses nothing.
            code: name === 'host-container-error' ? 'host.silent' : 'host.refused',
            message: expect.stringContaining(`(${words})`),
          },
        ]);
      }
      await bench.adapter.start();
    });

    it('takes an answer that is late, and drops one that comes after the deadline', async () => {
      fault('host-late', 'getCallCenterSettings', { delayMs: 30 });
      await bench.adapter.start();
      expect(
        await unanswered('host-held', 'screenPop', () => bench.adapter.host('pop', recordPop('Mina Sato'))),
      ).toMatchObject({ ok: false, code: 'host.silent' });
      expect(await bench.host.tell('releaseAnswers')).toBe(1);
      expect(await bench.adapter.host('pop', recordPop('Elena Marchetti'))).toMatchObject({ ok: true });
    });

    it('is not confused by answers that come twice', async () => {
      fault('host-twice', '*', { times: 12 });
      await bench.adapter.start();
      expect(await bench.adapter.host('pop', recordPop('Mina Sato'))).toMatchObject({ ok: true });
      expect(await bench.adapter.host('proveIdentity')).toMatchObject({ ok: true });
      expect(
        await bench.adapter.host('pop', {
          ...recordPop('x'),
          record: { crm: 'salesforce', object: 'Contact', id: '003Pc00000ZZZZZ' },
        }),
      ).toMatchObject({ ok: false });
    });
  });

  describe('who the agent is', () => {
    it('comes from Apex for exactly the relay’s address, whatever characters it has', async () => {
      await bench.adapter.start();
      const proof = await bench.adapter.host('proveIdentity');
      if (!proof.ok) throw new Error(proof.message);
      const { kind, assertion } = proof.value as { kind: string; assertion: string };
      const claims = JSON.parse(Buffer.from(assertion.split('.')[1] ?? '', 'base64url').toString()) as object;
      expect([kind, claims]).toMatchObject([
        'salesforce-assertion',
        { aud: 'https://relay.example.com/?tenant=a&more=b+c', sub: rig().sandbox.users[0]?.id },
      ]);
    });

    it('is not known when Apex refuses or keeps silent', async () => {
      await bench.adapter.start();
      for (const [name, words] of errorFaults) {
        fault(name, 'runApex', { message: 'No luck.' });
        expect(await bench.adapter.host('proveIdentity')).toMatchObject({
          ok: false,
          code: 'host.refused',
          message: expect.stringContaining(words),
        });
      }
      for (const name of ['host-never', 'host-wrong-origin', 'host-other-version']) {
        expect(await unanswered(name, 'runApex', () => bench.adapter.host('proveIdentity'))).toMatchObject({
          ok: false,
          code: 'host.silent',
        });
      }
    });
  });

  describe('a frame that is made anew', () => {
    it('numbers its calls from 0 again and takes the last page’s late answers calmly', async () => {
      await bench.adapter.start();
      await settled();
      // The same calls in the same order: the old answer meets the new page's call of the same number.
      for (const method of ['getCallCenterSettings', 'runApex']) {
        fault('host-reload', method);
        if (method === 'getCallCenterSettings') bench.adapter = await bench.host.fresh();
        const asked = said(method).length;
        await lost(bench.adapter.host(method === 'runApex' ? 'proveIdentity' : 'start'));
        bench.adapter = await bench.host.adapter();
        await bench.adapter.start();
        if (method === 'runApex') expect(await bench.adapter.host('proveIdentity')).toMatchObject({ ok: true });
        // The old page's answer may be taken for the new page's before the host has seen the new question.
        await eventually(() => said(method).length - asked).toBe(2);
        const [first, second] = said(method).slice(asked);
        expect(second?.callId).toBe(first?.callId);
      }
      expect(await bench.adapter.host('pop', recordPop('Mina Sato'))).toMatchObject({ ok: true });
    });

    it('gets the answers that were kept back from the page before it, and no call of its own is confused', async () => {
      await bench.adapter.start();
      await settled();
      fault('host-held', 'screenPop');
      const gone = lost(bench.adapter.host('pop', recordPop('Mina Sato')));
      await eventually(() => said('screenPop').length).toBe(1);
      bench.adapter = await bench.host.fresh();
      await gone;
      await bench.adapter.start();
      await settled();
      await bench.host.tell('releaseAnswers');
      expect(await bench.adapter.host('pop', recordPop('Elena Marchetti'))).toMatchObject({ ok: true });
      await eventually(async () => (await bench.adapter.heard('shown')).at(-1)?.name).toBe('Elena Marchetti');
    });

    it('hears no click that was meant for the frame before it', async () => {
      await bench.adapter.start();
      await settled();
      bench.adapter = await bench.host.fresh();
      expect(await bench.host.tell('dial', '1')).toBe(false);
      await bench.adapter.start();
      await eventually(() => bench.host.tell('dial', '(415) 555-0101')).toBe(true);
      expect(await bench.adapter.heardAtLeast('dials', 1)).toHaveLength(1);
    });
  });
}
