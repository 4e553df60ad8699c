/**
 * Owns turning an extension's source into what HubSpot's worker loads: one script (IIFE) in which React and remote-ui are the worker's own globals,
 * and all else is packed. Writes nothing to disk. Must never let a file of ours in from outside the extension's folder.
 */
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The HubSpot project of this repository. */
export const extensionRoot = fileURLToPath(new URL('../../../../hubspot-extension/', import.meta.url));

/** What HubSpot's build leaves out, and the global that stands for it in the worker. */
const globals: Readonly<Record<string, string>> = { react: 'React', '@remote-ui/react': 'RemoteUI' };

export interface BundledExtension {
  readonly script: string;
  /** Every file in it, relative to the project; `global:react` for what the worker provides. */
  readonly inputs: readonly string[];
}

/**
 * Bundles one entrypoint as it stands in a `*-hsmeta.json`, e.g. `/app/cards/CallsCard.tsx`; `root` is the project, absolute.
 * @throws the build's own error when it does not build
 */
export async function bundleExtension(entrypoint: string, root: string = extensionRoot): Promise<BundledExtension> {
  const result = await build({
    entryPoints: [`${root}/src${entrypoint}`],
    absWorkingDir: root,
    bundle: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    jsx: 'automatic',
    minify: true,
    charset: 'utf8',
    legalComments: 'none',
    metafile: true,
    logLevel: 'silent',
    define: { 'process.env.NODE_ENV': '"production"' },
    // The folders' own settings are for the type check; a build is the same with and without them.
    tsconfigRaw: {},
    plugins: [
      {
        name: 'globals-of-the-worker',
        setup({ onResolve, onLoad }) {
          onResolve({ filter: /^(react|@remote-ui\/react)$/ }, ({ path }) => ({ path, namespace: 'global' }));
          onLoad({ filter: /.*/, namespace: 'global' }, ({ path }) => ({
            contents: `module.exports = globalThis.${globals[path] ?? ''};`,
          }));
        },
      },
    ],
  });
  return {
    script: result.outputFiles[0]?.text ?? '',
    inputs: Object.keys(result.metafile.inputs).map((input) =>
      input.startsWith('global:') ? input : relative(root, `${root}/${input}`),
    ),
  };
}
