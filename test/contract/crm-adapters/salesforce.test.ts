import { generateKeyPairSync } from 'node:crypto';
import type { RecordRef } from '@patchcord/call-protocol';
import { createSalesforceRelay } from '@patchcord/crm-adapters/relay';
import { startSalesforceSandbox } from '../../../sandbox/src/salesforce/sandbox.ts';
import { relayCrmContract } from './relay-crm-contract.ts';

relayCrmContract('Salesforce', async () => {
  const org = await startSalesforceSandbox({ panelUrl: 'http://localhost:1/salesforce/' });
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  org.connectedApp.registerConnectedApp(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const [robin] = org.users;
  const integration = org.users.find((user) => user.name === 'Patchcord Relay');
  if (robin === undefined || integration === undefined) throw new Error('The sandbox org lacks its users.');
  const relay = createSalesforceRelay({
    loginUrl: org.org.loginUrl,
    clientId: org.connectedApp.clientId,
    privateKeyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    username: integration.username,
    timeoutMs: 5_000,
  });
  const faults = {
    'answer-lost': 'answer-lost',
    'server-error': 'server-error',
    reset: 'reset',
    'rate-limited': 'request-limit',
    'session-expired': 'expired-session',
  };
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    relay,
    agent: { crmUserId: robin.id, name: robin.name },
    ownerName: robin.id,
    writeRequests: 1,
    batchRequests: 1,
    // a validation rule of the org stops this one
    poisoned: (log) => {
      org.faults.add({ fault: 'validation-rule', on: 'POST */composite*', when: { record: log.callId } });
      return log;
    },
    requests: () => org.requests().length,
    logs: () =>
      org.records.Task.map((task) => {
        const call = org.records.Patchcord_Call__c.find((one) => one.Task_Id__c === task.Id);
        const who = text(task.WhoId) || text(task.WhatId);
        const object = who.startsWith('003') ? 'Contact' : who.startsWith('00Q') ? 'Lead' : 'Account';
        return {
          id: text(task.Id),
          direction: task.CallType === 'Inbound' ? 'inbound' : 'outbound',
          seconds: Number(task.CallDurationInSeconds),
          result: text(task.CallDisposition),
          text: text(task.Description),
          numbers: [text(call?.From_Number__c), text(call?.To_Number__c)],
          records: who === '' ? [] : [`${object}:${who}`],
          ownedBy: text(task.OwnerId),
        };
      }),
    rewrite: (id, words) => org.store.update('Task', id, { Description: words }, robin.id),
    remove: (id) => org.store.remove('Task', id),
    record(name): RecordRef {
      for (const object of ['Contact', 'Lead'] as const) {
        const row = org.records[object].find((one) => one.Name === name);
        if (row !== undefined) return { crm: 'salesforce', object, id: text(row.Id), name };
      }
      throw new RangeError(name);
    },
    trouble: (kind, skip = 0) => org.faults.add({ fault: faults[kind], on: 'POST */composite*', skip }),
    close: () => org.close(),
  };
});
