import { expect, it } from 'vitest';
import { runShort } from '../drill.ts';
import { drill } from './h1-one-engagement.ts';

it('whatever HubSpot’s pages, agents and reloads do in whatever order, a call has one engagement with its status and its record', async () => {
  expect(await runShort(drill)).toMatchObject({
    passed: true,
    missing: 0,
    doubled: 0,
    wrongStatus: 0,
    wrongRecord: 0,
    ghosts: 0,
    lint: 0,
  });
});
