/** What every store promises about the legs of calls and their logs. Called by store-contract.ts, so that both databases are held to it. */
import { randomUUID } from 'node:crypto';
import { type AgentId, type CallId, type CallLog, newCallId, type TenantId } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import type { LogState, Store } from '../../server/src/store/contract.ts';
import { storedSession } from './contract-identity.ts';

export function callLegContract(store: () => Store): void {
  const ada = 'ada' as AgentId;
  const bob = 'bob' as AgentId;
  const newTenant = () => `tenant-${randomUUID()}` as TenantId;

  async function call(
    tenant: TenantId,
    agent: AgentId,
    of: Partial<CallLog> = {},
    touchedAt = 1_000,
    state?: LogState,
  ): Promise<CallId> {
    const callId = newCallId();
    const log: CallLog = {
      callId,
      tenant,
      agent,
      direction: 'inbound',
      farSide: { number: '1' },
      nearNumber: '1001',
      startedAt: 1_000,
      answeredAt: null,
      endedAt: 2_000,
      talkMs: 0,
      outcome: 'missed',
      reason: '',
      record: null,
      note: '',
      disposition: null,
      transferredTo: null,
      consultFor: null,
      joinedWith: null,
      sipCallId: null,
      stage: 'ended',
      ...of,
    };
    const effect = {
      id: `crm.log ${callId}`,
      kind: 'crm.log',
      tenant,
      callId,
      payload: {},
      dueAt: 5_000,
      orderKey: null,
    } as const;
    const logWaiting = state !== undefined;
    await store().calls.commit({
      events: [],
      calls: [{ callId, tenant, agent, fromVersion: 0, log, touchedAt, logWaiting }],
      effects: logWaiting ? [effect] : [],
    });
    if (state === 'saved' || state === 'failed') {
      const [held] = await store().outbox.claim({
        now: 5_000,
        leaseMs: 500,
        limit: 1,
        kinds: ['crm.log'],
        pausedTenants: [],
      });
      if (held === undefined) throw new Error('nothing to settle');
      const result = { callId, state, logId: state === 'saved' ? `log-${callId}` : null, reason: null };
      if (state === 'saved') await store().outbox.done(held, 5_000, { log: result });
      else
        await store().outbox.failed(
          held,
          { dueAt: 5_000, reason: 'No.', dead: true },
          { log: { ...result, reason: 'No.' } },
        );
    }
    return callId;
  }
  const ids = (calls: readonly { readonly callId: CallId }[]) => calls.map(({ callId }) => callId).sort();

  describe('the calls of one leg', () => {
    it('are found by SIP Call-ID, for their own agent and tenant', async () => {
      const tenant = newTenant();
      const sipCallId = randomUUID();
      const mine = [await call(tenant, ada, { sipCallId }), await call(tenant, ada, { sipCallId })].sort();
      await call(tenant, bob, { sipCallId });
      await call(newTenant(), ada, { sipCallId });
      await call(tenant, ada);
      expect(ids(await store().calls.callsOnLeg(tenant, ada, sipCallId))).toEqual(mine);
      expect(await store().calls.callsOnLeg(tenant, ada, 'another')).toEqual([]);
    });
  });

  describe('the legs of one conversation', () => {
    it('are found whoever has them, in their own tenant', async () => {
      const tenant = newTenant();
      const conversation = randomUUID();
      const legs = [await call(tenant, ada, { conversation }), await call(tenant, bob, { conversation })].sort();
      await call(newTenant(), ada, { conversation });
      await call(tenant, ada);
      expect(ids(await store().calls.callsInConversation(tenant, conversation))).toEqual(legs);
    });
  });

  describe('the log of a call', () => {
    it('is found by its id in the CRM, and left when a person deleted it', async () => {
      const tenant = newTenant();
      const callId = await call(tenant, ada, {}, 1_000, 'saved');
      expect(ids(await store().calls.callsOfLog(tenant, `log-${callId}`))).toEqual([callId]);
      expect(await store().calls.callsOfLog(newTenant(), `log-${callId}`)).toEqual([]);
      await store().calls.leaveLog(callId, 'Deleted.');
      expect((await store().calls.readCalls([callId])).get(callId)?.call).toMatchObject({
        logState: 'none',
        logReason: 'Deleted.',
        logId: `log-${callId}`,
      });
    });

    it('is listed as unlogged when it was given up, or waits for long', async () => {
      const tenant = newTenant();
      const failed = await call(tenant, ada, {}, 3_000, 'failed');
      const long = await call(tenant, ada, {}, 1_000, 'waiting');
      const ofBob = await call(tenant, bob, {}, 1_500, 'waiting');
      await call(tenant, ada, {}, 2_500, 'waiting');
      await call(tenant, ada);
      const options = { tenant, waitingSince: 2_000, limit: 10 };
      expect((await store().calls.unlogged({ ...options, agent: ada })).map(({ callId }) => callId)).toEqual([
        long,
        failed,
      ]);
      expect((await store().calls.unlogged({ ...options, agent: null })).map(({ callId }) => callId)).toEqual([
        long,
        ofBob,
        failed,
      ]);
      expect(await store().calls.unlogged({ ...options, agent: null, limit: 1 })).toHaveLength(1);
    });
  });

  it('says who could still report: those with a session that is alive', async () => {
    const tenant = newTenant();
    const session = storedSession({ tenant, agent: ada });
    await store().identity.addSession(session);
    expect(await store().calls.isSignedIn(tenant, ada, session.expiresAt - 1)).toBe(true);
    expect(await store().calls.isSignedIn(tenant, ada, session.expiresAt + 1)).toBe(false);
    expect(await store().calls.isSignedIn(tenant, bob, session.expiresAt - 1)).toBe(false);
  });
}
