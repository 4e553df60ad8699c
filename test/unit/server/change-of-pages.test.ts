import {
  type AgentId,
  type CallId,
  newCallId,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
  type WireEvent,
} from '@patchcord/call-protocol';
import { type CrmRelay, createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { expect, it } from 'vitest';
import { changeOf, type FreshEvent } from '../../../server/src/call-log/change.ts';
import { checkConfig } from '../../../server/src/config.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { createPageCrm } from './page-crm.ts';
import { testConfig } from './relay-in-test.ts';

const source = '/tenants/acme/agents/ada/devices/one';

function fresh(callId: CallId, n: number, name: PhoneEvent['name'], data: unknown): FreshEvent {
  const event = { name, at: n * 1_000, call: callId, data, id: `${callId}:${n}`, source } as WireEvent;
  return { event, envelope: toEnvelope(event, event.id, source), callId };
}

/** What follows for the CRM from a call that a colleague took. */
function looksAt(crm: CrmRelay): readonly string[] {
  const callId = newCallId();
  const owner = { tenant: 'acme' as TenantId, agent: 'ada' as AgentId };
  const { tenants: configs } = checkConfig({ dataDir: '/nowhere', ...testConfig() });
  const far = { number: '+14155550101', e164: '+14155550101' };
  const told = [
    fresh(callId, 1, 'call.started', { direction: 'inbound', farSide: far }),
    fresh(callId, 2, 'call.ended', { outcome: 'answered-elsewhere', reason: 'A colleague took it', by: 'far-side' }),
  ];
  const tenants = new Tenants(configs, () => crm);
  return changeOf(owner, told, new Map(), { tenants, now: () => 9_000 }).effects.map(({ kind }) => kind);
}

it('a call that gets no log is looked at all the same where the CRM’s page may have made one, and nowhere else', () => {
  expect(looksAt(createPageCrm())).toEqual(['crm.log']);
  expect(looksAt(createMemoryRelay())).toEqual([]);
});
