/**
 * Builds the script of the audio thread, which the page loads by its address: one file for all CRMs. Owns how the panel comes to know that address.
 */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { build, type Plugin } from 'esbuild';
import { pureSchemas } from './pure-schemas.ts';

const folder = 'packages/phone-engine/src/sound-tap';
/** What the audio thread says of the shared language; the rest would go with it. */
const soundWire = 'packages/call-protocol/src/sound-wire.ts';

/** As one script. @throws when it does not compile */
export async function buildWorklet(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}/tap-worklet.ts`],
    ...{ bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, logLevel: 'warning' },
    plugins: [pureSchemas],
    alias: { '@patchcord/call-protocol': resolve(soundWire) },
  });
  return outputFiles[0]?.text ?? '';
}

const noiseFolder = 'packages/phone-engine/src/noise';

/** RNNoise for the audio thread, and what looks after it there, as one script. @throws when it does not compile */
export async function buildNoiseWorklet(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${noiseFolder}/noise-worklet.ts`],
    ...{ bundle: true, minify: true, format: 'esm', target: 'es2022', write: false, logLevel: 'warning' },
  });
  return outputFiles[0]?.text ?? '';
}

/** RNNoise itself with its trained network, for processors with SIMD, which every browser that the panel runs in uses. */
export function readRnnoise(): Promise<Buffer> {
  return readFile('node_modules/@sapphi-red/web-noise-suppressor/dist/rnnoise_simd.wasm');
}

/** Puts the names of both in. */
export function noiseFilesAt(files: { readonly worklet: string; readonly rnnoise: string }): Plugin {
  return {
    name: 'noise-addresses',
    setup(bundler) {
      bundler.onLoad({ filter: /\/noise\/addresses\.ts$/ }, async ({ path }) => {
        const contents = (await readFile(path, 'utf8'))
          .replace("'./noise-worklet.ts'", `'./${files.worklet}'`)
          .replace("'./rnnoise.wasm'", `'./${files.rnnoise}'`);
        if (!contents.includes(files.worklet) || !contents.includes(files.rnnoise))
          throw new Error('The addresses of noise suppression are said in another way: scripts/panel-worklet.ts.');
        return { contents, loader: 'ts' };
      });
    },
  };
}

/** Puts the name of the file in, which lies beside the script that asks for it. */
export function workletAt(name: string): Plugin {
  return {
    name: 'worklet-address',
    setup(bundler) {
      bundler.onLoad({ filter: /\/sound-tap\/worklet-address\.ts$/ }, async ({ path }) => {
        const source = await readFile(path, 'utf8');
        const contents = source.replace("'./tap-worklet.ts'", `'./${name}'`);
        if (contents === source)
          throw new Error('The address of the worklet is said in another way: scripts/panel-worklet.ts.');
        return { contents, loader: 'ts' };
      });
    },
  };
}
