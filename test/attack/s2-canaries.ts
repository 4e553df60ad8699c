/**
 * S2: secrets. Every secret of the configuration is a canary and every minted one is kept; then all routes, refusals and faults are walked with
 * the log wide open, and the canaries are searched in the log, the answers, the addresses, the database and what a process prints when it
 * cannot start. Entropy of what is minted is counted beside it.
 */
import { spawn } from 'node:child_process';
import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { RelayMessage } from '@patchcord/call-protocol';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { createLog } from '../../server/src/logging.ts';
import type { Drill, DrillResult } from '../drill.ts';
import { answeredCall, envelopes, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

export const drill: Drill = {
  about: 'secrets: canaries through every route, refusal and fault, searched everywhere; entropy of what is minted',
  run: ({ short, say }) => huntCanaries({ rounds: short ? 1 : 20, say }),
};

const main = fileURLToPath(new URL('../../server/src/main.ts', import.meta.url));
const number = '+14155550199';

export async function huntCanaries(options: {
  readonly rounds: number;
  readonly say?: (text: string) => void;
}): Promise<DrillResult> {
  const canary = (name: string): string => `canary-${name}-${randomBytes(24).toString('hex')}`;
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2_048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
  });
  const secrets = {
    admin: canary('admin'),
    metrics: canary('metrics'),
    sip: canary('sip'),
    turn: canary('turn'),
    client: canary('client'),
    refresh: canary('refresh'),
    webhook: `whsec_${randomBytes(32).toString('base64')}`,
  };
  /** Name → text that must be nowhere. */
  const hunted = new Map<string, string>(Object.entries(secrets));
  hunted.set('private key', privateKey.split('\n')[3] ?? '');
  hunted.set('webhook key', secrets.webhook.slice(6));

  const sipOf = (domain: string) => ({
    domain,
    servers: ['wss://sip.example.com:8443'],
    credential: { kind: 'kamailio-ephemeral' as const, secret: secrets.sip },
  });
  const config: RelayConfigInput = testConfig({
    adminToken: secrets.admin,
    metricsToken: secrets.metrics,
    logLevel: 'trace',
    tenants: [
      testTenant({
        sip: sipOf('sip.example.com'),
        turn: { urls: ['turn:turn.example.com'], secret: secrets.turn },
        webhooks: [{ url: 'https://192.0.2.1/hook', secret: secrets.webhook }],
      }),
      testTenant({
        id: 'hub',
        sip: sipOf('hub.example.com'),
        crm: {
          kind: 'hubspot',
          portalId: 1,
          appId: 2,
          clientId: 'c',
          clientSecret: secrets.client,
          refreshToken: secrets.refresh,
        },
      }),
      testTenant({
        id: 'sales',
        sip: sipOf('sales.example.com'),
        crm: {
          kind: 'salesforce',
          loginUrl: 'https://login.salesforce.com',
          clientId: 'k',
          username: 'u',
          orgId: '00D000000000001',
          privateKey,
          assertionPublicKey: publicKey,
        },
      }),
    ],
  });
  const log: string[] = [];
  const answers: string[] = [];
  const minted: string[] = [];
  const hits: string[] = [];
  const search = (where: string, text: string, except: readonly string[] = []): void => {
    for (const [name, secret] of hunted) {
      if (secret.length > 6 && text.includes(secret) && !except.includes(name)) hits.push(`${name} in ${where}`);
    }
  };
  const one = await startRelayInTest(config, {
    log: createLog('trace', { write: (line: string) => void log.push(line) }),
  });
  try {
    for (let round = 0; round < options.rounds; round += 1) {
      const { code } = await one.relay.createPairingCode('acme', 'ada');
      hunted.set(`pairing code ${round}`, code);
      hunted.set(`typed code ${round}`, code.replace('-', ''));
      const wrong = `${code.slice(0, 8)}?`;
      answers.push(
        await (
          await one.fetch('/v1/sessions', {
            json: { device: randomUUID(), proof: { kind: 'pairing-code', code: wrong } },
          })
        ).text(),
      );
      const session = await one.signIn();
      hunted.set(`token ${round}`, session.token);
      for (const [name, value] of Object.entries(session))
        if (/refresh/i.test(name) && typeof value === 'string') hunted.set(`refresh token ${round}`, value);
      const credentials = await one.fetch('/v1/credentials', { token: session.token, method: 'POST' });
      const given = (await credentials.json()) as {
        sip?: { password?: string };
        turn?: { credential?: string; password?: string };
      };
      for (const [name, value] of [
        ['sip password', given.sip?.password],
        ['turn password', given.turn?.credential ?? given.turn?.password],
      ] as const) {
        if (value === undefined) continue;
        hunted.set(`${name} ${round}`, value);
        minted.push(value);
      }
      const socket = await one.connect(session.token);
      const life = answeredCall.map((event) =>
        event.name === 'call.started'
          ? { ...event, data: { direction: 'inbound', farSide: { number, e164: number } } }
          : event,
      );
      socket.publish(...envelopes(randomUUID(), life), { nonsense: session.token });
      await socket.acknowledged();
      // What a call can be taken with: kept for the next owner of the line, said to other devices, in a message that is refused, under a wrong epoch.
      const dialog = `${randomUUID()}@dialog`;
      hunted.set(`dialog id ${round}`, dialog);
      const kept = JSON.stringify({ at: 1, calls: [], dialogs: [{ callId: dialog, localTag: dialog }] });
      socket.send({ type: 'line.ask', epoch: null, take: true });
      const { epoch } = await socket.next<Extract<RelayMessage, { readonly type: 'line.yours' }>>(
        ({ type }) => type === 'line.yours',
      );
      socket.send({ type: 'line.keep', epoch, kept });
      socket.send({ type: 'line.keep', epoch: epoch - 1, kept });
      await socket.next(({ type }) => type === 'line.elsewhere');
      socket.send({ type: 'frames.say', body: kept });
      socket.publish({ type: dialog, id: dialog, data: { dialog } });
      await socket.next(({ type }) => type === 'refused');
      socket.send(`{"type":"authenticate","token":"${session.token}`);
      await socket.closed;
      // Secrets where nobody expects them: in an address, as a wrong token, in a body that is refused.
      for (const { method, path } of one.relay.routes) {
        for (const token of [session.token, secrets.admin, undefined]) {
          if (method !== 'GET' && token !== undefined && !path.includes('/admin/deliveries')) continue;
          if (path === '/v1/live/events' && token === session.token) continue;
          const address = path.replace(/:\w+/g, token === session.token ? session.token : 'acme');
          const response = await one.fetch(`${address}?number=${encodeURIComponent(number)}`, {
            method,
            ...(token === undefined ? {} : { token }),
            ...(method === 'GET'
              ? {}
              : {
                  body: `{"token":"${session.token}","id":"${secrets.sip}"`,
                  headers: { 'content-type': 'application/json' },
                }),
          });
          answers.push(await response.text());
        }
      }
    }
    hunted.set('number', number);
    for (const line of log) search('the log', line);
    hunted.delete('number');
    for (const answer of answers) search('an answer', answer);
    for (const { path } of one.relay.routes) search('an address', path);
  } finally {
    await one.relay.close();
  }
  for (const name of await readdir(one.folder))
    search(`the database (${name})`, (await readFile(join(one.folder, name))).toString('latin1'));
  const printed = await startsBadly(one.folder, config);
  search('what a failed start prints', printed);
  await one.closed();

  const found = [...new Set(hits)];
  for (const hit of found) options.say?.(hit);
  return {
    passed: found.length === 0 && log.length > 0 && answers.length > 0,
    tried: hunted.size,
    succeeded: found.length,
    lines: log.length,
    answers: answers.length,
    leastBits: Math.floor(Math.min(...minted.map(bitsOf))),
    ...(found[0] === undefined ? {} : { note: found[0] }),
  };
}

/** Bits that a text of this alphabet and length can hold. */
export function bitsOf(text: string): number {
  const alphabet = /^[0-9a-f]+$/.test(text) ? 16 : /^[\w-]+$/.test(text) ? 64 : /^[\w+/=]+$/.test(text) ? 64 : 94;
  return text.replace(/=+$/, '').length * Math.log2(alphabet);
}

/** A process that cannot have its port, one whose database is no database, one whose configuration is wrong: all they print. */
async function startsBadly(folder: string, config: RelayConfigInput): Promise<string> {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  const address = taken.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  let printed = '';
  const variants: readonly Record<string, unknown>[] = [
    { ...config, port, dataDir: join(folder, 'a') },
    { ...config, port: 0, dataDir: join(folder, 'relay-0.json') },
    { ...config, port: 0, colour: 'blue', adminToken: 17 },
  ];
  for (const [index, variant] of variants.entries()) {
    const file = join(folder, `relay-${index}.json`);
    await writeFile(file, JSON.stringify(variant));
    printed += await new Promise<string>((resolve) => {
      const child = spawn(process.execPath, [main, 'serve'], { env: { ...process.env, PATCHCORD_CONFIG: file } });
      let text = '';
      child.stdout.on('data', (data) => (text += String(data)));
      child.stderr.on('data', (data) => (text += String(data)));
      child.on('close', () => resolve(text));
    });
  }
  await new Promise((resolve) => taken.close(resolve));
  return printed;
}
