/**
 * Owns the web-server flow of the emulated org: the page on which somebody allows the app, the code, its exchange with PKCE. Must never give a
 * code to an address that the app did not register.
 */
import { createHash, randomBytes } from 'node:crypto';
import { type HttpReply, type HttpRequest, text } from '../http.ts';
import type { ConnectedApp } from './connected-app.ts';
import type { SalesforceUser } from './salesforce-user.ts';

export interface WebFlow {
  /** `GET /services/oauth2/authorize` is the page; with `login_as=<user id>` the answer is given at once. `POST` is the decision. */
  authorize(request: HttpRequest): HttpReply;
  /** Whether this code was given out here. */
  knows(code: string): boolean;
  /** Takes the code back; the user it stands for, or OAuth's error and its description. */
  redeem(form: URLSearchParams): SalesforceUser | readonly [error: string, description: string];
}

interface Granted {
  readonly user: SalesforceUser;
  readonly redirectUri: string;
  readonly challenge: string | null;
  readonly expiresAt: number;
  used: boolean;
}

/** How long a code is good; Salesforce gives fifteen minutes. */
const codeMs = 900_000;

export function createWebFlow(options: {
  readonly app: ConnectedApp;
  readonly users: readonly SalesforceUser[];
  readonly isActive: (user: SalesforceUser) => boolean;
  readonly now: () => number;
}): WebFlow {
  const { app, users } = options;
  const codes = new Map<string, Granted>();

  function refusedPage(error: string, description: string): HttpReply {
    return text(400, 'text/html', page(`<h1>${error}</h1><p>${escaped(description)}</p>`));
  }

  function authorize(request: HttpRequest): HttpReply {
    const asked = request.method === 'POST' ? new URLSearchParams(request.raw.toString('utf8')) : request.query;
    const redirectUri = asked.get('redirect_uri') ?? '';
    if (asked.get('client_id') !== app.clientId) return refusedPage('invalid_client_id', 'client identifier invalid');
    if (!URL.canParse(redirectUri) || (app.callbackUrls.length > 0 && !app.callbackUrls.includes(redirectUri)))
      return refusedPage('redirect_uri_mismatch', 'redirect_uri must match configuration');
    const back = (answer: Readonly<Record<string, string>>): HttpReply => {
      const url = new URL(redirectUri);
      for (const [name, value] of Object.entries(answer)) url.searchParams.set(name, value);
      const state = asked.get('state');
      if (state !== null) url.searchParams.set('state', state);
      return { status: 302, headers: { location: url.href } };
    };
    if (asked.get('response_type') !== 'code')
      return back({ error: 'unsupported_response_type', error_description: 'response type not supported' });
    const challenge = asked.get('code_challenge');
    if (challenge === null && app.requiresPkce)
      return back({ error: 'invalid_request', error_description: 'missing required code challenge' });
    if (challenge !== null && (asked.get('code_challenge_method') ?? 'S256') !== 'S256')
      return back({ error: 'invalid_request', error_description: 'code challenge method not supported' });
    const chosen = asked.get('login_as');
    if (chosen === 'nobody' || asked.get('decision') === 'deny')
      return back({ error: 'access_denied', error_description: 'end-user denied authorization' });
    const user = users.find(({ id, username }) => chosen === id || chosen === username);
    if (user === undefined) return text(200, 'text/html', consentPage(asked, users));
    if (!options.isActive(user)) return back({ error: 'inactive_user', error_description: 'user is inactive' });
    if (app.approvalOf(user.username) === 'not-admin-approved')
      return back({
        error: 'OAUTH_APP_ACCESS_DENIED',
        error_description: 'user is not admin approved to access this app',
      });
    // The prefix is Salesforce's own; OpenID codes of the same org do not have it.
    const code = `aPrx${randomBytes(32).toString('base64url')}`;
    codes.set(code, { user, redirectUri, challenge, expiresAt: options.now() + codeMs, used: false });
    return back({ code });
  }

  return {
    authorize,
    knows: (code) => codes.has(code),
    redeem(form) {
      const granted = codes.get(form.get('code') ?? '');
      if (granted === undefined) return ['invalid_grant', 'invalid authorization code'];
      if (granted.used || granted.expiresAt <= options.now()) return ['invalid_grant', 'expired authorization code'];
      granted.used = true;
      if (granted.redirectUri !== form.get('redirect_uri'))
        return ['redirect_uri_mismatch', 'redirect_uri must match configuration'];
      if (granted.challenge !== null) {
        const verifier = createHash('sha256')
          .update(form.get('code_verifier') ?? '')
          .digest('base64url');
        if (verifier !== granted.challenge) return ['invalid_grant', 'invalid code verifier'];
      }
      return granted.user;
    },
  };
}

function consentPage(asked: URLSearchParams, users: readonly SalesforceUser[]): string {
  const kept = [...asked].filter(([name]) => name !== 'login_as' && name !== 'decision');
  const hidden = kept.map(([name, value]) => `<input type="hidden" name="${escaped(name)}" value="${escaped(value)}">`);
  const choices = users.map(({ id, name }) => `<option value="${id}">${escaped(name)}</option>`);
  return page(`<h1>Allow access?</h1><p>Patchcord is asking to work in this org in your name.</p>
<form method="post" action="/services/oauth2/authorize">${hidden.join('')}
<p><label>Signed in as <select name="login_as">${choices.join('')}</select></label></p>
<p><button name="decision" value="allow">Allow</button> <button name="decision" value="deny">Deny</button></p></form>`);
}

function page(body: string): string {
  return `<!doctype html><html lang="en"><meta charset="utf-8"><title>Allow access (sandbox, not Salesforce)</title>
<style>body{font:16px/1.6 system-ui,sans-serif;margin:2rem}</style>${body}</html>`;
}

function escaped(words: string): string {
  return words.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
