/**
 * What a watched number is doing now: the calls of an extension, a colleague or a parking slot, as dialogs (RFC 4235).
 * Reads the book, the colleagues and the lot; must never change them, and never know who watches.
 */
import { AgentCall } from './agent-call.ts';
import type { CallEntry } from './call-book.ts';
import type { DialogId } from './dialog.ts';
import type { Exchange } from './exchange.ts';
import type { Party } from './party.ts';

export type WatchedDialog = {
  /** Unique among the dialogs of this number. */
  readonly id: string;
  readonly callId: string;
  /** The watched phone's own tag, and the other end's. */
  readonly localTag: string;
  readonly remoteTag: string;
  readonly direction: 'initiator' | 'recipient';
  readonly state: 'trying' | 'early' | 'confirmed' | 'terminated';
  readonly remote: { readonly number: string; readonly name: string | undefined };
  readonly localName: string | undefined;
};

/** The dialogs of this number, oldest first; undefined when it is nobody's. */
export function dialogsOf(
  number: string,
  exchange: Exchange,
  known: (extension: string) => boolean,
): WatchedDialog[] | undefined {
  const colleague = exchange.plan.colleagues.get(number);
  if (exchange.plan.lot.has(number)) return parkedDialogs(number, exchange);
  if (!colleague && !known(number)) return undefined;
  const dialogs = exchange.book.live().flatMap((entry): WatchedDialog[] => {
    if (entry.description.extension === number) return agentDialogs(entry);
    return colleague && entry.far?.number === number ? [farDialog(entry, colleague.name)] : [];
  });
  if (colleague?.call) {
    const { callId, localTag, remoteTag, direction, state } = colleague.call;
    const { with: remote } = colleague.call;
    dialogs.push({ id: callId, callId, localTag, remoteTag, direction, state, remote, localName: colleague.name });
  }
  return dialogs;
}

function parkedDialogs(slot: string, exchange: Exchange): WatchedDialog[] {
  const parked = exchange.plan.lot.in(slot);
  if (!parked) return [];
  const remote = { number: parked.party.number, name: parked.party.name };
  const base = { direction: 'recipient', state: 'confirmed', remote, localName: `Parked by ${parked.by}` } as const;
  return [{ id: parked.dialog.callId, ...parked.dialog, ...base }];
}

function agentDialogs(entry: CallEntry): WatchedDialog[] {
  const { description } = entry;
  const remote = { number: description.number, name: description.name };
  const direction = description.direction === 'outbound' ? 'initiator' : 'recipient';
  const state = description.state === 'answered' ? 'confirmed' : 'early';
  const ends: (Party | undefined)[] = entry.near ? [entry.near] : [...(entry.ringing ?? [])];
  const calls = ends.filter((party): party is AgentCall => party instanceof AgentCall);
  const dialogs = calls.flatMap((call) =>
    call.names().map(
      ({ callId, phoneTag, switchTag }): WatchedDialog => ({
        id: `${callId}-${phoneTag}`,
        callId,
        localTag: phoneTag,
        remoteTag: switchTag,
        direction,
        state,
        remote,
        localName: call.name,
      }),
    ),
  );
  if (dialogs.length > 0 || state === 'confirmed') return dialogs;
  return [
    {
      id: description.id,
      callId: description.id,
      localTag: '',
      remoteTag: '',
      direction,
      state: 'trying',
      remote,
      localName: undefined,
    },
  ];
}

/** The far end of an agent's call when that is a colleague: the same call seen from the other side. */
function farDialog(entry: CallEntry, localName: string | undefined): WatchedDialog {
  const { description } = entry;
  const id = `${description.id}-far`;
  return {
    id,
    callId: id,
    localTag: 'far',
    remoteTag: 'near',
    direction: description.direction === 'outbound' ? 'recipient' : 'initiator',
    state: description.state === 'answered' ? 'confirmed' : 'early',
    remote: { number: description.extension ?? description.number, name: undefined },
    localName,
  };
}

/** Whether a Replaces names this dialog, from whichever end. */
export function isNamedBy(dialog: Pick<WatchedDialog, 'callId' | 'localTag' | 'remoteTag'>, id: DialogId): boolean {
  const tags = [dialog.localTag, dialog.remoteTag];
  return dialog.callId === id.callId && tags.includes(id.localTag) && tags.includes(id.remoteTag);
}
