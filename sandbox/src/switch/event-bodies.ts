/** The bodies of NOTIFY: dialog-info XML (RFC 4235) and message summaries (RFC 3842). Text in, text out. */
import type { WatchedDialog } from './dialog-states.ts';
import type { Summary } from './mailboxes.ts';

/** @param state `partial`: only what changed. Versions begin at 0 and rise by one in one subscription. */
export function dialogInfo(
  resource: string,
  domain: string,
  dialogs: readonly WatchedDialog[],
  version: number,
  state: 'full' | 'partial',
): string {
  const entries = dialogs.map((dialog) => dialogElement(resource, domain, dialog));
  return [
    '<?xml version="1.0"?>',
    `<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="${version}" state="${state}" entity="sip:${escaped(resource)}@${domain}">`,
    ...entries,
    '</dialog-info>',
    '',
  ].join('\r\n');
}

function dialogElement(resource: string, domain: string, dialog: WatchedDialog): string {
  const tags = [
    dialog.localTag === '' ? '' : ` local-tag="${escaped(dialog.localTag)}"`,
    dialog.remoteTag === '' ? '' : ` remote-tag="${escaped(dialog.remoteTag)}"`,
  ].join('');
  return [
    `<dialog id="${escaped(dialog.id)}" call-id="${escaped(dialog.callId)}"${tags} direction="${dialog.direction}">`,
    `<state>${dialog.state}</state>`,
    `<local>${end(resource, dialog.localName, domain)}</local>`,
    `<remote>${end(dialog.remote.number, dialog.remote.name, domain)}</remote>`,
    '</dialog>',
  ].join('\r\n');
}

function end(number: string, name: string | undefined, domain: string): string {
  const uri = `sip:${escaped(number)}@${domain}`;
  const display = name === undefined ? '' : ` display="${escaped(name)}"`;
  return `<identity${display}>${uri}</identity><target uri="${uri}"/>`;
}

export function messageSummary(extension: string, domain: string, { fresh, old }: Summary): string {
  return [
    `Messages-Waiting: ${fresh > 0 ? 'yes' : 'no'}`,
    `Message-Account: sip:${extension}@${domain}`,
    `Voice-Message: ${fresh}/${old} (0/0)`,
    '',
  ].join('\r\n');
}

function escaped(text: string): string {
  const codes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (letter) => codes[letter] ?? '');
}
