/**
 * Builds what the panel loads only when the agent asks for it (the self-test, the screens in `later/`): one script for each CRM. Owns which modules go into it and how it comes
 * by what the panel already has. Such a script imports nothing: the panel hands it what both use, so that there is one Preact and one set of
 * signals, and so that the panel is still minified as one whole.
 */
import { readFile } from 'node:fs/promises';
import { build, type Plugin } from 'esbuild';

/** The modules that are loaded later: the self-test's by their names, wherever they are, and the screens in the folder for it. */
const ofSelfTest = /\/self-(?:test|checks)[\w-]*\.tsx?$|\/later\/[\w-]+\.tsx?$/;
const screens = [
  'packages/softphone-ui/src/screens/self-test-screen.tsx',
  'packages/softphone-ui/src/later/later-screens.tsx',
];
/** Hosts with nothing to look at have none. */
const hostChecks: Readonly<Partial<Record<string, string>>> = {
  salesforce: 'packages/crm-adapters/src/salesforce/self-checks.ts',
  hubspot: 'packages/crm-adapters/src/hubspot/self-checks.ts',
};

interface Lent {
  /** Absolute path of the module. */
  readonly from: string;
  readonly name: string;
}

export interface SelfTestPart {
  /** One ES module; its default export takes what is lent, in that order, and returns what the parts export. */
  readonly code: string;
  readonly lent: readonly Lent[];
  /** The modules in it, as esbuild names them. */
  readonly inputs: readonly string[];
}

/** Bundles the self-test of one host, not yet minified as a whole. @throws when it does not compile */
export async function buildSelfTest(host: string): Promise<SelfTestPart> {
  const modules = [...screens, hostChecks[host]].filter((path) => path !== undefined);
  const { outputFiles, metafile } = await build({
    stdin: { contents: modules.map((path) => `export * from './${path}';`).join('\n'), resolveDir: process.cwd() },
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    write: false,
    metafile: true,
    logLevel: 'warning',
    plugins: [borrowing],
  });
  const lent: Lent[] = [];
  const names: string[] = [];
  // What esbuild writes, minified: import{a as b,c}from"lent:…"; and at the end export{d as e};
  const body = (outputFiles[0]?.text ?? '')
    .replaceAll(/\bimport\s*\{([^}]*)\}\s*from\s*"lent:([^"]*)";/g, (_, list: string, from: string) => {
      for (const [name, local] of renamed(list)) {
        lent.push({ from, name });
        names.push(local);
      }
      return '';
    })
    .replace(
      /\bexport\s*\{([^}]*)\};\s*$/,
      (_, list: string) => `return{${renamed(list).map(([local, name]) => `${name}:${local}`)}}`,
    );
  if (/\blent:|\bexport\s*\{/.test(body)) throw new Error(`The self-test of ${host} borrows in a way not known here.`);
  return {
    code: `export default (${names.join(',')})=>{${body}}`,
    lent,
    inputs: Object.keys(metafile.inputs).filter((path) => ofSelfTest.test(path)),
  };
}

/** `a as b, c` → [a, b], [c, c] */
function renamed(list: string): readonly (readonly [string, string])[] {
  return list.split(',').map((one) => {
    const [from = '', to = from] = one.trim().split(/\s+as\s+/);
    return [from, to];
  });
}

const borrowing: Plugin = {
  name: 'borrowing',
  setup(bundler) {
    bundler.onResolve({ filter: /.*/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (kind === 'entry-point' || pluginData === borrowing) return undefined;
      const found = await bundler.resolve(path, { importer, resolveDir, kind, pluginData: borrowing });
      if (found.errors.length > 0 || ofSelfTest.test(found.path)) return found;
      return { path: `lent:${found.path}`, external: true };
    });
  },
};

/**
 * Lets a panel load its self-test from `address` where it says `import()` of one of its modules. A browser may keep a failed load in mind for as
 * long as the page lives, so that each new try has another address.
 */
export function loadedFrom(address: string, { lent }: SelfTestPart): Plugin {
  const loader = 'self-test-loader';
  return {
    name: loader,
    setup(bundler) {
      bundler.onResolve({ filter: new RegExp(`^${loader}$`) }, () => ({ path: loader, namespace: loader }));
      bundler.onLoad({ filter: /.*/, namespace: loader }, () => ({
        resolveDir: process.cwd(),
        contents: `${lent.map(({ from, name }, n) => `import { ${name} as lent${n} } from ${JSON.stringify(from)};`).join('\n')}
          let from = ${JSON.stringify(address)}, part;
          export const loadSelfTest = () => part ??= import(from).then(
            (loaded) => loaded.default(${lent.map((_, n) => `lent${n}`)}),
            (error) => { part = undefined; from += '?'; throw error; },
          );`,
      }));
      bundler.onLoad({ filter: /packages\/[\w-]+\/src\/.*\.tsx?$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const contents = source.replaceAll(/(?<!typeof )\bimport\('([^']+)'\)/g, (all, module: string) =>
          ofSelfTest.test(module) ? 'loadSelfTest()' : all,
        );
        if (contents === source) return undefined;
        return {
          contents: `import { loadSelfTest } from '${loader}';\n${contents}`,
          loader: path.endsWith('x') ? 'tsx' : 'ts',
        };
      });
    },
  };
}
