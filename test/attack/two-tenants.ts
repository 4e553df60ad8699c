/**
 * A relay with two customers on it, and people of every role in each: what attacks on access need. Owns who they are, what belongs to whom and
 * how a person asks; must never hold a rule of who may do what.
 */
import { randomUUID } from 'node:crypto';
import type { RelayConfigInput } from '../../server/src/index.ts';
import { DpopKey } from '../dpop-key.ts';
import {
  adminToken,
  answeredCall,
  envelopes,
  Panel,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';

export type Role = 'agent' | 'supervisor' | 'admin';

/** Somebody who asks: signed in, or not. */
export interface Caller {
  readonly name: string;
  readonly tenant: 'acme' | 'globex' | null;
  readonly role: Role | 'machine' | 'nobody';
  ask(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>;
}

export interface TwoTenants {
  readonly one: RelayInTest;
  readonly callers: readonly Caller[];
  /** Texts that only people of `acme` may read: names, numbers, ids. */
  readonly secretsOfAcme: readonly string[];
  /** Ids of acme's to ask for, by the name of the parameter that takes them. */
  readonly idsOfAcme: Readonly<Record<string, readonly string[]>>;
  readonly callId: string;
  /** The live socket of somebody who is signed in, by name. */
  connect(name: string): Promise<Panel>;
  close(): Promise<void>;
}

const people = (prefix: string, from: number) =>
  (['agent', 'agent2', 'supervisor', 'admin'] as const).map((role, index) => ({
    id: `${prefix}-${role}`,
    name: `${prefix.toUpperCase()} Person ${role}`,
    extension: String(from + index),
    crmUserId: `00500000000${from + index}`,
    role: role === 'agent2' ? ('agent' as const) : role,
  }));

/** Starts it, signs everybody in and lets acme have a call with a note. */
export async function startTwoTenants(overrides: Partial<RelayConfigInput> = {}): Promise<TwoTenants> {
  const one = await startRelayInTest(
    testConfig({
      trustProxy: 1,
      tenants: [
        testTenant({ id: 'acme', name: 'Acme Confidential', agents: people('acme', 1001) }),
        testTenant({
          id: 'globex',
          name: 'Globex',
          agents: people('globex', 2001),
          hostOrigins: ['https://globex.example.com'],
        }),
      ],
      ...overrides,
    }),
  );
  const url = `http://127.0.0.1:${one.relay.port}`;
  let address = 0;
  /** From a new address each time: what is tried here is access, not how often. */
  const forwarded = (): string => {
    address += 1;
    return `10.${(address >> 16) & 255}.${(address >> 8) & 255}.${address & 255}`;
  };
  const send = (method: string, path: string, body: unknown, headers: Readonly<Record<string, string>>) =>
    fetch(`${url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        'x-forwarded-for': forwarded(),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });

  const signIn = async (
    tenant: 'acme' | 'globex',
    agent: string,
    role: Role,
  ): Promise<Caller & { readonly token: string; readonly key: DpopKey }> => {
    const key = new DpopKey();
    const { code } = await one.relay.createPairingCode(tenant, agent);
    const proofOf = (method: string, path: string, token: string | null) =>
      key.headers({ method, url: `${one.relay.url}${path.split('?')[0]}`, token });
    const response = await send(
      'POST',
      '/v1/sessions',
      { device: randomUUID(), proof: { kind: 'pairing-code', code } },
      proofOf('POST', '/v1/sessions', null),
    );
    if (response.status !== 201)
      throw new Error(`${agent} could not sign in: ${response.status} ${await response.text()}`);
    const { token } = (await response.json()) as { token: string };
    return {
      name: agent,
      tenant,
      role,
      token,
      key,
      ask: (method, path, body, headers = {}) =>
        send(method, path, body, { ...proofOf(method, path, token), ...headers }),
    };
  };

  const signedIn: Awaited<ReturnType<typeof signIn>>[] = [];
  for (const tenant of ['acme', 'globex'] as const) {
    for (const role of ['agent', 'supervisor', 'admin'] as const)
      signedIn.push(await signIn(tenant, `${tenant}-${role}`, role));
  }
  const [ada] = signedIn;
  if (ada === undefined) throw new Error('nobody signed in');
  const colleague = await signIn('acme', 'acme-agent2', 'agent');
  const callers: Caller[] = [
    ...signedIn,
    colleague,
    {
      name: 'nobody',
      tenant: null,
      role: 'nobody',
      ask: (method, path, body, headers = {}) => send(method, path, body, headers),
    },
    {
      name: 'made-up token',
      tenant: null,
      role: 'nobody',
      ask: (method, path, body) => {
        const token = `${'A'.repeat(22)}.${'B'.repeat(43)}`;
        return send(
          method,
          path,
          body,
          ada.key.headers({ method, url: `${one.relay.url}${path.split('?')[0]}`, token }),
        );
      },
    },
    {
      name: 'thief of a token without its key',
      tenant: null,
      role: 'nobody',
      ask: (method, path, body) =>
        send(
          method,
          path,
          body,
          new DpopKey().headers({ method, url: `${one.relay.url}${path.split('?')[0]}`, token: ada.token }),
        ),
    },
    {
      name: 'admin token',
      tenant: null,
      role: 'machine',
      ask: (method, path, body, headers = {}) =>
        send(method, path, body, { authorization: `Bearer ${adminToken}`, ...headers }),
    },
  ];

  const callId = randomUUID();
  const socket = await connectAs(one, ada);
  socket.publish(
    ...envelopes(callId, [
      ...answeredCall,
      { name: 'wrap-up.submitted', data: { note: 'the note of acme is secret' } },
    ]),
  );
  await socket.event('log.saved');
  const devices = (await (await ada.ask('GET', '/v1/devices')).json()) as { devices?: readonly { id: string }[] };
  const ids = (devices.devices ?? []).map(({ id }) => id);
  socket.socket.terminate();
  return {
    one,
    callers,
    callId,
    secretsOfAcme: ['Acme Confidential', 'ACME Person', 'the note of acme', callId, ...ids],
    idsOfAcme: {
      tenant: ['acme'],
      agent: people('acme', 1001).map(({ id }) => id),
      id: [callId, ...ids, `crm.log ${callId}`],
      pbx: ['kamailio'],
      name: ['panel.js'],
    },
    connect: (name) => {
      const who = [...signedIn, colleague].find((caller) => caller.name === name);
      if (who === undefined) throw new Error(`${name} is not signed in`);
      return connectAs(one, who);
    },
    close: () => one.closed(),
  };
}

async function connectAs(
  one: RelayInTest,
  { token, key }: { readonly token: string; readonly key: DpopKey },
): Promise<Panel> {
  const panel = await Panel.open(one.relay);
  const url = `${one.relay.url.replace(/^http/, 'ws')}/v1/live`;
  panel.send({ type: 'authenticate', token, proof: key.proof({ method: 'GET', url, token }) });
  await panel.next((message) => message.type === 'authenticated');
  return panel;
}
