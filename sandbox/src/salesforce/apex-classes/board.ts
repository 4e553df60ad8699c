/**
 * Owns the class `PatchcordBoard` as the emulated org runs it: the team's day, agent by agent, and who was missed and not called back. Follows
 * the Apex in force-app; must never answer anyone who is no manager.
 */
import type { Row } from '../values.ts';
import { type ApexCall, type ApexClass, ApexFailure } from './apex-class.ts';
import { holdsPermission } from './custom-permissions.ts';

const mostMissed = 200;
const mostHeard = 200;
const heardShown = 50;
const unanswered = new Set<unknown>(['missed', 'declined']);

interface AgentDay {
  agentId: string | null;
  name: string;
  calls: number;
  answered: number;
  missed: number;
  talkSeconds: number;
  averageSeconds: number;
  wrapUps: number;
  wrapUpSince: string | null;
}

interface MissedCaller {
  callId: string;
  phone: string;
  name: string | null;
  recordId: string | null;
  missedAt: string;
  calls: number;
  agentName: string | null;
}

export const patchcordBoard: ApexClass = {
  name: 'PatchcordBoard',
  methods: {
    today(org) {
      if (!holdsPermission(org, 'Patchcord_Manager'))
        throw new ApexFailure('The board is for managers. Ask your admin for the permission set "Patchcord Manager".');
      const zone = zoneNamed(org);
      const since = midnight(Date.now(), zone);
      const rows = org.store
        .all('Patchcord_Call__c')
        .filter((row) => org.rights.mayRecord(org.user, 'Patchcord_Call__c', row, 'read') && at(row) >= since);
      const { missed, moreMissed } = missedSince(org, rows);
      const heard = heardSince(org, rows);
      return { since: new Date(since).toISOString(), zone, agents: agentsSince(org, rows), missed, moreMissed, heard };
    },
  },
};

function zoneNamed({ store, user, params }: ApexCall): string {
  const zone = typeof params.zone === 'string' ? params.zone.trim() : '';
  if (zone === '') return `${store.get('User', user.id)?.TimeZoneSidKey ?? 'GMT'}`;
  if (!Intl.supportedValuesOf('timeZone').includes(zone) && zone !== 'UTC' && zone !== 'GMT')
    throw new ApexFailure(`"${zone.slice(0, 60)}" is no time zone that Salesforce knows.`);
  return zone;
}

/** The last midnight in a zone, epoch ms. */
function midnight(instant: number, zone: string): number {
  const day = new Date(instant + offset(instant, zone));
  const asGreenwich = Date.UTC(day.getUTCFullYear(), day.getUTCMonth(), day.getUTCDate());
  return asGreenwich - offset(asGreenwich - offset(instant, zone), zone);
}

function offset(instant: number, zone: string): number {
  const parts = new Intl.DateTimeFormat('en-US', {
    timeZone: zone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  }).formatToParts(instant);
  const of = (type: string): number => Number(parts.find((part) => part.type === type)?.value);
  const wall = Date.UTC(of('year'), of('month') - 1, of('day'), of('hour'), of('minute'), of('second'));
  return wall - Math.floor(instant / 1000) * 1000;
}

function agentsSince({ store }: ApexCall, rows: readonly Row[]): AgentDay[] {
  const days = new Map<string | null, AgentDay>();
  for (const row of rows) {
    if (row.Outcome__c === 'answered-elsewhere') continue;
    const agentId = typeof row.Agent__c === 'string' ? row.Agent__c : null;
    const day = days.get(agentId) ?? emptyDay(agentId);
    days.set(agentId, day);
    day.calls += 1;
    day.talkSeconds += Number(row.Duration_Seconds__c ?? 0);
    if (unanswered.has(row.Outcome__c)) day.missed += 1;
    if (row.Outcome__c !== 'answered') continue;
    day.answered += 1;
    if (typeof row.Ended_At__c !== 'string' || row.Disposition__c !== null) continue;
    day.wrapUps += 1;
    const ended = new Date(row.Ended_At__c).toISOString();
    if (day.wrapUpSince === null || ended < day.wrapUpSince) day.wrapUpSince = ended;
  }
  for (const day of days.values()) {
    day.name = day.agentId === null ? 'No agent' : `${store.get('User', day.agentId)?.Name ?? 'No agent'}`;
    day.averageSeconds = day.answered === 0 ? 0 : Math.floor(day.talkSeconds / day.answered);
  }
  return [...days.values()];
}

function emptyDay(agentId: string | null): AgentDay {
  const none = { calls: 0, answered: 0, missed: 0, talkSeconds: 0, averageSeconds: 0, wrapUps: 0, wrapUpSince: null };
  return { agentId, name: '', ...none };
}

function missedSince(
  { store }: ApexCall,
  rows: readonly Row[],
): { readonly missed: readonly MissedCaller[]; readonly moreMissed: boolean } {
  const inVain = rows
    .filter((row) => row.Direction__c === 'Inbound' && unanswered.has(row.Outcome__c) && row.From_Number__c !== null)
    .sort((one, other) => at(other) - at(one))
    .slice(0, mostMissed + 1);
  const callers = new Map<string, MissedCaller>();
  for (const row of inVain) {
    const phone = `${row.From_Number__c}`;
    const caller = callers.get(phone) ?? {
      callId: `${row.Id}`,
      phone,
      name: text(row.Far_Side_Name__c),
      recordId: text(row.Contact__c) ?? text(row.Lead__c),
      missedAt: new Date(at(row)).toISOString(),
      calls: 0,
      agentName: typeof row.Agent__c === 'string' ? text(store.get('User', row.Agent__c)?.Name) : null,
    };
    callers.set(phone, caller);
    caller.calls += 1;
  }
  const lastContact = (phone: string): number =>
    Math.max(
      ...rows
        .filter((row) =>
          row.Direction__c === 'Outbound'
            ? row.To_Number__c === phone
            : row.From_Number__c === phone && row.Outcome__c === 'answered',
        )
        .map(at),
      Number.NEGATIVE_INFINITY,
    );
  const missed = [...callers.values()].filter((caller) => lastContact(caller.phone) <= Date.parse(caller.missedAt));
  return { missed, moreMissed: inVain.length > mostMissed };
}

/** Calls in which rules heard or missed something, newest first. */
function heardSince({ store, rights, user }: ApexCall, rows: readonly Row[]): readonly object[] {
  if (!rights.mayField(user, 'Patchcord_Call__c', 'Phrases__c', 'read')) return [];
  return rows
    .filter((row) => row.Outcome__c === 'answered')
    .sort((one, other) => at(other) - at(one))
    .slice(0, mostHeard)
    .filter((row) => typeof row.Phrases__c === 'string' && row.Phrases__c.trim() !== '')
    .slice(0, heardShown)
    .map((row) => ({
      callId: `${row.Id}`,
      name: text(row.Far_Side_Name__c),
      phone: text(row.Direction__c === 'Outbound' ? row.To_Number__c : row.From_Number__c),
      agentName: typeof row.Agent__c === 'string' ? text(store.get('User', row.Agent__c)?.Name) : null,
      startedAt: new Date(at(row)).toISOString(),
      phrases: text(row.Phrases__c),
      sentiment: text(row.Sentiment__c),
    }));
}

function at(row: Row): number {
  return typeof row.Started_At__c === 'string' ? Date.parse(row.Started_At__c) : Number.NEGATIVE_INFINITY;
}

function text(value: Row[string] | undefined): string | null {
  return typeof value === 'string' && value !== '' ? value : null;
}
