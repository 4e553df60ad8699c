/**
 * Owns what HubSpot is told of a call beside its properties: that its recording can be fetched, and what was said in it (HubSpot contract, section
 * 1.9). Must never send sound: HubSpot fetches that from the relay, at the address that the app's calling settings name.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { CrmRelay, SpokenLine } from '../relay-contract.ts';
import { isRecordId } from './call.ts';
import { type HubSpotClient, isObject, text } from './client.ts';

const hasTranscript = 'hs_call_has_transcript';

/** The two of a relay that speak of recordings and transcripts. */
export function createMediaTeller(
  client: Pick<HubSpotClient, 'request'>,
): Required<Pick<CrmRelay, 'recordingReady' | 'writeTranscript'>> {
  return {
    async recordingReady(logId) {
      const body = { engagementId: engagementId(logId) };
      await client.request('POST', '/crm/v3/extensions/calling/recordings/ready', body, 'to be told of a recording');
    },

    async writeTranscript(logId, lines) {
      const id = engagementId(logId);
      // A transcript has no key of ours, and none can be listed: after a lost answer only the call itself says that it has one. HubSpot also
      // makes one by itself from a recording; a second would stand beside it.
      const call = await client.request(
        'GET',
        `/crm/v3/objects/calls/${logId}?properties=${hasTranscript}`,
        undefined,
        'to see whether the call has a transcript',
      );
      if (saysYes(call.body)) return '';
      const answer = await client.request(
        'POST',
        '/crm/v3/extensions/calling/transcripts',
        { engagementId: id, transcriptCreateUtterances: lines.map(utterance) },
        'a transcript',
      );
      const given = isObject(answer.body) ? answer.body.id : undefined;
      return typeof given === 'number' ? String(given) : text(given);
    },
  };
}

function utterance({ speaker, speakerName, text: said, startMs, endMs, language }: SpokenLine) {
  return {
    speaker: { id: speaker, name: speakerName },
    text: said,
    startTimeMillis: startMs,
    endTimeMillis: endMs,
    ...(language === undefined ? {} : { languageCode: language }),
  };
}

function saysYes(body: unknown): boolean {
  const properties = isObject(body) && isObject(body.properties) ? body.properties : {};
  return properties[hasTranscript] === 'true' || properties[hasTranscript] === true;
}

/** HubSpot wants a number here; the ids of its objects are whole numbers that a double holds. */
function engagementId(logId: string): number {
  const id = Number(logId);
  if (!isRecordId(logId) || !Number.isSafeInteger(id)) {
    throw new PatchcordError(
      'crm.invalid',
      'The id of this log is none that HubSpot gives to calls. Nothing was sent.',
    );
  }
  return id;
}
