/** Everything `npm run check` proves of the HubSpot project, offline, in the order in which a failure is quickest to understand. */
import { checkComponents } from './component-check.ts';
import type { CheckResult } from './project.ts';
import { checkExtensionReferences } from './reference-check.ts';
import { checkExtensionBundles, checkExtensionLint, checkExtensionTypes } from './source-check.ts';

/** Runs every check over the project at `root` (absolute); together about five seconds. */
export async function* hubSpotExtensionChecks(root: string): AsyncGenerator<CheckResult> {
  yield checkComponents(root);
  yield checkExtensionReferences(root);
  yield await checkExtensionLint(root);
  yield await checkExtensionTypes(root);
  yield await checkExtensionBundles(root);
}
