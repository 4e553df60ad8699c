/** Owns the reading of a mailbox's summary (RFC 3842 section 5.2). Must never trust its numbers beyond what a badge can show. */
import type { Mailbox } from '../state.ts';

const most = 9_999;

/** null when the text is no summary. */
export function readSummary(body: string): Mailbox | null {
  const waiting = /^Messages-Waiting[ \t]*:[ \t]*(yes|no)\b/im.exec(body)?.[1]?.toLowerCase();
  if (waiting === undefined) return null;
  const [, fresh = '', old = ''] = /^Voice-Message[ \t]*:[ \t]*(\d{1,9})[ \t]*\/[ \t]*(\d{1,9})/im.exec(body) ?? [];
  // Without counts the light alone is known.
  const newMessages = fresh === '' ? Number(waiting === 'yes') : Math.min(Number(fresh), most);
  return { waiting: waiting === 'yes', newMessages, oldMessages: Math.min(Number(old), most) };
}
