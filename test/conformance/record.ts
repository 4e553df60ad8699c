/**
 * Records what a test has shown of a feature with a far end, for the conformance table. Owns nothing but the line it writes; a test calls it behind its
 * last assertion, so that nothing stands in the table that was not shown. Outside of `npm run conformance` it does nothing.
 */
import { appendFileSync } from 'node:fs';
import process from 'node:process';
import type { ConformanceEntry, ConformanceFeature, FarEnd } from '../../scripts/conformance-table.ts';

/**
 * The feature works with this far end. All arguments are plain text in the source: `npm run check` reads them without running the test.
 * @param shown.heard what was measured of the sound, on which side
 * @param shown.wire which SIP messages were looked at, with what makes them right
 */
export function conforms(
  feature: ConformanceFeature,
  farEnd: FarEnd,
  shown: { readonly heard: string; readonly wire: string },
): void {
  record({ feature, farEnd, heard: shown.heard, wire: shown.wire });
}

/** This far end cannot do it, or does it otherwise, and why; asserted by the test that says so wherever that can be. */
export function limited(feature: ConformanceFeature, farEnd: FarEnd, limit: string): void {
  record({ feature, farEnd, limit });
}

function record(entry: ConformanceEntry): void {
  const file = process.env.PATCHCORD_CONFORMANCE;
  if (file !== undefined && file !== '') appendFileSync(file, `${JSON.stringify(entry)}\n`);
}
