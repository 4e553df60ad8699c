/**
 * S4: somebody guesses credentials, from one address and from a thousand, while the agent whose credential it is works on; and somebody with a
 * credential of their own registers as another. Also guessed pairing codes at the relay. Owns the attack; counts what was answered.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import { Worker } from 'node:worker_threads';
import type { Drill } from '../drill.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type Credential, ephemeralCredential, WssClient } from '../sip-lab/wss-client.ts';
import { phoneKey, type RelayInTest, startRelayInTest, testConfig } from '../unit/server/relay-in-test.ts';
import { attackerAddress, layAttackerAddresses } from './s4-addresses.ts';
import type { Answered, Attack } from './s4-attacker.ts';

/** How many wrong tries may be answered, per address and per device: FAIL_LIMIT of the edge. */
const limit = 20;
/** A registration that takes this long while somebody attacks is one that nobody notices; below it the machine is measured, not the edge. */
const unnoticedMs = 150;

export const drill: Drill = {
  about: 'wrong passwords from 1 and from 1,000 addresses, hijacked registrations, guessed pairing codes',
  async run({ short, say }) {
    const lab = labFromEnvironment();
    const addresses = short ? 60 : 1_000;
    const guesses = short ? 600 : 10_000;
    const secret = randomBytes(32).toString('hex');
    const edge = await startEdge(lab, {
      credentialSecret: secret,
      turnSecret: randomBytes(24).toString('hex'),
      failedCredentialLimit: limit,
    });
    const clients: WssClient[] = [];
    let relay: RelayInTest | null = null;
    const connect = async (localAddress: string): Promise<WssClient> => {
      const client = await WssClient.connect(edge, { localAddress });
      clients.push(client);
      return client;
    };
    try {
      layAttackerAddresses(lab, addresses);
      const credential = ephemeralCredential(secret, '1001', 300);
      const agent = await connect(lab.agent.address);
      await must(agent.register('1001', credential));

      say('how fast the agent is when nobody attacks');
      const calm: number[] = [];
      for (let n = 0; n < (short ? 40 : 200); n += 1)
        calm.push(await timed(() => must(agent.register('1001', credential))));

      say(`${guesses} guesses from one address`);
      let attacking = true;
      const work = keepWorking(agent, credential, edge, () => attacking, lab.agent.address);
      const target = { edge: { wssUrl: edge.wssUrl, domain: edge.domain }, username: credential.username };
      const { most: one } = await attack({ ...target, addresses: [attackerAddress(0)], guessesEach: guesses });
      const afterOne = await sharedAddress(edge, secret, attackerAddress(0));

      say(`${guesses} guesses from ${addresses} addresses`);
      const {
        all: many,
        most: mostOfOne,
        cut,
      } = await attack({
        ...target,
        // Another device of the agent: the name of the first has had its answers.
        username: ephemeralCredential(secret, '1001', 295).username,
        addresses: Array.from({ length: addresses - 1 }, (_unused, n) => attackerAddress(n + 1)),
        guessesEach: Math.ceil(guesses / addresses),
      });
      attacking = false;
      const { times, refused } = await work;

      say('registrations of another');
      const hijacks = await hijack(edge, await connect(attackerAddress(0)), secret);

      say('guessed pairing codes');
      relay = await startRelayInTest(testConfig({ trustProxy: 1 }));
      const codes = await guessCodes(relay, short ? 200 : guesses, short ? 20 : 500);

      const calmP99 = percentile(calm, 0.99);
      const attackedP99 = percentile(times, 0.99);
      const succeeded = hijacks.succeeded + codes.succeeded;
      return {
        passed:
          succeeded === 0 &&
          one <= limit &&
          many <= limit &&
          refused === 0 &&
          afterOne &&
          times.length > 0 &&
          codes.mostOfOne <= limit &&
          codes.agentRefused === 0 &&
          attackedP99 <= Math.max(2 * calmP99, unnoticedMs),
        tried: 2 * guesses + hijacks.tried + codes.tried,
        succeeded,
        failed: 2 * guesses + hijacks.tried - hijacks.succeeded,
        answeredFromOneAddress: one,
        answeredForOneDevice: many,
        answeredMostPerAddress: mostOfOne,
        connectionsCut: cut,
        limit,
        agentTries: times.length,
        agentRefused: refused,
        agentBehindSameAddress: afterOne,
        calmP99Ms: round(calmP99),
        attackedP99Ms: round(attackedP99),
        hijacksTried: hijacks.tried,
        codesAnsweredMostPerAddress: codes.mostOfOne,
        codesTried: codes.tried,
      };
    } finally {
      await Promise.all(clients.map((client) => client.close()));
      await relay?.closed();
      await edge.stop();
    }
  },
};

/** Runs the guessing in a thread of its own: what it costs here must not look like what it costs the agent. */
function attack(order: Attack): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('./s4-attacker.ts', import.meta.url), { workerData: order });
    worker.once('message', resolve);
    worker.once('error', reject);
  });
}

/** The agent registers all along, on its connection and on new ones, and asks for calls. */
async function keepWorking(
  agent: WssClient,
  credential: Credential,
  edge: Edge,
  going: () => boolean,
  address: string,
) {
  const times: number[] = [];
  let refused = 0;
  for (let n = 0; going(); n += 1) {
    try {
      times.push(await timed(() => must(agent.register('1001', credential))));
      const call = await agent.request('INVITE', `sip:1999@${edge.domain}`, {
        from: '1001',
        to: '1999',
        credential,
        withinMs: 10_000,
      });
      // Nobody is 1999 and there is no PBX: what matters is that the edge looked.
      if (call.status !== 404) refused += 1;
      if (n % 20 === 0) {
        const again = await WssClient.connect(edge, { localAddress: address });
        await must(again.register('1001', credential));
        await again.close();
      }
    } catch {
      refused += 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return { times, refused };
}

/** Another agent, behind the address that attacked, with the right credential. */
async function sharedAddress(edge: Edge, secret: string, localAddress: string): Promise<boolean> {
  const client = await WssClient.connect(edge, { localAddress });
  try {
    return (await client.register('1002', ephemeralCredential(secret, '1002', 290))).status === 200;
  } finally {
    await client.close();
  }
}

/** Registers as another with a credential of one's own, in every way the request can say it. */
async function hijack(edge: Edge, client: WssClient, secret: string) {
  const own = ephemeralCredential(secret, '1002', 280);
  const register = (from: string, to: string, contact: string) =>
    client.request('REGISTER', `sip:${edge.domain}`, {
      from,
      to,
      credential: own,
      headers: [`Contact: <sip:${contact}@attacker.invalid;transport=ws>;expires=60`],
      withinMs: 1_000,
    });
  const before = JSON.stringify(await edge.rpc('ul.lookup', 'location', '1001'));
  const tries: [string, string, string][] = [
    ['1002', '1001', '1001'],
    ['1001', '1002', '1001'],
    ['1001', '1001', '1001'],
    ['1002', '1001', '*'],
    ['1002', '%31001', '1001'],
  ];
  let succeeded = 0;
  for (const [from, to, contact] of tries) {
    const answer = await register(from, to, contact).catch(() => null);
    if (answer !== null && answer.status < 300) succeeded += 1;
  }
  const contacts = (text: string): number => (text.match(/attacker\.invalid/g) ?? []).length;
  succeeded += contacts(JSON.stringify(await edge.rpc('ul.lookup', 'location', '1001'))) - contacts(before);
  return { tried: tries.length, succeeded };
}

/** Wrong pairing codes at the relay, from one address and from many; the agent signs in meanwhile. */
async function guessCodes(relay: RelayInTest, guesses: number, addresses: number) {
  const answered = new Map<string, number>();
  let succeeded = 0;
  const tryOne = async (address: string): Promise<void> => {
    const code = randomBytes(5).toString('hex').toUpperCase().slice(0, 8);
    const path = '/v1/sessions';
    const response = await relay.fetch(path, {
      json: { device: randomUUID(), proof: { kind: 'pairing-code', code } },
      headers: {
        'x-forwarded-for': address,
        dpop: phoneKey.proof({ method: 'POST', url: `${relay.relay.url}${path}` }),
      },
    });
    await response.arrayBuffer();
    if (response.status === 201) succeeded += 1;
    if (response.status !== 429) answered.set(address, (answered.get(address) ?? 0) + 1);
  };
  const all = [
    ...Array.from({ length: guesses }, () => '198.51.100.1'),
    ...Array.from(
      { length: 2 * addresses },
      (_unused, n) => `10.99.${Math.floor((n % addresses) / 250)}.${((n % addresses) % 250) + 1}`,
    ),
  ];
  let agentRefused = 0;
  const agent = (async () => {
    for (let n = 0; n < 5; n += 1) await relay.signIn('ada').catch(() => (agentRefused += 1));
  })();
  for (let first = 0; first < all.length; first += 100) await Promise.all(all.slice(first, first + 100).map(tryOne));
  await agent;
  return { tried: all.length, succeeded, agentRefused, mostOfOne: Math.max(...answered.values()) };
}

async function must(answer: Promise<{ readonly status: number; readonly reason: string }>): Promise<void> {
  const { status, reason } = await answer;
  if (status !== 200) throw new Error(`The agent was answered ${status} ${reason}.`);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
