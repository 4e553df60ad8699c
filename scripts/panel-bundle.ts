/**
 * Builds the panel: for each CRM one script, and one more for each part that is loaded when it is needed; one stylesheet for all. Owns
 * the bundle's options and its sizes; the relay serves what comes out.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { minify } from '@swc/core';
import { build, type Metafile } from 'esbuild';
import { leanCallingSdk } from './lean-calling-sdk.ts';
import { buildPart, type LoadedPart, loadedFrom, noisePlan, type PartFiles, partPlans } from './panel-parts.ts';
import { type PartStyles, partStyles } from './panel-styles.ts';
import { panelWords } from './panel-words.ts';
import { buildNoiseWorklet, buildWorklet, readRnnoise } from './panel-worklet.ts';
import { pureSchemas } from './pure-schemas.ts';
import { type ShortNames, shortNames } from './short-names.ts';
import { sipJsParts } from './sip-js-parts.ts';

/** The CRMs that the panel is built for. */
const hosts = ['salesforce', 'hubspot', 'page'] as const;

export interface PanelAsset {
  /** File name with a content hash, so that it may be cached for ever. */
  readonly name: string;
  readonly type: 'text/javascript' | 'text/css' | 'application/wasm';
  readonly body: Buffer;
  /** Size after gzip -9, bytes. */
  readonly gzipBytes: number;
}

export interface PanelBundle {
  /** One script for each CRM, the stylesheet they share, and the parts of each. */
  readonly assets: readonly PanelAsset[];
  /** The same by name, as the relay takes them. */
  readonly files: ReadonlyMap<string, Buffer>;
  /** gzip bytes of what one agent loads at the start, script and stylesheet: of the CRM where it is most. */
  readonly agentGzipBytes: number;
  /** gzip bytes of what is loaded on top of it when it is needed, by name: of the CRM where it is most. */
  readonly partGzipBytes: ReadonlyMap<string, number>;
  /** Bytes in that CRM's script by package or folder, largest first. */
  readonly weights: readonly (readonly [part: string, bytes: number])[];
}

/** Where the tests find a panel that was built for all of them: it costs seconds, and every file of tests is a process. */
export const builtPanelFolder = 'PATCHCORD_BUILT_PANEL';

/** The panel for a relay of this process: the one that was built before, or a fresh one. */
export async function panelForRelay(): Promise<{ readonly folder: string } | Pick<PanelBundle, 'files'>> {
  const folder = process.env[builtPanelFolder];
  return folder === undefined ? await buildPanel() : { folder };
}

const quietLog = ['debug', 'log', 'warn', 'error'].map((level) => `this.logger.${level}`);

/** Bundles the panel for every CRM in memory. @throws when it does not compile. */
export async function buildPanel(): Promise<PanelBundle> {
  const sources = await filesOfAll();
  const names = shortNames(sources);
  const styles = await stylesOf(sources);
  const worklet = asset('sound-tap-worklet', '.js', Buffer.from(await buildWorklet()));
  const noiseWorklet = asset('noise-worklet', '.js', Buffer.from(await buildNoiseWorklet()));
  const rnnoise = asset('rnnoise', '.wasm', await readRnnoise());
  const files = { tapWorklet: worklet.name, noiseWorklet: noiseWorklet.name, rnnoise: rnnoise.name };
  const panels = await Promise.all(hosts.map((host) => buildFor(host, names, styles, files)));
  const heaviest = panels.reduce((one, other) => (other.script.gzipBytes > one.script.gzipBytes ? other : one));
  const { style } = heaviest;
  const beside = [worklet, noiseWorklet, rnnoise];
  const assets = [...panels.map(({ script }) => script), style, ...beside, ...panels.flatMap(({ parts }) => parts)];
  const partGzipBytes = partPlans.map(
    ({ name }, n) => [name, Math.max(...panels.map(({ parts }) => parts[n]?.gzipBytes ?? 0))] as const,
  );
  return {
    assets,
    files: new Map(assets.map(({ name, body }) => [name, body])),
    agentGzipBytes: heaviest.script.gzipBytes + style.gzipBytes,
    partGzipBytes: new Map([
      ...partGzipBytes,
      ['sound-tap-worklet', worklet.gzipBytes],
      ['noise-worklet', noiseWorklet.gzipBytes],
      ['rnnoise', rnnoise.gzipBytes],
    ]),
    weights: weightsOf(heaviest.metafile, heaviest.host),
  };
}

/** Puts it into a folder of its own, in place of what was there. */
export function writePanel({ assets }: PanelBundle, folder: string): void {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  for (const { name, body } of assets) writeFileSync(join(folder, name), body);
}

const bundling = {
  bundle: true,
  minify: true,
  format: 'esm',
  target: 'es2022',
  jsx: 'automatic',
  jsxImportSource: 'preact',
  outdir: 'dist/panel',
  write: false,
  metafile: true,
  logLevel: 'warning',
  define: { 'process.env.NODE_ENV': '"production"' },
} as const;

function entryOf(host: string): string {
  return `packages/softphone-ui/src/entries/${host}.ts`;
}

/** Every source file that is in a panel or in one of its parts. */
async function filesOfAll(): Promise<readonly string[]> {
  const { metafile } = await build({
    ...bundling,
    entryPoints: hosts.map(entryOf),
    minify: false,
    plugins: [sipJsParts, leanCallingSdk],
  });
  return Object.keys(metafile.inputs)
    .filter((path) => /\.[mc]?[jt]sx?$/.test(path))
    .map((path) => resolve(path))
    .filter((path) => existsSync(path));
}

/** One stylesheet for all CRMs, and what each part brings. */
async function stylesOf(sources: readonly string[]): Promise<PartStyles> {
  const { outputFiles } = await build({
    entryPoints: ['packages/softphone-ui/src/panel.css'],
    ...{ bundle: true, minify: true, write: false, logLevel: 'warning' },
  });
  const plan = (path: string) => partPlans.find(({ modules }) => modules.test(path))?.name;
  return partStyles(outputFiles[0]?.text ?? '', sources, plan);
}

async function buildFor(host: (typeof hosts)[number], names: ShortNames, styles: PartStyles, files: PartFiles) {
  const made = async (plan: (typeof partPlans)[number], inner: readonly LoadedPart[]) => {
    const part = await buildPart(plan, host, names, styles.later.get(plan.name) ?? '', files, inner);
    return { part, script: asset(`${plan.name}-${host}`, '.js', await minified(part.code)) };
  };
  const noise = await made(noisePlan, []);
  const inner = [{ part: noise.part, address: `./${noise.script.name}` }];
  const parts = await Promise.all(partPlans.map((plan) => (plan === noisePlan ? noise : made(plan, inner))));
  const { outputFiles, metafile } = await build({
    ...bundling,
    ...names,
    mangleCache: { ...names.mangleCache },
    entryPoints: [entryOf(host)],
    plugins: [
      pureSchemas,
      sipJsParts,
      leanCallingSdk,
      loadedFrom(parts.map(({ part, script }) => ({ part, address: `./${script.name}` }))),
      panelWords,
    ],
  });
  // What stands behind a door and is asked for by nobody is read, and left out.
  const carried = new Set(
    Object.values(metafile.outputs).flatMap(({ inputs }) =>
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? [path] : [])),
    ),
  );
  const twice = parts.flatMap(({ part }) => part.inputs).filter((path) => carried.has(path));
  if (twice.length > 0)
    throw new Error(`The panel for ${host} imports what is to be loaded later: ${twice.join(', ')}.`);
  const script = outputFiles.find(({ path }) => path.endsWith('.js'))?.text ?? '';
  return {
    host,
    script: asset(`panel-${host}`, '.js', await minified(script)),
    style: asset('panel', '.css', Buffer.from(styles.start)),
    parts: parts.map(({ script }) => script),
    metafile,
  };
}

async function minified(script: string): Promise<Buffer> {
  // esbuild minifies file by file; a second look at the whole finds another twentieth.
  const { code } = await minify(script, {
    module: true,
    // sip.js builds sentences for a log that is off in the panel (only errors are asked for).
    compress: { passes: 6, ecma: 2020, toplevel: true, pure_funcs: quietLog },
    mangle: { toplevel: true },
    format: { comments: false, ecma: 2020 },
  });
  return Buffer.from(code);
}

const types = { '.js': 'text/javascript', '.css': 'text/css', '.wasm': 'application/wasm' } as const;

function asset(stem: string, ending: keyof typeof types, body: Buffer): PanelAsset {
  const hash = createHash('sha256').update(body).digest('hex').slice(0, 12);
  return {
    name: `${stem}-${hash}${ending}`,
    type: types[ending],
    body,
    gzipBytes: gzipSync(body, { level: 9 }).length,
  };
}

function weightsOf({ outputs }: Metafile, host: string): PanelBundle['weights'] {
  const inputs = Object.entries(outputs).find(([path]) => path.endsWith(`/${host}.js`))?.[1].inputs ?? {};
  const weights = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ??
      /^(packages\/[^/]+\/src(?:\/[^/]+(?=\/))?)/.exec(path)?.[1] ??
      path;
    weights.set(part, (weights.get(part) ?? 0) + bytesInOutput);
  }
  return [...weights].sort((a, b) => b[1] - a[1]);
}
