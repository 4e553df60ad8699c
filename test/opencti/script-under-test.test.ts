/** Which script the suite says it proves: never another one than was asked for. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scriptUnderTest, versionOf } from './script-under-test.ts';

const content = 'window.sforce={opencti:{}};parent.postMessage(1,sfdcIframeOrigin);var v={apiVersion:57}';
let folder: string;
const file = (name: string, text = content): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-script-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('the script that is proved', () => {
  it('is the stand-in without the variable, and exactly the file with it', async () => {
    expect(scriptUnderTest({}).standIn).toBe(true);
    const path = file('opencti_min.js');
    const chosen = scriptUnderTest({ OPENCTI_SCRIPT: path });
    expect(chosen).toMatchObject({ standIn: false, panelVersions: [57], wireVersions: [57] });
    expect(chosen.label).toContain(path);
    expect(await chosen.source(57)).toBe(content);
  });

  it('has its version from the variable, its name, its folder or its content, in this order', () => {
    expect(versionOf('/a/opencti-55_min.js', content, '68')).toBe(68);
    expect(versionOf('/a/opencti-55_min.js', content, undefined)).toBe(55);
    expect(versionOf('/a/opencti.66.0.js', content, undefined)).toBe(66);
    expect(versionOf('/support/api/43.0/lightning/opencti_min.js', content, undefined)).toBe(43);
    expect(versionOf('/a/opencti_min.js', content, undefined)).toBe(57);
  });

  it('is refused in plain words when it is missing, is another page, or keeps its version to itself', () => {
    const refused = (env: Record<string, string>) => () => scriptUnderTest(env);
    expect(refused({ OPENCTI_SCRIPT: join(folder, 'no.js') })).toThrow(/cannot be read.*Save your org/);
    expect(refused({ OPENCTI_SCRIPT: file('login.js', '<html>Login</html>') })).toThrow(/no Open CTI script.*sforce/);
    const silent = file('script.js', content.replace('apiVersion:57', 'a:1'));
    expect(refused({ OPENCTI_SCRIPT: silent })).toThrow(/OPENCTI_VERSION=66/);
  });
});
