import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { checkLwcCompiles, checkLwcLint } from '../../../scripts/salesforce/lwc-check.ts';
import { copySource, type SourceCopy } from './broken-source.ts';

let source: SourceCopy;
beforeEach(() => {
  source = copySource();
  mkdirSync(join(source.root, 'force-app/main/default/lwc/probe'), { recursive: true });
  source.write('lwc/probe/probe.js', script('document.title;'));
  source.write('lwc/probe/probe.html', '<template><p>{text}</p></template>\n');
  source.write('lwc/probe/probe.js-meta.xml', described('<target>lightning__RecordPage</target>'));
});
afterEach(() => source.remove());

const script = (body: string) =>
  `import { LightningElement, api } from 'lwc';\n\nexport default class Probe extends LightningElement {\n    @api text = '';\n\n    connectedCallback() {\n        ${body}\n    }\n}\n`;
const described = (targets: string) =>
  `<LightningComponentBundle xmlns="http://soap.sforce.com/2006/04/metadata"><apiVersion>66.0</apiVersion><isExposed>true</isExposed><targets>${targets}</targets></LightningComponentBundle>`;
const about = (failures: readonly string[]) => failures.filter((failure) => failure.includes('/probe')).join('\n');

test('a sound component compiles', () => {
  expect(about(checkLwcCompiles(source.root).failures)).toBe('');
});

test.each([
  ['a template that is not closed', 'probe.html', '<template><p>{text}</template>\n', 'probe.html'],
  ['an event handler in quotes', 'probe.html', '<template><p onclick="{go}"></p></template>\n', 'probe.html'],
  ['TypeScript in a script', 'probe.js', 'export const x: number = 1;\n', 'probe.js'],
  ['a stylesheet with an id', 'probe.css', '#one { color: red; }\n', 'probe.css'],
])('%s does not compile', (_, file, text, expected) => {
  source.write(`lwc/probe/${file}`, text);
  expect(about(checkLwcCompiles(source.root).failures)).toContain(expected);
});

test('a target nobody knows and a component exposed nowhere are refused', () => {
  source.write('lwc/probe/probe.js-meta.xml', described('<target>lightning__Recordpage</target>'));
  expect(about(checkLwcCompiles(source.root).failures)).toContain('"lightning__Recordpage" is no target we know');
  source.write('lwc/probe/probe.js-meta.xml', described(''));
  expect(about(checkLwcCompiles(source.root).failures)).toContain('no target says where');
});

test("a script against Salesforce's rules is refused with rule and line", async () => {
  source.write('lwc/probe/probe.js', script('this.template.innerHTML = this.text;\n        setInterval(() => 1, 10);'));
  expect(about((await checkLwcLint(source.root)).failures)).toMatch(/probe\.js:\d+: .*\(@lwc\/lwc\/[\w-]+\)/);
});
