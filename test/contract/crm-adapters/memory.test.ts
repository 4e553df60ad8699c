import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import { createMemoryRelay, type MemoryRecord } from '@patchcord/crm-adapters/relay';
import { demoPeople } from '../../../sandbox/src/people.ts';
import { relayCrmContract } from './relay-crm-contract.ts';

const records: readonly MemoryRecord[] = demoPeople.map((person) => ({
  object: person.kind,
  id: person.key,
  name: `${person.firstName} ${person.lastName}`,
  numbers: person.numbers.map((number) => number.typed),
}));

relayCrmContract('memory', async () => {
  const relay = createMemoryRelay({ records });
  const errors = {
    'answer-lost': new PatchcordError('crm.unavailable', 'The answer was lost.', { retryable: true }),
    'server-error': new PatchcordError('crm.unavailable', 'The CRM failed.', { retryable: true }),
    reset: new PatchcordError('crm.unavailable', 'The connection broke.', { retryable: true }),
    'rate-limited': new PatchcordError('crm.rate-limited', 'Too fast.', { retryable: true, retryAfterMs: 1_000 }),
  };
  return {
    relay,
    agent: { crmUserId: 'robin', name: 'Robin Avery' },
    ownerName: 'robin',
    writeRequests: 1,
    batchRequests: 1,
    poisoned(log) {
      relay.fail({ when: 'before', error: new PatchcordError('crm.invalid', 'No such field.') });
      return log;
    },
    logs: () =>
      relay.logs().map((log) => ({
        id: log.id,
        direction: log.direction === 'inbound' ? 'inbound' : 'outbound',
        seconds: log.seconds,
        result: log.result,
        text: log.note,
        numbers: /From (\S+) to (\S+)/.exec(log.note)?.slice(1) ?? [],
        records: log.record === null ? [] : [log.record],
        ownedBy: log.owner,
      })),
    rewrite: (id, note) => relay.edit(id, { note }),
    remove: (id) => relay.remove(id),
    record(name): RecordRef {
      const found = records.find((one) => one.name === name);
      if (found === undefined) throw new RangeError(name);
      return { crm: 'memory', object: found.object, id: found.id, name };
    },
    trouble(kind) {
      // A memory has no session that could end.
      if (kind !== 'session-expired')
        relay.fail({ when: kind === 'answer-lost' ? 'after' : 'before', error: errors[kind] });
    },
    close: async () => {},
  };
});
