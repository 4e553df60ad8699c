/** What is done with a message by itself once it is taken: it is written down, and finds the call it was left in. Owns that a stop ends it. */
import type { TenantId } from '@patchcord/call-protocol';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { Delivered } from '../delivery/delivered.ts';
import type { LeasedEffect, Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import { deliverCall } from './deliver-call.ts';
import { deliverWords } from './deliver-words.ts';
import type { Voicemails } from './voicemails.ts';

export interface MessageWork {
  /** Works a `voicemail.words`. @throws PatchcordError whose `retryable` says whether to try again */
  writeDown(effect: LeasedEffect): Promise<Delivered>;
  /** Works a `voicemail.log`. @throws PatchcordError `store.unavailable` */
  findCall(effect: LeasedEffect): Promise<Delivered>;
  /** What was said in a message; null: nobody wrote it down (yet), it is gone, or its owner deleted it. @throws PatchcordError `store.unavailable` */
  saidIn(tenant: TenantId, voicemail: string): Promise<string | null>;
  /** Ends what is under way; it is begun again by whoever takes it next. */
  stop(): void;
}

export function createMessageWork(parts: {
  readonly store: Pick<Store, 'voicemails' | 'calls'>;
  readonly tenants: Tenants;
  readonly recorder: Pick<EventRecorder, 'linkVoicemail'>;
  readonly voicemails: Voicemails;
  readonly now: () => number;
}): MessageWork {
  const stopping = new AbortController();
  return {
    writeDown: (effect) => deliverWords(effect, parts, stopping.signal),
    findCall: (effect) => deliverCall(effect, parts),
    async saidIn(tenant, voicemail) {
      const message = await parts.voicemails.byId(tenant, voicemail);
      return message === null || message.deletedAt !== null ? null : await parts.voicemails.textOf(message);
    },
    stop: () => stopping.abort(),
  };
}
