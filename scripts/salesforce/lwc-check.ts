/**
 * Lightning components without an org: Salesforce's own lint rules, and its compiler over every script, template and stylesheet. Their
 * behaviour is tested beside them; whether an org offers a component where its targets say, only an org can tell.
 */
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';
import { transformSync } from '@lwc/compiler';
import { ESLint, type Linter } from 'eslint';
import { type CheckResult, deepOf, filesBelow, parseXmlFile, shown, sourceFiles, textOf } from './metadata-xml.ts';

/** Places our components may be put; another one wants a reason and this line. */
const knownTargets = new Set([
  'lightning__AppPage',
  'lightning__RecordPage',
  'lightning__HomePage',
  'lightning__Tab',
  'lightning__UtilityBar',
  'lightning__RecordAction',
  'lightning__FlowScreen',
]);

/** Lints every component script below `force-app`. */
export async function checkLwcLint(root: string): Promise<CheckResult> {
  const files = componentFiles(root).filter((path) => path.endsWith('.js'));
  const name = 'lwc lint';
  if (files.length === 0) return { name, detail: 'no component', failures: [] };
  const require = createRequire(import.meta.url);
  const recommended: Linter.Config[] = [require('@salesforce/eslint-config-lwc/recommended')].flat();
  const eslint = new ESLint({
    cwd: root,
    overrideConfigFile: true,
    overrideConfig: recommended.map((config) => ({ ...config, files: ['force-app/**/lwc/**/*.js'] })),
  });
  const failures = (await eslint.lintFiles([...files])).flatMap((result) =>
    result.messages.map(
      (message) =>
        `${shown(root, result.filePath)}:${message.line ?? 0}: ${message.message} (${message.ruleId ?? 'syntax'})`,
    ),
  );
  return { name, detail: `${files.length} scripts`, failures };
}

/** Compiles every bundle, and looks at what its `js-meta.xml` promises. */
export function checkLwcCompiles(root: string): CheckResult {
  const folders = [...new Set(componentFiles(root).map((path) => dirname(path)))].filter(
    (folder) => basename(dirname(folder)) === 'lwc',
  );
  const failures = folders.flatMap((folder) => [...compiled(root, folder), ...described(root, folder)]);
  return { name: 'lwc compile', detail: `${folders.length} components`, failures };
}

function compiled(root: string, folder: string): readonly string[] {
  const name = basename(folder);
  return filesBelow(folder)
    .filter((path) => /\.(js|html|css)$/.test(path) && !path.includes('__tests__'))
    .flatMap((path) => {
      try {
        const { warnings } = transformSync(readFileSync(path, 'utf8'), path, { name, namespace: 'c' });
        return (warnings ?? []).map((warning) => `${shown(root, path)}: ${warning.message}`);
      } catch (error) {
        return [`${shown(root, path)}: ${error instanceof Error ? error.message : String(error)}`];
      }
    });
}

function described(root: string, folder: string): readonly string[] {
  const meta = join(folder, `${basename(folder)}.js-meta.xml`);
  if (!existsSync(meta)) return [`${shown(root, folder)}: ${basename(meta)} is missing`];
  if (!existsSync(meta.replace(/-meta\.xml$/, ''))) return [`${shown(root, folder)}: the script is missing`];
  try {
    const xml = parseXmlFile(meta);
    const targets = deepOf(xml, 'target').map((element) => element.text);
    const unknown = targets.filter((target) => !knownTargets.has(target));
    const exposed = textOf(xml, 'isExposed') === 'true';
    return [
      ...unknown.map((target) => `${shown(root, meta)}: "${target}" is no target we know`),
      ...(exposed && targets.length === 0 ? [`${shown(root, meta)}: exposed, but no target says where`] : []),
      ...deepOf(xml, 'targetConfig')
        .flatMap((config) => (config.attributes.targets ?? '').split(','))
        .filter((target) => target !== '' && !targets.includes(target.trim()))
        .map((target) => `${shown(root, meta)}: configures ${target}, which is not among its targets`),
    ];
  } catch (error) {
    return [`${shown(root, meta)}: ${error instanceof Error ? error.message : String(error)}`];
  }
}

function componentFiles(root: string): readonly string[] {
  return sourceFiles(root).filter((path) => /[\\/]lwc[\\/]/.test(path));
}
