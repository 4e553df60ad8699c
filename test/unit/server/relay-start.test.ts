/** What happens when a start goes wrong half-way. */
import type { TenantId } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { Audit } from '../../../server/src/audit.ts';
import { checkConfig } from '../../../server/src/config.ts';
import { createLog } from '../../../server/src/logging.ts';
import { Started } from '../../../server/src/started.ts';
import type { AuditEntry, AuditStore } from '../../../server/src/store/contract.ts';
import { testConfig } from './relay-in-test.ts';

it('takes down what was set going, the last first, and one that fails does not keep the others up', async () => {
  const stopped: string[] = [];
  const started = new Started(createLog('silent'));
  started.with('store', () => stopped.push('store'));
  started.with('live view', () => Promise.reject(new Error('no')));
  started.with('server', () => stopped.push('server'));
  await started.stop();
  expect(stopped).toEqual(['server', 'store']);
  await started.stop();
  expect(stopped).toHaveLength(2);
});

it('a store that fails for a moment costs no start, and the change of the configuration is noted later', async () => {
  const kept: AuditEntry[] = [];
  let away = true;
  const store = {
    last: (tenant: TenantId) =>
      away
        ? Promise.reject(new Error('the store is away'))
        : Promise.resolve(kept.filter((entry) => entry.tenant === tenant).at(-1) ?? null),
    add: (entries: readonly AuditEntry[]) => {
      kept.push(...entries);
      return Promise.resolve();
    },
  } as unknown as AuditStore;
  const audit = new Audit(store, createLog('silent'));
  const { tenants } = checkConfig(testConfig());
  await audit.noteConfiguration(tenants, 7);
  expect(kept).toEqual([]);
  away = false;
  await audit.flush();
  await audit.flush();
  expect(kept).toMatchObject([{ tenant: 'acme', act: 'config.changed', at: 7 }]);
  await audit.noteConfiguration(tenants, 9);
  expect(kept).toHaveLength(1);
});
