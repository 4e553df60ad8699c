/**
 * Owns what a successor must know of one call's dialog, read from sip.js as it stands now. Must never be logged, signalled or put into an error:
 * whoever knows these identifiers can take the call.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { Invitation } from 'sip.js/lib/api/invitation.js';
import { Inviter } from 'sip.js/lib/api/inviter.js';
import { SessionState } from 'sip.js/lib/api/session-state.js';
import type { KeptDialog } from '../ports.ts';

/** What the call itself knows. */
export type CallFacts = Pick<
  KeptDialog,
  'direction' | 'number' | 'supports' | 'allows' | 'peer' | 'held' | 'farHeld' | 'muted' | 'sessionSeconds'
> & { readonly call: CallId };

type Wire = Omit<KeptDialog, keyof CallFacts>;

/** The dialog of a session; undefined while nothing of it is on the wire, and when it is over. */
export function keptDialog(session: Inviter | Invitation, facts: CallFacts): KeptDialog | undefined {
  const wire = confirmed(session) ?? (session instanceof Inviter ? inviting(session) : invited(session));
  return wire && { ...facts, ...wire };
}

function confirmed({ dialog, state }: Inviter | Invitation): Wire | undefined {
  // Once our 200 to them has left, or theirs has come, it is as good as up.
  if (!dialog || state === SessionState.Terminated || (dialog as unknown as { readonly early: boolean }).early)
    return undefined;
  const open = dialog as unknown as OpenDialog;
  return {
    stage: 'confirmed',
    callId: open.callId,
    localTag: open.localTag,
    remoteTag: open.remoteTag,
    localUri: open.localURI.toString(),
    remoteUri: open.remoteURI.toString(),
    remoteTarget: open.remoteTarget.toString(),
    routes: [...open.routeSet],
    localSequence: open.localSequenceNumber ?? 0,
    remoteSequence: open.remoteSequenceNumber ?? null,
    inviting: null,
  };
}

function inviting(session: Inviter): Wire | undefined {
  const { request, state } = session;
  if (state !== SessionState.Establishing || !request.branch) return undefined;
  // What rings has told its tag. Of several that ring the last one.
  const early = [...(session as unknown as OpenInviter).outgoingInviteRequest.earlyDialogs.values()].pop();
  return {
    stage: 'inviting',
    callId: request.callId,
    localTag: request.fromTag,
    remoteTag: early?.remoteTag ?? '',
    localUri: request.from.uri.toString(),
    remoteUri: request.to.uri.toString(),
    remoteTarget: early?.remoteTarget.toString() ?? '',
    routes: [...(early?.routeSet ?? [])],
    localSequence: request.cseq,
    remoteSequence: null,
    inviting: {
      uri: request.ruri.toRaw(),
      branch: request.branch,
      routes: request.getHeaders('route').filter(Boolean),
    },
  };
}

function invited({ request, state }: Invitation): Wire | undefined {
  if (state !== SessionState.Initial && state !== SessionState.Establishing) return undefined;
  return {
    stage: 'invited',
    callId: request.callId,
    localTag: request.toTag ?? '',
    remoteTag: request.fromTag,
    localUri: request.to.uri.toString(),
    remoteUri: request.from.uri.toString(),
    remoteTarget: '',
    routes: [],
    localSequence: 0,
    remoteSequence: request.cseq,
    inviting: null,
  };
}

/** What of a dialog of sip.js is told beyond its interface. */
interface OpenDialog {
  readonly callId: string;
  readonly localTag: string;
  readonly remoteTag: string;
  readonly localURI: { toString(): string };
  readonly remoteURI: { toString(): string };
  readonly remoteTarget: { toString(): string };
  readonly routeSet: readonly string[];
  readonly localSequenceNumber: number | undefined;
  readonly remoteSequenceNumber: number | undefined;
}

/** What of an INVITE of ours sip.js keeps to itself. */
interface OpenInviter {
  readonly outgoingInviteRequest: { readonly earlyDialogs: ReadonlyMap<string, OpenDialog> };
}

/** `Replaces` names the tags as the far side knows them (RFC 3891 section 3): its own is our remote one, whoever called. */
export function replacesHeaders({
  callId,
  localTag,
  remoteTag,
}: Pick<KeptDialog, 'callId' | 'localTag' | 'remoteTag'>) {
  return [`Replaces: ${callId};to-tag=${remoteTag};from-tag=${localTag}`, 'Require: replaces'];
}
