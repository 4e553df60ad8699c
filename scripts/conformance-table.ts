/**
 * The conformance table, `docs/conformance.md`: its rows and columns, what tests declare for them in the source, and the text made of it. The text is
 * written from a run of those tests (`npm run conformance -- --write`); `npm run check` only compares it with what is declared, since the run needs
 * the laboratory. Must never contain a statement of its own about a far end.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';

export const conformanceFile = 'docs/conformance.md';

/** Rows, in their order. */
export const conformanceFeatures = [
  'register and digest',
  'outbound call',
  'inbound call',
  'early media',
  '18x without Contact',
  'decline, busy, redirect',
  'answered elsewhere',
  'hold, both ways',
  'mute',
  'DTMF by RFC 4733',
  'DTMF by INFO',
  'DTMF in-band',
  'blind transfer',
  'attended transfer',
  'far side transfers us',
  'conference mixed here',
  'conference room',
  'park and slot',
  'directed pickup by code',
  'directed pickup by Replaces',
  'group pickup',
  'busy lamps',
  'mailbox',
  'intercom',
  'do not disturb and forwarding codes',
  'caller ID shown',
  'session timer',
  'reliable ringing (PRACK)',
  'connected identity (UPDATE)',
  'queue',
  'codec order',
  'video offer',
  'ICE restart',
] as const;
export type ConformanceFeature = (typeof conformanceFeatures)[number];

/** Columns: far end → how the document calls it. */
export const farEnds = {
  baresip: 'baresip, behind Kamailio and rtpengine',
  linphone: 'linphone, behind Kamailio and rtpengine',
  sipp: 'a SIPp scenario, behind Kamailio',
  asterisk: 'Asterisk 22, with the files of `deploy/asterisk`',
  patchcord: 'a second Patchcord, through Kamailio',
  sandbox: 'the sandbox switch',
} as const;
export type FarEnd = keyof typeof farEnds;

/** One cell: shown by a test, or out of reach for a reason that lies in the far end. */
export type ConformanceEntry = { readonly feature: ConformanceFeature; readonly farEnd: FarEnd } & (
  | { readonly heard: string; readonly wire: string }
  | { readonly limit: string }
);

/** An entry and the test file that declares it. */
export interface Declared {
  readonly file: string;
  readonly entry: ConformanceEntry;
}

/**
 * What the tests under `folder` declare, read from their source without running them.
 * @throws Error naming the place when a declaration is not made of plain text or names an unknown row or column
 */
export function declaredConformance(folder = 'test'): readonly Declared[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .map((name) => join(folder, name).replaceAll('\\', '/'));
  return files.sort().flatMap((file) => {
    const text = readFileSync(file, 'utf8');
    return /\b(conforms|limited)\(/.test(text) ? declaredIn(file, text) : [];
  });
}

function declaredIn(file: string, text: string): Declared[] {
  const source = ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true);
  const found: Declared[] = [];
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart());
      const what = node.expression.text;
      if (what === 'conforms' || what === 'limited')
        found.push({ file, entry: entryOf(node, what, `${file}:${line + 1}`) });
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function entryOf(call: ts.CallExpression, what: 'conforms' | 'limited', place: string): ConformanceEntry {
  const refuse = (why: string): never => {
    throw new Error(`${place}: ${what}() ${why}, so that the table can be checked without running the tests.`);
  };
  const textOf = (node: ts.Node | undefined): string =>
    node !== undefined && ts.isStringLiteralLike(node) ? node.text : refuse('takes plain text only');
  const [featureNode, farEndNode, rest] = call.arguments;
  const feature = conformanceFeatures.find((it) => it === textOf(featureNode));
  const name = textOf(farEndNode);
  const farEnd = (Object.keys(farEnds) as FarEnd[]).find((it) => it === name);
  if (feature === undefined || farEnd === undefined) return refuse('names a known feature and a known far end');
  if (what === 'limited') return { feature, farEnd, limit: textOf(rest) };
  const members =
    rest !== undefined && ts.isObjectLiteralExpression(rest) ? rest.properties : refuse('takes an object');
  const wordsOf = (key: string): string => {
    const member = members.find((it) => it.name?.getText() === key);
    return textOf(member !== undefined && ts.isPropertyAssignment(member) ? member.initializer : undefined);
  };
  return { feature, farEnd, heard: wordsOf('heard'), wire: wordsOf('wire') };
}

/** The document for these entries: one section a feature, one line an entry, in the order of rows and columns. */
export function conformanceDocument(entries: readonly ConformanceEntry[]): string {
  const ends = Object.keys(farEnds) as FarEnd[];
  const of = (feature: ConformanceFeature, farEnd: FarEnd) =>
    entries
      .filter((it) => it.feature === feature && it.farEnd === farEnd)
      .sort((a, b) => (lineOf(a) < lineOf(b) ? -1 : 1));
  const mark = (feature: ConformanceFeature, farEnd: FarEnd): string => {
    const found = of(feature, farEnd);
    if (found.length === 0) return '';
    return [found.some((it) => 'wire' in it) ? '✔' : '', found.some((it) => 'limit' in it) ? 'limit' : '']
      .filter(Boolean)
      .join(', ');
  };
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    '# Conformance',
    '',
    'What the phone does with each far end, written by `npm run conformance -- --write` from a run of the tests that show it. ✔: shown, with what was',
    'heard and which messages were checked, below. "limit": that far end cannot do it, or does it otherwise; the reason is below. Empty: not',
    'tried with this far end.',
    '',
    ...ends.map((end) => `- **${end}**: ${farEnds[end]}`),
    '',
    row(['feature', ...ends]),
    row(['---', ...ends.map(() => '---')]),
    ...conformanceFeatures.map((feature) => row([feature, ...ends.map((end) => mark(feature, end))])),
    '',
    ...conformanceFeatures.flatMap((feature) => {
      const lines = ends.flatMap((end) => of(feature, end).map(lineOf));
      if (lines.length === 0) return [];
      return [
        `## ${sentence(feature)}`,
        '',
        row(['far end', 'heard', 'on the wire']),
        row(['---', '---', '---']),
        ...lines,
        '',
      ];
    }),
  ].join('\n');
}

function lineOf(entry: ConformanceEntry): string {
  const cell = (text: string) => text.replaceAll('|', '\\|');
  return 'limit' in entry
    ? `| ${entry.farEnd} | limit: ${cell(entry.limit)} | |`
    : `| ${entry.farEnd} | ${cell(entry.heard)} | ${cell(entry.wire)} |`;
}

function sentence(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
