/** The calling window, the remotes of several tabs, frames that come and go, and what can be looked at in each. */
import { describe, expect, it } from 'vitest';
import { callOf, live, opened, record, rig, told, types } from './bench.ts';
import { eventually, type Phone, portalId } from './rig.ts';

export function framesSuite(): void {
  describe('window and remotes', () => {
    it('only the window speaks, whichever frame the agent uses and wherever the tabs go', async () => {
      const remotes = await Promise.all([0, 1, 2].map(() => opened({ location: 'remote' })));
      const { phone: window } = await opened();
      const [first, second, third] = remotes.map(({ phone }) => phone);
      if (!first || !second || !third) throw new Error('There are three remotes.');
      expect(await first.tell('holdsLine')).toEqual({ ok: true, value: 'never' });
      const call = callOf('in');
      await first.step('start', call);
      await eventually(() => window.knows('in')).toBe('start');
      await second.step('answer', call);
      await eventually(() => window.knows('in')).toBe('answer');
      await eventually(() => window.heard('logs')).toHaveLength(1);
      // A page change in a tab: its remote is greeted anew and says nothing of the call.
      const loaded = remotes[2]?.host.page.waitForURL(/record\/0-1\/501/);
      const pop = third.tell('pop', { kind: 'record', record }).catch(() => null);
      await loaded;
      await pop;
      await remotes[2]?.host.phone();
      await first.step('end', call);
      await eventually(() => window.knows('in')).toBe('end');
      await window.step('complete', call);
      await eventually(() => told('FINALIZE_ENGAGEMENT')).toHaveLength(1);
      const ofRemotes = rig.account.said.filter(({ location }) => location === 'remote').map(({ type }) => type);
      expect(ofRemotes.filter((type) => type !== 'SYNC_ACK')).toEqual([
        ...['INITIALIZED', 'INITIALIZED', 'INITIALIZED', 'NAVIGATE_TO_RECORD', 'INITIALIZED'],
      ]);
      expect(rig.account.objects.size).toBe(1);
    });

    it('a window killed in mid-call leaves silence, and the next one begins afresh', async () => {
      const { phone: remote } = await opened({ location: 'remote' });
      const { host, phone: window } = await opened();
      const call = callOf('in');
      await live(window, call);
      await eventually(() => remote.knows('in')).toBe('answer');
      await eventually(() => types().at(-1)).toBe('CALL_ANSWERED');
      await host.page.close();
      await remote.step('end', call);
      await remote.step('complete', call);
      const next = await opened();
      await live(next.phone, callOf('out', 'outbound'));
      await eventually(types).toEqual([
        ...['INITIALIZED', 'INITIALIZED', 'INCOMING_CALL', 'CALL_ANSWERED'],
        ...['INITIALIZED', 'OUTGOING_CALL_STARTED', 'CALL_ANSWERED'],
      ]);
      // The object of the call that died is not taken for the one that lives.
      await eventually(() => next.phone.heard('logs')).toHaveLength(1);
      expect(await next.phone.heard('logs')).toEqual([['out', { logId: `${rig.account.objects.get('out')}` }]]);
    });

    it('without a calling window the next frame goes on where the last one was when its tab is gone', async () => {
      const first = await opened({ location: 'remote', usesCallingWindow: false });
      const second = await rig.openHost({ location: 'remote', usesCallingWindow: false });
      const other = await second.phone();
      expect(await other.role()).toBe('mirror');
      const call = { ...callOf('out', 'outbound') };
      await live(first.phone, call);
      await eventually(() => other.knows('out')).toBe('answer');
      await eventually(() => types().at(-1)).toBe('CALL_ANSWERED');
      await first.host.page.close();
      await eventually(() => other.role()).toBe('owner');
      await other.step('end', { ...call, logId: `${rig.account.objects.get('out')}` });
      await other.step('complete', call);
      await eventually(types).toEqual([
        ...['INITIALIZED', 'INITIALIZED', 'OUTGOING_CALL_STARTED', 'CALL_ANSWERED', 'CALL_ENDED', 'CALL_COMPLETED'],
      ]);
      expect(told('CALL_COMPLETED')).toMatchObject([{ engagementId: rig.account.objects.get('out') }]);
    });

    it('a remote opens the window of the account, once, and does not load it anew', async () => {
      const { host, phone } = await opened({ location: 'remote' });
      const popup = rig.context.waitForEvent('page');
      await host.page.bringToFront();
      await phone.frame.click('#open-window');
      const window = rig.hostOn(await popup);
      await window.page.waitForURL(`${rig.hostOrigin}/calling-integration-popup-ui/${portalId}`);
      const inWindow = await window.phone();
      await eventually(() => inWindow.role()).toBe('owner');
      await live(inWindow, callOf('in'));
      await host.page.bringToFront();
      await phone.frame.click('#open-window');
      await inWindow.step('end', callOf('in'));
      await eventually(types).toEqual([
        ...['INITIALIZED', 'INITIALIZED', 'INCOMING_CALL', 'CALL_ANSWERED', 'CALL_ENDED'],
      ]);
      expect(rig.context.pages()).toHaveLength(3);
    });
  });

  describe('what can be looked at', () => {
    const verdicts = (phone: Phone): Promise<Record<string, string>> =>
      phone.frame.evaluate(async () => {
        type Check = { readonly id: string; run(): Promise<{ readonly verdict: string }> };
        const { host } = (window as unknown as { adapter: { host: { selfChecks(): Promise<Check[]> } } }).adapter;
        const found = await Promise.all(
          (await host.selfChecks()).map(async (check) => [check.id, (await check.run()).verdict] as const),
        );
        return Object.fromEntries(found);
      });

    it('is good in a calling window', async () => {
      const { phone } = await opened();
      expect(await verdicts(phone)).toEqual({
        ...{ framed: 'good', greeting: 'good', frame: 'good', storage: 'good' },
        ...{ 'microphone-policy': 'good', refusals: 'good' },
      });
    });

    it('says where a frame has no microphone and no calls of its own', async () => {
      const { phone } = await opened({ location: 'remote', allow: 'autoplay' });
      expect(await verdicts(phone)).toMatchObject({ frame: 'unsure', storage: 'good', 'microphone-policy': 'bad' });
    });
  });
}
