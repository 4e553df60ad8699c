/**
 * Owns the host names of an org on loopback: one TLS server with a self-signed certificate that is acme.lightning.force.com (the sandbox's
 * page), acme.my.salesforce.com (the script) and phone.example.com (the adapter) at once, and a Chromium that resolves these names to it. A real
 * script refuses localhost, and the phone needs a secure context. Must never listen beyond loopback.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';
import { headlessShell } from '../browser/chromium.ts';

const names = {
  lightning: 'acme.lightning.force.com',
  classic: 'acme.my.salesforce.com',
  phone: 'phone.example.com',
} as const;

export interface Front {
  readonly origin: Readonly<Record<keyof typeof names, string>>;
  /** The plain server behind acme.lightning.force.com. */
  sandboxAt(origin: string): void;
  /** What the phone's host serves: path to type and body; anything unknown is the page at `/salesforce/`. */
  readonly phoneFiles: Map<string, readonly [type: string, body: string]>;
  /** Pages of the Lightning host beside the sandbox's. */
  readonly lightningFiles: Map<string, string>;
  /**
   * Where and what the script is. `classic`: acme.my.salesforce.com has it and the Lightning host answers with its sign-in page, as orgs do;
   * `lightning`: the other way round; `nowhere`: neither.
   */
  script: { source: string; from: 'classic' | 'lightning' | 'nowhere' };
  close(): Promise<void>;
}

export async function startFront(): Promise<Front> {
  let sandbox = new URL('http://localhost:1');
  const phoneFiles: Front['phoneFiles'] = new Map();
  const lightningFiles: Front['lightningFiles'] = new Map();

  const send = (response: ServerResponse, status: number, type: string, body: string, more = {}): void => {
    response.writeHead(status, { 'content-type': `${type};charset=UTF-8`, 'cache-control': 'no-store', ...more });
    response.end(body);
  };
  function sendScript(response: ServerResponse, here: 'classic' | 'lightning'): void {
    // Readable across origins, so that a page can see what the script throws.
    if (front.script.from === here)
      send(response, 200, 'text/javascript', front.script.source, { 'access-control-allow-origin': '*' });
    else if (here === 'lightning')
      send(response, 302, 'text/html', '', { location: `${front.origin.classic}/?ec=302&startURL=%2Fsupport` });
    else send(response, 404, 'text/plain', 'Not here.');
  }
  function pass(request: IncomingMessage, response: ServerResponse): void {
    const onward = httpRequest(
      {
        host: sandbox.hostname,
        port: sandbox.port,
        method: request.method,
        path: request.url,
        headers: request.headers,
      },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  }

  const folder = mkdtempSync(join(tmpdir(), 'patchcord-opencti-'));
  const [key, cert] = [join(folder, 'tls.key'), join(folder, 'tls.crt')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-keyout', key, '-out', cert, '-subj', `/CN=${names.lightning}`],
      ...[
        '-addext',
        `subjectAltName=${Object.values(names)
          .map((name) => `DNS:${name}`)
          .join(',')}`,
      ],
    ],
    { stdio: 'pipe' },
  );
  const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (request, response) => {
    const url = new URL(request.url ?? '/', 'https://front.invalid');
    const host = (request.headers.host ?? '').split(':')[0];
    const isScript = /^\/support\/api\/\d\d\.0\/lightning\/opencti(_min)?\.js$/.test(url.pathname);
    if (host === names.phone) {
      const [type, body] = phoneFiles.get(url.pathname) ?? phoneFiles.get('/salesforce/') ?? ['text/plain', ''];
      send(response, 200, type, body);
    } else if (host === names.classic)
      isScript
        ? sendScript(response, 'classic')
        : send(response, 200, 'text/html', '<!doctype html><title>Login | Salesforce</title>');
    else if (isScript) sendScript(response, 'lightning');
    else {
      const own = lightningFiles.get(url.pathname);
      own === undefined ? pass(request, response) : send(response, 200, 'text/html', own);
    }
  });
  rmSync(folder, { recursive: true, force: true });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  const front: Front = {
    origin: {
      lightning: `https://${names.lightning}:${port}`,
      classic: `https://${names.classic}:${port}`,
      phone: `https://${names.phone}:${port}`,
    },
    sandboxAt: (origin) => {
      sandbox = new URL(origin);
    },
    phoneFiles,
    lightningFiles,
    script: { source: '', from: 'classic' },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return front;
}

/** Chromium that finds the org's names on loopback. Contexts must be opened with `ignoreHTTPSErrors`. */
export function launchOrgBrowser(): Promise<Browser> {
  const rules = Object.values(names).map((name) => `MAP ${name} 127.0.0.1`);
  return chromium.launch({
    executablePath: headlessShell,
    args: [
      '--no-sandbox',
      '--use-fake-device-for-media-stream',
      '--use-fake-ui-for-media-stream',
      `--host-resolver-rules=${rules.join(',')}`,
    ],
  });
}
