/** Owns what the Salesforce page knows about the org: the state the server sends, and how records are found and named in it. */

export type Fields = Readonly<Record<string, string | number | boolean | null>>;

export interface OrgState {
  readonly accounts: readonly Fields[];
  readonly contacts: readonly Fields[];
  readonly leads: readonly Fields[];
  readonly tasks: readonly Fields[];
  readonly users: readonly { id: string; username: string; name: string; email: string; callCenterId: string | null }[];
  readonly unknownCaller: string;
  /** E.164 of every typed number, for the call-me buttons. */
  readonly e164: Readonly<Record<string, string>>;
}

/** What the page was given in its HTML. */
export interface PageSetup {
  readonly panelUrl: string;
  readonly user: OrgState['users'][number];
  readonly orgId: string;
  readonly page: string;
  readonly app: 'standard' | 'console';
  /** `reqStandbyUrl` and `reqTimeout` of the call center; null where it has none. */
  readonly callCenter: { readonly standbyUrl: string | null; readonly timeoutMs: number | null };
}

export type RecordKind = 'Account' | 'Contact' | 'Lead' | 'Task';

export interface OrgRecord {
  readonly kind: RecordKind;
  readonly id: string;
  readonly name: string;
  readonly fields: Fields;
}

export function recordsIn(state: OrgState): OrgRecord[] {
  const named = (kind: RecordKind, rows: readonly Fields[]): OrgRecord[] =>
    rows.map((fields) => ({ kind, id: text(fields.Id), name: text(fields.Name ?? fields.Subject ?? kind), fields }));
  return [
    ...named('Contact', state.contacts),
    ...named('Lead', state.leads),
    ...named('Account', state.accounts),
    ...named('Task', state.tasks),
  ];
}

/** Finds a record by its 15- or 18-character id. */
export function recordAt(state: OrgState, id: string): OrgRecord | undefined {
  return recordsIn(state).find((record) => record.id.slice(0, 15) === id.slice(0, 15));
}

export function text(value: string | number | boolean | null | undefined): string {
  return value === null || value === undefined ? '' : `${value}`;
}

/** What Open CTI tells about the record on screen; empty strings when there is none. */
export function viewInfo(record: OrgRecord | undefined, url: string): Record<string, string> {
  if (!record) return { url, recordId: '', recordName: '', objectType: '' };
  const info: Record<string, string> = { url, recordId: record.id, recordName: record.name, objectType: record.kind };
  if (record.kind === 'Contact' && text(record.fields.AccountId) !== '') info.accountId = text(record.fields.AccountId);
  return info;
}

export function isRecord(given: unknown): given is Record<string, unknown> {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}
