/**
 * The pages that CRMs frame: one HTML for all, with the script of its CRM, told by attributes who may speak to it, and each fenced by a policy
 * that names one tenant's CRM origins. Owns that policy. Must never set X-Frame-Options (it knows no list), nor COOP, COEP or a strict CORP: the
 * CRM frames us and opens us as a window.
 */
import type { CrmName } from '@patchcord/call-protocol';
import { salesforceScriptOrigins } from '@patchcord/crm-adapters/relay';
import { type RequestHandler, type Response, Router } from 'express';
import { framesOfMyDomain } from '../config/salesforce.ts';
import type { TenantConfig } from '../config.ts';
import type { Panel } from '../panel-assets.ts';
import type { RelayParts } from './parts.ts';

type PageHost = Extract<CrmName, 'salesforce' | 'hubspot' | 'page'>;
const hosts: readonly PageHost[] = ['salesforce', 'hubspot', 'page'];

/** What the phone may use once the CRM's frame lets it. */
const permissions =
  'microphone=(self), speaker-selection=(self), autoplay=(self), screen-wake-lock=(self), hid=(self), clipboard-write=(self), ' +
  'camera=(), geolocation=(), display-capture=(), payment=(), usb=(), serial=(), bluetooth=(), midi=()';

export function panelRoutes(parts: RelayParts, panel: Panel | null): Router {
  const router = Router({ strict: true });
  for (const host of hosts) {
    const ours = parts.config.tenants.filter((tenant) => pageOf(tenant) === host);
    // The plain page is everybody's: a link in the CRM opens a recording there, in a window that no CRM frames.
    const addressed = host === 'page' ? parts.config.tenants : ours;
    // Framed by one organisation's pages, and by nobody else's.
    router.get(`/t/:tenant/${host}`, withSlash);
    router.get(`/t/:tenant/${host}/`, (request, response, next) => {
      const tenant = addressed.find(({ id }) => id === request.params.tenant);
      if (tenant === undefined) next();
      else send(response, host, [tenant]);
    });
    // The short address, for as long as it says nothing of one organisation to another. HubSpot has one address per app, whatever account opens
    // it, and its pages have HubSpot's own origins: naming those of all regions gives nobody away.
    router.get(`/${host}`, withSlash);
    router.get(`/${host}/`, (_request, response) => {
      if (host === 'hubspot' || frameOneAnother(ours)) {
        send(response, host, ours);
        return;
      }
      const address = `${parts.publicUrl()}/t/&lt;organisation&gt;/${host}/`;
      response
        .status(404)
        .type('html')
        .send(
          page(`<p>Several organisations use this phone service. Use your own address: <code>${address}</code>.</p>`),
        );
    });
  }

  function send(response: Response, host: PageHost, tenants: readonly TenantConfig[]): void {
    framed(response, contentPolicy(host, tenants, parts.publicUrl()));
    const entry = panel?.scripts.get(host);
    if (panel === null || entry === undefined) {
      response
        .status(503)
        .type('html')
        .send(page('<p>The panel is not built yet. Run <code>npm run build</code>.</p>'));
      return;
    }
    // Who may talk to the panel is an exact origin; a wildcard only says who may frame it.
    const origins = exactOrigins(tenants).join(' ');
    const script = scriptHostsOf(tenants);
    const attributes =
      `data-host-origins="${escapeHtml(origins)}" data-relay="${escapeHtml(parts.publicUrl())}"` +
      (script.length === 1 ? ` data-script-host="${escapeHtml(script.join(''))}"` : '');
    const styles = panel.styles.map((style) => `<link rel="stylesheet" href="/assets/${escapeHtml(style)}">`).join('');
    response
      .type('html')
      .send(page('', attributes, `${styles}<script type="module" src="/assets/${escapeHtml(entry)}"></script>`));
  }

  router.get('/assets/:name', (request, response, next) => {
    const name = request.params.name ?? '';
    const file = panel?.files.get(name);
    if (file === undefined) {
      next();
      return;
    }
    response.set('cache-control', /-[\w-]{8,}\./.test(name) ? 'public, max-age=31536000, immutable' : 'no-cache');
    sendFile(response, file.type, file.body);
  });
  return router;
}

const withSlash: RequestHandler = (request, response) => {
  const query = request.originalUrl.slice(request.path.length);
  response.redirect(308, `${request.path}/${query}`);
};

/** What a page of ours has instead of the headers of everything else: a CRM frames it and opens it as a window. */
function framed(response: Response, policy: string): void {
  for (const name of ['x-frame-options', 'cross-origin-opener-policy']) response.removeHeader(name);
  response.set({
    'content-security-policy': policy,
    'cross-origin-resource-policy': 'cross-origin',
    'permissions-policy': permissions,
  });
}

/** Whether the same origins frame all of these, so that a page for all of them gives none of them away. */
function frameOneAnother(tenants: readonly TenantConfig[]): boolean {
  return new Set(tenants.map((tenant) => [...framing(tenant)].sort().join(' '))).size <= 1;
}

/** Tenants without a CRM use the plain page. */
function pageOf(tenant: TenantConfig): PageHost {
  return tenant.crm.kind === 'memory' ? 'page' : tenant.crm.kind;
}

/** The policy of one page. Exported for its test. */
export function contentPolicy(host: PageHost, tenants: readonly TenantConfig[], publicUrl: string): string {
  const origins = [...new Set(tenants.flatMap(framing))];
  const servers = [...new Set(tenants.flatMap((tenant) => tenant.sip.servers.map((server) => new URL(server).origin)))];
  const live = publicUrl.replace(/^http/, 'ws');
  const list = (...values: string[]): string => values.join(' ');
  const directives: Record<string, string> = {
    'default-src': "'none'",
    // Open CTI's own script comes from the organisation's hosts: only there, only exact hosts.
    'script-src': list(
      "'self'",
      // RNNoise is WebAssembly; nothing else of the panel is.
      ...(tenants.some(({ media }) => media.noiseSuppression === 'rnnoise') ? ["'wasm-unsafe-eval'"] : []),
      ...(host === 'salesforce' ? scriptOrigins(tenants) : []),
    ),
    'style-src': "'self'",
    'img-src': list("'self'", 'data:'),
    'font-src': "'self'",
    'media-src': list("'self'", 'blob:'),
    'worker-src': list("'self'", 'blob:'),
    'connect-src': list("'self'", live, ...servers),
    'frame-ancestors': origins.length === 0 ? "'none'" : list(...origins),
    'base-uri': "'none'",
    'form-action': "'none'",
    'object-src': "'none'",
  };
  return Object.entries(directives)
    .map(([name, value]) => `${name} ${value}`)
    .join('; ');
}

/** Where the script of the host may come from: the page's My Domain, and what the configuration names. */
function scriptOrigins(tenants: readonly TenantConfig[]): readonly string[] {
  return [...new Set([...scriptHostsOf(tenants), ...salesforceScriptOrigins(exactOrigins(tenants))])];
}

function scriptHostsOf(tenants: readonly TenantConfig[]): readonly string[] {
  const named = tenants.flatMap(({ crm }) =>
    crm.kind === 'salesforce' && crm.scriptHost !== undefined ? [crm.scriptHost] : [],
  );
  return [...new Set(named)];
}

/** Who may frame the panel of a tenant: its host origins, and the other forms of the same Salesforce My Domain. */
function framing({ crm, hostOrigins }: TenantConfig): readonly string[] {
  if (crm.kind !== 'salesforce') return hostOrigins;
  return [...new Set([...hostOrigins, ...(crm.frameAlso ?? hostOrigins.flatMap(framesOfMyDomain))])];
}

function exactOrigins(tenants: readonly TenantConfig[]): readonly string[] {
  return [...new Set(tenants.flatMap((tenant) => tenant.hostOrigins))].filter((origin) => !origin.includes('*'));
}

function page(body: string, attributes = '', head = ''): string {
  return (
    `<!doctype html><html lang="en" ${attributes}><head><meta charset="utf-8">` +
    `<meta name="viewport" content="width=device-width, initial-scale=1"><title>Patchcord</title>${head}</head><body>${body}</body></html>`
  );
}

function sendFile(response: Response, type: string, body: Uint8Array): void {
  response.set('content-type', type).send(Buffer.from(body.buffer, body.byteOffset, body.byteLength));
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;');
}
