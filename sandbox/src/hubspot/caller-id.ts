/**
 * Owns the portal's own caller-ID matching: which contacts and companies have a number, as `CALLER_ID_MATCH_SUCCEEDED` and
 * `inbound-call` report them. Must never choose among several.
 */
import { calculatedNumber } from './calculated-number.ts';
import type { Portal } from './records.ts';

interface Coordinates {
  readonly portalId: number;
  readonly objectId: number;
  readonly objectTypeId: '0-1' | '0-2';
}

export type CallerMatch =
  | {
      readonly callerIdType: 'CONTACT';
      readonly objectCoordinates: Coordinates;
      readonly firstName: string;
      readonly lastName: string;
      readonly email: string;
    }
  | { readonly callerIdType: 'COMPANY'; readonly objectCoordinates: Coordinates; readonly name: string };

/** Everybody with that number, contacts first; an empty list means no match. */
export function callerMatches(portal: Portal, portalId: number, e164: string): CallerMatch[] {
  const contacts = portal
    .all('contacts')
    .filter(({ properties }) =>
      [properties.hs_calculated_phone_number, properties.hs_calculated_mobile_number].includes(e164),
    );
  const companies = portal
    .all('companies')
    .filter(
      ({ properties }) =>
        properties.phone &&
        calculatedNumber(properties.phone, properties.country === 'United Kingdom' ? 'GB' : 'US')?.e164 === e164,
    );
  return [
    ...contacts.map(({ id, properties }) => ({
      callerIdType: 'CONTACT' as const,
      objectCoordinates: { portalId, objectId: Number(id), objectTypeId: '0-1' as const },
      firstName: properties.firstname ?? '',
      lastName: properties.lastname ?? '',
      email: properties.email ?? '',
    })),
    ...companies.map(({ id, properties }) => ({
      callerIdType: 'COMPANY' as const,
      objectCoordinates: { portalId, objectId: Number(id), objectTypeId: '0-2' as const },
      name: properties.name ?? '',
    })),
  ];
}
