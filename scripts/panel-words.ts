/**
 * The panel's words one by one instead of as one object: what is said in a part only is then only there, and a minifier puts a word that is said
 * once where it is said. Rewrites `texts.hold` into an import of that word. Must never change a word.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Plugin } from 'esbuild';
import ts from 'typescript';

const door = 'packages/softphone-ui/src/texts.ts';
const words = 'panel-words';

/** The module with every word as an export of its own. Resolves before any other plugin that resolves everything. */
export const panelWords: Plugin = {
  name: words,
  setup(bundler) {
    bundler.onResolve({ filter: new RegExp(`^${words}$`) }, ({ path }) => ({
      path,
      namespace: words,
      sideEffects: false,
    }));
    bundler.onLoad({ filter: /.*/, namespace: words }, () => ({ contents: eachWord(), loader: 'ts' }));
    bundler.onLoad({ filter: /packages\/softphone-ui\/src\/.*\.tsx?$/ }, ({ path }) => {
      const source = readFileSync(path, 'utf8');
      const contents = wordByWord(source);
      return contents === source ? undefined : { contents, loader: path.endsWith('x') ? 'tsx' : 'ts' };
    });
  },
};

/** A module of the panel that asks for the words it says instead of for all of them. */
export function wordByWord(source: string): string {
  const asked = /^import \{ texts \} from '[./]*\/texts\.ts';$/m;
  if (!asked.test(source)) return source;
  const said = new Set<string>();
  const contents = source.replaceAll(/(?<![\w$./])texts\.(\w+)/g, (_, word: string) => {
    said.add(word);
    return `texts_${word}`;
  });
  const list = [...said].map((word) => `word_${word} as texts_${word}`);
  return contents.replace(asked, () => `import { ${list.join(', ')} } from '${words}';`);
}

function eachWord(): string {
  const files = [...readFileSync(door, 'utf8').matchAll(/from '(\.\/texts\/[\w-]+\.ts)'/g)].map(([, path = '']) =>
    resolve(dirname(door), path),
  );
  return files.map((path) => wordsOf(path)).join('\n');
}

function wordsOf(path: string): string {
  const file = ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.ES2022, true);
  const [only, ...others] = file.statements;
  const [declared] = only && ts.isVariableStatement(only) ? only.declarationList.declarations : [];
  const table = declared?.initializer && ts.isAsExpression(declared.initializer) && declared.initializer.expression;
  if (!table || !ts.isObjectLiteralExpression(table) || others.length > 0)
    throw new Error(`${path} holds more than its table of words: see scripts/panel-words.ts.`);
  return table.properties
    .map((word) => {
      if (!ts.isPropertyAssignment(word)) throw new Error(`${path}: ${word.getText(file)} is no word.`);
      return `export const word_${word.name.getText(file)} = ${word.initializer.getText(file)};`;
    })
    .join('\n');
}
