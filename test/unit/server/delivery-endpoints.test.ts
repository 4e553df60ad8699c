/** How an endpoint that is down is left alone: one event tries after each rest, and what waits is put off once, not at every rest. */
import { expect, it } from 'vitest';
import { EndpointsHealth } from '../../../server/src/delivery/deliver-webhook.ts';

const url = 'https://hooks.example.com';
const begun = 1_000_000;

function down(): EndpointsHealth {
  const health = new EndpointsHealth();
  for (let failure = 0; failure < 5; failure += 1) health.failed('acme', url, 'It answered 503.', begun, 1_000);
  return health;
}

it('lets one event try after a rest, and tells the others to wait for it', () => {
  const health = down();
  expect(health.notBefore('acme', url, begun + 999)).toMatchObject({ lookAt: begun + 1_000 });
  expect(health.notBefore('acme', url, begun + 1_000)).toBeNull();
  expect(health.notBefore('acme', url, begun + 1_000)?.lookAt).toBeGreaterThan(begun + 1_000);
  expect(health.notBefore('acme', 'https://another.example.com', begun + 1_000)).toBeNull();
  health.failed('acme', url, 'It answered 503.', begun + 1_001, 1_000);
  expect(health.notBefore('acme', url, begun + 2_000)).toMatchObject({ lookAt: begun + 3_001 });
  expect(health.notBefore('acme', url, begun + 3_001)).toBeNull();
});

it('puts what waits off to the same time through many rests', () => {
  const health = down();
  const until = health.notBefore('acme', url, begun)?.backlogUntil;
  const times = new Set<number | undefined>();
  for (let now = begun; now < begun + 500_000; now += 10_000) {
    const wait = health.notBefore('acme', url, now);
    if (wait === null) health.failed('acme', url, 'It answered 503.', now, 1_000);
    else times.add(wait.backlogUntil);
  }
  expect([...times]).toEqual([until]);
});

it('says when the endpoint is back, and then nothing waits', () => {
  const health = down();
  expect(health.notBefore('acme', url, begun + 1_000)).toBeNull();
  expect(health.taken('acme', url, begun + 1_001)).toBe(true);
  expect(health.notBefore('acme', url, begun + 1_002)).toBeNull();
  expect(health.taken('acme', url, begun + 1_003)).toBe(false);
});
