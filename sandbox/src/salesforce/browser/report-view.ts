/**
 * Owns how a report looks on the sandbox page: choosing one, its chart, its table with subtotals. Must never reckon: `report-definition.ts`
 * does.
 */
import { h } from '../../page/dom.ts';
import {
  type Aggregate,
  aggregated,
  grouped,
  groupOf,
  type Report,
  type ReportRow,
  readReport,
  rowsOf,
} from './report-definition.ts';

/** The reports of the org over its calls; `username` is whose rights count. */
export async function reportsView(username: string): Promise<HTMLElement> {
  const response = await fetch(`/sandbox/reports?user=${encodeURIComponent(username)}`);
  const { reports, rows } = (await response.json()) as { reports: string[]; rows: ReportRow[] };
  const known = reports.map(readReport);
  const page = h('div', { class: 'report' });
  const buttons = known.map((report, index) =>
    h(
      'button',
      { type: 'button', class: 'report-name', 'aria-pressed': `${index === 0}`, onclick: () => choose(index) },
      report.name,
    ),
  );
  function choose(index: number): void {
    for (const [place, button] of buttons.entries()) button.setAttribute('aria-pressed', `${place === index}`);
    const report = known[index];
    if (report) page.replaceChildren(...shownReport(report, rowsOf(report, rows, Date.now())));
  }
  choose(0);
  return h(
    'section',
    { class: 'reports', 'aria-label': 'Reports' },
    h(
      'nav',
      { class: 'card report-list', 'aria-label': 'Patchcord reports' },
      h('h2', {}, 'Patchcord reports'),
      ...buttons,
    ),
    page,
  );
}

function shownReport(report: Report, rows: readonly ReportRow[]): HTMLElement[] {
  const totals = [
    figure('Total records', `${rows.length}`),
    ...report.aggregates.map((one) => figure(aggregateLabel(one), valueText(one, aggregated(rows, one)))),
  ];
  return [
    h(
      'header',
      { class: 'card report-head' },
      h('p', { class: 'object' }, 'Report: Patchcord Calls'),
      h('h1', {}, report.name),
      h('p', { class: 'sub' }, report.description),
      h('dl', { class: 'report-totals' }, ...totals),
    ),
    h('div', { class: 'card report-chart' }, chart(report, rows)),
    h(
      'div',
      { class: 'card report-table' },
      h(
        'div',
        { class: 'wide', tabindex: 0, role: 'group', 'aria-label': report.name },
        report.across.length > 0 ? matrix(report, rows) : summary(report, rows),
      ),
    ),
  ];
}

function figure(label: string, value: string): HTMLElement {
  return h('div', {}, h('dt', {}, label), h('dd', {}, value));
}

/** Columns of the groups, stacked by the second grouping where there is one: the shape Lightning's own chart has. */
function chart(report: Report, rows: readonly ReportRow[]): HTMLElement {
  const category = report.across[0] ?? report.down[0];
  const series = report.across.length > 0 ? report.down[0] : report.down[1];
  const sum = report.aggregates.find((one) => one.kind === 'Sum');
  if (category === undefined || rows.length === 0) return h('p', { class: 'empty' }, 'No calls in this time frame.');
  const height = (part: readonly ReportRow[]): number => (sum ? (aggregated(part, sum) ?? 0) : part.length);
  const stacks = grouped(rows, category);
  const names = series === undefined ? [] : grouped(rows, series).map(([name]) => name);
  const most = Math.max(...stacks.map(([, part]) => height(part)), 1);
  const bar = (part: readonly ReportRow[], colour: number): HTMLElement =>
    h('span', {
      class: `bar colour-${colour % 6}`,
      style: `height:${(height(part) / most) * 100}%`,
      title: shownNumber(height(part)),
    });
  const columns = stacks.map(([name, part]) =>
    h(
      'li',
      {},
      h('span', { class: 'value' }, sum ? duration(height(part)) : shownNumber(height(part))),
      h(
        'span',
        { class: 'stack', 'aria-hidden': 'true' },
        ...(series === undefined
          ? [bar(part, 0)]
          : names.map((one, index) =>
              bar(
                part.filter((row) => groupOf(row, series) === one),
                index,
              ),
            )),
      ),
      h('span', { class: 'category' }, groupLabel(category, name, true)),
    ),
  );
  const legend = names.map((name, index) =>
    h(
      'li',
      {},
      h('span', { class: `swatch colour-${index % 6}`, 'aria-hidden': 'true' }),
      groupLabel(series ?? '', name),
    ),
  );
  return h(
    'figure',
    {},
    h('figcaption', {}, `${sum ? aggregateLabel(sum) : 'Record count'} by ${fieldLabel(category).toLowerCase()}`),
    h('ol', { class: 'columns' }, ...columns),
    legend.length > 0 ? h('ul', { class: 'legend' }, ...legend) : null,
  );
}

function summary(report: Report, rows: readonly ReportRow[]): HTMLElement {
  const cells = (part: readonly ReportRow[]): HTMLElement[] => [
    h('td', { class: 'number' }, shownNumber(part.length)),
    ...report.aggregates.map((one) => h('td', { class: 'number' }, valueText(one, aggregated(part, one)))),
  ];
  const [first, second] = report.down;
  const body = (first === undefined ? [] : grouped(rows, first)).flatMap(([name, part]) => {
    const inner = second === undefined ? [] : grouped(part, second);
    return [
      h(
        'tr',
        { class: inner.length > 0 ? 'subtotal' : undefined },
        h('th', { scope: 'row' }, groupLabel(first ?? '', name)),
        second === undefined ? null : h('td', {}, inner.length > 0 ? 'Subtotal' : ''),
        ...cells(part),
      ),
      ...inner.map(([innerName, innerPart]) =>
        h('tr', {}, h('td', {}), h('th', { scope: 'row' }, groupLabel(second ?? '', innerName)), ...cells(innerPart)),
      ),
    ];
  });
  return h(
    'table',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        ...report.down.map((field) => h('th', { scope: 'col' }, fieldLabel(field))),
        h('th', { scope: 'col', class: 'number' }, 'Record count'),
        ...report.aggregates.map((one) => h('th', { scope: 'col', class: 'number' }, aggregateLabel(one))),
      ),
    ),
    h('tbody', {}, ...body),
    h('tfoot', {}, h('tr', {}, h('th', { scope: 'row', colspan: report.down.length || 1 }, 'Total'), ...cells(rows))),
  );
}

function matrix(report: Report, rows: readonly ReportRow[]): HTMLElement {
  const [down = ''] = report.down;
  const [across = ''] = report.across;
  const heads = grouped(rows, across).map(([name]) => name);
  const cells = (part: readonly ReportRow[]): HTMLElement[] => [
    ...heads.map((head) => {
      const count = part.filter((row) => groupOf(row, across) === head).length;
      return h('td', { class: 'number' }, count === 0 ? '–' : shownNumber(count));
    }),
    h('td', { class: 'number total' }, shownNumber(part.length)),
  ];
  return h(
    'table',
    {},
    h(
      'thead',
      {},
      h(
        'tr',
        {},
        h('th', { scope: 'col' }, fieldLabel(down)),
        ...heads.map((head) => h('th', { scope: 'col', class: 'number' }, groupLabel(across, head, true))),
        h('th', { scope: 'col', class: 'number' }, 'Total'),
      ),
    ),
    h(
      'tbody',
      {},
      ...grouped(rows, down).map(([name, part]) =>
        h('tr', {}, h('th', { scope: 'row' }, groupLabel(down, name)), ...cells(part)),
      ),
    ),
    h('tfoot', {}, h('tr', {}, h('th', { scope: 'row' }, 'Total'), ...cells(rows))),
  );
}

function groupLabel(field: string, name: string, short = false): string {
  if (!field.endsWith('_At__c') || name === '-') return name;
  const day = new Date(`${name}T12:00:00`);
  return day.toLocaleDateString('en-US', short ? { month: 'short', day: 'numeric' } : { dateStyle: 'medium' });
}

function fieldLabel(field: string): string {
  return field.replace(/__c$/, '').replaceAll('_', ' ');
}

function aggregateLabel({ field, kind }: Aggregate): string {
  return `${kind} of ${fieldLabel(field).toLowerCase()}`;
}

function valueText({ field }: Aggregate, value: number | null): string {
  if (value === null) return '–';
  return field === 'Duration_Seconds__c' ? duration(value) : shownNumber(value);
}

function shownNumber(value: number): string {
  return value.toLocaleString('en-US', { maximumFractionDigits: 2 });
}

function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours} h ${minutes} min` : `${minutes} min ${whole % 60} s`;
}
