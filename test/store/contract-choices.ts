/** What every store must keep about the memory of choices. */
import { randomUUID } from 'node:crypto';
import type { AgentId, TenantId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Store } from '../../server/src/store/contract.ts';

const ada = 'ada' as AgentId;
const bob = 'bob' as AgentId;

/** @param current The store of the test that runs */
export function choiceContract(current: () => Store): void {
  let store: Store;
  let tenant: TenantId;
  const of = (id: string, number = 'hash one') =>
    ({ tenant, number, crm: 'salesforce', object: 'Contact', id }) as const;
  const ids = async (number = 'hash one') => (await store.choices.ofNumber(tenant, number)).map(({ id }) => id);
  beforeEach(() => {
    store = current();
    tenant = `tenant-${randomUUID()}` as TenantId;
  });

  describe('choices', () => {
    it('counts them for a tenant and a number, most often chosen first, then latest', async () => {
      await store.choices.remember(of('once, early'), ada, 1);
      await store.choices.remember(of('twice'), ada, 2);
      await store.choices.remember(of('once, late'), ada, 3);
      await store.choices.remember(of('twice'), bob, 1_790_000_000_000);
      await store.choices.remember(of('elsewhere', 'hash two'), ada, 5);
      expect(await ids()).toEqual(['twice', 'once, late', 'once, early']);
      expect((await store.choices.ofNumber(tenant, 'hash one'))[0]).toEqual({
        ...of('twice'),
        times: 2,
        lastAt: 1_790_000_000_000,
        lastBy: 'bob',
      });
      expect(await store.choices.ofNumber('another' as TenantId, 'hash one')).toEqual([]);
    });

    it('loses none of many that arrive at once', async () => {
      await Promise.all(Array.from({ length: 20 }, (_, index) => store.choices.remember(of('one'), ada, index)));
      expect((await store.choices.ofNumber(tenant, 'hash one'))[0]?.times).toBe(20);
    });

    it('takes one back, and forgets the record with the last', async () => {
      await store.choices.remember(of('one'), ada, 1);
      await store.choices.remember(of('one'), ada, 2);
      await store.choices.takeBack(of('one'));
      expect(await ids()).toEqual(['one']);
      await store.choices.takeBack(of('one'));
      await store.choices.takeBack(of('one'));
      expect(await ids()).toEqual([]);
    });

    it('forgets one record, and what is older than a time, and nothing else', async () => {
      for (const [id, at] of [
        ['old', 10],
        ['young', 20],
        ['gone', 30],
      ] as const)
        await store.choices.remember(of(id), ada, at);
      await store.choices.forget(of('gone'));
      expect(await store.choices.forgetBefore(20, [])).toBeGreaterThanOrEqual(1);
      expect(await ids()).toEqual(['young']);
    });

    it('leaves what is held, of one number or of a whole tenant', async () => {
      const other = { ...of('elsewhere'), tenant: `${tenant}-too` as TenantId };
      const left = async () => [
        ...(await ids()),
        ...(await ids('hash two')),
        ...(await store.choices.ofNumber(other.tenant, other.number)).map(({ id }) => id),
      ];
      for (const choice of [of('held'), of('free', 'hash two'), other]) await store.choices.remember(choice, ada, 10);
      const oneNumber = { tenant, number: 'hash one' };
      await store.choices.forgetBefore(20, [oneNumber, { tenant: other.tenant, number: null }]);
      expect(await left()).toEqual(['held', 'elsewhere']);
      await store.choices.forgetBefore(20, [oneNumber]);
      expect(await left()).toEqual(['held']);
    });
  });
}
