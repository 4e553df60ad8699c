/**
 * Records in our own form, as the recipes for Kamailio and Asterisk write them: one flat JSON object of texts, each percent-encoded, because
 * neither has a way to escape JSON. Owns that form (docs/guides/call-records.md). Must never take an empty text for a fact.
 */
import type { CallReportData, Pbx } from '@patchcord/call-protocol';
import { type CallRecordReader, checkedReport, invalid, isObject, textOf } from './reader.ts';

/** The reader for one phone system's records. */
export function plainReader(pbx: Pbx): CallRecordReader {
  return (record) => {
    if (!isObject(record)) throw invalid('A call record must be a JSON object.');
    const given = (name: string): string => decoded(textOf(record[name])).trim();
    const optional = (name: string): string | null => given(name) || null;
    const time = (name: string): number | null => {
      const text = given(name);
      if (text === '' || Number(text) === 0) return null;
      // Seconds with or without a fraction, or milliseconds.
      const value = Number(text);
      return Math.round(value < 100_000_000_000 ? value * 1_000 : value);
    };
    const cause = given('cause');
    const name = optional('name');
    const report: Record<keyof CallReportData, unknown> = {
      pbx,
      reportId: given('id'),
      state: given('state') || 'ended',
      sipCallId: given('sipCallId'),
      conversation: optional('conversation'),
      extension: given('extension'),
      device: optional('device'),
      direction: given('direction'),
      farSide: { number: farNumber(given('number')), ...(name === null ? {} : { name: name.slice(0, 255) }) },
      startedAt: time('started'),
      answeredAt: time('answered'),
      endedAt: time('ended'),
      cause: cause === '' ? null : Number(cause),
      outcome: optional('outcome'),
    };
    return [checkedReport(report)];
  };
}

/** What stands for a withheld number in SIP and in Asterisk. */
export function farNumber(text: string): string {
  return /^(?:anonymous|restricted|unavailable|unknown|<unknown>|private|withheld)$/i.test(text) ? '' : text;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
