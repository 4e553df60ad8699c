/**
 * Owns the wire between the panel and Salesforce's page: the address the page gives us, the Open CTI calls we use, and the reading of what comes
 * back (Salesforce contract, sections 1.1, 1.4 and 1.5). Everything that comes in is untrusted and leaves here checked or as null. Functions
 * only, so that the panel's bundle holds no more than it uses. What a call becomes in Salesforce stands in task.ts.
 */
import type { RecordRef } from '@patchcord/call-protocol';
import type { DialRequest } from '../panel-contract.ts';

/** API version in the script's URL. */
const scriptVersion = '66.0';

/** The calls we make and what they take. */
export interface OpenCtiCalls {
  enableClickToDial: object;
  disableClickToDial: object;
  getAppViewInfo: object;
  getCallCenterSettings: object;
  screenPop: { readonly type: 'sobject'; readonly params: { readonly recordId: string } };
  runApex: { readonly apexClass: string; readonly methodName: string; readonly methodParams: string };
  refreshView: object;
  setSoftphonePanelVisibility: { readonly visible: boolean };
  setSoftphoneItemLabel: { readonly label: string };
  setSoftphoneItemIcon: { readonly key: string };
}

/** Open CTI as far as we use it. What it hands back is believed only after a reader below. */
export type OpenCtiMethods = {
  readonly [M in keyof OpenCtiCalls]: (call: OpenCtiCalls[M] & { callback: (response: unknown) => void }) => void;
};
export type OpenCti = OpenCtiMethods & {
  onClickToDial(call: { listener: (payload: unknown) => void }): void;
  onNavigationChange(call: { listener: (payload: unknown) => void }): void;
  notifyInitializationComplete(): void;
};

/** What one Open CTI call came to. */
export type Outcome = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly reason: string };

/** `{ success, returnValue, errors }`; two pages of the documentation spell the last one `error`, old code sends texts. */
export function readOutcome(response: unknown): Outcome {
  const answer = objectOf(response);
  if (answer.success === true) return { ok: true, value: answer.returnValue };
  const errors = answer.errors ?? answer.error;
  const first: unknown = Array.isArray(errors) ? errors[0] : errors;
  const { code, description } = objectOf(first);
  const said =
    typeof first === 'string' ? first : [code, description].filter((part) => typeof part === 'string').join(': ');
  return { ok: false, reason: said.slice(0, 300) || 'no reason given' };
}

export type HostAddress =
  | { readonly ok: true; readonly origin: string }
  | { readonly ok: false; readonly code: 'host.absent' | 'host.not-authentic'; readonly reason: string };

/**
 * Which Salesforce page frames us. Checked by ourselves before the script is loaded: the script assigns itself even where it refuses to work.
 * @param search the page's query string, untouched since it was loaded
 */
export function readHostAddress(search: string, hostOrigins: readonly string[]): HostAddress {
  const query = new URLSearchParams(search);
  const origins = query.getAll('sfdcIframeOrigin');
  const origin = origins[0];
  if (origin === undefined)
    return {
      ok: false,
      code: 'host.absent',
      reason: query.has('sfdcIFrameOrigin')
        ? 'Salesforce Classic opened this page. The phone works in Lightning Experience: switch over, then open it from the utility bar.'
        : 'Open the phone from the utility bar of a Salesforce Lightning app. If you see this inside Salesforce, the call center’s adapter URL redirects and loses its parameters: an administrator should enter the address without a redirect.',
    };
  if (query.get('mode') !== 'Lightning')
    return {
      ok: false,
      code: 'host.absent',
      reason: 'The phone works in Lightning Experience. Set the call center’s compatibility mode to Lightning.',
    };
  if (origins.length > 1 || !hostOrigins.includes(origin))
    return {
      ok: false,
      code: 'host.not-authentic',
      reason: `The page that opened the phone (${origin.slice(0, 120)}) is not on its list. An administrator can add this address to the tenant’s host origins.`,
    };
  return { ok: true, origin };
}

/** Where the org's own Open CTI script may be, in the order to try (Salesforce contract, section 1.1). */
export function scriptUrls(origin: string): readonly string[] {
  const classic = origin.replace(/\.lightning\.force\.com(?=$|:)/, '.my.salesforce.com');
  return [...new Set([classic, origin])].map((host) => `${host}/support/api/${scriptVersion}/lightning/opencti_min.js`);
}

/** The origins a panel page must let scripts come from (CSP `script-src`), for the Salesforce pages that may frame it. */
export function scriptOrigins(hostOrigins: readonly string[]): readonly string[] {
  const exact = hostOrigins.filter((origin) => !origin.includes('*'));
  return [...new Set(exact.flatMap(scriptUrls).map((url) => new URL(url).origin))];
}

/** A click on a number. The number is as typed in the record; the record is the one the number stands on. */
export function readClick(payload: unknown): DialRequest | null {
  const { number } = objectOf(payload);
  const typed = typeof number === 'number' ? String(number) : typeof number === 'string' ? number.trim() : '';
  if (typed === '' || typed.length > 128) return null;
  const record = readShown(payload);
  return { number: typed, ...(record === null ? {} : { record }) };
}

/** The record a page shows, or null when it shows none. A person account is called by its contact: a Task takes no other. */
export function readShown(payload: unknown): RecordRef | null {
  const view = objectOf(payload);
  const person = view.personAccount === true && isId(view.contactId);
  const id = person ? view.contactId : view.recordId;
  const object = person ? 'Contact' : view.objectType;
  if (!isId(id) || typeof object !== 'string' || !/^\w{1,80}$/.test(object)) return null;
  const name = typeof view.recordName === 'string' ? view.recordName.slice(0, 255) : '';
  return { crm: 'salesforce', object, id, ...(name === '' ? {} : { name }) };
}

/** The assertion out of what `runApex` returned: `{ runApex: '{"assertion":"…"}' }`. */
export function readAssertion(value: unknown): string | null {
  const { runApex } = objectOf(value);
  let answer: unknown = runApex;
  if (typeof runApex === 'string')
    try {
      answer = JSON.parse(runApex);
    } catch {
      return null;
    }
  const { assertion } = objectOf(answer);
  return typeof assertion === 'string' && assertion !== '' && assertion.length <= 8_192 ? assertion : null;
}

/** 15 or 18 letters and digits. */
export function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9]{15}(?:[A-Za-z0-9]{3})?$/.test(value);
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
