/**
 * Everything `npm run check` proves of the Salesforce source, offline, in the order in which a failure is quickest to understand.
 */
import { checkAddresses } from './address-check.ts';
import { checkApexCompiles, checkApexFormat, checkApexRules } from './apex-check.ts';
import { checkConversion } from './conversion-check.ts';
import { checkLwcCompiles, checkLwcLint } from './lwc-check.ts';
import { checkMetadataTypes } from './metadata-check.ts';
import type { CheckResult } from './metadata-xml.ts';
import { checkReferences } from './reference-check.ts';

/** Runs every check over the project at `root` (absolute); together about twenty seconds. */
export async function* salesforceChecks(root: string): AsyncGenerator<CheckResult> {
  yield checkMetadataTypes(root);
  yield await checkConversion(root);
  yield checkReferences(root);
  yield checkAddresses(root);
  yield checkApexCompiles(root);
  yield await checkApexFormat(root);
  yield await checkApexRules(root);
  yield await checkLwcLint(root);
  yield checkLwcCompiles(root);
}
