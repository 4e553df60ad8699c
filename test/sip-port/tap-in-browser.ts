/**
 * Serves the page with the tap, under the policy that the relay has for the panel: the audio thread's script is a file beside the page's, as in the
 * built panel. Owns the little server.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { buildWorklet, workletAt } from '../../scripts/panel-worklet.ts';
import { sipJsParts } from '../../scripts/sip-js-parts.ts';
import type { PhonePageServer } from './phone-in-browser.ts';
import type { TapPage } from './tap-page.ts';

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self' blob:",
  "media-src 'self' blob:",
  'connect-src ws://127.0.0.1:*',
].join('; ');

/** Bundles and serves it. */
export async function serveTapPage(): Promise<PhonePageServer> {
  const bundle = await build({
    entryPoints: [fileURLToPath(new URL('./tap-page.ts', import.meta.url))],
    ...{ bundle: true, write: false, format: 'esm', target: 'es2022', minify: true },
    plugins: [sipJsParts, workletAt('worklet.js')],
  });
  const scripts: Readonly<Record<string, string>> = {
    '/phone.js': bundle.outputFiles[0]?.text ?? '',
    '/worklet.js': await buildWorklet(),
  };
  const server = createServer((request, response) => {
    const script = scripts[request.url ?? ''];
    response.setHeader('content-security-policy', policy);
    if (script !== undefined) response.setHeader('content-type', 'text/javascript').end(script);
    else
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><meta charset="utf-8"><title>Tap</title><script type="module" src="/phone.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

/** Asks the page's tap. */
export function tapIn(page: Page) {
  const ask = <K extends keyof TapPage>(name: K, ...parameters: Parameters<TapPage[K]>) =>
    page.evaluate(
      ([what, all]) =>
        ((window as unknown as { tapPage: TapPage }).tapPage[what as keyof TapPage] as (...of: unknown[]) => unknown)(
          ...all,
        ),
      [name, parameters as unknown[]] as const,
    ) as Promise<Awaited<ReturnType<TapPage[K]>>>;
  return {
    begin: (relay: string) => ask('begin', relay),
    calls: (calls: Parameters<TapPage['calls']>[0]) => ask('calls', calls),
    bringMicrophone: (hz: number) => ask('bringMicrophone', hz),
    speak: (on: boolean) => ask('speak', on),
    notice: (calls: Parameters<TapPage['notice']>[0]) => ask('notice', calls),
    spoken: (hz: number) => ask('spoken', hz),
    renderNotice: (seconds: number) => ask('renderNotice', seconds),
    stop: () => ask('stop'),
  };
}
