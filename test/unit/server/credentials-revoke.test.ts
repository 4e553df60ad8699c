/** Revoking through the relay, with a PBX that asks the relay itself (jambonz), so that what it would refuse can be asked. */
import { createHash, randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { Credentials } from '@patchcord/call-protocol';
import { afterEach, describe, expect, it } from 'vitest';
import type { RelayConfigInput } from '../../../server/src/index.ts';
import { adminToken, type RelayInTest, startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

const hook = { username: 'jambonz', password: 'what jambonz shows to the relay' };
const relays: RelayInTest[] = [];
afterEach(async () => {
  for (const one of relays.splice(0)) await one.closed();
});

async function relay(overrides: Partial<RelayConfigInput> = {}, folder?: string): Promise<RelayInTest> {
  const sip = { ...testTenant().sip, credential: { kind: 'jambonz-hook' as const, ...hook } };
  const one = await startRelayInTest(
    testConfig({ tenants: [testTenant({ sip })], ...overrides }),
    folder === undefined ? {} : { folder },
  );
  relays.push(one);
  return one;
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

/** What jambonz learns when a phone registers with this. */
async function registers(one: RelayInTest, { sip }: Credentials): Promise<string> {
  const [realm, nonce, uri] = [testTenant().sip.domain, randomUUID(), 'sip:x'];
  const a1 = md5(`${sip.username}:${realm}:${sip.password}`);
  const response = md5(`${a1}:${nonce}:${md5(`REGISTER:${uri}`)}`);
  const answer = await one.fetch('/v1/jambonz/registrations', {
    json: { method: 'REGISTER', realm, nonce, uri, response, username: sip.username },
    headers: { authorization: `Basic ${Buffer.from(`${hook.username}:${hook.password}`).toString('base64')}` },
  });
  return ((await answer.json()) as { status: string }).status;
}

async function enter(one: RelayInTest, agent: string) {
  const session = await one.signIn(agent);
  const answer = await one.fetch('/v1/credentials', { method: 'POST', token: session.token });
  return { session, credentials: (await answer.json()) as Credentials };
}

const profile = async (one: RelayInTest, token: string) => (await one.fetch('/v1/profile', { token })).status;

describe('revoking', () => {
  it('one device ends its session, socket and credential, and no other', async () => {
    const one = await relay();
    const [lost, kept] = [await enter(one, 'ada'), await enter(one, 'ada')];
    const [lostPanel, keptPanel] = [await one.connect(lost.session.token), await one.connect(kept.session.token)];
    const path = `/v1/admin/agents/acme/ada/devices/${lost.session.device}`;
    expect((await one.fetch(path, { method: 'DELETE', token: adminToken })).status).toBe(204);
    expect(await lostPanel.closed).toMatchObject({ code: 4403 });
    expect(await profile(one, lost.session.token)).toBe(401);
    expect(await registers(one, lost.credentials)).toBe('fail');
    expect(await profile(one, kept.session.token)).toBe(200);
    expect(await registers(one, kept.credentials)).toBe('ok');
    expect(keptPanel.socket.readyState).toBe(keptPanel.socket.OPEN);
  });

  it('an agent ends all of theirs, says what it cannot do, and is noted', async () => {
    const one = await relay();
    const [first, second, other] = [await enter(one, 'ada'), await enter(one, 'ada'), await enter(one, 'bob')];
    const answer = await one.fetch('/v1/admin/agents/acme/ada/revoke', { json: {}, token: adminToken });
    expect(await answer.json()).toMatchObject({
      sessions: 2,
      credentials: 2,
      edge: 'done',
      limits: expect.stringContaining('until it runs out') as string,
    });
    for (const { session, credentials } of [first, second]) {
      expect(await profile(one, session.token)).toBe(401);
      expect(await registers(one, credentials)).toBe('fail');
    }
    expect(await registers(one, other.credentials)).toBe('ok');
    const audit = await one.fetch('/v1/admin/audit?tenant=acme', { token: adminToken });
    expect(await audit.text()).toContain('agent.revoked');
  });

  it('works for an agent who has left the configuration, and tells a slip of the pen from that', async () => {
    const before = await relay();
    const { credentials } = await enter(before, 'ada');
    await before.relay.close();
    const sip = { ...testTenant().sip, credential: { kind: 'jambonz-hook' as const, ...hook } };
    const agents = testTenant().agents.filter(({ id }) => id !== 'ada');
    const one = await relay({ tenants: [testTenant({ sip, agents })] }, before.folder);
    expect(await registers(one, credentials)).toBe('ok');
    const revoke = (agent: string) =>
      one.fetch(`/v1/admin/agents/acme/${agent}/revoke`, { json: {}, token: adminToken });
    expect(await (await revoke('ada')).json()).toMatchObject({ sessions: 1, credentials: 1, edge: 'done' });
    expect(await registers(one, credentials)).toBe('fail');
    expect((await revoke('aad')).status).toBe(400);
  });

  it('does not keep a password anywhere in the store', async () => {
    const one = await relay();
    const { credentials } = await enter(one, 'ada');
    for (const name of readdirSync(one.folder))
      expect(readFileSync(`${one.folder}/${name}`).includes(credentials.sip.password)).toBe(false);
  });
});
