import { type Credentials, PatchcordError } from '@patchcord/call-protocol';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { describe, expect, it } from 'vitest';
import {
  type CredentialTrouble,
  createCredentialKeeper,
} from '../../../packages/softphone-ui/src/credential-keeper.ts';
import { settle } from './panel-lab.ts';

function open(lifeMs = 600_000) {
  const clock = new FakeClock();
  const applied: { readonly at: number; readonly first: boolean }[] = [];
  const troubles: (CredentialTrouble | null)[] = [];
  const weather: { fault: PatchcordError | null } = { fault: null };
  const start = clock.now();
  const keeper = createCredentialKeeper({
    clock,
    random: () => 1,
    fetch: () =>
      weather.fault === null
        ? Promise.resolve<Credentials>({
            sip: { username: 'u', password: 'p', expiresAt: clock.now() + lifeMs },
            iceServers: [],
          })
        : Promise.reject(weather.fault),
    apply: (_credentials, first) => applied.push({ at: clock.now() - start, first }),
    trouble: (trouble) => troubles.push(trouble),
  });
  async function pass(ms: number): Promise<void> {
    clock.advance(ms);
    await settle();
  }
  return { clock, keeper, applied, troubles, weather, pass };
}

describe('the credential keeper', () => {
  it('fetches at the start and renews at two thirds of a credential’s life, again and again', async () => {
    const { keeper, applied, pass } = open(600_000);
    keeper.start();
    await pass(0);
    await pass(399_000);
    expect(applied).toEqual([{ at: 0, first: true }]);
    await pass(1_000);
    await pass(400_000);
    expect(applied.map(({ at }) => at)).toEqual([0, 400_000, 800_000]);
    expect(applied.slice(1).every(({ first }) => !first)).toBe(true);
  });

  it('fetches at once when the registrar refuses, and ever later while it goes on refusing', async () => {
    const { keeper, applied, pass } = open();
    keeper.start();
    await pass(0);
    keeper.rejected();
    await pass(0);
    expect(applied).toHaveLength(2);
    keeper.rejected();
    await pass(1_999);
    expect(applied).toHaveLength(2);
    await pass(1);
    expect(applied).toHaveLength(3);
    keeper.accepted();
    keeper.rejected();
    await pass(0);
    expect(applied).toHaveLength(4);
  });

  it('keeps trying while the relay is away, says so, and is quiet again when it is back', async () => {
    const { keeper, applied, troubles, weather, pass } = open();
    weather.fault = new PatchcordError('relay.unreachable', 'away', { retryable: true });
    keeper.start();
    await pass(0);
    await pass(300_000);
    expect(applied).toEqual([]);
    expect(troubles.at(-1)).toMatchObject({ code: 'relay.unreachable' });
    weather.fault = null;
    keeper.nudge();
    await pass(0);
    expect(applied).toHaveLength(1);
    expect(troubles.at(-1)).toBeNull();
  });

  it('stops for good when the credential was revoked', async () => {
    const { keeper, troubles, weather, pass } = open();
    weather.fault = new PatchcordError('credential.revoked', 'Ended by the admin.');
    keeper.start();
    await pass(0);
    await pass(3_600_000);
    expect(troubles).toHaveLength(1);
  });

  it('does not storm the relay when clocks differ and every credential looks lapsed', async () => {
    const { keeper, applied, pass } = open(-60_000);
    keeper.start();
    await pass(0);
    await pass(4_999);
    expect(applied).toHaveLength(1);
    await pass(1);
    expect(applied).toHaveLength(2);
  });
});
