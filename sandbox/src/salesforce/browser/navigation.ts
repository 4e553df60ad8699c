/**
 * Owns when a Lightning app tells the phone that the agent went somewhere, which differs between standard and console apps (the Salesforce
 * contract, section 1.5, `onNavigationChange`), and the addresses of pages. Must never draw.
 */
import type { OrgRecord } from './org-state.ts';
import { viewInfo } from './org-state.ts';

export type AppKind = 'standard' | 'console';

/** Why the phone may hear where the agent is. */
export type Move = 'record' | 'list' | 'elsewhere' | 'focus' | 'new-record-modal' | 'tab-refresh';

/** What `onNavigationChange` carries after a move, or null where the app keeps quiet. */
export function navigationPayload(
  app: AppKind,
  move: Move,
  record: OrgRecord | undefined,
  url: string,
): Record<string, string> | null {
  if (app === 'console' && (move === 'list' || move === 'new-record-modal')) return null;
  if (app === 'standard' && move === 'tab-refresh') return null;
  // From a record to a list a standard app sends the address alone.
  if (move === 'list') return { url };
  return viewInfo(record, url);
}

/** The page's path for a record or the list. */
export function pagePath(record: OrgRecord | undefined): string {
  return record ? `/lightning/r/${record.kind}/${record.id}/view` : '/lightning/o/Contact/list';
}

/** The path with what a reload of this page must keep: whose page it is and which kind of app. */
export function keeping(path: string, username: string, app: AppKind): string {
  const url = new URL(path, 'https://page.invalid');
  url.searchParams.set('user', username);
  if (app === 'console') url.searchParams.set('app', app);
  return url.pathname + url.search;
}
