/**
 * Owns reading a report of the org's metadata and working it out over rows: filters, time frame, groupings, sums. Knows what our reports use
 * and refuses anything else, so that a picture never shows other numbers than the org would. Must never draw.
 */

export type ReportRow = Readonly<Record<string, string | number | boolean | null>>;

export interface Aggregate {
  readonly field: string;
  readonly kind: 'Sum' | 'Average' | 'Maximum' | 'Minimum';
}

export interface Report {
  readonly name: string;
  readonly description: string;
  readonly format: string;
  readonly down: readonly string[];
  readonly across: readonly string[];
  readonly columns: readonly string[];
  readonly aggregates: readonly Aggregate[];
  readonly filters: readonly {
    readonly field: string;
    readonly operator: string;
    readonly values: readonly string[];
  }[];
  readonly dateField: string;
  readonly interval: string;
}

/** Reads a `.report-meta.xml`. @throws Error naming what the sandbox does not know */
export function readReport(xml: string): Report {
  const root = new DOMParser().parseFromString(xml, 'application/xml').documentElement;
  const of = (element: Element, name: string): string => element.querySelector(`:scope > ${name}`)?.textContent ?? '';
  const all = (element: Element, name: string): Element[] => [...element.querySelectorAll(`:scope > ${name}`)];
  const plain = (field: string): string => field.replace(/^.*[$.]/, '');
  const columns = all(root, 'columns');
  const frame = root.querySelector(':scope > timeFrameFilter');
  return {
    name: of(root, 'name'),
    description: of(root, 'description'),
    format: of(root, 'format'),
    down: all(root, 'groupingsDown').map((one) => plain(of(one, 'field'))),
    across: all(root, 'groupingsAcross').map((one) => plain(of(one, 'field'))),
    columns: columns.map((one) => plain(of(one, 'field'))),
    aggregates: columns.flatMap((one) =>
      all(one, 'aggregateTypes').map((type) => ({
        field: plain(of(one, 'field')),
        kind: aggregateKind(type.textContent),
      })),
    ),
    filters: [...root.querySelectorAll(':scope > filter > criteriaItems')].map((one) => ({
      field: plain(of(one, 'column')),
      operator: of(one, 'operator'),
      values: of(one, 'value').split(','),
    })),
    dateField: frame ? plain(of(frame, 'dateColumn')) : '',
    interval: frame ? of(frame, 'interval') : '',
  };
}

function aggregateKind(given: string | null): Aggregate['kind'] {
  if (given === 'Sum' || given === 'Average' || given === 'Maximum' || given === 'Minimum') return given;
  throw new Error(`The sandbox knows no aggregate ${given}.`);
}

/** The rows a report is about. */
export function rowsOf(report: Report, rows: readonly ReportRow[], now: number): readonly ReportRow[] {
  const from = startOf(report.interval, now);
  return rows.filter(
    (row) =>
      (report.dateField === '' || Date.parse(`${row[report.dateField]}`) >= from) &&
      report.filters.every((filter) => fits(`${row[filter.field] ?? ''}`, filter.operator, filter.values)),
  );
}

function startOf(interval: string, now: number): number {
  const today = new Date(now).setHours(0, 0, 0, 0);
  const back = (days: number): number => new Date(today).setDate(new Date(today).getDate() - days);
  switch (interval) {
    case '':
    case 'INTERVAL_CUSTOM':
      return Number.NEGATIVE_INFINITY;
    case 'INTERVAL_TODAY':
      return today;
    case 'INTERVAL_LAST7':
      return back(6);
    case 'INTERVAL_LAST30':
      return back(29);
    case 'INTERVAL_LAST90':
      return back(89);
    default:
      throw new Error(`The sandbox knows no time frame ${interval}.`);
  }
}

function fits(value: string, operator: string, wanted: readonly string[]): boolean {
  const same = wanted.some((one) => one.toLowerCase() === value.toLowerCase());
  if (operator === 'equals') return same;
  if (operator === 'notEqual') return !same;
  if (operator === 'contains') return wanted.some((one) => value.toLowerCase().includes(one.toLowerCase()));
  throw new Error(`The sandbox knows no filter operator ${operator}.`);
}

/** The group a row falls into: a day for an instant, the value itself for the rest. */
export function groupOf(row: ReportRow, field: string): string {
  const value = row[field];
  if (value === null || value === undefined || value === '') return '-';
  return field.endsWith('_At__c') ? localDay(new Date(`${value}`)) : `${value}`;
}

function localDay(date: Date): string {
  const two = (part: number): string => String(part).padStart(2, '0');
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** Groups in ascending order. */
export function grouped(rows: readonly ReportRow[], field: string): (readonly [string, readonly ReportRow[]])[] {
  const groups = new Map<string, ReportRow[]>();
  for (const row of rows) {
    const group = groupOf(row, field);
    groups.set(group, [...(groups.get(group) ?? []), row]);
  }
  return [...groups].sort(([one], [other]) => one.localeCompare(other));
}

/** One aggregate over rows; null where no row has a value. */
export function aggregated(rows: readonly ReportRow[], { field, kind }: Aggregate): number | null {
  const values = rows.map((row) => row[field]).filter((value): value is number => typeof value === 'number');
  if (values.length === 0) return null;
  const sum = values.reduce((total, value) => total + value, 0);
  if (kind === 'Sum') return sum;
  if (kind === 'Average') return sum / values.length;
  return kind === 'Maximum' ? Math.max(...values) : Math.min(...values);
}
