/**
 * The contract of Open CTI in Chromium, over the stand-in's versions or over the script that `OPENCTI_SCRIPT` names (`npm run test:opencti`).
 * One browser and one org for all of it.
 */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { panelSuite } from './panel-suite.ts';
import { type Rig, startRig } from './rig.ts';
import { scriptUnderTest } from './script-under-test.ts';
import { wireSuite } from './wire-suite.ts';

const script = scriptUnderTest();
let rig: Rig;
const there = (): Rig => rig;

beforeAll(async () => {
  rig = await startRig(script);
});
afterAll(async () => {
  await rig?.close();
});

it(`proves ${script.label}`, () => {
  expect(script.panelVersions.length).toBeGreaterThan(0);
});

wireSuite(script, there);
panelSuite(script, there);
