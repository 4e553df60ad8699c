/** What a benchmark yields and how it is summed up. Owns the numbers' form; knows no benchmark. */

/** One measured case of one subject. */
export interface Measurement {
  readonly bench: string;
  readonly case: string;
  readonly subject: string;
  readonly unit: string;
  /** Raw samples; NaN marks a round that never finished. */
  readonly samples: readonly number[];
}

/** One line of the report. `against` names the subject or case that `ratio` compares medians with. */
export interface Row {
  readonly bench: string;
  readonly case: string;
  readonly subject: string;
  readonly n: number;
  readonly median: number;
  readonly p95: number;
  readonly max: number;
  readonly unit: string;
  readonly against: string;
  /** This median divided by the other's: below 1 is faster. */
  readonly ratio: number;
}

/** Sums a measurement up; `reference` is what the ratio divides by. */
export function toRow(
  measurement: Measurement,
  reference: { readonly name: string; readonly samples: readonly number[] },
): Row {
  const sorted = measurement.samples.filter((sample) => !Number.isNaN(sample)).sort((a, b) => a - b);
  const { bench, subject, unit } = measurement;
  return {
    bench,
    case: measurement.case,
    subject,
    n: sorted.length,
    median: round(quantile(sorted, 0.5)),
    p95: round(quantile(sorted, 0.95)),
    max: round(sorted.at(-1) ?? Number.NaN),
    unit,
    against: reference.name,
    ratio: round(
      quantile(sorted, 0.5) /
        quantile(
          [...reference.samples].filter((s) => !Number.isNaN(s)).sort((a, b) => a - b),
          0.5,
        ),
      100,
    ),
  };
}

function quantile(sorted: readonly number[], q: number): number {
  if (sorted.length === 0) return Number.NaN;
  const position = (sorted.length - 1) * q;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

function round(value: number, factor = 10): number {
  return Math.round(value * factor) / factor;
}

/** A table for people. */
export function toTable(rows: readonly Row[]): string {
  const head = ['case', 'subject', 'n', 'median', 'p95', 'max', 'unit', 'against', 'ratio'] as const;
  const cells = rows.map((row) => head.map((key) => String(row[key])));
  const line = (values: readonly string[]): string => `| ${values.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...cells.map(line)].join('\n');
}
