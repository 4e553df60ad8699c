/**
 * Serves the page with noise suppression, under the policy that the relay has for the panel, with or without what RNNoise needs; or with an audio thread
 * in which RNNoise is too slow, or gives nothing. Owns the little server.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { buildNoiseWorklet, noiseFilesAt, readRnnoise, workletAt } from '../../scripts/panel-worklet.ts';
import { sipJsParts } from '../../scripts/sip-js-parts.ts';
import type { NoisePage } from './noise-page.ts';
import type { PhonePageServer } from './phone-in-browser.ts';

/**
 * `forbidden`: the policy of a tenant without RNNoise. `slow`, `silent`: as its processor is on a machine that can't, from its second second on. `busy`: on
 * one that has something else to do for five seconds.
 */
export type NoiseWorld = 'works' | 'forbidden' | 'slow' | 'busy' | 'silent';

/** A render quantum has 2.7 ms. */
const dawdling = (when: string) =>
  `process(...all) { const given = super.process(...all); const from = Date.now(); this.began ??= from; if (${when}) while (Date.now() - from < 6); return given; }`;
const afterASecond = {
  slow: dawdling('currentTime > 2'),
  busy: dawdling('from - this.began > 2_000 && from - this.began < 7_000'),
  silent: 'process() { return true; }',
};

/** What stands before the worklet: the processor of RNNoise is made worse, everything else is the real one. */
function worsened(world: keyof typeof afterASecond): string {
  return `const register = globalThis.registerProcessor;
    globalThis.registerProcessor = (name, Processor) =>
      register(name, name.includes('rnnoise') ? class extends Processor { ${afterASecond[world]} } : Processor);\n`;
}

/** Bundles and serves it; each world has a path of its own. */
export async function serveNoisePage(): Promise<PhonePageServer> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./noise-page.ts', import.meta.url))],
    ...{ bundle: true, write: false, format: 'esm', target: 'es2022', minify: true },
    plugins: [sipJsParts, workletAt('tap.js'), noiseFilesAt({ worklet: 'noise-worklet.js', rnnoise: 'rnnoise.wasm' })],
  });
  const script = bundle.outputFiles[0]?.text ?? '';
  const worklet = await buildNoiseWorklet();
  const rnnoise = await readRnnoise();
  const server = createServer((request, response) => {
    const [, world, file] = /^\/(\w+)\/(.*)$/.exec(request.url ?? '') ?? [];
    const wasm = world === 'forbidden' ? '' : " 'wasm-unsafe-eval'";
    response.setHeader(
      'content-security-policy',
      `default-src 'none'; script-src 'self'${wasm}; worker-src 'self' blob:; media-src 'self' blob:; connect-src 'self' ws://127.0.0.1:*`,
    );
    if (file === 'phone.js') response.setHeader('content-type', 'text/javascript').end(script);
    else if (file === 'noise-worklet.js')
      response
        .setHeader('content-type', 'text/javascript')
        .end(
          (world !== undefined && world in afterASecond ? worsened(world as keyof typeof afterASecond) : '') + worklet,
        );
    else if (file === 'rnnoise.wasm') response.setHeader('content-type', 'application/wasm').end(rnnoise);
    else
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><meta charset="utf-8"><title>Noise</title><script type="module" src="phone.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Asks the page. */
export function noiseIn(page: Page) {
  const ask = <K extends keyof NoisePage>(name: K, ...parameters: Parameters<NoisePage[K]>) =>
    page.evaluate(
      ([what, all]) =>
        (
          (window as unknown as { noisePage: NoisePage }).noisePage[what as keyof NoisePage] as (
            ...of: unknown[]
          ) => unknown
        )(...all),
      [name, parameters as unknown[]] as const,
    ) as Promise<Awaited<ReturnType<NoisePage[K]>>>;
  return {
    speak: (...all: Parameters<NoisePage['speak']>) => ask('speak', ...all),
    choose: (...all: Parameters<NoisePage['choose']>) => ask('choose', ...all),
    state: () => ask('state'),
    measure: () => ask('measure'),
  };
}
