/** Owns the third-party transcripts of the portal (the HubSpot contract, section 1.9): their shape, their limits, and which call they belong to. */
import { isObject } from '../http.ts';
import { notFound, type Portal } from './records.ts';
import { invalid, notAllowed, objectOf, type RestCall, type RestResult } from './rest-call.ts';

export interface Utterance {
  readonly speaker: { readonly id: string; readonly name: string; readonly email?: string };
  readonly text: string;
  readonly startTimeMillis: number;
  readonly endTimeMillis: number;
  readonly languageCode?: string;
}

export interface Transcript {
  readonly id: string;
  readonly engagementId: number;
  readonly transcriptUtterances: readonly Utterance[];
}

export interface Transcripts {
  handle(call: RestCall, id: string | undefined): RestResult;
  ofCall(engagementId: string): Transcript | undefined;
  all(): readonly Transcript[];
}

export function createTranscripts(portal: Portal, onChange: () => void): Transcripts {
  const kept = new Map<string, Transcript>();
  let serial = 0;

  function utterance(value: unknown, at: number): Utterance {
    const where = `transcriptCreateUtterances[${at}]`;
    if (!isObject(value) || !isObject(value.speaker)) throw invalid(`${where} needs a speaker`);
    const { id, name, email } = value.speaker;
    const { text, startTimeMillis, endTimeMillis, languageCode } = value;
    if (typeof id !== 'string' || typeof name !== 'string') throw invalid(`${where}.speaker needs "id" and "name"`);
    if (typeof text !== 'string' || text === '') throw invalid(`${where}.text is required`);
    if (!isTime(startTimeMillis) || !isTime(endTimeMillis) || endTimeMillis < startTimeMillis)
      throw invalid(`${where} needs startTimeMillis and endTimeMillis, in this order`);
    return {
      speaker: { id, name, ...(typeof email === 'string' ? { email } : {}) },
      text,
      startTimeMillis,
      endTimeMillis,
      ...(typeof languageCode === 'string' ? { languageCode } : {}),
    };
  }

  return {
    handle(call, id) {
      if (id === undefined) {
        if (call.method !== 'POST') throw notAllowed();
        const { engagementId, transcriptCreateUtterances } = objectOf(call.body);
        if (typeof engagementId !== 'number' || !Number.isSafeInteger(engagementId))
          throw invalid('engagementId is a number');
        if (!portal.get('calls', `${engagementId}`)) throw notFound();
        if (!Array.isArray(transcriptCreateUtterances) || transcriptCreateUtterances.length === 0)
          throw invalid('transcriptCreateUtterances is a list with at least one utterance');
        serial += 1;
        const transcript = {
          id: `${7_100_000 + serial}`,
          engagementId,
          transcriptUtterances: transcriptCreateUtterances.map(utterance),
        };
        kept.set(transcript.id, transcript);
        onChange();
        return { status: 200, body: { id: transcript.id } };
      }
      const transcript = kept.get(id);
      if (!transcript) throw notFound();
      if (call.method === 'GET') return { status: 200, body: transcript };
      if (call.method !== 'DELETE') throw notAllowed();
      kept.delete(id);
      onChange();
      return { status: 204 };
    },
    ofCall: (engagementId) => [...kept.values()].findLast((one) => `${one.engagementId}` === engagementId),
    all: () => [...kept.values()],
  };
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0;
}
