/**
 * Our two properties on calls, in one account: looks whether they are there and keep calls apart, and makes them where they are missing (HubSpot
 * contract, section 2.3). Never deletes one: it may hold the keys of logged calls.
 */
import { type HubSpotApi, HubSpotFailure, listOf, said, textOf } from './api.ts';

const own = [
  { name: 'patchcord_call_id', label: 'Patchcord call id', hasUniqueValue: true },
  { name: 'patchcord_last_written', label: 'Patchcord: what was written last', hasUniqueValue: false },
] as const;

export interface PropertyState {
  readonly name: string;
  readonly state: 'there' | 'created' | 'would be created';
}

/** @throws HubSpotFailure when one is there and does not keep calls apart, or can't be made */
export async function ownProperties(portal: HubSpotApi, dryRun: boolean): Promise<readonly PropertyState[]> {
  const answer = await portal.request('GET', '/crm/v3/properties/calls');
  if (answer.status >= 400)
    throw new HubSpotFailure(
      `HubSpot does not show the properties of calls: ${said(answer)}. The token needs crm.objects.contacts.read.`,
      answer.status,
    );
  const list = listOf(answer.body);
  const groupName = textOf(list.find((one) => one.name === 'hs_call_title')?.groupName) || textOf(list[0]?.groupName);
  const states: PropertyState[] = [];
  for (const property of own) {
    const there = list.find((one) => one.name === property.name);
    if (there !== undefined && property.hasUniqueValue && there.hasUniqueValue !== true)
      throw new HubSpotFailure(
        `The property ${property.name} of calls is there without "require unique values": calls could be logged twice. Delete it in HubSpot (Settings > Properties > Calls), then run this again.`,
      );
    if (there !== undefined) states.push({ name: property.name, state: 'there' });
    else if (dryRun) states.push({ name: property.name, state: 'would be created' });
    else {
      const created = await portal.request('POST', '/crm/v3/properties/calls', {
        ...property,
        type: 'string',
        fieldType: 'text',
        groupName,
      });
      // 409: a relay made it meanwhile.
      if (created.status >= 400 && created.status !== 409)
        throw new HubSpotFailure(
          `HubSpot does not make the property ${property.name}: ${said(created)}. Use a token with crm.schemas.contacts.write, or make it by hand: single-line text${property.hasUniqueValue ? ', unique values required' : ''}.`,
          created.status,
        );
      states.push({ name: property.name, state: 'created' });
    }
  }
  return states;
}
