/**
 * The part of libphonenumber's metadata that a tenant's countries need, so that a panel does not carry the world's. Owns the cut; numbers of
 * other countries are still dialled in E.164, only not formatted.
 */
import metadata from 'libphonenumber-js/min/metadata';

interface Metadata {
  readonly version: number;
  readonly country_calling_codes: Readonly<Record<string, readonly string[]>>;
  readonly countries: Readonly<Record<string, unknown>>;
  readonly nonGeographic?: Readonly<Record<string, unknown>>;
}

const all = metadata as unknown as Metadata;
const made = new Map<string, Record<string, unknown>>();

/** @param countries ISO 3166-1 alpha-2; unknown ones are left out */
export function numberMetadata(countries: readonly string[]): Record<string, unknown> {
  const key = [...new Set(countries)].sort().join();
  const before = made.get(key);
  if (before !== undefined) return before;
  const wanted = new Set(countries);
  const codes: Record<string, readonly string[]> = {};
  const kept = new Set<string>();
  for (const [code, group] of Object.entries(all.country_calling_codes)) {
    if (!group.some((country) => wanted.has(country))) continue;
    // The whole group: its countries share a code, and a Canadian number is none by the American plan alone.
    codes[code] = group;
    for (const member of group) kept.add(member);
  }
  const cut: Record<string, unknown> = {
    version: all.version,
    country_calling_codes: codes,
    countries: Object.fromEntries(Object.entries(all.countries).filter(([country]) => kept.has(country))),
    nonGeographic: {},
  };
  made.set(key, cut);
  return cut;
}
