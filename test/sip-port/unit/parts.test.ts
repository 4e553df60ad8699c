/** What the panel's bundler leaves out or writes anew: the engine asks for nothing of it, and what is left does the same as before. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import { leanCallingSdk } from '../../../scripts/lean-calling-sdk.ts';
import { wordByWord } from '../../../scripts/panel-words.ts';
import { shortNames } from '../../../scripts/short-names.ts';
import { settled, sipJsParts } from '../../../scripts/sip-js-parts.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));

async function bundled(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    write: false,
    format: 'esm',
    target: 'es2022',
    logLevel: 'silent',
    plugins: [sipJsParts, leanCallingSdk],
  });
  return outputFiles[0]?.text ?? '';
}

it('the engine sets nothing of sip.js that the bundler takes for settled', () => {
  const folder = `${root}packages/phone-engine/src/sip/`;
  const set = readdirSync(folder)
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => readFileSync(folder + name, 'utf8').split('\n'))
    .flatMap((line) => {
      const [, name = '', value = ''] = /\b(\w+): (\w+)/.exec(line) ?? [];
      return settled.has(name) && !line.includes('sip.ringing') && settled.get(name) !== value ? [line.trim()] : [];
    });
  expect(set).toEqual([]);
});

it('a member of sip.js gets a short name when nobody else says its name, and no string does', () => {
  const lib = `${root}node_modules/sip.js/lib/`;
  const files = ['api', 'core', 'grammar'].flatMap((folder) =>
    readdirSync(lib + folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.js'))
      .map((name) => `${lib}${folder}/${name}`),
  );
  const { mangleProps, mangleCache } = shortNames(files);
  const short = Object.values(mangleCache);
  expect(short.length).toBeGreaterThan(100);
  expect(new Set(short).size).toBe(short.length);
  expect(mangleProps.test('outgoingInviteRequest')).toBe(true);
  // Keys that are looked up by what stands in a message, names of the platform, and what only a table has.
  for (const name of ['gruu', 'Cseq', 'Rack', 'toString', 'then', 'close', 'outgoingInviteRequests'])
    expect(mangleProps.test(name), name).toBe(false);
  const folder = mkdtempSync(`${tmpdir()}/short-names-`);
  try {
    const other = `${folder}/other.ts`;
    writeFileSync(
      other,
      "export const key = 'outgoingInviteRequest'; export const read = (from) => from.earlyDialogs;",
    );
    const less = shortNames([...files, other]);
    expect(less.mangleProps.test('outgoingInviteRequest')).toBe(false);
    expect(less.mangleProps.test('earlyDialogs')).toBe(false);
    expect(mangleProps.test('earlyDialogs')).toBe(true);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it('a module of the panel is given the words that it says, and no others', () => {
  expect(
    wordByWord(
      "import { texts } from '../texts.ts';\nconst said = [texts.hold, lentTexts.undo, texts.selfTest.title, texts.hold];",
    ),
  ).toBe(
    "import { word_hold as texts_hold, word_selfTest as texts_selfTest } from 'panel-words';\nconst said = [texts_hold, lentTexts.undo, texts_selfTest.title, texts_hold];",
  );
});

it('a part of sip.js or of the calling SDK that is left out says so when it is asked for', async () => {
  const text = await bundled(`import { UserAgentCore } from 'sip.js/lib/core/user-agent-core/user-agent-core.js';
    export const subscribe = () => UserAgentCore.prototype.subscribe();
    export { Session } from 'sip.js/lib/api/session.js';`);
  const { subscribe, Session } = (await import(
    `data:text/javascript;base64,${Buffer.from(text).toString('base64')}`
  )) as { subscribe: () => void; Session: { prototype: { refer: () => void } } };
  expect(subscribe).toThrow('does without this part');
  expect(() => Session.prototype.refer()).toThrow('does without this part');
});
