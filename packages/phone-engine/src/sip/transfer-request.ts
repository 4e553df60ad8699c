/**
 * Owns what a far side asks for when it sends us a REFER (RFC 3515): whether it is followed, where to, and the NOTIFYs about it. Must never follow
 * out of the account's own domain: a stranger's REFER would dial whatever it likes.
 */
import { Dialog } from 'sip.js/lib/core/dialogs/dialog.js';
import type { URI } from 'sip.js/lib/grammar/uri.js';
import { type HeaderSource, readAddress } from './caller-headers.ts';
import { sendInside } from './dialog-requests.ts';
import { ownTarget } from './redirection.ts';

/** Where a REFER sends us. */
export interface FollowedTarget {
  readonly uri: URI;
  /** Headers of the INVITE: Replaces and Referred-By, as far as they were readable. */
  readonly headers: readonly string[];
  /** Tells the far side how it goes, where it wants to know. */
  report(status: string, final: boolean): void;
}

/** Reads a REFER; null when it is not to be followed. */
export function readTransferRequest(
  request: HeaderSource,
  domain: string,
): { readonly uri: URI; readonly headers: readonly string[] } | null {
  const [line = '', ...others] = request.getHeaders('refer-to');
  const address = others.length === 0 ? readAddress(line) : null;
  const uri = address && ownTarget(address.uri, domain);
  if (!address || !uri || /;\s*method\s*=\s*(?!INVITE\b)/i.test(address.uri)) return null;
  const headers: string[] = [];
  const replaces = /[?&]replaces=([^&]{1,1000})/i.exec(address.uri)?.[1];
  if (replaces !== undefined) {
    const value = readReplaces(replaces);
    if (value === null) return null;
    headers.push(`Replaces: ${value}`, 'Require: replaces');
  }
  const by = readAddress(request.getHeader('referred-by') ?? '');
  if (by) headers.push(`Referred-By: <${by.uri}>`);
  return { uri, headers };
}

/** The value of a Replaces header out of a URI, where it is escaped; null when it could be more than that. */
function readReplaces(escaped: string): string | null {
  try {
    const value = decodeURIComponent(escaped);
    return /^[\x21-\x7e ]+$/.test(value) && /;\s*to-tag=/i.test(value) && /;\s*from-tag=/i.test(value) ? value : null;
  } catch {
    return null;
  }
}

/** Tells the far side, inside the dialog of its REFER, how the transfer goes (RFC 3515 section 2.4.4). */
export function reporter(dialog: unknown, contact: string, wanted: boolean): FollowedTarget['report'] {
  return (status, final) => {
    if (!wanted || !(dialog instanceof Dialog)) return;
    const state = final ? 'terminated;reason=noresource' : 'active;expires=180';
    const headers = ['Event: refer', `Subscription-State: ${state}`, `Contact: ${contact}`];
    sendInside(dialog, 'NOTIFY', headers, () => {}, {
      contentDisposition: 'render',
      contentType: 'message/sipfrag;version=2.0',
      content: `SIP/2.0 ${status}\r\n`,
    });
  };
}
