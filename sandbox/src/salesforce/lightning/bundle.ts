/**
 * Owns turning force-app's Lightning Web Components into a script for the sandbox page: compiled by Salesforce's own compiler, bundled once
 * for a process, in memory. What the platform brings (`lightning/*`, `@salesforce/*`) comes from the stand-ins beside this file. Must never
 * change a component on its way.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { transformSync } from '@lwc/compiler';
import { build, type Plugin } from 'esbuild';

const here = fileURLToPath(new URL('.', import.meta.url));
const ours = fileURLToPath(new URL('../../../../force-app/main/default/lwc/', import.meta.url));
const require = createRequire(import.meta.url);

let made: Promise<string> | undefined;

/** The script that `/lightning.js` is. Made when it is first asked for: it takes a second, and most tests never look at a component. */
export function lightningScript(): Promise<string> {
  made ??= bundle();
  return made;
}

async function bundle(): Promise<string> {
  const result = await build({
    entryPoints: [join(here, 'browser/main.ts')],
    bundle: true,
    write: false,
    format: 'iife',
    minify: true,
    target: ['chrome120', 'firefox121', 'safari17'],
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"' },
    plugins: [platform, components],
  });
  const file = result.outputFiles[0];
  if (!file) throw new Error('Bundling the Lightning components gave nothing.');
  return file.text;
}

/** What Salesforce resolves for a component: names of the platform, not files. */
const platform: Plugin = {
  name: 'platform',
  setup(builder) {
    builder.onResolve({ filter: /^lwc$/ }, () => ({ path: require.resolve('@lwc/engine-dom') }));
    builder.onResolve({ filter: /^c\/\w+$/ }, ({ path }) => ({ path: bundleFile(ours, path.slice(2)) }));
    builder.onResolve({ filter: /^lightning\/\w+$/ }, ({ path }) => {
      const name = path.slice('lightning/'.length);
      const service = join(here, 'browser', `${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}.ts`);
      return { path: existsSync(service) ? service : bundleFile(join(here, 'base'), name) };
    });
    builder.onResolve({ filter: /^@salesforce\/apex$/ }, () => ({ path: join(here, 'browser/apex.ts') }));
    builder.onResolve({ filter: /^@salesforce\/(apex|messageChannel|i18n)\// }, ({ path }) => ({
      path,
      namespace: 'org',
    }));
    builder.onLoad({ filter: /.*/, namespace: 'org' }, ({ path }) => ({
      contents: orgModule(path.split('/').slice(1)),
      resolveDir: here,
    }));
  },
};

function bundleFile(folder: string, name: string): string {
  return join(folder, name, `${name}.js`);
}

/** A module of the org: an Apex method, a message channel, the user's language and time zone. */
function orgModule([kind, name = '']: readonly string[]): string {
  if (kind === 'apex') {
    const [apexClass, method] = name.split('.');
    return `import { apexMethod } from './browser/apex.ts';
export default apexMethod(${JSON.stringify(apexClass)}, ${JSON.stringify(method)});`;
  }
  if (kind === 'messageChannel') return `export default ${JSON.stringify(name)};`;
  if (name === 'timeZone') return 'export default Intl.DateTimeFormat().resolvedOptions().timeZone;';
  if (name === 'locale') return "export default 'en-US';";
  throw new Error(`The sandbox org has no @salesforce/${kind}/${name}.`);
}

/** Compiles scripts, templates and style sheets of components. */
const components: Plugin = {
  name: 'components',
  setup(builder) {
    builder.onResolve({ filter: /^\.\/.*\.(html|css)(\?.*)?$/ }, ({ path, importer }) => {
      if (!isComponent(importer)) return undefined;
      const [file = path, query] = path.split('?');
      const scoped = query?.includes('scoped=true') === true;
      return { path: join(dirname(importer), file), namespace: 'component', suffix: scoped ? '?scoped' : '' };
    });
    builder.onLoad({ filter: /.*/, namespace: 'component' }, ({ path, suffix }) =>
      compiled(path, suffix === '?scoped'),
    );
    builder.onLoad({ filter: /\.js$/ }, ({ path }) => (isComponent(path) ? compiled(path, false) : undefined));
  },
};

function isComponent(path: string): boolean {
  return path.startsWith(ours) || path.startsWith(join(here, 'base'));
}

function compiled(path: string, scoped: boolean): { contents: string; loader: 'js'; resolveDir: string } {
  const folder = dirname(path);
  const result = (contents: string) => ({ contents, loader: 'js' as const, resolveDir: folder });
  // A template asks for style sheets that may not be there, and a script without a component's base has no template.
  if (!existsSync(path)) return result(path.endsWith('.css') ? 'export default undefined;' : missingTemplate);
  const namespace = path.startsWith(ours) ? 'c' : 'lightning';
  const { code } = transformSync(readFileSync(path, 'utf8'), basename(path), {
    name: basename(folder),
    namespace,
    scopedStyles: scoped,
  });
  return result(code);
}

const missingTemplate = "import { registerTemplate } from 'lwc'; export default registerTemplate(() => []);";
