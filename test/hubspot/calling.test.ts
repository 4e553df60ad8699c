/**
 * The contract of HubSpot's calling extensions in Chromium: the genuine SDK in our panel half on one site, a host page written from the wire on
 * another, storage partitioned. One browser and one account for all of it.
 */
import { answersSuite } from './answers-suite.ts';
import { shareRig } from './bench.ts';
import { callsSuite } from './calls-suite.ts';
import { framesSuite } from './frames-suite.ts';
import { trustSuite } from './trust-suite.ts';

shareRig();
trustSuite();
callsSuite();
framesSuite();
answersSuite();
