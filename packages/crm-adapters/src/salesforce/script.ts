/**
 * Owns loading the org's own Open CTI script into the panel at run time. The only place where the panel runs code that is not in its bundle, and
 * only from an origin that was checked before. Must never load from an address that a message or a query named without that check.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { settledOnce, withDeadline } from '../waiting.ts';
import type { OpenCti } from './opencti.ts';

interface ScriptPolicy {
  createScriptURL(url: string): unknown;
}
type Host = Window & {
  readonly sforce?: { readonly opencti?: OpenCti };
  readonly trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): ScriptPolicy;
  };
};

/** Name of our Trusted Types policy; the page's CSP must list it when it asks for Trusted Types. */
const scriptPolicyName = 'patchcord-opencti';

/** What is known of a window: a policy can be made once, and the script is loaded once. */
interface Loading {
  readonly allowed: Set<string>;
  readonly policy: ScriptPolicy | undefined;
  from: string;
}
const loadings = new WeakMap<Window, Loading>();

function loadingOf(host: Host): Loading {
  const known = loadings.get(host);
  if (known !== undefined) return known;
  const allowed = new Set<string>();
  const policy = host.trustedTypes?.createPolicy(scriptPolicyName, {
    createScriptURL: (url) => {
      if (!allowed.has(url)) throw new TypeError('Only the Open CTI script may be loaded.');
      return url;
    },
  });
  const loading = { allowed, policy, from: '' };
  loadings.set(host, loading);
  return loading;
}

export interface LoadedScript {
  readonly opencti: OpenCti;
  /** Host name it came from; empty when the page had it before us. */
  readonly from: string;
}

/**
 * Loads the first of `urls` that brings Open CTI, once per page.
 * @throws PatchcordError `host.silent` when none does within `timeoutMs` each
 */
export async function loadOpenCti(window: Window, urls: readonly string[], timeoutMs: number): Promise<LoadedScript> {
  const host = window as Host;
  const loading = loadingOf(host);
  for (const url of urls) {
    if (host.sforce?.opencti !== undefined) break;
    loading.allowed.add(url);
    const loaded = settledOnce<boolean>();
    const script = window.document.createElement('script');
    script.onload = () => loaded.resolve(true);
    script.onerror = () => loaded.resolve(false);
    // The DOM takes a TrustedScriptURL here; TypeScript's library only knows text.
    script.src = (loading.policy === undefined ? url : loading.policy.createScriptURL(url)) as string;
    window.document.head.append(script);
    const late = new PatchcordError('host.silent', 'Salesforce’s script did not load.');
    const done = await withDeadline(loaded.promise, timeoutMs, () => late).catch(() => false);
    if (done && host.sforce?.opencti !== undefined) loading.from = new URL(url).host;
    if (!done) script.remove();
  }
  const opencti = host.sforce?.opencti;
  if (opencti !== undefined) return { opencti, from: loading.from };
  throw new PatchcordError(
    'host.silent',
    `Salesforce's phone script could not be loaded from ${urls.map((url) => new URL(url).host).join(' or ')}. Reload the page. If it stays, an administrator should check that the browser and the network allow scripts from there.`,
    { retryable: true },
  );
}
