/** What stands of a spoken call outside of the panel: on the record's page while it lasts, in the CRM afterwards. Owns how that is read. */
import { demoAgents } from '@patchcord/sandbox';
import type { Stage } from '../../scripts/stage.ts';
import { patience, type SpokenCall, type Words, wordsOf } from './spoken-calls.ts';
import { until } from './telephony.ts';

const agents = demoAgents.map(({ firstName, lastName }) => `${firstName} ${lastName}`);
const speakerOf = (name: string): 'agent' | 'far-side' => (agents.includes(name) ? 'agent' : 'far-side');

/** The final lines that the component on the record's page shows. */
export async function onRecordPage({ page }: Pick<SpokenCall, 'page'>): Promise<Words> {
  const of = async (speaker: 'agent' | 'far-side') => {
    const said = await page.locator(`.line_${speaker}:not(.line_partial) .said`).allTextContents();
    return said.map((text) => ({ speaker, text: text.trim() }));
  };
  return wordsOf([...(await of('agent')), ...(await of('far-side'))]);
}

/** The transcript that the HubSpot portal holds of its newest call, once it is there. */
export async function keptInHubSpot({ hubspot }: Stage, before: number): Promise<Words> {
  const kept = await until(
    'the transcript in HubSpot',
    () => (hubspot.transcripts.all().length > before ? hubspot.transcripts.all().at(-1) : undefined),
    patience,
  );
  return wordsOf(kept.transcriptUtterances.map(({ speaker, text }) => ({ speaker: speakerOf(speaker.name), text })));
}

/** The transcripts that the Salesforce org holds, as their fields have them. */
export function transcriptsInSalesforce({ salesforce }: Stage): readonly string[] {
  return salesforce.records.Patchcord_Call__c.flatMap(({ Transcript__c: text }) =>
    typeof text === 'string' && text !== '' ? [text] : [],
  );
}

/** The words of the newest transcript that the Salesforce org holds, once there are more than before. */
export async function keptInSalesforce(stage: Stage, before: number): Promise<Words> {
  const kept = await until(
    'the transcript in Salesforce',
    () => (transcriptsInSalesforce(stage).length > before ? transcriptsInSalesforce(stage).at(-1) : undefined),
    patience,
  );
  const lines = [...kept.matchAll(/^\[[\d:]+\] ([^:]+): (.+)$/gm)];
  return wordsOf(lines.map(([, name = '', text = '']) => ({ speaker: speakerOf(name), text })));
}
