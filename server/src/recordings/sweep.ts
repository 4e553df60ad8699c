/**
 * Whose a place of sound is, and what of it nobody knows any more. Must never take anything away from a place of another database, nor most of what
 * lies in one without an order: sound that is gone is gone.
 */
import type { FoundFile, SoundPlace } from './sound-place.ts';

/** Fewer files without a recording are what calls leave that were forgotten. */
const fewUnknown = 20;
/** Unknown files that one sweep looks at; the next goes on. */
const mostUnknown = 10_000;

/** Which of these files a recording has. */
export type KnownFiles = (files: readonly string[]) => Promise<ReadonlySet<string>>;

/**
 * Whether this database's recordings lie here. A place that says nothing becomes this database's, unless most files in it are strangers: a relay
 * with another DATABASE_URL has come by before the one whose they are.
 * @returns null where there is no such place (yet)
 */
export async function isPlaceOf(place: SoundPlace, database: string, known: KnownFiles): Promise<boolean | null> {
  const owner = await place.owner();
  if (owner !== null) return owner === database;
  let whole = 0;
  let ours = 0;
  for await (const page of place.pages()) {
    const files = page.flatMap((one) => (one.whole ? [one.file] : []));
    whole += files.length;
    ours += (await known(files)).size;
  }
  if (ours * 2 < whole) return false;
  const claimed = await place.claim(database);
  return claimed === null ? null : claimed === database;
}

/** What a sweep did. */
export interface Swept {
  readonly gone: number;
  /** Files of no recording that were left, since they are most of what lies here: a database that lost its rows looks the same. */
  readonly left: number;
}

/**
 * Takes away what no recording has: files of calls that were forgotten, and what a crash left half written. Only for a place of this database.
 * @param before Younger ones may be under way; epoch ms
 */
export async function sweepFiles(place: SoundPlace, known: KnownFiles, before: number): Promise<Swept> {
  let whole = 0;
  let unknown = 0;
  let gone = 0;
  const strangers: FoundFile[] = [];
  for await (const page of place.pages()) {
    const kept = await known(page.flatMap((one) => (one.whole ? [one.file] : [])));
    for (const one of page) {
      if (one.whole) whole += 1;
      if (one.whole && kept.has(one.file)) continue;
      const at = await one.at();
      if (at === null || at >= before) continue;
      if (one.whole) {
        unknown += 1;
        if (strangers.length < mostUnknown) strangers.push(one);
      } else {
        await one.remove();
        gone += 1;
      }
    }
  }
  const ordered = await place.isOrdered();
  if (unknown > fewUnknown && unknown * 2 > whole && !ordered) return { gone, left: unknown };
  for (const one of strangers) await one.remove();
  // An order is for what is there now.
  if (ordered && unknown === strangers.length) await place.forgetOrder();
  return { gone: gone + strangers.length, left: 0 };
}
