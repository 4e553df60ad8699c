/**
 * Owns what one watched extension does, from the documents of its dialog event package (RFC 4235). Must never let what is in them out of the phone
 * beyond a status and who is at the other end: who knows a dialog's identifiers can take its call.
 */
import type { Party } from '@patchcord/call-protocol';
import type { Watched } from '../state.ts';
import { callerOf, plain } from './party.ts';

interface WatchedDialog {
  readonly state: 'trying' | 'ringing' | 'talking' | 'held';
  readonly direction: 'inbound' | 'outbound' | null;
  readonly farSide: Party | null;
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  /** Contact of the watched phone in this dialog; empty when it is not told. */
  readonly localTarget: string;
}

const mostDialogs = 20;
/** Longest identifier worth repeating in a header of ours. */
const longestId = 255;
const longestUri = 1_000;

export class DialogInfo {
  readonly #dialogs = new Map<string, WatchedDialog>();
  #version = -1;

  /** False when the document can't be read. Old ones change nothing. */
  take(text: string): boolean {
    const root = new DOMParser().parseFromString(text, 'application/xml').documentElement;
    if (root === null || root.localName !== 'dialog-info') return false;
    const version = Number(root.getAttribute('version'));
    // Servers that fork or restart count from zero again: only a full document says so.
    const full = root.getAttribute('state') === 'full';
    if (version <= this.#version && !full) return true;
    this.#version = version;
    if (full) this.#dialogs.clear();
    for (const element of [...root.children].filter((it) => it.localName === 'dialog').slice(0, mostDialogs)) {
      const id = element.getAttribute('id') ?? '';
      const dialog = readDialog(element);
      if (dialog === null) this.#dialogs.delete(id);
      else this.#dialogs.set(id, dialog);
    }
    return true;
  }

  /** What there is to show. A call that rings there comes before one that is talked on: it can be picked up. */
  show(extension: string): Watched {
    const dialog = this.#foremost();
    return {
      extension,
      status: dialog === undefined ? 'free' : statusOf(dialog),
      farSide: dialog?.farSide ?? null,
      direction: dialog?.direction ?? null,
      canTake: this.replaces() !== null,
    };
  }

  /**
   * The Replaces value (RFC 3891) that takes over the call that rings there, or else the one that is talked on; null when its identifiers are
   * not told. Tags are named from the watched phone's point of view.
   */
  replaces(): string | null {
    const dialog = this.#foremost();
    if (dialog === undefined || dialog.callId === '' || dialog.localTag === '' || dialog.remoteTag === '') return null;
    const early = dialog.state === 'ringing' ? ';early-only' : '';
    return `${dialog.callId};to-tag=${dialog.localTag};from-tag=${dialog.remoteTag}${early}`;
  }

  /** Where the call of `replaces` is, as a URI; empty when it is not told. */
  get localTarget(): string {
    return this.#foremost()?.localTarget ?? '';
  }

  #foremost(): WatchedDialog | undefined {
    const all = [...this.#dialogs.values()];
    for (const state of ['ringing', 'talking', 'held', 'trying'] as const) {
      const found = all.find((it) => it.state === state);
      if (found !== undefined) return found;
    }
    return undefined;
  }
}

function statusOf({ state }: WatchedDialog): Watched['status'] {
  if (state === 'ringing' || state === 'held') return state;
  return 'busy';
}

/** null: the dialog is over, or says nothing that is understood. */
function readDialog(element: Element): WatchedDialog | null {
  const child = (name: string, of: Element | null = element): Element | null =>
    [...(of?.children ?? [])].find((it) => it.localName === name) ?? null;
  const state = child('state')?.textContent?.trim() ?? '';
  const attribute = element.getAttribute('direction');
  const direction = attribute === 'recipient' ? 'inbound' : attribute === 'initiator' ? 'outbound' : null;
  const id = (name: string): string => {
    const value = element.getAttribute(name) ?? '';
    // It goes into a header: nothing that could end it.
    return value.length <= longestId && /^[!-:<-~]+$/.test(value) ? value : '';
  };
  const sideOf = (name: string): Element | null => child(name);
  const localTarget = child('target', sideOf('local'));
  const rendering = [...(localTarget?.children ?? [])].find((it) => it.getAttribute('pname') === '+sip.rendering');
  const common = {
    direction,
    farSide: readParty(child('identity', sideOf('remote')) ?? child('target', sideOf('remote'))),
    callId: id('call-id'),
    localTag: id('local-tag'),
    remoteTag: id('remote-tag'),
    localTarget: (localTarget?.getAttribute('uri') ?? '').trim().slice(0, longestUri),
  } as const;
  switch (state) {
    case 'trying':
    case 'proceeding':
    case 'early':
      // Who calls out does not ring; who is called and has not said so yet is about to.
      return { ...common, state: direction === 'outbound' || state === 'trying' ? 'trying' : 'ringing' };
    case 'confirmed':
      return { ...common, state: rendering?.getAttribute('pval') === 'no' ? 'held' : 'talking' };
    default:
      return null;
  }
}

function readParty(element: Element | null): Party | null {
  const uri = (element?.getAttribute('uri') ?? element?.textContent ?? '').trim();
  const [, user, host = ''] = /^(?:sips?|tel):(?:([^@;]+)@)?([^;>]*)/i.exec(uri) ?? [];
  if (user === undefined && !/^tel:/i.test(uri)) return null;
  const displayName = plain(element?.getAttribute('display') ?? '', 255);
  const party = callerOf(undefined, { displayName, user: user ?? host, host }, false);
  return party.number === '' ? null : party;
}
