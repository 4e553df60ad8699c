/** Owns what can be proved of the extension's source without an account: HubSpot's own lint rules, its types, and that each entry builds alone. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';
import { transform } from 'esbuild';
import { Linter } from 'eslint';
import { bundleExtension } from '../../sandbox/src/hubspot/cards/bundle.ts';
import { type CheckResult, componentOf, readProject } from './project.ts';

/** HubSpot's rules over every module, warnings as errors. Types are taken off first: the rules' own parser reads JavaScript. */
export async function checkExtensionLint(root: string): Promise<CheckResult> {
  const { modules } = readProject(root);
  const { default: rules } = (await import(pathToFileURL(join(root, 'eslint.config.mjs')).href)) as {
    default: Linter.Config[];
  };
  const linter = new Linter({ cwd: root });
  const failures: string[] = [];
  for (const file of modules) {
    const { code } = await transform(readFileSync(join(root, file), 'utf8'), {
      loader: 'tsx',
      jsx: 'preserve',
      target: 'es2022',
      // A module that is only imported for its types would vanish otherwise, and with it what the rules look for.
      tsconfigRaw: { compilerOptions: { verbatimModuleSyntax: true } },
    });
    for (const { message, ruleId, severity } of linter.verify(code, rules, { filename: join(root, file) }))
      if (severity > 0) failures.push(`${file}: ${message}${ruleId === null ? '' : ` (${ruleId})`}`);
  }
  return { name: 'HubSpot lint', detail: `${modules.length} modules`, failures };
}

/** Each folder by its own tsconfig.json against the real types of `@hubspot/ui-extensions`, side by side. */
export async function checkExtensionTypes(root: string): Promise<CheckResult> {
  const folders = [...new Set(readProject(root).modules.map((file) => dirname(file)))].filter((folder) =>
    existsSync(join(root, folder, 'tsconfig.json')),
  );
  const compiler = join(import.meta.dirname, '../../node_modules/typescript/bin/tsc');
  const failures = await Promise.all(
    folders.map(
      (folder) =>
        new Promise<readonly string[]>((resolve) => {
          const args = [compiler, '--noEmit', '--pretty', 'false', '-p', folder];
          execFile(process.execPath, args, { cwd: root }, (error, stdout) =>
            resolve(
              error === null
                ? []
                : [...stdout.split('\n').filter((line) => line !== ''), `${folder}: ${error.message.split('\n')[0]}`],
            ),
          );
        }),
    ),
  );
  return { name: 'HubSpot types', detail: `${folders.length} folders`, failures: failures.flat() };
}

/** Everything a bundle may hold besides its own folder's files. */
const allowedModules =
  /^(global:(react|@remote-ui\/react)|(\.\.\/)*(.*\/)?node_modules\/(react|@hubspot\/ui-extensions)\/.*)$/;
/** gzip bytes that one entry may weigh: HubSpot loads it on every record that is opened. */
const mostBytes = 30_000;

/** Builds each entrypoint as HubSpot does and looks at what is in it. */
export async function checkExtensionBundles(root: string): Promise<CheckResult> {
  const entries = [
    ...new Set(
      readProject(root).components.flatMap(({ content }) => {
        const { entrypoint } = componentOf(content).config;
        return typeof entrypoint === 'string' ? [entrypoint] : [];
      }),
    ),
  ];
  const failures: string[] = [];
  const sizes: string[] = [];
  for (const entry of entries) {
    try {
      const { script, inputs } = await bundleExtension(entry, root);
      const folder = `src${dirname(entry)}/`;
      const strange = inputs.filter((input) => !input.startsWith(folder) && !allowedModules.test(input));
      for (const input of strange) failures.push(`src${entry}: ${input} is neither its own nor HubSpot's nor React's`);
      const bytes = gzipSync(script, { level: 9 }).length;
      if (bytes > mostBytes) failures.push(`src${entry}: ${bytes} bytes gzip, ${mostBytes} at most`);
      sizes.push(`${entry.split('/').at(-1)} ${(bytes / 1000).toFixed(1)} kB gzip`);
    } catch (error) {
      failures.push(`src${entry}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { name: 'HubSpot bundles', detail: sizes.join(', '), failures };
}
