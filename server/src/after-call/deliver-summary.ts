/**
 * Has a call summed up, once for a model and a prompt, and keeps the result with the call; the log in the CRM follows by itself, as after any other
 * change. Owns when there is nothing to sum up. Must never ask for a call whose words were not kept, whose log a person deleted, or that is under way.
 */
import { type CallId, errorCode, PatchcordError } from '@patchcord/call-protocol';
import { belongsInCrm } from '../call-log/fold.ts';
import type { Delivered } from '../delivery/delivered.ts';
import { relayEvent } from '../live/relay-event.ts';
import type { LeasedEffect } from '../store/contract.ts';
import { inSpan } from '../tracing.ts';
import type { AfterCallParts } from './deliver-phrases.ts';
import { summaryMark } from './effects.ts';
import { askForSummary } from './summary-request.ts';

/** Of fewer words a model makes something up. */
const fewestWords = 12;
/** A model that answers nonsense so often will go on. */
const triesOfNonsense = 3;

/** @throws PatchcordError `store.unavailable`, `crm.unavailable`, `request.too-many`: try again; `config.invalid`, `request.invalid`: it says what to do */
export async function deliverSummary(effect: LeasedEffect, parts: AfterCallParts): Promise<Delivered> {
  const callId = effect.callId as CallId;
  const { tenant: tenantId } = effect;
  const config = parts.tenants.find(tenantId)?.config;
  const settings = config?.summary;
  // Switched off, or another model since: what was promised then is not wanted any more.
  if (config === undefined || settings === undefined || !config.transcripts.keep) return {};
  const mark = summaryMark(settings.model);
  const found = (await parts.store.calls.readCalls([callId])).get(callId);
  const log = found?.call.log ?? null;
  if (found === undefined || log === null || !belongsInCrm(log)) return {};
  const { call, events } = found;
  if (events.some(({ id, name }) => name === 'log.removed' || id === `${callId}:${mark}`)) return {};
  const lines = (await parts.store.transcripts.of(tenantId, callId)).filter(({ final }) => final);
  const words = lines.reduce((sum, { text }) => sum + text.split(/\s+/).filter(Boolean).length, 0);
  if (words < fewestWords) return {};
  const summary = await inSpan('summary', { callId, kind: 'client' }, () =>
    askForSummary(config, settings, log, lines, parts.now()),
  ).catch((error: unknown) => {
    throw tooOften(error, effect.attempts);
  });
  const event = { name: 'call.summarised', at: parts.now(), call: callId, data: summary } as const;
  const kept = await parts.recorder.noteLearned(tenantId, callId, mark, event);
  if (kept === 'kept') parts.hub.tellPassing(tenantId, call.agent, relayEvent(tenantId, event, `${callId}:${mark}`));
  return {};
}

/** What is retried for ever would cost money for ever. */
function tooOften(error: unknown, attempts: number): unknown {
  if (errorCode(error) !== 'request.invalid' || attempts < triesOfNonsense) return error;
  const { message } = error as PatchcordError;
  return new PatchcordError('request.invalid', `${message} It was asked ${attempts} times.`, { cause: error });
}
