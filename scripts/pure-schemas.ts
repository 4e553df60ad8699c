/**
 * Lets a bundler leave out the schemas that a script never asks for: most of the shared language is for the relay. valibot says of its own functions
 * that they do nothing but make a schema, but esbuild hears that only within one file. Must never touch what checks a value.
 */
import { readFile } from 'node:fs/promises';
import type { Plugin } from 'esbuild';

/** `v.object(` and the like; what checks is called for what it does. */
const making = /(?<![\w$.])v\.(?!parse|safeParse|assert|is\b)\w+\(/g;

export const pureSchemas: Plugin = {
  name: 'pure-schemas',
  setup(bundler) {
    bundler.onLoad({ filter: /\/packages\/call-protocol\/src\/[\w-]+\.ts$/ }, async ({ path }) => ({
      contents: (await readFile(path, 'utf8')).replaceAll(making, (call) => `/* @__PURE__ */ ${call}`),
      loader: 'ts',
    }));
  },
};
