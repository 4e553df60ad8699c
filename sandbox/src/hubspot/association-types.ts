/**
 * Owns HubSpot's own association types between the objects of the emulated portal, by their documented ids (the HubSpot contract, section 2.2).
 * Must never hold a link: those are in `records.ts`.
 */
import type { ObjectType } from './properties.ts';

const types: Partial<Record<`${ObjectType}>${ObjectType}`, number>> = {
  'calls>contacts': 194,
  'calls>companies': 182,
  'calls>deals': 206,
  'calls>tickets': 220,
  'contacts>calls': 193,
  'companies>calls': 181,
  'deals>calls': 205,
  'tickets>calls': 219,
  'contacts>companies': 279,
  'companies>contacts': 280,
  'contacts>deals': 4,
  'deals>contacts': 3,
  'companies>deals': 342,
  'deals>companies': 341,
  'contacts>tickets': 15,
  'tickets>contacts': 16,
  'companies>tickets': 340,
  'tickets>companies': 339,
  'deals>tickets': 27,
  'tickets>deals': 28,
};

/** The default type between two kinds of object, or nothing where HubSpot has none. */
export function associationType(from: ObjectType, to: ObjectType): number | undefined {
  return types[`${from}>${to}`];
}

/** What a type id of an object leads to, or nothing when the id is not one of that object's. */
export function associationTarget(from: ObjectType, typeId: number): ObjectType | undefined {
  const found = Object.entries(types).find(([pair, id]) => id === typeId && pair.startsWith(`${from}>`));
  return found?.[0].split('>')[1] as ObjectType | undefined;
}
