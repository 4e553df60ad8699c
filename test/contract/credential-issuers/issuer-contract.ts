/** What every credential issuer promises, whatever PBX is behind it. The PBX is real in the lab, and asks as documented where it can't be had. */
import { randomUUID } from 'node:crypto';
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { CredentialIssuer, Device, SipCredential } from '../../../server/src/credentials/issuer.ts';
import type { Store } from '../../../server/src/store/contract.ts';

export interface IssuerWorld {
  readonly issuer: CredentialIssuer;
  /** The same, but what it issues lapses after seconds. */
  readonly brief: CredentialIssuer;
  readonly tenant: TenantId;
  readonly store: Store;
  /** Sends a REGISTER as this user of the domain, and answers the challenge with the credential; the status it ends with. */
  register(credential: SipCredential, user: string, device?: DeviceId): Promise<number>;
  /** The connections of this user's phones break. */
  cut(user: string): Promise<void>;
  /** The same with an INVITE to somebody who isn't there. */
  invite(credential: SipCredential, user: string): Promise<number>;
  /** Where the PBX would ring for this user. */
  bindings(user: string): Promise<number>;
  /** The PBX begins anew and has forgotten what it keeps in memory. */
  restart(): Promise<void>;
  /** Time passes until then, epoch ms. */
  waitUntil(at: number): Promise<void>;
  close(): Promise<void>;
}

export const agents = {
  ada: { agent: 'ada' as AgentId, extension: '1101', name: 'Ada "The <Countess>" Byron' },
  bob: { agent: 'bob' as AgentId, extension: '1102', name: 'Bob Moog' },
} as const;

const refused = [401, 403, 407];
/** A PBX clears lost connections away in rounds of seconds. */
const within = { timeout: 15_000, interval: 100 };

/** The suite. An issuer that can't refuse is held to saying so instead. */
export function issuerContract(name: string, open: () => Promise<IssuerWorld>): void {
  describe(`the issuer "${name}"`, () => {
    let world: IssuerWorld;
    beforeAll(async () => {
      world = await open();
    });
    afterAll(() => world?.close());

    const aDevice = (of: keyof typeof agents = 'ada'): Device => ({ ...agents[of], id: randomUUID() as DeviceId });
    const userOf = (device: Device, { user }: SipCredential): string => user ?? device.extension;
    const withdraw = (device: Device, all = false) =>
      world.store.credentials.revokeIssued(world.tenant, device.agent, all ? null : device.id, Date.now());
    const registers = async (device: Device, credential: SipCredential) =>
      world.register(credential, userOf(device, credential), device.id);
    const calls = async (device: Device, credential: SipCredential) =>
      world.invite(credential, userOf(device, credential));

    it('issues a credential that the PBX takes at once', async () => {
      const device = aDevice();
      const credential = await world.issuer.issue(device);
      expect(credential.expiresAt).toBeGreaterThan(Date.now());
      expect(await registers(device, credential)).toBe(200);
      expect(refused).not.toContain(await calls(device, credential));
      expect(await world.bindings(userOf(device, credential))).toBeGreaterThan(0);
    });

    it('refuses a wrong password, and the right one for somebody else', async () => {
      const [mine, other] = [aDevice(), aDevice('bob')];
      const [credential, others] = [await world.issuer.issue(mine), await world.issuer.issue(other)];
      expect(refused).toContain(await registers(mine, { ...credential, password: 'guessed' }));
      expect(refused).toContain(await world.register(credential, userOf(other, others)));
      expect(refused).toContain(await world.invite(credential, userOf(other, others)));
      if (credential.username !== credential.user && others.username !== others.user)
        expect(refused).toContain(
          await world.register({ ...credential, username: others.username }, userOf(other, others)),
        );
    });

    it('renews a credential of a device without a gap, and keeps its address of record', async () => {
      const device = aDevice();
      const first = await world.issuer.issue(device);
      const second = await world.issuer.issue(device);
      const third = await world.issuer.issue(device);
      expect([second.user, third.user]).toEqual([first.user, first.user]);
      expect(await registers(device, third)).toBe(200);
    });

    it('says in plain words what it cannot take back, or takes it back', async () => {
      if (world.issuer.revocable) return;
      expect(world.issuer.limits).toMatch(/\w+ \w+/);
      const device = aDevice();
      const credential = await world.issuer.issue(device);
      await withdraw(device);
      await world.issuer.revoke(device, device.id);
      expect(await registers(device, credential)).toBe(200);
    });

    it('keeps no password, and makes one that nobody can guess', async () => {
      if (!world.issuer.revocable) return;
      const device = aDevice();
      const [one, two] = [await world.issuer.issue(device), await world.issuer.issue(device)];
      expect(one.password).not.toBe(two.password);
      // 192 bits in base64 are 32 characters.
      expect(one.password.length).toBeGreaterThanOrEqual(32);
      const kept = JSON.stringify(await world.store.credentials.issuedTo(world.tenant, device.agent, 0));
      expect(kept).not.toContain(one.password);
      expect(kept).not.toContain(two.password);
    });

    it('takes one device away, and no other', async () => {
      if (!world.issuer.revocable) return;
      const [lost, kept, others] = [aDevice(), aDevice(), aDevice('bob')];
      const held = [
        await world.issuer.issue(lost),
        await world.issuer.issue(kept),
        await world.issuer.issue(others),
      ] as const;
      expect(await registers(kept, held[1])).toBe(200);
      expect(await registers(lost, held[0])).toBe(200);
      await withdraw(lost);
      await world.issuer.revoke(lost, lost.id);
      expect(refused).toContain(await registers(lost, held[0]));
      expect(refused).toContain(await calls(lost, held[0]));
      if (held[0].user !== undefined) expect(await world.bindings(held[0].user)).toBe(0);
      expect(await world.bindings(userOf(kept, held[1]))).toBeGreaterThan(0);
      expect(await registers(kept, held[1])).toBe(200);
      expect(await registers(others, held[2])).toBe(200);
      // Saying it twice does no harm.
      await world.issuer.revoke(lost, lost.id);
    });

    it('takes every device of an agent away, and gives access again when it is asked to', async () => {
      if (!world.issuer.revocable) return;
      const [one, two, others] = [aDevice(), aDevice(), aDevice('bob')];
      const held = [
        await world.issuer.issue(one),
        await world.issuer.issue(two),
        await world.issuer.issue(others),
      ] as const;
      for (const [device, credential] of [
        [one, held[0]],
        [two, held[1]],
        [others, held[2]],
      ] as const)
        expect(await registers(device, credential)).toBe(200);
      await withdraw(one, true);
      const until = Math.ceil(Math.max(...held.map(({ expiresAt }) => expiresAt)) / 1_000);
      await world.store.credentials.denyUntil(world.tenant, one.agent, one.extension, until, Date.now());
      await world.issuer.revokeAgent(one);
      for (const [device, credential] of [
        [one, held[0]],
        [two, held[1]],
      ] as const) {
        expect(refused).toContain(await registers(device, credential));
        expect(refused).toContain(await calls(device, credential));
        if (world.issuer.limits === null) expect(await world.bindings(userOf(device, credential))).toBe(0);
      }
      expect(await registers(others, held[2])).toBe(200);
      const again = await world.issuer.issue(one);
      expect(await registers(one, again)).toBe(200);
    });

    it('knows whether a device is registered: no longer than its connection, and nothing of the agent’s others', async () => {
      const { issuer } = world;
      if (issuer.isRegistered === undefined) {
        // Whoever ends calls can tell first whether anybody is in them.
        expect(issuer.endCalls).toBeUndefined();
        return;
      }
      const [device, other] = [aDevice(), aDevice()];
      const [credential, others] = [await issuer.issue(device), await issuer.issue(other)];
      expect(await issuer.isRegistered(device, device.id)).toBe(false);
      expect(await registers(other, others)).toBe(200);
      expect(await issuer.isRegistered(device, device.id)).toBe(false);
      expect(await registers(device, credential)).toBe(200);
      await vi.waitFor(async () => expect(await issuer.isRegistered?.(device, device.id)).toBe(true), within);
      await world.cut(userOf(device, credential));
      await vi.waitFor(async () => expect(await issuer.isRegistered?.(device, device.id)).toBe(false), within);
    });

    it('puts back what the PBX forgot, and only that', async () => {
      if (!world.issuer.revocable) return;
      const [lives, gone] = [aDevice(), aDevice('bob')];
      const held = [await world.issuer.issue(lives), await world.issuer.issue(gone)] as const;
      await withdraw(gone);
      await world.issuer.revoke(gone, gone.id);
      await world.restart();
      await world.issuer.reconcile();
      expect(await registers(lives, held[0])).toBe(200);
      expect(refused).toContain(await registers(gone, held[1]));
      await world.issuer.reconcile();
      expect(await registers(lives, held[0])).toBe(200);
    });

    it('takes away by itself what it was never told of, and what has lapsed', async () => {
      if (!world.issuer.revocable) return;
      const [device, later] = [aDevice(), aDevice('bob')];
      const credential = await world.issuer.issue(device);
      await withdraw(device);
      await world.issuer.reconcile();
      expect(refused).toContain(await registers(device, credential));
      const lapses = await world.brief.issue(later);
      await world.waitUntil(lapses.expiresAt + 1_000);
      await world.issuer.reconcile();
      expect(refused).toContain(await registers(later, lapses));
    });
  });
}
