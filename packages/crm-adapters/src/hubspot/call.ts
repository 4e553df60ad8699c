/**
 * Owns what a call becomes in HubSpot: the properties of the call object. Pure; the mapping table in README.md is this file in words (HubSpot
 * contract, section 2.1). Every value is text, spans are milliseconds. Must never talk to HubSpot.
 */
import type { CallLog, CallOutcome } from '@patchcord/call-protocol';
import { heardFields } from '../heard-words.ts';
import { type Fields, plainSpelling, type Spelling } from '../last-written.ts';
import { fromAndTo, textOf, titleOf, wentToVoicemail } from '../log-words.ts';

/** Our own properties on calls: the unique key of a call, and the fingerprints of what we wrote last. */
export const keyProperty = 'patchcord_call_id';
export const writtenProperty = 'patchcord_last_written';

/** hs_call_body takes 65,536 characters; markup makes a note longer, so it is cut well before. */
const longestBody = 30_000;

/** Ids of the outcomes every account starts with. */
const dispositions = {
  busy: '9d9162e7-6cf3-4944-bf63-4dff82258764',
  connected: 'f240bbac-87c9-4f6e-bf70-924b57d47db7',
  leftVoicemail: 'b2cf5968-551e-4856-9783-52b3da59a7d0',
  noAnswer: '73a0d17f-1163-4015-bdd5-ec830791da20',
} as const;

/** Outcomes that follow from how a call ended: nobody has to have chosen one of these. */
export const defaultDispositions: ReadonlySet<string> = new Set([
  dispositions.busy,
  dispositions.connected,
  dispositions.noAnswer,
]);

const byOutcome: Readonly<Record<CallOutcome, { readonly status: string; readonly disposition: string | null }>> = {
  answered: { status: 'COMPLETED', disposition: dispositions.connected },
  missed: { status: 'MISSED', disposition: dispositions.noAnswer },
  declined: { status: 'CANCELED', disposition: null },
  busy: { status: 'BUSY', disposition: dispositions.busy },
  'no-answer': { status: 'NO_ANSWER', disposition: dispositions.noAnswer },
  cancelled: { status: 'CANCELED', disposition: null },
  failed: { status: 'FAILED', disposition: null },
  'answered-elsewhere': { status: 'CANCELED', disposition: null },
};

/** What the account offers, read from its own property list. */
export interface CallProperties {
  readonly groupName: string;
  readonly names: ReadonlySet<string>;
  /** Those that a person can change. */
  readonly editable: ReadonlySet<string>;
  readonly statuses: ReadonlySet<string>;
  /** Disposition id by lower-case label. */
  readonly dispositions: ReadonlyMap<string, string>;
}

export interface CallSetting {
  readonly properties: CallProperties;
  readonly ownerId: string | null;
  readonly appId: string | null;
  /** Our disposition value → HubSpot's id, where they differ from the account's labels. */
  readonly dispositionIds: Readonly<Record<string, string>>;
}

/** The properties we own. Null clears. */
export function callProperties(log: CallLog, setting: CallSetting): Fields {
  const { from, to } = fromAndTo(log);
  const outcome = outcomeOf(log);
  const chosen = dispositionId(log.disposition, setting);
  // A disposition the account does not know is still worth reading.
  const note = chosen === undefined && log.disposition !== null ? `${log.note}\n${log.disposition}`.trim() : log.note;
  const wanted: Record<string, string | null> = {
    hs_timestamp: String(log.startedAt),
    hs_call_title: titleOf(log),
    hs_call_body: htmlOf(textOf({ ...log, note }, longestBody)) || null,
    hs_call_direction: log.direction === 'inbound' ? 'INBOUND' : 'OUTBOUND',
    hs_call_status: outcome === null ? 'IN_PROGRESS' : statusOf(outcome.status, setting.properties),
    hs_call_disposition: firstOffered([chosen ?? null, ...(outcome?.dispositions ?? [])], setting.properties),
    hs_call_duration: String(Math.max(0, Math.round(log.talkMs))),
    hs_call_from_number: from || null,
    hs_call_to_number: to || null,
    hs_call_external_id: log.callId,
    hs_call_external_account_id: log.tenant,
    ...(setting.ownerId === null ? {} : { hubspot_owner_id: setting.ownerId }),
    ...(setting.appId === null ? {} : { hs_call_source: 'INTEGRATIONS_PLATFORM', hs_call_app_id: setting.appId }),
  };
  // Where an administrator made properties for them.
  for (const [name, value] of Object.entries(heardFields(log))) wanted[`patchcord_${name}`] = value;
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => setting.properties.names.has(name)));
}

/** How a call ended, in HubSpot's words; of a call whose caller left a message the report says that nobody answered. */
function outcomeOf(
  log: CallLog,
): { readonly status: string; readonly dispositions: readonly (string | null)[] } | null {
  if (log.outcome === null) return null;
  const { status, disposition } = byOutcome[log.outcome];
  if (!wentToVoicemail(log)) return { status, dispositions: [disposition] };
  return {
    status: log.direction === 'inbound' && log.answeredAt === null ? 'MISSED' : status,
    dispositions: [dispositions.leftVoicemail, disposition],
  };
}

/** The status of a call that is over, as the inbound-call endpoint takes it: there MISSED is known to every account. */
export function finalStatus(log: CallLog): string {
  return outcomeOf(log)?.status ?? 'UNKNOWN';
}

/** HubSpot gives times back as ISO text and may re-shape the markup of a body; what a person reads is compared. */
export const callSpelling: Spelling = (field, value) => {
  const plain = plainSpelling(field, value);
  if (field === 'hs_timestamp') {
    const at = /^\d+$/.test(plain) ? Number(plain) : Date.parse(plain);
    return Number.isFinite(at) ? String(at) : plain;
  }
  if (field !== 'hs_call_body') return plain;
  return plain
    .replace(/<[^>]*>/g, ' ')
    .replace(/&nbsp;/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&gt;/g, '>')
    .replace(/&quot;/g, '"')
    .replace(/&#0?39;/g, "'")
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ')
    .trim();
};

/** HubSpot's object ids are digits; nothing else may stand in a URL of ours. */
export function isRecordId(text: string): boolean {
  return /^\d{1,20}$/.test(text);
}

/** A body is rich text: a note's own angle brackets must not become markup. */
export function htmlOf(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/\r?\n/g, '<br>');
}

function dispositionId(disposition: string | null, setting: CallSetting): string | undefined {
  if (disposition === null || disposition === '') return undefined;
  const given = setting.dispositionIds[disposition];
  if (given !== undefined) return given;
  const offeredIds = new Set(setting.properties.dispositions.values());
  return offeredIds.has(disposition) ? disposition : setting.properties.dispositions.get(disposition.toLowerCase());
}

/** The first of these that the account offers; an account that tells of none takes what it is given. */
function firstOffered(wanted: readonly (string | null)[], properties: CallProperties): string | null {
  const offered = new Set(properties.dispositions.values());
  return wanted.find((one) => one !== null && (offered.size === 0 || offered.has(one))) ?? null;
}

/** MISSED is not offered everywhere; NO_ANSWER is. */
function statusOf(status: string, properties: CallProperties): string {
  if (properties.statuses.size === 0) return status === 'MISSED' ? 'NO_ANSWER' : status;
  return properties.statuses.has(status) ? status : 'NO_ANSWER';
}
