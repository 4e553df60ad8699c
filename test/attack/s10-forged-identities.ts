/**
 * S10: a forger says who he is: an OpenID token or a Salesforce assertion that is not what it says, another tenant's key, a provider that changed
 * its keys, HubSpot's unsigned user id, a sign-in that somebody else began. Nobody may be signed in by any of them.
 */
import { createHmac, generateKeyPairSync, randomUUID } from 'node:crypto';
import type { HonestToken } from '@patchcord/sandbox';
import { signIdToken, startHubSpotSandbox, startOpenIdSandbox } from '@patchcord/sandbox';
import type { Drill, DrillResult } from '../drill.ts';
import { startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { choose, comeBack, openWindow, redeem, signInThrough } from './sign-in-window.ts';

export const drill: Drill = {
  about: 'forged, expired and borrowed proofs of identity',
  run: ({ short, say }) => tryForgedIdentities({ rounds: short ? 1 : 12, say }),
};

const orgs = ['00D000000000001AAA', '00D000000000002AAA'] as const;
const hour = 3_600;
const appId = 99;

export async function tryForgedIdentities(options: {
  readonly rounds: number;
  readonly say?: (text: string) => void;
}): Promise<DrillResult> {
  const ada = { id: 'ada-at-acme', name: 'Ada Byron', claims: { email: 'Ada@Acme.example', email_verified: true } };
  const eve = { id: 'eve-at-acme', name: 'Eve', claims: { email: 'eve@acme.example', email_verified: true } };
  const liar = { id: 'liar', name: 'Liar', claims: { email: 'ada@acme.example', email_verified: false } };
  const provider = await startOpenIdSandbox({ people: [ada, eve, liar] });
  const elsewhere = await startOpenIdSandbox({ people: [ada] });
  const portal = await startHubSpotSandbox({
    panelUrl: 'http://127.0.0.1:9/hubspot/',
    relayUrl: 'http://127.0.0.1:9',
    clientSecret: 'a-hubspot-client-secret',
    appId,
    host: '127.0.0.1',
  });
  const [user, other] = portal.owners;
  const keys = orgs.map(() => generateKeyPairSync('rsa', { modulusLength: 2_048 }));
  const stranger = generateKeyPairSync('rsa', { modulusLength: 2_048 });
  const salesforce = (index: 0 | 1, id: string) =>
    testTenant({
      id,
      crm: {
        kind: 'salesforce',
        loginUrl: 'https://login.salesforce.com',
        clientId: 'key',
        privateKey: 'not used here',
        username: 'relay@acme.example',
        orgId: orgs[index],
        assertionPublicKey: keys[index]?.publicKey.export({ type: 'spki', format: 'pem' }).toString() ?? '',
      },
    });
  const stage = await startRelayInTest(
    testConfig({
      // Everything here comes from one machine: say whom it is from, so that no limit ends the attack early.
      trustProxy: 1,
      tenants: [
        testTenant({
          agents: [{ id: 'ada', name: 'Ada Byron', extension: '1001', crmUserId: 'ada', email: 'ada@acme.example' }],
          signIn: {
            oidc: { issuer: provider.issuer, clientId: provider.clientId, clientSecret: provider.clientSecret },
          },
        }),
        salesforce(0, 'first'),
        salesforce(1, 'second'),
        testTenant({
          id: 'hub',
          crm: {
            kind: 'hubspot',
            apiUrl: portal.apiUrl,
            uiUrl: portal.apiUrl,
            portalId: portal.portalId,
            appId,
            clientId: portal.oauth.clientId,
            clientSecret: portal.oauth.clientSecret,
            refreshToken: portal.oauth.refreshToken,
          },
          signIn: { crm: true },
          agents: [{ id: 'grace', name: 'Grace Hopper', extension: '2001', crmUserId: String(user?.userId) }],
        }),
      ],
    }),
  );
  const relay = stage.relay.url;
  const oidc = '/v1/sign-in/acme/oidc';
  const got: string[] = [];
  let tried = 0;
  let worked = 0;
  const attack = (what: string, opens: boolean): void => {
    tried += 1;
    if (opens) got.push(what);
  };

  /** A sign-in in which the provider sends this token. */
  const withToken = async (forge: ((honest: HonestToken) => string) | null): Promise<boolean> => {
    provider.forge = forge;
    try {
      const opened = await openWindow(relay, oidc);
      const { claim } = await comeBack(await choose(opened.provider, ada.id), opened.cookie);
      return claim !== null && (await redeem(relay, claim, opened.verifier)).status === 201;
    } finally {
      provider.forge = null;
    }
  };
  const post = (path: string, json: unknown, headers: Record<string, string> = {}) =>
    stage.fetch(path, { json, headers: { 'x-forwarded-for': `203.0.113.${(tried % 250) + 1}`, ...headers } });
  const assert = async (
    tenant: 0 | 1,
    claims: Record<string, unknown>,
    header = {},
    key = keys[tenant]?.privateKey,
  ) => {
    const now = Math.floor(Date.now() / 1_000);
    const honest = {
      iss: orgs[tenant].slice(0, 15),
      sub: '005000000000001AAA',
      aud: relay,
      iat: now,
      exp: now + 120,
      jti: randomUUID(),
    };
    const assertion = signIdToken({ alg: 'RS256', ...header }, { ...honest, ...claims }, key ?? stranger.privateKey);
    return (
      (await post('/v1/sessions', { device: randomUUID(), proof: { kind: 'salesforce-assertion', assertion } }))
        .status === 201
    );
  };

  try {
    for (let round = 0; round < options.rounds; round += 1) {
      const now = Math.floor(Date.now() / 1_000);
      worked += (await signInThrough(relay, oidc, ada.id)).agent.id === 'ada' ? 1 : 0;
      const change =
        (claims: Record<string, unknown>, header: Record<string, unknown> = {}) =>
        (honest: HonestToken) =>
          signIdToken({ ...honest.header, ...header }, { ...honest.claims, ...claims }, honest.key);
      const tokens: readonly (readonly [string, (honest: HonestToken) => string])[] = [
        ['signed by another key', ({ header, claims }) => signIdToken(header, claims, stranger.privateKey)],
        [
          'of an unknown key',
          ({ header, claims }) => signIdToken({ ...header, kid: 'x' }, claims, stranger.privateKey),
        ],
        ['that is not signed', (honest) => `${unsigned({ ...honest.header, alg: 'none' }, honest.claims)}.`],
        ['signed with the public key as a secret', (honest) => sharedSecret(honest)],
        [
          'with a key of its own',
          ({ header, claims }) =>
            signIdToken({ ...header, jwk: stranger.publicKey.export({ format: 'jwk' }) }, claims, stranger.privateKey),
        ],
        ['that has expired', change({ iat: now - 2 * hour, exp: now - hour })],
        ['from long ago that never ends', change({ iat: now - 24 * hour, exp: now + 24 * hour })],
        ['without an end', change({ exp: undefined })],
        ['for another application', change({ aud: 'another' })],
        ['for several, given to another', change({ aud: ['another', provider.clientId], azp: 'another' })],
        ['of another issuer', change({ iss: elsewhere.issuer })],
        ['of another sign-in', change({ nonce: 'another' })],
        ['without a nonce', change({ nonce: undefined })],
        ['that names nobody', change({ sub: '' })],
        ['whose e-mail is not verified', change({ email_verified: false })],
        ['that does not say whether it is', change({ email_verified: undefined })],
        ['that is nonsense', () => 'a.b.c'],
      ];
      for (const [what, forge] of tokens) attack(`an OpenID token ${what}`, await withToken(forge));

      // The provider changes its keys: what the old ones signed is worth nothing, what the new ones sign is good at once.
      const stolen: { key?: HonestToken['key']; header?: HonestToken['header'] } = {};
      await withToken((honest) => {
        Object.assign(stolen, { key: honest.key, header: honest.header });
        return signIdToken(honest.header, honest.claims, honest.key);
      });
      if (round === 0) {
        provider.rotateKeys();
        // The relay looks at the provider's keys again at most every five seconds.
        await new Promise((resolve) => setTimeout(resolve, 5_100));
        worked += (await withToken(null)) ? 0 : -1;
        attack(
          'an OpenID token of a key that was retired',
          await withToken(({ claims, key }) => signIdToken(stolen.header ?? {}, claims, stolen.key ?? key)),
        );
      }

      for (const person of [eve.id, liar.id, 'nobody']) {
        const opened = await openWindow(relay, oidc);
        attack(
          `${person} at the provider`,
          (await comeBack(await choose(opened.provider, person), opened.cookie)).claim !== null,
        );
      }
      // A sign-in that an attacker began, finished by a victim; and one that is used twice.
      const begun = await openWindow(relay, oidc);
      const back = await choose(begun.provider, ada.id);
      attack('a callback in another browser', (await comeBack(back, '')).claim !== null);
      attack('a callback used twice', (await comeBack(back, begun.cookie)).claim !== null);
      const opened = await openWindow(relay, oidc);
      const { claim } = await comeBack(await choose(opened.provider, ada.id), opened.cookie);
      attack('a stolen claim', (await redeem(relay, claim ?? '', begun.verifier)).status === 201);
      attack('a claim used twice', (await redeem(relay, claim ?? '', opened.verifier)).status === 201);
      const invented = new URL(back);
      invented.searchParams.set('state', 'invented');
      attack('an invented state', (await comeBack(invented, begun.cookie)).claim !== null);

      worked += (await assert(0, {})) ? 1 : 0;
      attack('an assertion signed by the other tenant', await assert(0, {}, {}, keys[1]?.privateKey));
      attack('an assertion signed by a stranger', await assert(0, {}, {}, stranger.privateKey));
      attack('an assertion for another relay', await assert(0, { aud: 'https://evil.example' }));
      attack('an assertion of an unknown org', await assert(0, { iss: '00D000000000009' }));
      attack('an assertion that has expired', await assert(0, { iat: now - hour, exp: now - hour + 120 }));
      attack('an assertion without an algorithm', await assert(0, {}, { alg: 'none' }));
      attack('an assertion of a user who is no agent', await assert(0, { sub: '005000000000009AAA' }));

      // HubSpot tells the frame a user id that nobody signed.
      const named = `userId=${user?.userId}&portalId=${portal.portalId}&userEmail=a%40b.c&appId=${appId}`;
      const path = `/v1/hubspot/pairing-codes?${named}`;
      attack('an unsigned HubSpot user id', (await post(path, { userId: user?.userId })).status < 400);
      const at = String(Date.now());
      const signature = createHmac('sha256', 'a guess').update(`POST${relay}${path}{}${at}`).digest('base64');
      attack(
        'a HubSpot user id signed with a guess',
        (await post(path, {}, { 'x-hubspot-signature-v3': signature, 'x-hubspot-request-timestamp': at })).status < 400,
      );
      for (const proof of [
        { kind: 'hubspot', userId: user?.userId, portalId: portal.portalId },
        { kind: 'sign-in', claim: String(user?.userId), verifier: 'x' },
      ]) {
        attack(
          'a HubSpot user id as a proof',
          (await post('/v1/sessions', { device: randomUUID(), proof })).status < 400,
        );
      }
      worked +=
        (await signInThrough(relay, '/v1/sign-in/hub/hubspot', String(user?.userId))).agent.id === 'grace' ? 1 : 0;
      const hub = await openWindow(relay, '/v1/sign-in/hub/hubspot');
      attack(
        'a HubSpot user who is no agent',
        (await comeBack(await choose(hub.provider, String(other?.userId)), hub.cookie)).claim !== null,
      );
    }
  } finally {
    await stage.closed();
    await Promise.all([provider.close(), elsewhere.close(), portal.close()]);
  }
  for (const what of [...new Set(got)]) options.say?.(`got in: ${what}`);
  return {
    passed: got.length === 0 && tried > 0 && worked === 3 * options.rounds,
    tried,
    succeeded: got.length,
    honest: worked,
  };
}

function unsigned(header: object, claims: object): string {
  return [header, claims].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
}

function sharedSecret({ header, claims, key }: HonestToken): string {
  const pem = key.export({ type: 'pkcs8', format: 'pem' }).toString();
  const text = unsigned({ ...header, alg: 'HS256' }, claims);
  return `${text}.${createHmac('sha256', pem).update(text).digest('base64url')}`;
}
