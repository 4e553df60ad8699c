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
  const output = (ending: string, type: PanelAsset['type']): PanelAsset => {
    const body = Buffer.from(result.outputFiles.find((file) => file.path.endsWith(ending))?.contents ?? []);
    const hash = createHash('sha256').update(body).digest('base64url').slice(0, 12);
    return { name: `panel-${hash}${ending}`, type, body, gzipBytes: gzipSync(body, { level: 9 }).length };
  };
  const script = Object.entries(result.metafile.outputs).find(([path]) => path.endsWith('.js'))?.[1];
  const weights = new Map<string, number>();
  for (const [path, { bytesInOutput }] of Object.entries(script?.inputs ?? {})) {
    const part =
      /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ??
      /^(packages\/[^/]+\/src(?:\/[^/]+(?=\/))?)/.exec(path)?.[1] ??
      path;
    weights.set(part, (weights.get(part) ?? 0) + bytesInOutput);
  }
  return {
    script: output('.js', 'text/javascript'),
    style: output('.css', 'text/css'),
    weights: [...weights].sort((a, b) => b[1] - a[1]),
  };
}
