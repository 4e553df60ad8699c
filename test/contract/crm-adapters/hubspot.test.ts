import type { RecordRef } from '@patchcord/call-protocol';
import { createHubSpotRelay } from '@patchcord/crm-adapters/relay';
import { startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';
import { relayCrmContract } from './relay-crm-contract.ts';

const labels: Readonly<Record<string, string>> = {
  'f240bbac-87c9-4f6e-bf70-924b57d47db7': 'Connected',
  '73a0d17f-1163-4015-bdd5-ec830791da20': 'No answer',
};

relayCrmContract('HubSpot', async () => {
  const hubspot = await startHubSpotSandbox({
    panelUrl: 'http://localhost:1/hubspot/',
    relayUrl: 'http://localhost:1',
    clientSecret: 'contract-client-secret',
    appId: 99,
    searchDelayMs: 0,
    rateLimits: { perTenSeconds: 100_000, searchesPerSecond: 1_000 },
  });
  const relay = createHubSpotRelay({
    apiUrl: hubspot.apiUrl,
    accessToken: hubspot.oauth,
    portalId: hubspot.portalId,
    appId: 99,
    timeoutMs: 5_000,
  });
  const [robin] = hubspot.owners;
  if (robin === undefined) throw new Error('The sandbox portal has no owner.');
  const faults = {
    'answer-lost': 'answer-lost',
    'server-error': 'server-error',
    reset: 'reset',
    'rate-limited': 'rate-limited',
    'session-expired': 'expired-token',
  };
  const plain = (html: string): string =>
    html.replace(/<br>/g, '\n').replace(/&lt;/g, '<').replace(/&gt;/g, '>').replace(/&amp;/g, '&');
  return {
    relay,
    agent: { crmUserId: String(robin.userId), name: 'Robin Avery' },
    ownerName: robin.id,
    writeRequests: 4,
    batchRequests: 4,
    // a time that is none
    poisoned: (log) => ({ ...log, startedAt: Number.NaN }),
    requests: () => hubspot.requests().filter(({ path }) => path.includes('/calls')).length,
    logs: () =>
      hubspot.records.calls.map(({ id, properties }) => ({
        id,
        direction: properties.hs_call_direction === 'INBOUND' ? 'inbound' : 'outbound',
        seconds: Math.round(Number(properties.hs_call_duration ?? 0) / 1000),
        result: labels[properties.hs_call_disposition ?? ''] ?? '',
        text: plain(properties.hs_call_body ?? ''),
        numbers: [properties.hs_call_from_number ?? '', properties.hs_call_to_number ?? ''],
        records: hubspot.records.associations
          .filter((link) => link.fromType === 'calls' && link.fromId === id)
          .map((link) => `${link.toType === 'contacts' ? 'contact' : 'company'}:${link.toId}`),
        ownedBy: properties.hubspot_owner_id ?? '',
      })),
    rewrite: (id, words) => {
      hubspot.portal.update('calls', id, { hs_call_body: words });
    },
    remove: (id) => hubspot.portal.archive('calls', id),
    record(name): RecordRef {
      const found = hubspot.records.contacts.find(
        ({ properties }) => `${properties.firstname} ${properties.lastname}` === name,
      );
      if (found === undefined) throw new RangeError(name);
      return { crm: 'hubspot', object: 'contact', id: found.id, name };
    },
    trouble: (kind, skip = 0) => hubspot.faults.add({ fault: faults[kind], on: '* /crm/*s/calls*', skip }),
    close: () => hubspot.close(),
  };
});
