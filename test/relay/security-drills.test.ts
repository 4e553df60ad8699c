/** The short forms of attacks that need no SIP server. */
import { expect, it } from 'vitest';
import { forgeWebhooks } from '../attack/s7-webhooks.ts';
import { frameFromEverywhere } from '../attack/s8-framing.ts';
import { typeCards } from '../attack/s12-cards.ts';
import { inspectPackages } from '../attack/s15-supply-chain.ts';

it('every forged webhook is refused and every good one taken, in and out', async () => {
  expect(await forgeWebhooks(7, 300)).toMatchObject({ passed: true, succeeded: 0, refusedGood: 0 });
});

it('only the page of the tenant frames the phone, in Chromium, and no page reads the relay', async () => {
  expect(await frameFromEverywhere()).toMatchObject({ passed: true, succeeded: 0, ownFramed: true });
});

it('a card number in a note reaches neither store nor CRM nor webhook nor log', async () => {
  expect(await typeCards(12, 2, 1_000)).toMatchObject({ passed: true, succeeded: 0 });
});

it('every package comes from the registry with a hash, and a bill of materials comes out', () => {
  expect(inspectPackages({ asksRegistry: false })).toMatchObject({ passed: true, succeeded: 0 });
});
