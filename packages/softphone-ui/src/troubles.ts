/**
 * What is wrong, in words an agent can act on: what happened, what still works, what to do. Owns the choice and the order of the banners;
 * pure. Must never blame the agent nor hide that something is kept for later.
 */
import type { Agent } from '@patchcord/call-protocol';
import type { LineState } from '@patchcord/phone-engine';
import type { CredentialTrouble } from './credential-keeper.ts';
import type { JournalCounts, RefusedEvent } from './journal.ts';
import type { LiveStatus } from './live-link.ts';
import type { MicrophonePermission } from './microphone-permission.ts';
import { texts } from './texts.ts';

/** What the panel knows about its surroundings. */
export interface Conditions {
  readonly line: LineState;
  readonly relay: LiveStatus;
  readonly microphone: MicrophonePermission;
  readonly credential: CredentialTrouble | null;
  /** Reason the relay gave when it took the agent's access away. */
  readonly revoked: string | null;
  /** Only the agent can bring the session back, by a new code. */
  readonly codeNeeded: boolean;
  /** Somebody else who signed in on this agent's phone. */
  readonly stranger: Agent | null;
  readonly agent: Agent;
  /** The window with the phone, where this frame needs one and there is none. */
  readonly window: WindowNews | null;
  readonly journal: JournalCounts & { readonly durable: boolean };
  readonly refused: readonly RefusedEvent[];
  /** Calls the CRM did not take, and why. */
  readonly unlogged: string | null;
}

export interface WindowNews {
  /** It can be opened from here. */
  readonly opens: boolean;
  /** The number that is called as soon as it is there; empty: it was opened for none; null: it was not opened. */
  readonly waits: string | null;
}

export interface Trouble {
  readonly key: string;
  readonly tone: 'danger' | 'warning' | 'info';
  readonly title: string;
  readonly advice: string;
  /** What the agent may do about it right here. */
  readonly act?: 'sign-in' | 'reload' | 'forget-refused' | 'forget-unlogged' | 'open-window' | 'drop-wait';
}

/** The banners, gravest first. */
export function troublesOf(now: Conditions): readonly Trouble[] {
  const troubles: Trouble[] = [];
  if (now.revoked !== null)
    troubles.push({
      key: 'revoked',
      tone: 'danger',
      title: texts.revokedTitle,
      advice: texts.revokedAdvice(now.revoked),
    });
  if (now.stranger !== null)
    troubles.push({
      key: 'other-agent',
      tone: 'warning',
      title: texts.otherAgentTitle,
      advice: texts.otherAgentAdvice(now.stranger.name, now.agent.name),
      act: 'reload',
    });
  if (now.codeNeeded)
    troubles.push({
      key: 'code',
      tone: 'warning',
      title: texts.codeAgainTitle,
      advice: texts.codeAgainAdvice,
      act: 'sign-in',
    });
  if (now.window !== null) troubles.push(windowTrouble(now.window));
  if (now.microphone === 'refused')
    troubles.push({
      key: 'microphone',
      tone: 'danger',
      title: texts.microphoneRefusedTitle,
      advice: texts.microphoneRefusedAdvice,
    });
  if (now.microphone === 'not-passed-on')
    troubles.push({
      key: 'microphone',
      tone: 'danger',
      title: texts.microphonePolicyTitle,
      advice: texts.microphonePolicyAdvice,
    });
  const line = now.revoked === null ? lineTrouble(now) : null;
  if (line !== null) troubles.push(line);
  if (now.relay === 'away' && now.revoked === null && !now.codeNeeded)
    troubles.push({
      key: 'relay',
      tone: 'warning',
      title: texts.relayAwayTitle,
      advice: texts.relayAwayAdvice(now.journal.waiting),
    });
  if (!now.journal.durable)
    troubles.push({ key: 'storage', tone: 'warning', title: texts.storageTitle, advice: texts.storageAdvice });
  if (now.refused.length > 0)
    troubles.push({
      key: 'refused',
      tone: 'warning',
      title: texts.refusedTitle(now.refused.length),
      advice: texts.refusedAdvice(now.refused[0]?.message ?? ''),
      act: 'forget-refused',
    });
  if (now.unlogged !== null)
    troubles.push({
      key: 'unlogged',
      tone: 'warning',
      title: texts.unloggedTitle,
      advice: now.unlogged,
      act: 'forget-unlogged',
    });
  return troubles;
}

function windowTrouble({ opens, waits }: WindowNews): Trouble {
  const key = 'window';
  if (waits === null) {
    const act = opens ? ({ act: 'open-window' } as const) : {};
    return { key, tone: 'warning', title: texts.windowGoneTitle, advice: texts.windowGoneAdvice, ...act };
  }
  if (waits === '') return { key, tone: 'info', title: texts.windowOpening, advice: '' };
  const title = texts.windowWaitsTitle(waits);
  return { key, tone: 'info', title, advice: texts.windowWaitsAdvice, act: 'drop-wait' };
}

function lineTrouble({ line, credential, relay }: Conditions): Trouble | null {
  if (line.status === 'rejected')
    return {
      key: 'line',
      tone: 'danger',
      title: texts.lineRejectedTitle,
      advice: texts.lineRejectedAdvice(line.reason),
    };
  if (line.status === 'reconnecting')
    return { key: 'line', tone: 'warning', title: texts.lineAwayTitle, advice: texts.lineAwayAdvice };
  if (line.status === 'connecting' && line.reason !== '')
    return { key: 'line', tone: 'warning', title: texts.lineUnreachableTitle, advice: texts.lineUnreachableAdvice };
  if (line.status === 'offline' && credential !== null && relay !== 'away')
    return { key: 'line', tone: 'warning', title: texts.noCredentialTitle, advice: credential.message };
  return null;
}
