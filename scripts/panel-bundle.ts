/**
 * Builds the panel: one script, one stylesheet, for every CRM. Owns the bundle's options and its size; the relay serves what comes out.
 */
import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { build, type Plugin } from 'esbuild';

export interface PanelAsset {
  /** File name with a content hash, so that it may be cached for ever. */
  readonly name: string;
  readonly type: 'text/javascript' | 'text/css';
  readonly body: Buffer;
  /** Size after gzip -9, bytes. */
  readonly gzipBytes: number;
}

export interface PanelBundle {
  readonly script: PanelAsset;
  readonly style: PanelAsset;
  /** What the script loads when it is needed: one CRM's host, the screens few people open. */
  readonly chunks: readonly PanelAsset[];
  /** gzip bytes of everything one agent can load: script, style, all chunks but the hosts of other CRMs. The heaviest CRM counts. */
  readonly agentGzipBytes: number;
  /** Bytes in the bundle by package or folder, largest first. */
  readonly weights: readonly (readonly [part: string, bytes: number])[];
}

/**
 * sip.js' user agent imports its own transport and media handling as defaults. The engine always brings its own, so that the originals would
 * only be carried (4.7 kB gzip) and never run; what stands in for them says so if they ever were.
 */
const withoutSipJsPlatform: Plugin = {
  name: 'without-sip-js-platform',
  setup(bundler) {
    bundler.onResolve({ filter: /platform\/web\// }, ({ path, importer }) =>
      /node_modules\/sip\.js\/lib\/api\//.test(importer) ? { path, namespace: 'sip-js-platform' } : undefined,
    );
    bundler.onLoad({ filter: /.*/, namespace: 'sip-js-platform' }, () => ({
      contents:
        'const unused = () => { throw new Error("The phone brings its own transport and media."); };' +
        'export class Transport { constructor() { unused(); } }' +
        'export const defaultSessionDescriptionHandlerFactory = () => unused;',
    }));
  },
};

/** Bundles `entry` (default: the panel's composition root) in memory. @throws when it does not compile. */
export async function buildPanel(entry = 'packages/softphone-ui/src/main.tsx'): Promise<PanelBundle> {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    format: 'esm',
    splitting: true,
    entryNames: 'panel',
    chunkNames: 'chunk-[hash]',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    outdir: 'dist/panel',
    write: false,
    metafile: true,
    logLevel: 'warning',
    plugins: [withoutSipJsPlatform],
    define: { 'process.env.NODE_ENV': '"production"' },
  });
  const assetOf = (path: string, stem: string): PanelAsset => {
    const file = result.outputFiles.find((one) => one.path.endsWith(path.replace(/^.*\//, '/')));
    const body = Buffer.from(file?.contents ?? []);
    const isStyle = path.endsWith('.css');
    return {
      name: `${stem}${isStyle ? '.css' : '.js'}`,
      type: isStyle ? 'text/css' : 'text/javascript',
      body,
      gzipBytes: gzipSync(body, { level: 9 }).length,
    };
  };
  const hashed = (path: string): PanelAsset => {
    const asset = assetOf(path, 'panel');
    const hash = createHash('sha256').update(asset.body).digest('base64url').slice(0, 12);
    return { ...asset, name: asset.name.replace('panel', `panel-${hash}`) };
  };
  const outputs = Object.entries(result.metafile.outputs);
  const scriptPath = outputs.find(([path]) => path.endsWith('/panel.js'))?.[0] ?? '';
  const stylePath = outputs.find(([path]) => path.endsWith('.css'))?.[0] ?? '';
  const chunkPaths = outputs.map(([path]) => path).filter((path) => path.endsWith('.js') && path !== scriptPath);
  const chunks = chunkPaths.map((path) => assetOf(path, path.replace(/^.*\/|\.js$/g, '')));
  const isHost = (path: string): boolean =>
    /crm-adapters\/src\/\w+\/panel\.ts$/.test(result.metafile.outputs[path]?.entryPoint ?? '');
  const sizeOf = (path: string): number => chunks[chunkPaths.indexOf(path)]?.gzipBytes ?? 0;
  const hosts = chunkPaths.filter(isHost).map(sizeOf);
  const shared = chunkPaths.filter((path) => !isHost(path)).reduce((sum, path) => sum + sizeOf(path), 0);
  const script = hashed(scriptPath);
  const style = hashed(stylePath);
  const weights = new Map<string, number>();
  for (const [path, { bytesInOutput }] of outputs.flatMap(([, output]) => Object.entries(output.inputs))) {
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ??
      /^(packages\/[^/]+\/src(?:\/[^/]+(?=\/))?)/.exec(path)?.[1] ??
      path;
    weights.set(part, (weights.get(part) ?? 0) + bytesInOutput);
  }
  return {
    script,
    style,
    chunks,
    agentGzipBytes: script.gzipBytes + style.gzipBytes + shared + Math.max(0, ...hosts),
    weights: [...weights].sort((a, b) => b[1] - a[1]),
  };
}
