/** The issuers whose PBX can't be had here: held to the contract by what these PBX document they ask, and to the traps of each. */
import { randomUUID } from 'node:crypto';
import type { AgentId, DeviceId } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { withEventSocket } from '../../../server/src/credentials/event-socket.ts';
import type { Device } from '../../../server/src/credentials/issuer.ts';
import { agents, issuerContract } from './issuer-contract.ts';
import {
  domain,
  freeswitchWorld,
  jambonzWorld,
  type PullWorld,
  scriptedEventSocket,
  staticWorld,
  token,
} from './pull-world.ts';

issuerContract('freeswitch-xmlcurl', freeswitchWorld);
issuerContract('jambonz-hook', jambonzWorld);
issuerContract('static', staticWorld);

const aDevice = (): Device => ({ ...agents.ada, id: randomUUID() as DeviceId });

describe('the FreeSWITCH directory', () => {
  let world: PullWorld;
  beforeAll(async () => {
    world = await freeswitchWorld();
  });
  afterAll(() => world?.close());

  const path = '/v1/freeswitch/directory';
  const ask = async (fields: Record<string, string>): Promise<string> =>
    (
      await world.post(path, {
        section: 'directory',
        tag_name: 'domain',
        key_name: 'name',
        key_value: domain,
        domain,
        ...fields,
      })
    ).text();

  it('answers a device with its HA1, its extension as the caller, and the declaration on a line of its own', async () => {
    const device = aDevice();
    const { username } = await world.issuer.issue(device);
    const [first, second = ''] = (await ask({ action: 'sip_auth', user: username })).split('\n');
    expect(first).toBe('<?xml version="1.0" encoding="UTF-8"?>');
    expect(second).toContain(`<user id="${username}" number-alias="1101">`);
    expect(second).toMatch(/<param name="a1-hash" value="[0-9a-f]{32}"\/>/);
    expect(second).toContain('<variable name="effective_caller_id_number" value="1101"/>');
    expect(second).toContain('value="Ada &quot;The &lt;Countess&gt;&quot; Byron"');
    expect(second).not.toMatch(/cacheable|name="password"/);
    expect(await ask({ action: 'message-count', user: username })).toContain('a1-hash');
  });

  it('forgets a revoked device late too, but not one that has signed in again since', async () => {
    const [back, gone] = [aDevice(), aDevice()];
    const [first, lost] = [await world.issuer.issue(back), await world.issuer.issue(gone)];
    for (const one of [first, lost]) expect(await world.register(one, one.username)).toBe(200);
    await world.store.credentials.revokeIssued(world.tenant, back.agent, null, Date.now());
    const again = await world.issuer.issue(back);
    expect(await world.register(again, again.username)).toBe(200);
    await world.issuer.revokeAgent(back);
    expect(await world.bindings(again.username)).toBe(1);
    expect(await world.bindings(lost.username)).toBe(0);
  });

  it('says "not found" to everything that is not ours, so that FreeSWITCH asks its own directory', async () => {
    const { username } = await world.issuer.issue(aDevice());
    for (const fields of [
      { action: 'sip_auth', user: '1101' },
      { action: 'sip_auth', user: 'nobody' },
      { action: 'sip_auth', user: username, domain: 'elsewhere.example.com' },
      { action: 'sip_auth', user: username, sip_auth_username: '1102-somebodyelse' },
      { action: 'user_call', user: '1199' },
      { purpose: 'gateways' },
      { section: 'dialplan', user: username },
    ])
      expect(await ask(fields as Record<string, string>)).toContain('<result status="not found"/>');
  });

  it('rings every live device of an extension, and the desk phone, and lets nobody sign in as the extension', async () => {
    const [one, two] = [await world.issuer.issue(aDevice()), await world.issuer.issue(aDevice())];
    const answer = await ask({ action: 'user_call', user: '1101' });
    for (const name of ['1101', one.username, two.username])
      expect(answer).toContain(`\${sofia_contact(*/${name}@${domain})}`);
    expect(answer).toMatch(/a1-hash/);
    expect(await ask({ action: 'user_call', user: '1101' })).not.toBe(answer);
  });

  it('never answers a user without a hash, whatever is asked', async () => {
    const { username } = await world.issuer.issue(aDevice());
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(
          fc.constantFrom(
            'action',
            'user',
            'sip_auth_username',
            'purpose',
            'key_value',
            'domain',
            'section',
            'sip_auth_realm',
          ),
          fc.oneof(
            fc.constantFrom(username, '1101', domain, 'directory', 'sip_auth', 'user_call', 'group_call'),
            fc.string(),
          ),
        ),
        async (fields) => {
          const answer = await ask(fields);
          expect(
            answer.includes('<user ') ? /<user [^>]*>.*name="a1-hash" value="[0-9a-f]{32}"/.test(answer) : true,
          ).toBe(true);
        },
      ),
      { numRuns: 200 },
    );
  });

  it('answers nobody but the FreeSWITCH that shows the token of its tenant', async () => {
    const basic = (user: string, password: string) => ({
      authorization: `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
    });
    for (const headers of [
      basic('lab', 'guessed'),
      basic('other', token),
      basic('lab', ''),
      { authorization: `Bearer ${token}` },
    ])
      expect((await world.post(path, { section: 'directory' }, headers)).status).toBe(401);
  });
});

describe('the event socket', () => {
  it('reads answers that come in pieces, one after the other', async () => {
    const esl = await scriptedEventSocket('pw', (command) => `you said ${command}`);
    const answers = await withEventSocket({ host: '127.0.0.1', port: esl.port, password: 'pw' }, async (api) => [
      await api('one'),
      await api('two'),
    ]);
    expect(answers).toEqual(['you said one', 'you said two']);
    await esl.close();
  });

  it('says so when the password is wrong, when nobody listens, and when a command would be two', async () => {
    const esl = await scriptedEventSocket('pw', () => '');
    const at = { host: '127.0.0.1', port: esl.port };
    await expect(withEventSocket({ ...at, password: 'wrong' }, (api) => api('status'))).rejects.toMatchObject({
      code: 'sip.refused',
      retryable: true,
    });
    await expect(withEventSocket({ ...at, password: 'pw' }, (api) => api('a\n\napi shutdown'))).rejects.toMatchObject({
      code: 'sip.refused',
    });
    expect(esl.commands).toEqual([]);
    await esl.close();
    await expect(withEventSocket({ ...at, password: 'pw' }, (api) => api('status'))).rejects.toMatchObject({
      code: 'sip.unreachable',
    });
  });
});

describe('the jambonz hook', () => {
  let world: PullWorld;
  beforeAll(async () => {
    world = await jambonzWorld();
  });
  afterAll(() => world?.close());
  const path = '/v1/jambonz/registrations';
  const digest = {
    method: 'REGISTER',
    realm: domain,
    username: '1101',
    nonce: 'n',
    uri: `sip:${domain}`,
    response: 'x',
  };

  it('answers 200 with "fail" to a digest that is wrong, of another realm, or of an algorithm nobody offered', async () => {
    for (const changed of [
      {},
      { realm: 'elsewhere' },
      { algorithm: 'SHA-256' },
      { qop: 'auth-int' },
      { response: '' },
    ]) {
      const answer = await world.post(path, { ...digest, ...changed });
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({ status: 'fail', message: expect.any(String) });
    }
  });

  it('is for jambonz alone', async () => {
    const authorization = `Basic ${Buffer.from('jambonz:guessed').toString('base64')}`;
    expect((await world.post(path, digest, { authorization })).status).toBe(401);
  });
});

it('a static password that nobody configured is refused with what to do', async () => {
  const world = await staticWorld();
  await expect(world.issuer.issue({ ...aDevice(), agent: 'zoe' as AgentId })).rejects.toMatchObject({
    code: 'credential.refused',
  });
  await world.close();
});
