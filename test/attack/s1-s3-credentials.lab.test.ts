/** The short forms of the attacks on credentials. */
import { expect, it } from 'vitest';
import { drill as revoked } from './s1-revoked.ts';
import { drill as foreign } from './s3-foreign-credentials.ts';

const options = { seed: 1, short: true, say: () => undefined };

it('nothing that a revoked device or agent holds works any more, and nobody else notices', async () => {
  expect(await revoked.run(options)).toMatchObject({ passed: true, succeeded: 0, bystandersHit: 0 });
});

it('a credential works for its own extension, tenant and realm, and an answer once', async () => {
  expect(await foreign.run(options)).toMatchObject({ passed: true, succeeded: 0 });
});
