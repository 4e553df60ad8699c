/**
 * Owns turning a page's TypeScript and CSS into what a browser loads: bundled once at start, in memory, never written to disk.
 */
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles one browser entry beside `base` (an `import.meta.url`); `.ts` gives a classic script, `.css` a style sheet. */
export async function bundled(base: string, entry: string): Promise<string> {
  const result = await build({
    entryPoints: [fileURLToPath(new URL(entry, base))],
    bundle: true,
    write: false,
    format: 'iife',
    target: ['chrome120', 'firefox121', 'safari17'],
    charset: 'utf8',
    legalComments: 'none',
    logLevel: 'silent',
  });
  const file = result.outputFiles[0];
  if (!file) throw new Error(`Bundling ${entry} gave nothing.`);
  return file.text;
}
