/** HubSpot’s answers as they should not be: refusals, late, twice, never, in another order, without a name. */
import { describe, expect, it } from 'vitest';
import { caller, callOf, contact, live, opened, record, rig, told } from './bench.ts';
import { eventually, type Phone } from './rig.ts';

export function answersSuite(): void {
  describe('HubSpot’s answers', () => {
    async function refusalsOf(phone: Phone): Promise<string> {
      return phone.frame.evaluate(async () => {
        type Check = { readonly id: string; run(): Promise<{ readonly found: string }> };
        const { host } = (window as unknown as { adapter: { host: { selfChecks(): Promise<Check[]> } } }).adapter;
        const check = (await host.selfChecks()).find(({ id }) => id === 'refusals');
        return (await check?.run())?.found ?? '';
      });
    }

    it('that refuse are each made something of, and the call goes on', async () => {
      const { host, phone } = await opened();
      for (const type of ['INCOMING_CALL', 'CALL_COMPLETED', 'CALLER_ID_MATCH', 'NAVIGATE_TO_RECORD'])
        rig.account.faults.set(type, 'fails');
      const call = callOf('in');
      await live(phone, call);
      expect(await phone.tell('pop', { kind: 'record', record })).toMatchObject({ ok: false, code: 'host.refused' });
      await phone.step('end', call);
      await phone.step('complete', call);
      rig.account.faults.set('INCOMING_CALL', 'twice');
      rig.account.faults.set('FINALIZE_ENGAGEMENT', 'fails');
      for (const step of ['start', 'end', 'complete'] as const) await phone.step(step, callOf('next'));
      await eventually(() => told('FINALIZE_ENGAGEMENT')).toHaveLength(1);
      for (const type of ['SET_WIDGET_URL_FAILED', 'INITIATE_CALL_ID_FAILED', 'PUBLISH_TO_CHANNEL_FAILED'])
        await host.say(type, { error: { message: type } });
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toHaveLength(1);
      expect(await phone.heard('logs')).toEqual([
        ['in', { reason: 'HubSpot made no log: CREATE_ENGAGEMENT_FAILED for the test.', certain: true }],
        ['next', { logId: `${rig.account.objects.get('next')}` }],
      ]);
      const found = await refusalsOf(phone);
      for (const words of [
        ...['create engagement', 'update engagement', 'caller id match', 'navigate to record'],
        ...['publish to channel', 'set widget url', 'initiate call id'],
      ])
        expect(found).toContain(words);
      // So it answers every ordinary call.
      expect(found).not.toContain('finalize');
      expect(told('CALL_ENDED')[0]).not.toHaveProperty('engagementId');
    });

    const silence = (id: string) => [
      id,
      { reason: 'HubSpot did not say within 10 s that it made the log.', certain: false },
    ];

    it('that never come leave the log to the relay', async () => {
      const { phone } = await opened();
      rig.account.faults.set('INCOMING_CALL', 'never');
      await phone.step('start', callOf('a'));
      await eventually(() => rig.account.objects.size).toBe(1);
      expect(await phone.heard('logs')).toEqual([]);
      await phone.timePasses();
      expect(await phone.heard('logs')).toEqual([silence('a')]);
      for (const step of ['answer', 'end', 'complete'] as const) await phone.step(step, callOf('a'));
      await eventually(() => told('CALL_COMPLETED')).toEqual([{ externalCallId: 'a', hideWidget: false }]);
    });

    it('that come late, after the end of the call, are still told', async () => {
      const { host, phone } = await opened();
      rig.account.faults.set('OUTGOING_CALL_STARTED', 'late');
      await phone.step('start', callOf('a', 'outbound'));
      await eventually(() => rig.account.late.length).toBe(1);
      await phone.timePasses();
      for (const step of ['end', 'complete'] as const) await phone.step(step, callOf('a', 'outbound'));
      for (const { type, data } of rig.account.late[0]?.[1] ?? []) await host.say(type, data);
      await eventually(() => phone.heard('logs')).toHaveLength(2);
      expect(await phone.heard('logs')).toEqual([silence('a'), ['a', { logId: `${rig.account.objects.get('a')}` }]]);
    });

    it.each(['twice', 'other-order', 'nameless'] as const)('that come %s are taken once', async (fault) => {
      const { host, phone } = await opened();
      rig.account.faults.set('INCOMING_CALL', fault);
      rig.account.callers.set(caller, [contact(501, 'Elena')]);
      await phone.step('start', callOf('a'));
      await eventually(() => phone.heard('logs')).toHaveLength(1);
      expect(await phone.heard('logs')).toEqual([['a', { logId: `${rig.account.objects.get('a')}` }]]);
      await phone.step('start', callOf('b'));
      await eventually(() => phone.heard('logs')).toHaveLength(2);
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toHaveLength(1);
      expect((await phone.heard('logs'))[1]).toEqual(['b', { logId: `${rig.account.objects.get('b')}` }]);
    });

    it('for two calls at once that name neither are not guessed at', async () => {
      const { host, phone } = await opened();
      rig.account.faults.set('OUTGOING_CALL_STARTED', 'late');
      for (const id of ['a', 'b']) await phone.step('start', callOf(id, 'outbound'));
      await eventually(() => rig.account.late.length).toBe(2);
      for (const engagementId of [rig.account.objects.get('b'), rig.account.objects.get('a')])
        await host.say('CREATE_ENGAGEMENT_SUCCEEDED', { engagementId });
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toHaveLength(1);
      expect(await phone.heard('logs')).toEqual([]);
      await phone.timePasses();
      expect(await phone.heard('logs')).toMatchObject([
        ['a', { reason: expect.any(String) }],
        ['b', {}],
      ]);
    });
  });
}
