/**
 * Owns telling what a person changed in call objects that HubSpot made: the history of their properties, as HubSpot keeps it. Must never count what
 * HubSpot put there when it made the object as a person's, nor what an app, a workflow or a calculation wrote.
 */
import { isObject, listOf, text } from './answers.ts';
import type { HubSpotClient } from './client.ts';

/** HubSpot's limit of a batch that asks for histories. */
const atOnce = 50;
/** What is set within this of the object's creation was set by creating it, ms. */
const creationMs = 5_000;
/** Sources that are no person. One we do not know counts as a person: then nothing is lost. */
const machines =
  /^(ACADEMY|ANALYTICS|API$|AUTOMATION|BACKFILL|BEHAVIORAL|CALCULAT|CLONE|DATA_|DEFAULT|FLYWHEEL|INTEGRATION|INTERNAL|MERGE|MIGRATION|PROPERTY_|QUOTAS|SYNC|WAL_|WORKFLOW)/;

/**
 * Which of these properties of these call objects a person changed, by object id; objects that are gone are absent.
 * @throws PatchcordError `crm.*`
 */
export async function editsIn(
  client: HubSpotClient,
  ids: readonly string[],
  names: readonly string[],
): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
  const found = new Map<string, ReadonlySet<string>>();
  for (let from = 0; from < ids.length; from += atOnce) {
    const answer = await client.request(
      'POST',
      '/crm/v3/objects/calls/batch/read',
      {
        properties: ['hs_createdate'],
        propertiesWithHistory: names,
        inputs: ids.slice(from, from + atOnce).map((id) => ({ id })),
      },
      'to see what people changed in a call',
      // none of them is there
      [404],
    );
    for (const result of listOf(answer.body, 'results').filter(isObject)) {
      const createdAt = Date.parse(text(result.createdAt));
      const edited = names.filter((name) => isEdited(listOf(result.propertiesWithHistory, name), createdAt));
      found.set(text(result.id), new Set(edited));
    }
  }
  return found;
}

/** Newest first, as HubSpot gives them; the oldest came with the object, where it is as old. */
function isEdited(versions: readonly unknown[], createdAt: number): boolean {
  return versions.filter(isObject).some((version, index, all) => {
    if (machines.test(text(version.sourceType))) return false;
    const isFirst = index === all.length - 1;
    return !isFirst || Date.parse(text(version.timestamp)) > createdAt + creationMs;
  });
}
