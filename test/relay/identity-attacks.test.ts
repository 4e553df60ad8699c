import { expect, it } from 'vitest';
import { tryStolenTokens } from '../attack/s9-stolen-tokens.ts';
import { tryForgedIdentities } from '../attack/s10-forged-identities.ts';

it('opens to no stolen token, replayed proof or used refresh token', async () => {
  expect(await tryStolenTokens({ rounds: 1 })).toMatchObject({ passed: true, succeeded: 0 });
});

it('signs nobody in by a forged, expired or borrowed identity', async () => {
  expect(await tryForgedIdentities({ rounds: 1 })).toMatchObject({ passed: true, succeeded: 0 });
}, 60_000);
