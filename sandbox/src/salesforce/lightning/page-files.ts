/**
 * Owns what the page's Lightning part asks the server for: the components' script, the design system, and the reports of force-app with the
 * calls they are about. Must never answer for another user than the page's.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type HttpReply, type HttpRequest, json, text } from '../../http.ts';
import type { Records } from '../records.ts';
import type { Rights } from '../rights.ts';
import type { SalesforceUser } from '../salesforce-user.ts';
import { designSystemFile } from './assets.ts';
import { lightningScript } from './bundle.ts';

const reportFolder = fileURLToPath(new URL('../../../../force-app/main/default/reports/', import.meta.url));
/** What stays out of a report's rows: long texts that no column can show. */
const tooLong = new Set(['Action_Items__c', 'Last_Written__c', 'Note__c', 'Phrases__c', 'Summary__c', 'Transcript__c']);

/** The reply for a path of the Lightning part; null when it is none. */
export async function lightningFile(
  request: HttpRequest,
  org: { readonly store: Records; readonly rights: Rights; readonly users: readonly SalesforceUser[] },
): Promise<HttpReply | null> {
  if (request.path === '/lightning.js') return text(200, 'text/javascript', await lightningScript());
  if (request.path === '/sandbox/reports') {
    const user = org.users.find((one) => one.username === request.query.get('user'));
    return user
      ? json(200, { reports: reportsOnDisk(), rows: callsFor(user, org) })
      : json(400, { error: 'Unknown user.' });
  }
  return designSystemFile(request.path);
}

function reportsOnDisk(): readonly string[] {
  const names = readdirSync(reportFolder, { recursive: true, encoding: 'utf8' }).sort();
  return names
    .filter((name) => name.endsWith('.report-meta.xml'))
    .map((name) => readFileSync(join(reportFolder, name), 'utf8'));
}

function callsFor(
  user: SalesforceUser,
  { store, rights }: { readonly store: Records; readonly rights: Rights },
): readonly Readonly<Record<string, unknown>>[] {
  const object = 'Patchcord_Call__c';
  if (!rights.mayObject(user, object, 'read')) return [];
  return store
    .all(object)
    .filter((row) => rights.mayRecord(user, object, row, 'read'))
    .map((row) => {
      const fields = Object.entries(row).filter(
        ([name]) => !tooLong.has(name) && rights.mayField(user, object, name, 'read'),
      );
      const started = typeof row.Started_At__c === 'string' ? new Date(row.Started_At__c) : null;
      return {
        ...Object.fromEntries(fields),
        // A lookup's column shows the name; the formula field is worked out as the org works it out.
        Agent__c: typeof row.Agent__c === 'string' ? (store.get('User', row.Agent__c)?.Name ?? null) : null,
        Hour_Started__c: started === null ? '' : `${String(started.getUTCHours()).padStart(2, '0')}:00`,
      };
    });
}
