/**
 * What can be proven of the Apex classes without an org: that they compile (types, methods, fields of our own objects), that they keep the
 * security rules of Salesforce's analyser, that they are formatted. Apex runs only in an org, so nothing here proves what they do.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { CodeAnalyzer, CodeAnalyzerConfig, SeverityLevel } from '@salesforce/code-analyzer-core';
import pmd from '@salesforce/code-analyzer-pmd-engine';
import { check, resolveConfig } from 'prettier';
import { type CheckResult, shown, sourceFiles } from './metadata-xml.ts';

const javaMissing = 'Java 17 is missing: apt-get install openjdk-17-jre-headless';

/**
 * Rules of PMD that stop a build, with what they keep us from. Matters of taste (documentation, naming, length) are left to review; formatting
 * is prettier's.
 */
export const apexRules: Readonly<Record<string, string>> = {
  ApexBadCrypto: 'home-made keys and vectors',
  ApexCRUDViolation: 'reading or writing past the rights of the user',
  ApexCSRF: 'writing while a page is opened',
  ApexDangerousMethods: 'switching platform protection off',
  ApexInsecureEndpoint: 'callouts without TLS',
  ApexOpenRedirect: 'sending the browser where a parameter says',
  ApexSharingViolations: 'classes without a sharing keyword',
  ApexSOQLInjection: 'text of others inside a query',
  ApexSuggestUsingNamedCred: 'credentials in code',
  ApexXSSFromEscapeFalse: 'markup of others on a page',
  ApexXSSFromURLParam: 'URL parameters on a page',
  AvoidUnauthorizedApiSessionIdInApex: "handing out the user's session",
  AvoidUnauthorizedGetSessionIdInApex: "handing out the user's session",
  AvoidHardcodedCredentialsInHttpHeader: 'credentials in code',
  AvoidHardcodedCredentialsInSetPassword: 'credentials in code',
  AvoidLmcIsExposedTrue: 'a message channel open to every package of the org',
  AvoidJavaScriptInUrls: 'script behind a link',
  AvoidHardcodingId: 'ids of one org',
  EmptyCatchBlock: 'failures nobody hears of',
  ApexUnitTestClassShouldHaveAsserts: 'tests that prove nothing',
  ApexUnitTestMethodShouldHaveIsTestAnnotation: 'tests that never run',
  ApexUnitTestShouldNotUseSeeAllDataTrue: "tests that depend on an org's data",
  OperationWithLimitsInLoop: 'queries and writes that hit the limits of the platform',
  OverrideBothEqualsAndHashcode: 'maps that lose entries',
  TypeShadowsBuiltInNamespace: 'classes that hide the platform',
  InaccessibleAuraEnabledGetter: 'properties a component cannot read',
  TestMethodsMustBeInTestClasses: 'tests that never run',
  AvoidGlobalInstallUninstallHandlers: 'code run as nobody',
  AvoidUnsafePasswordManagementUse: 'passwords set by code',
  AvoidChangeProtectionUnprotected: 'package protection switched off',
};

/** Compiles every class with the compiler front end inside Salesforce's own analyser (two seconds, Java 17). */
export function checkApexCompiles(root: string): CheckResult {
  const name = 'apex';
  const engine = createRequire(import.meta.url).resolve('@salesforce/code-analyzer-pmd-engine');
  const jars = join(dirname(engine), 'java-lib', '*');
  const args = ['-cp', jars, 'io.github.apexdevtools.apexls.CheckForIssues', '-n', '-d', 'warnings', '-w', root];
  const result = spawnSync('java', args, { encoding: 'utf8' });
  const classes = apexFiles(root).length;
  if (result.error !== undefined) return { name, detail: '', failures: [javaMissing] };
  const failures = result.status === 0 ? [] : `${result.stdout}${result.stderr}`.trim().split('\n');
  return { name, detail: `${classes} classes`, failures };
}

/** Runs the rules of `apexRules` over classes and metadata (about five seconds, Java 17). */
export async function checkApexRules(root: string): Promise<CheckResult> {
  const name = 'apex rules';
  const scratch = mkdtempSync(join(tmpdir(), 'patchcord-rules-'));
  try {
    // The analyser leaves its working folder and its log behind: in a folder that goes.
    const config = CodeAnalyzerConfig.fromObject({ log_folder: scratch, root_working_folder: scratch });
    const analyzer = new CodeAnalyzer(config);
    await analyzer.addEnginePlugin(pmd.createEnginePlugin());
    const workspace = await analyzer.createWorkspace([...sourceFiles(root)]);
    const rules = await analyzer.selectRules(
      Object.keys(apexRules).map((rule) => `pmd:${rule}`),
      { workspace },
    );
    const known = new Set(rules.getRulesFor('pmd').map((rule) => rule.getName()));
    const failures = Object.keys(apexRules)
      .filter((rule) => !known.has(rule))
      .map((rule) => `the analyser has no rule ${rule}: take it out of scripts/salesforce/apex-check.ts`);
    for (const violation of (await analyzer.run(rules, { workspace })).getViolations()) {
      const rule = violation.getRule();
      const place = violation.getCodeLocations()[violation.getPrimaryLocationIndex()];
      const where = `${shown(root, place?.getFile() ?? root)}:${place?.getStartLine() ?? 0}`;
      const reason = apexRules[rule.getName()] ?? SeverityLevel[rule.getSeverityLevel()];
      failures.push(`${where}: ${rule.getName()} (${reason}): ${violation.getMessage()}`);
    }
    return { name, detail: `${known.size} rules`, failures };
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return { name, detail: '', failures: [/java/i.test(text) ? `${javaMissing} (${text})` : text] };
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Whether prettier would leave every class as it is; `npm run format` writes them. */
export async function checkApexFormat(root: string): Promise<CheckResult> {
  const files = apexFiles(root);
  const failures: string[] = [];
  for (const path of files) {
    try {
      const config = await resolveConfig(path);
      if (!(await check(readFileSync(path, 'utf8'), { ...config, filepath: path })))
        failures.push(`${shown(root, path)}: not formatted: npm run format`);
    } catch (error) {
      failures.push(`${shown(root, path)}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { name: 'apex format', detail: `${files.length} classes`, failures };
}

/** Every Apex class and trigger of the source. */
export function apexFiles(root: string): readonly string[] {
  return sourceFiles(root).filter((path) => /\.(cls|trigger)$/.test(path));
}
