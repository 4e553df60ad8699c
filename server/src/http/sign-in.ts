/**
 * The sign-in window: `GET /v1/sign-in/ways`, `GET /v1/sign-in/:tenant/:way` (to the provider), `GET /v1/sign-in/callback` (back from it), and
 * `POST` and `DELETE /v1/admin/connect/:tenant` (an administrator connects the CRM, or undoes it). Owns these pages and their policy: they open nothing and frame nothing;
 * the opener must stay reachable, so they are the only ones without a strict COOP.
 */
import { randomBytes } from 'node:crypto';
import { errorCode, PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { type Request, type Response, Router } from 'express';
import * as v from 'valibot';
import { callbackPath, type Finished } from '../identity/sign-ins.ts';
import { readCookie, setCookie } from './cookies.ts';
import { tooMany } from './errors.ts';
import { actorOf, adminOnly, read } from './guards.ts';
import type { RelayParts } from './parts.ts';

const browserCookie = '__Host-patchcord-sign-in';
const WaysQuery = v.object({
  host: v.pipe(v.string(), v.maxLength(32)),
  origin: v.pipe(v.string(), v.maxLength(256)),
  audience: v.optional(v.pipe(v.string(), v.maxLength(256)), ''),
});
/** SHA-256 of the phone's verifier. */
const Challenge = v.pipe(v.string(), v.regex(/^[\w-]{43}$/));

export function signInRoutes(parts: RelayParts): Router {
  const router = Router();

  router.get('/v1/sign-in/ways', (request, response) => {
    response.json({ ways: parts.signIns.ways(read(WaysQuery, request.query)) });
  });

  router.get(callbackPath, async (request, response) => {
    await answering(request, response, async () => {
      const address = new URL(request.originalUrl, parts.publicUrl());
      show(response, 200, donePage(await parts.signIns.finish(address, readCookie(request, browserCookie))));
    });
  });

  router.get('/v1/sign-in/:tenant/:way', async (request, response) => {
    await answering(request, response, async () => {
      const { tenant, way } = request.params as { tenant: string; way: string };
      const { challenge } = request.query;
      if (!v.is(Challenge, challenge)) {
        throw new PatchcordError('request.invalid', 'Sign in from the phone: this address works only there.');
      }
      const known = readCookie(request, browserCookie);
      const browser = known !== undefined && /^[\w-]{43}$/.test(known) ? known : randomBytes(32).toString('base64url');
      const url = await parts.signIns.begin(tenant, way, challenge, browser);
      setCookie(response, browserCookie, browser, { partitioned: false, maxAgeSeconds: 600 });
      response.set('cross-origin-opener-policy', 'unsafe-none');
      response.redirect(303, url.href);
    });
  });

  router.post('/v1/admin/connect/:tenant', adminOnly(parts), async (request, response) => {
    const { tenant } = request.params as { tenant: string };
    const url = await parts.signIns.beginConnection(tenant);
    await parts.audit.note({
      tenant: tenant as TenantId,
      actor: actorOf(response),
      act: 'connection.begun',
      at: parts.now(),
    });
    response.status(201).json({ url: url.href, expiresAt: parts.now() + 600_000 });
  });

  router.delete('/v1/admin/connect/:tenant', adminOnly(parts), async (request, response) => {
    const { tenant } = request.params as { tenant: string };
    const { connected, givenBack } = await parts.signIns.disconnect(tenant);
    await parts.audit.note({
      tenant: tenant as TenantId,
      actor: actorOf(response),
      act: 'connection.ended',
      data: { connected, givenBack },
      at: parts.now(),
    });
    response.json({ tenant, connected, givenBack });
  });

  /** Every failure becomes a page in words. What no window asked for takes nothing from those who share its address. */
  async function answering(request: Request, response: Response, work: () => Promise<void>): Promise<void> {
    const address = request.ip ?? '';
    try {
      // A picture or frame in somebody's page (Fetch Metadata; a browser without it sends a picture no Lax cookie of ours).
      const dest = request.get('sec-fetch-dest');
      if (dest !== undefined && dest !== 'document') {
        throw new PatchcordError('request.invalid', 'Sign in from the phone: this address opens as a window only.');
      }
      const away = request.path === callbackPath && readCookie(request, browserCookie) === undefined;
      if (!(await parts.limits.take(away ? 'not-found' : 'sign-in-windows', address))) throw tooMany(60_000);
      await work();
    } catch (error) {
      const code = errorCode(error);
      if (code === 'identity.refused') {
        parts.metrics.refused.inc({ why: 'sign-in' });
        void parts.audit.note({
          tenant: null,
          actor: 'stranger',
          act: 'session.refused',
          data: { way: 'sign-in', address },
          at: parts.now(),
        });
      }
      parts.log.warn({ err: error, address }, 'a sign-in window ended with a refusal');
      const statuses: Record<string, number> = {
        'identity.refused': 403,
        'crm.not-authentic': 403,
        'request.invalid': 400,
        'request.too-many': 429,
        'crm.unavailable': 502,
        'store.unavailable': 503,
      };
      const status = statuses[code];
      const message =
        status === undefined ? 'The phone service failed. Try again in a moment.' : (error as Error).message;
      show(response, status ?? 500, page('You are not signed in', message, '', ''));
    }
  }

  return router;
}

function donePage(done: Finished): (nonce: string) => string {
  if (done.kind === 'connected') {
    return page(
      'The CRM is connected',
      'The phone service may now write calls into it. You can close this window.',
      '',
      '',
    );
  }
  // The claim goes to a page of our own origin and to nobody else; without the phone's verifier it opens nothing.
  const script = `
const claim = document.currentScript.dataset.claim;
if (window.opener) {
  window.opener.postMessage({ type: 'patchcord.sign-in', claim }, location.origin);
  window.close();
} else {
  document.querySelector('h1').textContent = 'The phone is gone';
  document.querySelector('p').textContent = 'The page that opened this window was closed or loaded anew. Open the phone and sign in again.';
}`;
  return page(
    'You are signed in',
    'You can go on in the phone; this window closes by itself.',
    script,
    `data-claim="${done.claim}"`,
  );
}

const style = `
:root { color-scheme: light dark; --ink: #1d2433; --soft: #5a6476; --ground: #f4f6f9; --card: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #eef1f6; --soft: #a9b3c4; --ground: #14181f; --card: #1d232d; } }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; background: var(--ground); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 24rem; margin: 1rem; padding: 2rem; border-radius: 12px; background: var(--card); box-shadow: 0 1px 3px rgb(0 0 0 / .15); }
h1 { margin: 0 0 .5rem; font-size: 1.25rem; }
p { margin: 0; color: var(--soft); }`;

function page(title: string, text: string, script: string, data: string): (nonce: string) => string {
  const safe = (value: string): string =>
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
  return (nonce) =>
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">` +
    `<title>Patchcord – ${safe(title)}</title><style nonce="${nonce}">${style}</style></head>` +
    `<body><main role="status"><h1>${safe(title)}</h1><p>${safe(text)}</p></main>` +
    `${script === '' ? '' : `<script nonce="${nonce}" ${data}>${script}</script>`}</body></html>`;
}

function show(response: Response, status: number, html: (nonce: string) => string): void {
  const nonce = randomBytes(16).toString('base64url');
  response
    .status(status)
    .set(
      'content-security-policy',
      `default-src 'none'; style-src 'nonce-${nonce}'; script-src 'nonce-${nonce}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`,
    )
    .set('cross-origin-opener-policy', 'unsafe-none')
    .type('html')
    .send(html(nonce));
}
