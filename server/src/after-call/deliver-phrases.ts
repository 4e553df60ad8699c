/** Judges a call that is over by the tenant's rules: what had to be said and was not is told, and kept with the call. A repeat says nothing twice. */
import type { CallId } from '@patchcord/call-protocol';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { Delivered } from '../delivery/delivered.ts';
import type { LiveHub } from '../live/hub.ts';
import { relayEvent } from '../live/relay-event.ts';
import type { LeasedEffect, Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { missedIn } from './spotting.ts';

export interface AfterCallParts {
  readonly store: Pick<Store, 'calls' | 'transcripts'>;
  readonly tenants: Tenants;
  readonly recorder: Pick<EventRecorder, 'noteLearned'>;
  readonly hub: Pick<LiveHub, 'tellPassing'>;
  readonly now: () => number;
}

/** @throws PatchcordError `store.unavailable`: try again */
export async function deliverPhrases(effect: LeasedEffect, parts: AfterCallParts): Promise<Delivered> {
  const callId = effect.callId as CallId;
  const found = (await parts.store.calls.readCalls([callId])).get(callId);
  const settings = parts.tenants.find(effect.tenant)?.config.spotting;
  if (settings === undefined || found === undefined || found.call.log === null) return {};
  const { call, events } = found;
  for (const data of missedIn(settings, found.call.log, events)) {
    const mark = `phrase-missed-${data.rule}`;
    const event = { name: 'phrase.missed', at: parts.now(), call: callId, data } as const;
    const kept = await parts.recorder.noteLearned(effect.tenant, callId, mark, event);
    if (kept === 'kept')
      parts.hub.tellPassing(effect.tenant, call.agent, relayEvent(effect.tenant, event, `${callId}:${mark}`));
  }
  return {};
}
