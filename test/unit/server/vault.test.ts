import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode, type TenantId } from '@patchcord/call-protocol';
import { startHubSpotSandbox } from '@patchcord/sandbox';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CrmTokens } from '../../../server/src/crm-tokens.ts';
import type { Store } from '../../../server/src/store/contract.ts';
import { openStore } from '../../../server/src/store/open.ts';
import { encryptionKeys, Vault } from '../../../server/src/vault.ts';

const acme = 'acme' as TenantId;
const key = (id: string) => ({ id, key: randomBytes(32) });

let folder: string;
let store: Store;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'patchcord-vault-'));
  store = await openStore({ kind: 'sqlite', folder });
});
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

function codeOf(work: () => unknown): string {
  try {
    work();
    return 'none';
  } catch (error) {
    return errorCode(error);
  }
}

describe('the vault', () => {
  it('keeps what only its keys open, and never the same bytes twice', async () => {
    const vault = new Vault(store.vault, () => [key('one')], Date.now);
    expect(await vault.put(acme, 'hubspot', 'a secret', 0)).toBe(true);
    expect(await vault.read(acme, 'hubspot')).toEqual({ text: 'a secret', version: 1 });
    expect(await vault.put(acme, 'hubspot', 'another', 0)).toBe(false);
    expect(JSON.stringify(await store.vault.find(acme, 'hubspot'))).not.toContain('secret');
    expect(vault.seal('x', 'y')).not.toBe(vault.seal('x', 'y'));
  });

  it('opens nothing that was moved, changed, or sealed with a key it does not have', () => {
    const vault = new Vault(store.vault, () => [key('one')], Date.now);
    const sealed = vault.seal('acme hubspot', 'a secret');
    expect(vault.open('acme hubspot', sealed)).toBe('a secret');
    expect(codeOf(() => vault.open('globex hubspot', sealed))).toBe('config.invalid');
    for (let at = 'one.'.length; at < sealed.length - 1; at += 1) {
      const changed = `${sealed.slice(0, at)}${sealed[at] === 'A' ? 'B' : 'A'}${sealed.slice(at + 1)}`;
      expect(codeOf(() => vault.open('acme hubspot', changed))).toBe('config.invalid');
    }
    expect(codeOf(() => new Vault(store.vault, () => [key('one')], Date.now).open('acme hubspot', sealed))).toBe(
      'config.invalid',
    );
    expect(codeOf(() => new Vault(store.vault, () => [key('two')], Date.now).open('acme hubspot', sealed))).toBe(
      'config.invalid',
    );
  });

  it('is sealed anew with a new key, however often that is begun', async () => {
    const [old, fresh] = [key('old'), key('new')];
    const before = new Vault(store.vault, () => [old], Date.now);
    for (const kind of ['a', 'b', 'c']) await before.put(acme, kind, `secret ${kind}`, 0);
    await new Vault(store.vault, () => [key('lost')], Date.now).put(acme, 'd', 'gone', 0);
    const after = new Vault(store.vault, () => [fresh, old], Date.now);
    expect(await after.rotate()).toEqual({ rotated: 3, changed: 0, unknown: ['acme d (key "lost")'] });
    expect(await after.rotate()).toEqual({ rotated: 0, changed: 0, unknown: ['acme d (key "lost")'] });
    const alone = new Vault(store.vault, () => [fresh], Date.now);
    expect(await alone.read(acme, 'b')).toMatchObject({ text: 'secret b' });
  });

  it('makes a private key file for a relay that is alone, and demands keys of those that share a database', async () => {
    const [one, two] = [encryptionKeys({ dataDir: folder }), encryptionKeys({ dataDir: folder })];
    expect(one[0]?.key.equals(two[0]?.key ?? Buffer.alloc(0))).toBe(true);
    expect((await stat(join(folder, 'vault.key'))).mode & 0o777).toBe(0o600);
    expect(codeOf(() => encryptionKeys({ dataDir: folder, databaseUrl: 'postgres://x' }))).toBe('config.invalid');
  });
});

describe('tokens of a connected account', () => {
  it('are renewed by one of two relays, though each refresh token is good once', async () => {
    const clientSecret = 'a-hubspot-client-secret';
    const urls = { panelUrl: 'http://127.0.0.1:9/hubspot/', relayUrl: 'http://127.0.0.1:9' };
    const portal = await startHubSpotSandbox({ ...urls, clientSecret, appId: 99, host: '127.0.0.1' });
    try {
      const keys = [key('one')];
      const relays = [0, 1].map(() => new CrmTokens(new Vault(store.vault, () => keys, Date.now), Date.now));
      const app = { apiUrl: portal.apiUrl, clientId: portal.oauth.clientId, clientSecret };
      const code = async (): Promise<string> => {
        const query = new URLSearchParams({
          client_id: app.clientId,
          redirect_uri: 'http://127.0.0.1:9/',
          login_as: String(portal.owners[0]?.userId),
        });
        const response = await fetch(`${portal.apiUrl}/oauth/authorize?${query}`, { redirect: 'manual' });
        return new URL(response.headers.get('location') ?? '').searchParams.get('code') ?? '';
      };
      const { exchangeHubSpotCode } = await import('@patchcord/crm-adapters/relay');
      const tokens = await exchangeHubSpotCode({ ...app, code: await code(), redirectUri: 'http://127.0.0.1:9/' });
      await relays[0]?.connect(acme, 'hubspot', { ...tokens, expiresAt: Date.now() });
      const sources = relays.map((relay) => relay.hubSpot(acme, app));
      const given = await Promise.all([...sources, ...sources].map((source) => source()));
      expect(new Set(given).size).toBe(1);
      // The account no longer takes it: both ask anew, and one renews.
      portal.oauth.expireTokens();
      const renewed = await Promise.all(sources.map((source) => source(given[0])));
      expect(new Set(renewed).size).toBe(1);
      expect(renewed[0]).not.toBe(given[0]);
    } finally {
      await portal.close();
    }
  });

  it('are no longer used a minute after another relay disconnected the account, or connected it anew', async () => {
    let now = 1_000_000;
    const keys = [key('one')];
    const relays = [0, 1].map(
      () =>
        new CrmTokens(
          new Vault(
            store.vault,
            () => keys,
            () => now,
          ),
          () => now,
        ),
    );
    const [here, there] = relays;
    const given = (name: string) => ({ refreshToken: `refresh ${name}`, accessToken: name, expiresAt: null });
    const app = { apiUrl: 'http://127.0.0.1:9', clientId: 'c', clientSecret: 's' };
    expect(await here?.connect(acme, 'hubspot', given('first'))).toBeNull();
    const source = there?.hubSpot(acme, app);
    expect(await source?.()).toBe('first');
    expect(await here?.connect(acme, 'hubspot', given('second'))).toMatchObject(given('first'));
    now += 59_000;
    expect(await source?.()).toBe('first');
    now += 1_000;
    expect(await source?.()).toBe('second');
    expect(await here?.disconnect(acme, 'hubspot')).toMatchObject({ connected: true, tokens: given('second') });
    now += 60_000;
    await expect(source?.()).rejects.toMatchObject({
      code: 'crm.not-authentic',
      message: expect.stringContaining('POST /v1/admin/connect'),
    });
    expect(await here?.disconnect(acme, 'hubspot')).toEqual({ connected: false, tokens: null });
    // A store that is away says nothing of the account.
    await here?.connect(acme, 'hubspot', given('third'));
    expect(await source?.()).toBe('third');
    await store.close();
    now += 60_000;
    expect(await source?.()).toBe('third');
    await expect(source?.('third')).rejects.toMatchObject({ code: 'store.unavailable' });
  });

  it('sealed with a key that is lost say so as a CRM that lets nobody in, and can be disconnected or connected anew', async () => {
    const given = { refreshToken: 'refresh', accessToken: 'access', expiresAt: null };
    const app = { apiUrl: 'http://127.0.0.1:9', clientId: 'c', clientSecret: 's' };
    const before = new CrmTokens(new Vault(store.vault, () => [key('old')], Date.now), Date.now);
    const after = new CrmTokens(new Vault(store.vault, () => [key('new')], Date.now), Date.now);
    await before.connect(acme, 'hubspot', given);
    await expect(after.hubSpot(acme, app)()).rejects.toMatchObject({
      code: 'crm.not-authentic',
      message: expect.stringContaining('sealed with the key "old"'),
    });
    expect(await after.disconnect(acme, 'hubspot')).toEqual({ connected: true, tokens: null });
    expect(await store.vault.find(acme, 'hubspot-tokens')).toBeNull();
    await before.connect(acme, 'hubspot', given);
    expect(await after.connect(acme, 'hubspot', given)).toBeNull();
    expect(await after.hubSpot(acme, app)()).toBe('access');
  });

  it('say what to do when the account was never connected', async () => {
    const tokens = new CrmTokens(new Vault(store.vault, () => [key('one')], Date.now), Date.now);
    const source = tokens.hubSpot(acme, { apiUrl: 'http://127.0.0.1:9', clientId: 'c', clientSecret: 's' });
    await expect(source()).rejects.toMatchObject({ code: 'crm.not-authentic' });
  });
});
