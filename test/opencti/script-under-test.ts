/**
 * Owns which Open CTI script the suite proves: the sandbox's stand-in in several versions, or the one file that `OPENCTI_SCRIPT` names. Must
 * never fall back from a file that was asked for to the stand-in.
 */
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { bundled } from '../../sandbox/src/page/bundle.ts';

export interface ScriptUnderTest {
  /** For a person: what is proved. */
  readonly label: string;
  readonly standIn: boolean;
  /** Versions for the wire of the script itself; all of them cheap. */
  readonly wireVersions: readonly number[];
  /** Versions for the whole panel half. */
  readonly panelVersions: readonly number[];
  source(version: number): Promise<string>;
}

/**
 * Reads `OPENCTI_SCRIPT` and `OPENCTI_VERSION`.
 * @throws Error that says what is wrong with the file and what to do
 */
export function scriptUnderTest(env: Readonly<Record<string, string | undefined>> = process.env): ScriptUnderTest {
  const file = env.OPENCTI_SCRIPT;
  if (file === undefined || file === '') {
    let source: Promise<string> | undefined;
    const wireVersions = [43, 46, 47, 55, 57, 68];
    return {
      label: `the sandbox's stand-in, versions ${wireVersions.join(', ')}`,
      standIn: true,
      wireVersions,
      panelVersions: [43, 57, 66, 68],
      async source(version) {
        source ??= bundled(new URL('../../sandbox/src/salesforce/', import.meta.url).href, './browser/opencti.ts');
        return (await source).replaceAll('__API_VERSION__', `${version}`);
      },
    };
  }
  const text = readScript(file);
  const version = versionOf(file, text, env.OPENCTI_VERSION);
  return {
    label: `${file}, version ${version}`,
    standIn: false,
    wireVersions: [version],
    panelVersions: [version],
    source: async () => text,
  };
}

function readScript(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(
      `OPENCTI_SCRIPT names ${file}, which cannot be read. Save your org's /support/api/66.0/lightning/opencti_min.js there, or leave the variable out.`,
      { cause: error },
    );
  }
  const parts = ['sforce', 'opencti', 'postMessage', 'sfdcIframeOrigin'].filter((part) => !text.includes(part));
  if (parts.length > 0)
    throw new Error(
      `${file} is no Open CTI script for Lightning: it does not contain ${parts.join(', ')}. Save your org's /support/api/66.0/lightning/opencti_min.js; a sign-in page in its place means it was fetched from the wrong host.`,
    );
  return text;
}

/** `OPENCTI_VERSION`, the file's name (`opencti_57.js`, `57.0/lightning/opencti_min.js`), or what the script says of itself. */
export function versionOf(file: string, text: string, given: string | undefined): number {
  const said =
    given ??
    /(?:^|\D)(\d{2})(?:\.0)?(?!\d)/.exec(basename(file))?.[1] ??
    /\/(\d{2})\.0\//.exec(file)?.[1] ??
    /api_?version["']?\s*[:=]\s*["']?(\d{2})\b/i.exec(text)?.[1];
  const version = Number(said);
  if (said === undefined || !Number.isInteger(version) || version < 38 || version > 99)
    throw new Error(
      `The version of ${file} is not known. Say it: OPENCTI_VERSION=66 OPENCTI_SCRIPT=${file} npm run test:opencti`,
    );
  return version;
}
