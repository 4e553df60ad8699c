import { expect, it } from 'vitest';
import { bitsOf, huntCanaries } from '../attack/s2-canaries.ts';
import { startRelayInTest } from '../unit/server/relay-in-test.ts';

it('no secret that was planted is found anywhere: log, answers, addresses, database, failed starts', async () => {
  expect(await huntCanaries({ rounds: 1 })).toMatchObject({ passed: true, succeeded: 0 });
});

it('what is minted has 192 bits and never repeats; a code that is typed has 39, for five minutes', async () => {
  const one = await startRelayInTest();
  try {
    const secrets: string[] = [];
    for (let count = 0; count < 8; count += 1) {
      const session = await one.signIn(count % 2 === 0 ? 'ada' : 'bob');
      secrets.push(session.token.split('.').at(-1) ?? '');
      const given = (await (await one.fetch('/v1/credentials', { token: session.token, method: 'POST' })).json()) as {
        sip: { password: string };
      };
      secrets.push(given.sip.password);
    }
    for (const secret of secrets) expect(bitsOf(secret)).toBeGreaterThanOrEqual(192);
    expect(new Set(secrets).size).toBe(secrets.length);
    const { code } = await one.relay.createPairingCode('acme', 'ada');
    expect(code.replace('-', '').length * Math.log2(30)).toBeGreaterThan(39);
  } finally {
    await one.closed();
  }
});
