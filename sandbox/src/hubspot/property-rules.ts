/** Owns which value a property takes and how it is kept (the HubSpot contract, section 2.1). Must never know a record. */
import type { Property } from './properties.ts';

/** As the portal gives it back: no empty strings, and times as ISO text whatever was sent. */
export function stored(property: Property | undefined, value: unknown): string | null {
  if (typeof value !== 'string' || value === '') return null;
  if (property?.type !== 'datetime') return value;
  return new Date(/^\d+$/.test(value) ? Number(value) : value).toISOString();
}

/** What is wrong with a value, or nothing. */
export function problem(
  property: Property | undefined,
  name: string,
  value: unknown,
  ownerIds: ReadonlySet<string>,
): { code: string; message: string } | undefined {
  if (!property) return { code: 'PROPERTY_DOESNT_EXIST', message: `Property "${name}" does not exist` };
  if (property.calculated)
    return { code: 'READ_ONLY_VALUE', message: `"${name}" is a read only property; its value cannot be set.` };
  if (value === null || value === '') return undefined;
  if (typeof value !== 'string') return { code: 'INVALID_STRING', message: `"${name}": property values are strings` };
  if (property.options && !property.options.some((option) => option.value === value))
    return {
      code: 'INVALID_OPTION',
      message: `${value} was not one of the allowed options: [${property.options.map((option) => option.value).join(', ')}]`,
    };
  if (property.type === 'number' && !/^-?\d+(\.\d+)?$/.test(value))
    return { code: 'INVALID_INTEGER', message: `${value} was not a valid number` };
  if (property.type === 'datetime' && !(/^\d{10,}$/.test(value) || !Number.isNaN(Date.parse(value))))
    return { code: 'INVALID_DATE', message: `${value} was not a valid datetime` };
  if (name === 'hubspot_owner_id' && !ownerIds.has(value))
    return { code: 'INVALID_OWNER_ID', message: `${value} was not a valid owner id` };
  if (name === 'hs_call_recording_url' && !value.startsWith('https://'))
    return { code: 'INVALID_URL', message: `${value} must be an https URL` };
  return undefined;
}
