/**
 * What asks the relay for its credentials, as its documents say it does, since it can't be had here: FreeSWITCH with mod_xml_curl and the event
 * socket, jambonz with its registration hook. Each is a PBX to the contract of issuers: it challenges, asks, checks, remembers who registered.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TenantId } from '@patchcord/call-protocol';
import { createMemoryRelay } from '@patchcord/crm-adapters/relay';
import express from 'express';
import { checkConfig, type TenantConfig } from '../../../server/src/config.ts';
import type { SipCredential } from '../../../server/src/credentials/issuer.ts';
import { issuerOf } from '../../../server/src/credentials/issuers.ts';
import { errorHandler } from '../../../server/src/http/errors.ts';
import { freeswitchRoutes } from '../../../server/src/http/freeswitch-directory.ts';
import { jambonzRoutes } from '../../../server/src/http/jambonz.ts';
import { createLog } from '../../../server/src/logging.ts';
import { createMetrics } from '../../../server/src/metrics.ts';
import { openStore } from '../../../server/src/store/open.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { agents, type IssuerWorld } from './issuer-contract.ts';

export const domain = 'pbx.example.com';
export const token = 'what FreeSWITCH shows to the relay, long enough';
const hook = { username: 'jambonz', password: 'what jambonz shows to the relay' };

const md5 = (text: string) => createHash('md5').update(text).digest('hex');

export interface PullWorld extends IssuerWorld {
  readonly url: string;
  /** Posts to the relay as the PBX does. */
  post(path: string, body: Record<string, string>, headers?: Record<string, string>): Promise<Response>;
  readonly tenantConfig: TenantConfig;
}

async function relayFor(sip: object) {
  const folder = await mkdtemp(join(tmpdir(), 'patchcord-issuer-'));
  const [tenant] = checkConfig({
    tenants: [
      {
        id: 'lab',
        name: 'Lab',
        country: 'US',
        hostOrigins: ['https://crm.example.com'],
        crm: { kind: 'memory' },
        sip: { domain, servers: ['wss://sip.example.com'], ...sip },
        agents: Object.values(agents).map(({ agent, extension, name }) => ({
          id: agent,
          extension,
          name,
          crmUserId: agent,
        })),
      },
    ],
  }).tenants;
  if (tenant === undefined) throw new Error('The configuration lost its tenant.');
  const store = await openStore({ kind: 'sqlite', folder });
  const log = createLog('silent');
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const tenants = new Tenants([tenant], () => createMemoryRelay({ records: [] }));
  const parts = { tenants, store, metrics: createMetrics(), now };
  const app = express().use(freeswitchRoutes(parts)).use(jambonzRoutes(parts)).use(errorHandler(log));
  const server = createHttpServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    tenant,
    store,
    issuer: issuerOf(tenant, { store: store.credentials, log, now }),
    // Here time is moved, not waited for.
    brief: issuerOf(tenant, { store: store.credentials, log, now }),
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    waitUntil(at: number) {
      ahead = Math.max(ahead, at - Date.now());
      return Promise.resolve();
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await store.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The digest a phone makes, with qop=auth as everybody does. */
function digestOf(credential: SipCredential, method: string, realm = domain) {
  const [nonce, cnonce] = [randomBytes(8).toString('hex'), randomBytes(4).toString('hex')];
  const uri = `sip:${realm}`;
  const ha1 = md5(`${credential.username}:${realm}:${credential.password}`);
  const response = md5(`${ha1}:${nonce}:00000001:${cnonce}:auth:${md5(`${method}:${uri}`)}`);
  return { username: credential.username, realm, nonce, uri, response, method, qop: 'auth', nc: '00000001', cnonce };
}

/** The event socket of FreeSWITCH, as far as the relay speaks with it; `commands` is what it was told. */
export async function scriptedEventSocket(
  password: string,
  answer: (command: string) => string,
): Promise<{ readonly port: number; readonly commands: string[]; close(): Promise<void> }> {
  const commands: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.write('Content-Type: auth/request\n\n');
    let text = '';
    let signedIn = false;
    socket.on('data', (data) => {
      text += data.toString('utf8');
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const command = text.slice(0, end);
        text = text.slice(end + 2);
        if (!signedIn) {
          signedIn = command === `auth ${password}`;
          socket.write(`Content-Type: command/reply\nReply-Text: ${signedIn ? '+OK accepted' : '-ERR invalid'}\n\n`);
          continue;
        }
        const api = /^api (.*)$/s.exec(command)?.[1] ?? '';
        commands.push(api);
        const body = answer(api);
        // In two pieces: a stream has no messages.
        socket.write(`Content-Type: api/response\nContent-Length: ${Buffer.byteLength(body)}\n\n${body.slice(0, 1)}`);
        socket.write(body.slice(1));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    commands,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

export async function freeswitchWorld(): Promise<PullWorld> {
  const registered = new Set<string>();
  const esl = await scriptedEventSocket('ClueCon', (command) => {
    const flushed = /^sofia profile internal flush_inbound_reg (\S+)@(\S+)$/.exec(command);
    if (flushed?.[2] === domain) registered.delete(flushed[1] ?? '');
    const [, sought] = /^sofia_contact \*\/(\S+)@pbx\.example\.com$/.exec(command) ?? [];
    if (sought !== undefined)
      return registered.has(sought)
        ? `sofia/internal/sip:${sought}@192.0.2.7:5066;transport=ws`
        : 'error/user_not_registered';
    return flushed === null ? '-ERR unknown\n' : '+OK\n';
  });
  const relay = await relayFor({
    credential: {
      kind: 'freeswitch-xmlcurl',
      token,
      eventSocket: { host: '127.0.0.1', port: esl.port, password: 'ClueCon' },
    },
  });
  const authorization = `Basic ${Buffer.from(`${relay.tenant.id}:${token}`).toString('base64')}`;
  const post: PullWorld['post'] = (path, body, headers = {}) =>
    fetch(`${relay.url}${path}`, {
      method: 'POST',
      body: new URLSearchParams(body),
      headers: { authorization, ...headers },
    });
  /** sofia looks up the digest's user name, and with force-matching-username it must be the address of record. */
  const challenge = async (credential: SipCredential, user: string, method: string): Promise<number> => {
    const digest = digestOf(credential, method);
    if (credential.username !== user) return 403;
    const answer = await post('/v1/freeswitch/directory', {
      hostname: 'fs1',
      section: 'directory',
      tag_name: 'domain',
      key_name: 'name',
      key_value: domain,
      action: 'sip_auth',
      sip_profile: 'internal',
      user: digest.username,
      domain,
      ...Object.fromEntries(Object.entries(digest).map(([name, value]) => [`sip_auth_${name}`, value])),
    });
    const xml = await answer.text();
    if (xml.includes('not found')) return 403;
    const a1 = /name="a1-hash" value="([0-9a-f]{32})"/.exec(xml)?.[1];
    // What FreeSWITCH really does with a user that has neither hash nor password: lets anybody in.
    if (a1 === undefined) return 200;
    const { nonce, nc, cnonce, uri, response } = digest;
    return md5(`${a1}:${nonce}:${nc}:${cnonce}:auth:${md5(`${method}:${uri}`)}`) === response ? 200 : 403;
  };
  return {
    ...relay,
    tenantConfig: relay.tenant,
    tenant: relay.tenant.id as TenantId,
    post,
    async register(credential, user) {
      const status = await challenge(credential, user, 'REGISTER');
      if (status === 200) registered.add(user);
      return status;
    },
    async invite(credential, user) {
      const status = await challenge(credential, user, 'INVITE');
      return status === 200 ? 404 : status;
    },
    bindings: (user) => Promise.resolve(registered.has(user) ? 1 : 0),
    cut: (user) => Promise.resolve(void registered.delete(user)),
    restart: () => Promise.resolve(registered.clear()),
    async close() {
      await relay.close();
      await esl.close();
    },
  };
}

export async function jambonzWorld(): Promise<PullWorld> {
  const relay = await relayFor({ credential: { kind: 'jambonz-hook', ...hook } });
  const authorization = `Basic ${Buffer.from(`${hook.username}:${hook.password}`).toString('base64')}`;
  const registered = new Set<string>();
  const post: PullWorld['post'] = (path, body, headers = {}) =>
    fetch(`${relay.url}${path}`, {
      method: 'POST',
      body: JSON.stringify(body),
      headers: { authorization, 'content-type': 'application/json', ...headers },
    });
  const ask = async (credential: SipCredential, user: string, method: string): Promise<number> => {
    if (credential.username !== user) return 403;
    const answer = await post('/v1/jambonz/registrations', { ...digestOf(credential, method), expires: '60' });
    const { status } = (await answer.json()) as { status: string };
    return status === 'ok' ? 200 : 403;
  };
  return {
    ...relay,
    tenantConfig: relay.tenant,
    tenant: relay.tenant.id as TenantId,
    post,
    async register(credential, user) {
      const status = await ask(credential, user, 'REGISTER');
      // Each phone has a registration of its own, which jambonz forgets when it refuses to renew it.
      const phone = `${user} ${credential.password}`;
      if (status === 200) registered.add(phone);
      else registered.delete(phone);
      return status;
    },
    async invite(credential, user) {
      const status = await ask(credential, user, 'INVITE');
      return status === 200 ? 404 : status;
    },
    cut: () => Promise.resolve(),
    bindings: (user) => Promise.resolve([...registered].filter((phone) => phone.startsWith(`${user} `)).length),
    restart: () => Promise.resolve(registered.clear()),
  };
}

/** A PBX with fixed passwords: nothing reaches it from the relay. */
export async function staticWorld(): Promise<IssuerWorld> {
  const passwords = { ada: 'the password at the PBX', bob: 'another password there' };
  const relay = await relayFor({
    credential: {
      kind: 'static',
      agents: { ada: { password: passwords.ada }, bob: { username: '1102', password: passwords.bob } },
    },
  });
  const byExtension = new Map<string, string>([
    [agents.ada.extension, passwords.ada],
    [agents.bob.extension, passwords.bob],
  ]);
  const registered = new Set<string>();
  const check = (credential: SipCredential, user: string): number =>
    credential.username === user && byExtension.get(user) === credential.password ? 200 : 403;
  return {
    ...relay,
    tenant: relay.tenant.id as TenantId,
    register(credential, user) {
      const status = check(credential, user);
      if (status === 200) registered.add(user);
      return Promise.resolve(status);
    },
    invite: (credential, user) => Promise.resolve(check(credential, user) === 200 ? 404 : 403),
    bindings: (user) => Promise.resolve(registered.has(user) ? 1 : 0),
    cut: (user) => Promise.resolve(void registered.delete(user)),
    restart: () => Promise.resolve(),
  };
}
