/**
 * Serves `panel-on-fakes` on a free loopback port, under the policy the relay serves the panel with. Owns the little server; stops it.
 */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { build } from 'esbuild';
import { buildWorklet, workletAt } from '../../scripts/panel-worklet.ts';
import { answerRecording } from './recorded-sound.ts';

export interface FakesPage {
  readonly url: string;
  close(): Promise<void>;
}

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "media-src 'self' blob:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

/** One second of it, as a phone system writes it: 8 kHz, 16 bit. */
const silence = ((): Buffer => {
  const head = Buffer.alloc(44);
  const bytes = 16_000;
  head.write('RIFF');
  head.writeUInt32LE(36 + bytes, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(8_000, 24);
  head.writeUInt32LE(16_000, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(bytes, 40);
  return Buffer.concat([head, Buffer.alloc(bytes)]);
})();

/** Bundles the page and serves it. */
export async function serveFakesPage(): Promise<FakesPage> {
  const { outputFiles } = await build({
    entryPoints: ['test/panel/panel-on-fakes.tsx'],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    jsx: 'automatic',
    jsxImportSource: 'preact',
    outdir: 'out',
    write: false,
    logLevel: 'warning',
    plugins: [workletAt('worklet.js')],
  });
  const output = (ending: string) => outputFiles.find((file) => file.path.endsWith(ending))?.text ?? '';
  const files: Readonly<Record<string, readonly [string, string | Buffer]>> = {
    '/': [
      'text/html; charset=utf-8',
      '<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">' +
        '<title>Patchcord</title><link rel="stylesheet" href="/panel.css"></head><body><div id="patchcord"></div>' +
        '<script type="module" src="/panel.js"></script></body></html>',
    ],
    '/panel.js': ['text/javascript', output('/panel-on-fakes.js')],
    '/worklet.js': ['text/javascript', await buildWorklet()],
    '/panel.css': ['text/css', output('.css')],
    '/message.wav': ['audio/wav', silence],
    '/favicon.ico': ['image/x-icon', ''],
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://localhost');
    if (answerRecording(request, response)) return;
    const file = files[pathname];
    // As a CRM page that does not pass the microphone on.
    if (searchParams.has('no-microphone')) response.setHeader('permissions-policy', 'microphone=()');
    if (file === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': file[0], 'content-security-policy': policy }).end(file[1]);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
