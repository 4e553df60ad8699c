/**
 * What the script knows about the org and its people before it changes anything: the login, the organisation, users by name, permission set
 * assignments. Reads only.
 */
import { isRow, OrgFailure, quoted, type Row, type Sf, text } from './sf-cli.ts';

export interface Org {
  readonly id: string;
  readonly name: string;
  readonly sandbox: boolean;
  /** https://<my domain>.my.salesforce.com */
  readonly instanceUrl: string;
  /** Where agents work; empty when the domain is not of the usual form. */
  readonly lightningOrigin: string;
  readonly username: string;
}

export interface OrgUser {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly callCenterId: string;
}

/** The permission sets of the source. */
export const permissionSets = ['Patchcord_Agent', 'Patchcord_Manager', 'Patchcord_Admin', 'Patchcord_Relay'] as const;
export type PermissionSetName = (typeof permissionSets)[number];

export const callCenterName = 'Patchcord';

/**
 * Sees that the CLI is there and signed in to the org.
 * @throws OrgFailure saying how to sign in
 */
export async function connectedOrg(sf: Sf, targetOrg: string): Promise<Org> {
  const version = await sf.run(['version']);
  if (!version.ok) throw new OrgFailure(`The Salesforce CLI does not tell its version: ${version.message}`);
  const display = await sf.run(['org', 'display']);
  if (!display.ok || !isRow(display.result))
    throw new OrgFailure(
      `The CLI is not signed in to "${targetOrg}" (${display.message || 'no details'}). Sign in: sf org login web --alias ${targetOrg} ` +
        '(a sandbox: add --instance-url https://test.salesforce.com)',
    );
  const instanceUrl = text(display.result.instanceUrl).replace(/\/+$/, '');
  const [row = {}] = await sf.query('SELECT Id, Name, IsSandbox FROM Organization');
  return {
    id: text(row.Id) || text(display.result.id),
    name: text(row.Name),
    sandbox: row.IsSandbox === true,
    instanceUrl,
    lightningOrigin: lightningOriginOf(instanceUrl),
    username: text(display.result.username),
  };
}

/** Where Lightning runs for a My Domain; empty when the address is of another form. */
export function lightningOriginOf(instanceUrl: string): string {
  const domain = /^https:\/\/([a-z0-9.-]+)\.my\.salesforce\.com$/i.exec(instanceUrl)?.[1];
  return domain === undefined ? '' : `https://${domain.toLowerCase()}.lightning.force.com`;
}

/**
 * Active users by user name.
 * @throws OrgFailure naming everyone who is not there or not active
 */
export async function usersNamed(sf: Sf, names: readonly string[]): Promise<ReadonlyMap<string, OrgUser>> {
  const found = new Map<string, OrgUser>();
  for (let from = 0; from < names.length; from += 100) {
    const list = names
      .slice(from, from + 100)
      .map(quoted)
      .join(', ');
    const fields = 'Id, Username, Name, CallCenterId';
    for (const row of await sf.query(`SELECT ${fields} FROM User WHERE IsActive = true AND Username IN (${list})`)) {
      const user = userOf(row);
      found.set(user.username.toLowerCase(), user);
    }
  }
  const lost = names.filter((name) => !found.has(name.toLowerCase()));
  if (lost.length > 0)
    throw new OrgFailure(
      `No active user of the org has this user name: ${lost.join(', ')}. Correct the list and run again.`,
    );
  return found;
}

/** Who has a permission set of ours directly: set, then ids of users with the ids of their assignments. */
export async function assignments(sf: Sf): Promise<ReadonlyMap<string, ReadonlyMap<string, Assignment>>> {
  const names = permissionSets.map(quoted).join(', ');
  const bySet = new Map<string, Map<string, Assignment>>(permissionSets.map((name) => [name, new Map()]));
  const soql = `SELECT Id, AssigneeId, Assignee.Username, PermissionSet.Name FROM PermissionSetAssignment WHERE PermissionSet.Name IN (${names})`;
  for (const row of await sf.query(soql)) {
    const set = isRow(row.PermissionSet) ? text(row.PermissionSet.Name) : '';
    const username = isRow(row.Assignee) ? text(row.Assignee.Username) : '';
    bySet.get(set)?.set(text(row.AssigneeId), { id: text(row.Id), username });
  }
  return bySet;
}

export interface Assignment {
  readonly id: string;
  readonly username: string;
}

/** Id of our call centre; undefined when the org has none. */
export async function callCenterId(sf: Sf): Promise<string | undefined> {
  const [row] = await sf.query(`SELECT Id FROM CallCenter WHERE InternalName = ${quoted(callCenterName)}`);
  return row === undefined ? undefined : text(row.Id);
}

/** Everybody in our call centre. */
export async function callCenterUsers(sf: Sf, id: string): Promise<readonly OrgUser[]> {
  const found = await sf.query(`SELECT Id, Username, Name, CallCenterId FROM User WHERE CallCenterId = ${quoted(id)}`);
  return found.map(userOf);
}

function userOf(row: Row): OrgUser {
  return {
    id: text(row.Id),
    username: text(row.Username),
    name: text(row.Name),
    callCenterId: text(row.CallCenterId),
  };
}
