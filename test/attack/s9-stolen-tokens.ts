/**
 * S9: a thief has tokens: from a log, a proxy, a copy of storage, a cookie. Without the frame's key nothing may open; a proof that was seen may not
 * be sent again, not to this relay and not to another on the same database; a refresh token that comes back ends the session.
 */
import { createHash, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Session } from '@patchcord/call-protocol';
import { WebSocket } from 'ws';
import { type Relay, startRelay } from '../../server/src/index.ts';
import { createLog } from '../../server/src/logging.ts';
import { DpopKey, type ProofOptions } from '../dpop-key.ts';
import type { Drill, DrillResult } from '../drill.ts';
import { adminToken, testConfig } from '../unit/server/relay-in-test.ts';

export const drill: Drill = {
  about: 'stolen tokens, replayed and forged proofs, a refresh token used twice',
  run: ({ short, say }) => tryStolenTokens({ rounds: short ? 2 : 40, say }),
};

const publicUrl = 'https://phone.example.com';

export async function tryStolenTokens(options: {
  readonly rounds: number;
  readonly say?: (text: string) => void;
}): Promise<DrillResult> {
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-s9-'));
  const start = (): Promise<Relay> =>
    startRelay({ ...testConfig({ publicUrl, trustProxy: 1 }), dataDir: folder }, { log: createLog('silent') });
  const one = await start();
  const two = await start();
  const got: string[] = [];
  let tried = 0;
  let worked = 0;
  /** @param opens Whether somebody got in. */
  const attack = (what: string, opens: boolean): void => {
    tried += 1;
    if (opens) got.push(what);
  };
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      // The limit on sign-ins of one address would end a long run: each round comes from another.
      const from = `198.51.100.${(round % 250) + 1}`;
      const phone = new Phone(one, from);
      await phone.signIn();
      worked += (await phone.ask('/v1/profile')) === 200 && (await phone.resume()).status === 200 ? 1 : 0;
      const { token } = phone.session;
      const thief = new DpopKey();
      const profile = { method: 'GET', url: `${publicUrl}/v1/profile`, token };
      const send = async (relay: Relay, headers: Record<string, string>, path = '/v1/profile', method = 'GET') =>
        (await fetch(`http://127.0.0.1:${relay.port}${path}`, { method, headers })).status < 400;

      for (const scheme of ['Bearer', 'DPoP', 'Basic']) {
        attack(`${scheme}, no proof`, await send(one, { authorization: `${scheme} ${token}` }));
      }
      attack('in the query', await send(one, {}, `/v1/profile?token=${token}&access_token=${token}`));
      attack('the thief’s own key', await send(one, thief.headers(profile)));
      const proofs: readonly (readonly [string, Partial<ProofOptions>])[] = [
        ['another method', { method: 'POST' }],
        ['another path', { url: `${publicUrl}/v1/calls` }],
        ['another host', { url: 'https://evil.example/v1/profile' }],
        ['another scheme', { url: 'http://phone.example.com/v1/profile' }],
        ['no token hash', { token: null }],
        ['another token’s hash', { claims: { ath: createHash('sha256').update('x').digest('base64url') } }],
        ['too old', { now: Date.now() - 120_000 }],
        ['from the future', { now: Date.now() + 60_000 }],
        ['no time', { claims: { iat: null } }],
        ['no identifier', { claims: { jti: '' } }],
        ['another type', { header: { typ: 'JWT' } }],
        ['no algorithm', { header: { alg: 'none' } }],
        ['a shared secret', { header: { alg: 'HS256' } }],
        ['the thief’s key in the header', { header: { jwk: thief.jwk } }],
        ['a private key in the header', { header: { jwk: { ...phone.key.jwk, d: 'x' } } }],
        ['a critical header', { header: { crit: ['b64'], b64: false } }],
      ];
      for (const [what, change] of proofs) {
        const dpop = phone.key.proof({ ...profile, ...change });
        attack(`a proof with ${what}`, await send(one, { authorization: `DPoP ${token}`, dpop }));
      }
      const unsigned = phone.key.proof(profile).split('.').slice(0, 2).join('.');
      attack('a proof without a signature', await send(one, { authorization: `DPoP ${token}`, dpop: `${unsigned}.` }));
      const twoProofs = `${phone.key.proof(profile)}, ${phone.key.proof(profile)}`;
      attack('two proofs', await send(one, { authorization: `DPoP ${token}`, dpop: twoProofs }));

      // A proof that was seen: here, elsewhere, and at both at the same moment.
      const seen = phone.key.headers(profile);
      if (!(await send(one, seen))) throw new Error('an honest request was refused');
      attack('a replay to the same relay', await send(one, seen));
      attack('a replay to another relay', await send(two, seen));
      const raced = phone.key.headers(profile);
      const results = await Promise.all([one, two, one, two, two, one].map((relay) => send(relay, raced)));
      attack('a replay in a race', results.filter(Boolean).length > 1);

      const live = { method: 'GET', url: `${publicUrl.replace('https', 'wss')}/v1/live`, token };
      attack('a socket without a proof', await joins(one, { type: 'authenticate', token }));
      attack(
        'a socket with the thief’s key',
        await joins(one, { type: 'authenticate', token, proof: thief.proof(live) }),
      );
      const proof = phone.key.proof(live);
      if (!(await joins(one, { type: 'authenticate', token, proof }))) throw new Error('an honest socket was refused');
      attack('a socket with a replayed proof', await joins(two, { type: 'authenticate', token, proof }));
      attack(
        'an HTTP proof at a socket',
        await joins(one, { type: 'authenticate', token, proof: phone.key.proof(profile) }),
      );

      // The refresh token, or the cookie that holds it, without the key.
      const { refresh } = phone.session;
      attack('a refresh token without the key', (await phone.resume({ key: thief })).status < 400);
      attack('the cookie without a proof', (await phone.resume({ key: null })).status < 400);
      attack('a refresh token as an access token', (await phone.ask('/v1/profile', refresh)) < 400);
      // With the key (a script inside the page): a token that was used, and whose successor was used, ends everything.
      const first = (await (await phone.resume()).json()) as Session;
      await phone.resume({ refresh: first.refresh });
      attack('a refresh token that was used', (await phone.resume({ refresh })).status < 400);
      attack('the session after that', (await phone.ask('/v1/profile', first.token)) < 400);
    }
  } finally {
    await one.close();
    await two.close();
    await rm(folder, { recursive: true, force: true });
  }
  for (const what of [...new Set(got)]) options.say?.(`got in: ${what}`);
  return {
    passed: got.length === 0 && tried > 0 && worked === options.rounds,
    tried,
    succeeded: got.length,
    honest: worked,
  };
}

/** An honest phone: its key, its session. */
class Phone {
  readonly key = new DpopKey();
  readonly #relay: Relay;
  readonly #from: string;
  session: Session = { token: '' } as Session;

  constructor(relay: Relay, from: string) {
    this.#relay = relay;
    this.#from = from;
  }

  async signIn(): Promise<void> {
    const code = await this.#post(
      '/v1/admin/pairing-codes',
      { tenant: 'acme', agent: 'ada' },
      { authorization: `Bearer ${adminToken}` },
    );
    const proof = { kind: 'pairing-code', code: ((await code.json()) as { code: string }).code };
    const url = `${publicUrl}/v1/sessions`;
    const answer = await this.#post(
      '/v1/sessions',
      { device: randomUUID(), proof },
      this.key.headers({ method: 'POST', url }),
    );
    if (answer.status !== 201) throw new Error(`sign-in answered ${answer.status}: ${await answer.text()}`);
    this.session = (await answer.json()) as Session;
  }

  async ask(path: string, token = this.session.token): Promise<number> {
    const headers = this.key.headers({ method: 'GET', url: `${publicUrl}${path}`, token });
    return (await fetch(`http://127.0.0.1:${this.#relay.port}${path}`, { headers })).status;
  }

  async resume(change: { readonly key?: DpopKey | null; readonly refresh?: string } = {}): Promise<Response> {
    const { key = this.key, refresh = this.session.refresh } = change;
    const proof = { method: 'POST', url: `${publicUrl}/v1/sessions/resume` };
    const answer = await this.#post('/v1/sessions/resume', { refresh }, key === null ? {} : key.headers(proof));
    if (answer.ok && change.key === undefined && change.refresh === undefined) {
      this.session = (await answer.clone().json()) as Session;
    }
    return answer;
  }

  #post(path: string, body: unknown, headers: Record<string, string>): Promise<Response> {
    return fetch(`http://127.0.0.1:${this.#relay.port}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': this.#from, ...headers },
      body: JSON.stringify(body),
    });
  }
}

/** Whether this first message lets a socket in. */
async function joins(relay: Relay, message: unknown): Promise<boolean> {
  const socket = new WebSocket(`ws://127.0.0.1:${relay.port}/v1/live`, { origin: publicUrl });
  try {
    return await new Promise<boolean>((resolve, reject) => {
      socket.once('open', () => socket.send(JSON.stringify(message)));
      socket.once('message', (raw) =>
        resolve((JSON.parse(raw.toString()) as { type: string }).type === 'authenticated'),
      );
      socket.once('close', () => resolve(false));
      socket.once('error', reject);
    });
  } finally {
    socket.terminate();
  }
}
