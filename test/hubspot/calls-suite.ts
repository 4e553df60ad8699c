/** Calls that go out and come in, from the first word to the last. */
import { describe, expect, it } from 'vitest';
import { caller, callOf, contact, live, opened, record, rig, told, types } from './bench.ts';
import { eventually, portalId } from './rig.ts';

export function callsSuite(): void {
  describe('a call that the agent places', () => {
    it('goes from the click to its end with the object HubSpot made', async () => {
      const { host, phone } = await opened();
      const call = callOf('out', 'outbound');
      const dial = {
        ...{
          phone_number: caller,
          phoneNumber: caller,
          objectId: 0,
          subjectId: 0,
          threadId: 0,
          portalId,
          ownerId: 7701,
        },
        ...{ calleeInfo: { calleeId: 37_621_684_164, calleeObjectTypeId: '0-1' }, countryCode: 'UA' },
        ...{ startTimestamp: 1_726_736_715_220, toPhoneNumberSrc: 'phone' },
      };
      await host.say('DIAL_NUMBER', dial);
      await host.say('DIAL_NUMBER', dial);
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toHaveLength(1);
      expect(await phone.heard('dials')).toEqual([
        { number: caller, country: 'UA', record: { crm: 'hubspot', object: 'contact', id: '37621684164' } },
      ]);
      await phone.step('start', call);
      await eventually(() => phone.heard('logs')).toHaveLength(1);
      expect(await phone.heard('logs')).toEqual([['out', { logId: `${rig.account.objects.get('out')}` }]]);
      for (const step of ['answer', 'transfer', 'end', 'complete'] as const) await phone.step(step, call);
      await eventually(types).toEqual([
        ...[
          'INITIALIZED',
          'OUTGOING_CALL_STARTED',
          'CALL_ANSWERED',
          'CALL_TRANSFERRED',
          'CALL_ENDED',
          'CALL_COMPLETED',
        ],
      ]);
      const engagementId = rig.account.objects.get('out');
      expect(told('OUTGOING_CALL_STARTED')).toMatchObject([{ toNumber: caller, createEngagement: true }]);
      expect(told('CALL_ENDED')).toEqual([{ externalCallId: 'out', engagementId, callEndStatus: 'COMPLETED' }]);
      expect(told('CALL_COMPLETED')).toEqual([{ externalCallId: 'out', engagementId, hideWidget: false }]);
      expect(await phone.heard('logs')).toHaveLength(1);
    });

    it('is ended from HubSpot’s page', async () => {
      const { host, phone } = await opened({ location: 'widget' });
      await live(phone, callOf('out', 'outbound'));
      await host.say('END_CALL');
      await host.say('END_CALL', {});
      await eventually(() => phone.heard('hangUps')).toEqual(['hang up', 'hang up']);
    });
  });

  describe('a call that comes in', () => {
    it.each([
      ['nobody', [], []],
      ['one contact', [contact(501, 'Elena')], [{ ...record, name: 'Elena Marchetti' }]],
      [
        'several, with ids as texts',
        [
          contact('501', 'Elena'),
          contact('502', 'Marco'),
          {
            callerIdType: 'COMPANY',
            objectCoordinates: { portalId: `${portalId}`, objectId: '601', objectTypeId: '0-2' },
            name: 'Northlight Cameras',
          },
        ],
        [
          { ...record, name: 'Elena Marchetti' },
          { ...record, id: '502', name: 'Marco Marchetti' },
          { crm: 'hubspot', object: 'company', id: '601', name: 'Northlight Cameras' },
        ],
      ],
    ] as const)('is known to HubSpot as %s', async (_, found, wanted) => {
      const { host, phone } = await opened();
      rig.account.callers.set(caller, found);
      await phone.step('start', callOf('in'));
      await eventually(() => phone.heard('logs')).toHaveLength(1);
      await host.say('END_CALL');
      await eventually(() => phone.heard('hangUps')).toHaveLength(1);
      expect(await phone.heard('matches')).toEqual(wanted.length === 0 ? [] : [['in', wanted]]);
      expect(told('INCOMING_CALL')).toMatchObject([{ fromNumber: caller, toNumber: '+14155550190' }]);
    });

    it('runs on while HubSpot opens the caller: SYNC names its object, nothing starts twice', async () => {
      const { host, phone } = await opened({ location: 'remote', usesCallingWindow: false });
      const call = callOf('in');
      await live(phone, call);
      await eventually(() => phone.heard('logs')).toHaveLength(1);
      const loaded = host.page.waitForURL(/record\/0-1\/501/);
      // The frame goes before it can answer.
      const pop = phone.tell('pop', { kind: 'record', record }).catch(() => null);
      await loaded;
      await pop;
      const engagementId = rig.account.objects.get('in');
      expect(told('NAVIGATE_TO_RECORD')).toEqual([
        { objectCoordinates: { portalId, objectId: 501, objectTypeId: '0-1' }, engagementId },
      ]);
      const again = await host.phone();
      await eventually(() => again.role()).toBe('owner');
      await eventually(() => told('INITIALIZED').at(-1)).toMatchObject({ engagementId });
      await again.step('end', call);
      await again.step('complete', call);
      await eventually(() => again.heard('logs')).toEqual([['in', { logId: `${engagementId}` }]]);
      await eventually(types).toEqual([
        ...['INITIALIZED', 'INCOMING_CALL', 'CALL_ANSWERED', 'NAVIGATE_TO_RECORD'],
        ...['INITIALIZED', 'CALL_ENDED', 'CALL_COMPLETED', 'FINALIZE_ENGAGEMENT'],
      ]);
      expect(told('CALL_ENDED')).toMatchObject([{ engagementId }]);
    });
  });
}
