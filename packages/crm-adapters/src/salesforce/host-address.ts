/**
 * Owns who may frame the panel and where the org's own script may come from: the rules of the genuine Open CTI script (Salesforce contract,
 * section 1.1), checked by ourselves before it is loaded, because it assigns itself even where it refuses to work and is silent ever after.
 * Must never take an address from anywhere but the page's own query, the relay's list and what the browser says of the frame.
 */

/** API version in the script's URL. */
const scriptVersion = 66;

/** The pages the genuine script answers to, since version 55 and before. A trailing slash, `localhost` and Setup's own host are not among them. */
const lightningPages =
  /^https?:\/\/[\w.-]+(?:\.(?:(?:my-)?visual)?force\.com|\.my-lightning\.com|\.(?:my-)?salesforce\.com|\.(?:salesforce|crmforce)\.(?:mil|ms))(?::\d+)?$/;
const olderPages = /^https?:\/\/[\w.-]+(?:\.force\.com|\.salesforce\.com)(?::\d+)?$/;
/** A sandbox on this computer serves its own script. */
const ownComputer = /^http:\/\/(?:localhost|127\.0\.0\.1)(?::\d+)?$/;

/** Whether the script of this API version works for a page of this origin. */
export function scriptAccepts(origin: string, version = scriptVersion): boolean {
  return (version < 55 ? olderPages : lightningPages).test(origin);
}

export type HostAddress =
  | { readonly ok: true; readonly origin: string }
  | {
      readonly ok: false;
      readonly code: 'host.absent' | 'host.not-authentic';
      /** `parameters`: what the address says; `origin`: who says it. */
      readonly about: 'parameters' | 'origin';
      readonly reason: string;
    };

/** What of the window decides about the address. */
export interface AddressedWindow {
  readonly location: Pick<Location, 'search' | 'protocol'> & { readonly ancestorOrigins?: ArrayLike<string> };
}

/**
 * Which Salesforce page frames us.
 * @param window its query string must be as it was when the page was loaded
 * @param hostOrigins exact origins of the relay's tenants
 */
export function readHostAddress({ location }: AddressedWindow, hostOrigins: readonly string[]): HostAddress {
  const query = new URLSearchParams(location.search);
  const origins = query.getAll('sfdcIframeOrigin');
  const origin = origins[0];
  const absent = (reason: string): HostAddress => ({ ok: false, code: 'host.absent', about: 'parameters', reason });
  const doubted = (about: 'parameters' | 'origin', reason: string): HostAddress => ({
    ok: false,
    code: 'host.not-authentic',
    about,
    reason,
  });
  if (query.has('standby'))
    return absent(
      'Salesforce opened the phone’s standby address, because the phone did not load in time. Close every window of the browser and start it again. If it comes back, an administrator should raise reqTimeout of the call center under Setup > Call Centers.',
    );
  if (origin === undefined)
    return absent(
      query.has('sfdcIFrameOrigin')
        ? 'Salesforce Classic opened this page. The phone works in Lightning Experience: switch over, then open it from the utility bar.'
        : 'This address lacks what Salesforce adds to it. Open the phone from the utility bar of a Salesforce Lightning app. If you see this inside Salesforce, the call center’s adapter URL redirects and loses its parameters: an administrator should enter the address without a redirect under Setup > Call Centers.',
    );
  if (origins.length > 1 || query.getAll('mode').length > 1)
    return doubted(
      'parameters',
      'This address names its Salesforce page twice. Open the phone from the utility bar, or an administrator removes the parameters from the call center’s adapter URL.',
    );
  if (query.get('mode') !== 'Lightning')
    return absent(
      'The phone works in Lightning Experience, and this page was opened in another mode. An administrator sets the call center’s compatibility mode to Lightning under Setup > Call Centers.',
    );
  const shown = origin.slice(0, 120);
  if (!hostOrigins.includes(origin))
    return doubted(
      'origin',
      `The page that opened the phone (${shown}) is not on its list. An administrator can add this address to the tenant’s host origins.`,
    );
  if (!scriptAccepts(origin) && !ownComputer.test(origin))
    return doubted(
      'origin',
      `Salesforce’s phone script does not work for ${shown}. Open the phone in a Lightning app of the org (https://<my domain>.lightning.force.com).`,
    );
  if (!origin.startsWith(location.protocol))
    return doubted(
      'origin',
      `Salesforce’s page (${shown}) and the phone’s (${location.protocol}) must both be https. An administrator changes the call center’s adapter URL under Setup > Call Centers.`,
    );
  // Chromium and Safari say who really frames us; the query alone is only a claim.
  const framing = location.ancestorOrigins?.[0];
  if (framing !== undefined && framing !== origin)
    return doubted(
      'origin',
      `The page that frames the phone (${framing.slice(0, 120)}) is not the Salesforce page its address names (${shown}). Open the phone from the utility bar of Salesforce.`,
    );
  return { ok: true, origin };
}

/**
 * Where the org's own Open CTI script may be, in the order to try: what was set, the org's My Domain, the page itself.
 * @param scriptHosts from the page's `data-script-host`; what is not an exact https origin of Salesforce is left out
 */
export function scriptUrls(origin: string, scriptHosts: readonly string[] = []): readonly string[] {
  const classic = origin.replace(/\.lightning\.force\.com(?=$|:)/, '.my.salesforce.com');
  return [...new Set([...scriptHosts.filter(isScriptHost), classic, origin])].map(
    (host) => `${host}/support/api/${scriptVersion}.0/lightning/opencti_min.js`,
  );
}

/** Whether this is an address the script may be loaded from because it was set. */
export function isScriptHost(host: string): boolean {
  return host.startsWith('https:') && scriptAccepts(host);
}

/** The origins a panel page must let scripts come from (CSP `script-src`), for the Salesforce pages that may frame it. */
export function scriptOrigins(hostOrigins: readonly string[], scriptHosts: readonly string[] = []): readonly string[] {
  const exact = hostOrigins.filter((origin) => !origin.includes('*'));
  return [...new Set(exact.flatMap((origin) => scriptUrls(origin, scriptHosts)).map((url) => new URL(url).origin))];
}
