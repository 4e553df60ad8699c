/** What reading a phone system's record gives, and the words every reader shares. Must never trust a field: all of it comes from outside. */
import { type CallReportData, CallReportDataSchema, PatchcordError } from '@patchcord/call-protocol';
import * as v from 'valibot';

/** Turns one record, as the phone system sent it, into reports: none when it tells of no agent's leg. @throws PatchcordError `request.invalid` */
export type CallRecordReader = (record: unknown) => readonly CallReportData[];

/** Holds a report to the schema. @throws PatchcordError `request.invalid`, naming the first field that does not fit */
export function checkedReport(report: unknown): CallReportData {
  const result = v.safeParse(CallReportDataSchema, report);
  if (result.success) return ordered(result.output);
  const [issue] = result.issues;
  throw new PatchcordError(
    'request.invalid',
    `The call record does not fit at "${v.getDotPath(issue) ?? ''}": expected ${issue.expected ?? 'something else'}.`,
  );
}

/** A leg can't be answered before it began, nor end before that: a clock that was set during the call. */
function ordered(report: CallReportData): CallReportData {
  const answeredAt = report.answeredAt === null ? null : Math.max(report.answeredAt, report.startedAt);
  const endedAt = report.endedAt === null ? null : Math.max(report.endedAt, answeredAt ?? report.startedAt);
  return { ...report, answeredAt, endedAt };
}

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Text or a number as text; empty when it is neither. */
export function textOf(value: unknown): string {
  return typeof value === 'string' ? value : typeof value === 'number' && Number.isFinite(value) ? String(value) : '';
}

export function invalid(message: string): PatchcordError {
  return new PatchcordError('request.invalid', message);
}
