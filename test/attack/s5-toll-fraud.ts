/**
 * S5: somebody has a stolen credential and wants to make money with it: premium numbers in every spelling, transfers and calls at night, many
 * calls at once, many with one Call-ID, new countries, long calls. Counted at the far side, which is what would be billed. Owns the scenarios; the edge is
 * deploy/kamailio, the relay the real one.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { AgentId, TenantId } from '@patchcord/call-protocol';
import { openStore } from '../../server/src/store/open.ts';
import type { Drill } from '../drill.ts';
import { startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type Credential, ephemeralCredential, type SipAnswer, WssClient } from '../sip-lab/wss-client.ts';
import {
  adminToken,
  type RelayInTest,
  startRelayInTest,
  testConfig,
  testTenant,
} from '../unit/server/relay-in-test.ts';
import { startCarrier } from './s5-carrier-process.ts';

/** Beginnings of numbers that fraud is made with, in spellings that might slip past a list of prefixes. */
const costly = [
  ...['+1900', '1900', '900', '1-900-', '+1.900.', '+1(900)', '%2B1900', '+%31900', '001 1900', '0111900', '+1 9-0-0'],
  ...[
    '+1876',
    '1876',
    '876',
    '0111876',
    '00 1 876',
    '+1809',
    '+1268',
    '+1(473)',
    '+1473',
    '9+1876',
    '91876',
    '9 011 1876',
  ],
  ...['+8816', '0118816', '+88213', '01188213', '+88310', '+8702', '+979', '011979', '+888'],
  ...[
    '+252',
    '+371',
    '+53',
    '0053',
    '01153',
    '+44 70',
    '+4470',
    '+449',
    '+49900',
    '01149900',
    '+4913',
    '+216',
    '+960',
    '+2215',
  ],
  ...[
    '+01900',
    '++1900',
    '+1900;phone-context=+1',
    '+1900;npdi;rn=+1415',
    '+1900a',
    '*721900',
    '*72011371',
    '*72+1900',
    '*7291900',
    '*981900',
    '1900٥',
  ],
];

const seconds = (ms: number): number => Math.round(ms / 100) / 10;

export const drill: Drill = {
  about: 'toll fraud with a stolen credential: premium, night, bursts, new country, parallel and long calls',
  async run({ short, say, seed }) {
    const lab = labFromEnvironment();
    const [, , , address = ''] = lab.far.addresses;
    const secret = randomBytes(32).toString('hex');
    const folder = await mkdtemp(join(lab.folder, 's5-'));
    const carrier = await startCarrier(lab, address);
    const edge = await startEdge(lab, {
      credentialSecret: secret,
      turnSecret: randomBytes(24).toString('hex'),
      pbxUri: carrier.uri,
    });
    const clients: WssClient[] = [];
    let relay: RelayInTest | null = null;
    try {
      await rememberOrdinaryDays(folder, 'dave');
      const night = new Date(Date.now() + 12 * 3_600_000).getUTCHours();
      const agents = ['ada', 'bob', 'carol', 'dave', 'eve', 'frank', 'grace', 'heidi'];
      relay = await startRelayInTest(
        testConfig({
          tenants: [
            testTenant({
              sip: {
                domain: edge.domain,
                servers: [edge.wssUrl],
                credential: { kind: 'kamailio-ephemeral', secret },
                revocation: { kamailioRpcUrl: edge.rpcUrl },
              },
              // Forwarding is how a call leaves unseen: the code is known, and what is behind it must be judged.
              features: { forwarding: { on: '*72{number}', off: '*73' }, voicemail: { deposit: '*98{extension}' } },
              brakes: {
                outsideLine: '9',
                countries: ['US', 'CA'],
                spend: { currency: 'USD', rates: [{ prefix: '1', perMinute: 12 }] },
              },
              agents: agents.map((id, index) => ({
                id,
                name: id,
                extension: `100${index + 1}`,
                crmUserId: `00500000000000${index + 1}`,
                ...(id === 'carol' ? { brakes: { hours: { from: `${two(night)}:00`, to: `${two(night)}:30` } } } : {}),
                ...(id === 'frank' ? { brakes: { daySpend: short ? 2 : 6 } } : {}),
              })),
            }),
          ],
        }),
        { folder },
      );
      const running = relay;
      await until(
        'the rules to reach the edge',
        async () => (await edge.rpc('htable.dump', 'brake').catch(() => [])) as unknown[],
        (rows) => rows.length > 0,
      );

      const line = async (extension: string): Promise<Line> => {
        const client = await WssClient.connect(edge);
        clients.push(client);
        const credential = ephemeralCredential(secret, extension, 300 + clients.length);
        const answer = await client.register(extension, credential);
        if (answer.status !== 200) throw new Error(`${extension} could not register: ${answer.status}`);
        return { client, credential, extension, domain: edge.domain };
      };

      const honest = await line('1007');
      let honestRefused = 0;
      const honestCall = async (): Promise<void> => {
        const answer = await dial(honest, '+14155550107');
        if (answer.status === 200) await hangUp(honest, answer);
        else honestRefused += 1;
      };
      await honestCall();

      say('premium, satellite and foreign numbers with a stolen credential');
      const wanted = short ? 60 : 200;
      const thief = await Promise.all(['1001', '1001', '1001', '1001'].map(line));
      const begun = Date.now();
      const before = carrier.invites().length;
      const detected = alert(running, 'refused-calls', begun);
      const revoked = alert(running, 'refused-calls-revoke', begun);
      const numbers = Array.from({ length: wanted }, (_unused, n) =>
        numberFor(costly[n % costly.length] ?? '', n + seed),
      );
      const answers = (
        await Promise.all(
          thief.map((one, index) =>
            each(
              numbers.filter((_n, n) => n % 4 === index),
              (number) => dial(one, number),
            ),
          ),
        )
      ).flat();
      const premiumThrough = carrier.invites().length - before;
      const transfers = await each(['+19005550100', '0118816123456', '+1876%35550100'], async (number) =>
        transferOut(await line('1005'), number),
      );
      const detectedMs = await detected;
      const revokedMs = await revoked;
      const afterRevocation = await Promise.all(thief.map((one) => dial(one, '+14155550100')));
      const afterThrough = afterRevocation.filter(({ status }) => status < 300).length;

      say('20 calls in 60 seconds');
      const bob = await line('1002');
      const burst = await each(
        Array.from({ length: 20 }, (_unused, n) => `+1415555${1000 + n}`),
        async (number) => {
          const answer = await dial(bob, number);
          if (answer.status === 200) await hangUp(bob, answer);
          return answer.status;
        },
      );
      const burstThrough = burst.filter((status) => status === 200).length;

      say('calls at night');
      const carol = await line('1003');
      const nightCalls = await each(['+14155550101', '4155550102', '914155550103'], (number) => dial(carol, number));
      const nightThrough = nightCalls.filter(({ status }) => status < 300).length;
      const emergency = (await dial(carol, '911')).status === 200;

      say('a country never called before');
      const dave = await line('1004');
      const countryBegun = Date.now();
      const countryAlert = alert(running, 'new-country', countryBegun);
      await dial(dave, '+16135550100');
      const newCountryMs = await countryAlert;

      say('calls at once');
      const eves = await Promise.all(Array.from({ length: 5 }, () => line('1005')));
      const parallel = await Promise.all(
        Array.from({ length: 10 }, (_unused, n) => dial(eves[n % eves.length] ?? bob, `+1415556${1000 + n}`)),
      );
      const parallelThrough = parallel.filter(({ status }) => status === 200).length;

      say('calls at once that all claim to be one');
      const heidi = await line('1008');
      const oneCallId = `one-${seed}`;
      const claimed = await Promise.all(
        Array.from({ length: 8 }, (_unused, n) => dial(heidi, `+1415557${1000 + n}`, oneCallId)),
      );
      const claimedThrough = claimed.filter(({ status }) => status === 200).length;

      say('long calls against a ceiling');
      const frank = await line('1006');
      const longCalls = await each(['+14155551001', '+14155551002'], (number) => dial(frank, number));
      const spendBegun = Date.now();
      const ceilingMs = await alert(running, 'spend-day', spendBegun, 60_000);
      const ids = new Set(longCalls.map((answer) => answer.header('call-id')));
      await until(
        'the calls to end',
        () => carrier.seen.filter(({ what, callId }) => what === 'BYE' && ids.has(callId)),
        (byes) => byes.length === ids.size,
      );
      const spent = [...ids].reduce((sum, id) => {
        const from = carrier.seen.find((sight) => sight.what === 'INVITE' && sight.callId === id)?.at ?? 0;
        const to = carrier.seen.find((sight) => sight.what === 'BYE' && sight.callId === id)?.at ?? 0;
        return sum + ((to - from) / 60_000) * 12;
      }, 0);
      const afterCeiling = (await dial(frank, '+14155551003')).status;

      await honestCall();
      const mint = await running.signIn('ada').then(
        (session) => running.fetch('/v1/credentials', { token: session.token, method: 'POST' }),
        () => null,
      );
      const mintRefused =
        mint === null ? 'no sign-in' : ((await mint.json()) as { error?: { code?: string } }).error?.code;

      const succeeded =
        premiumThrough +
        afterThrough +
        transfers.filter(({ status }) => status < 300).length +
        nightThrough +
        Math.max(0, burstThrough - 12) +
        Math.max(0, parallelThrough - 4) +
        Math.max(0, claimedThrough - 1) +
        (afterCeiling < 300 ? 1 : 0);
      const ceiling = short ? 2 : 6;
      const slowest = Math.max(detectedMs, revokedMs, newCountryMs);
      return {
        passed:
          succeeded === 0 &&
          spent <= ceiling &&
          slowest <= 5_000 &&
          emergency &&
          honestRefused === 0 &&
          burstThrough > 0 &&
          parallelThrough > 0 &&
          claimedThrough > 0 &&
          mintRefused === 'credential.refused',
        tried:
          answers.length +
          transfers.length +
          afterRevocation.length +
          burst.length +
          nightCalls.length +
          parallel.length +
          claimed.length +
          4,
        succeeded,
        failed: answers.filter(({ status }) => status >= 400).length,
        premiumTried: answers.length,
        premiumThrough,
        burstThrough,
        parallelThrough,
        claimedThrough,
        nightThrough,
        spent: Math.round(spent * 100) / 100,
        ceiling,
        ceilingSeconds: seconds(ceilingMs),
        detectionSeconds: seconds(detectedMs),
        revokedSeconds: seconds(revokedMs),
        newCountrySeconds: seconds(newCountryMs),
        honestRefused,
        mint: mintRefused ?? 'given',
      };
    } finally {
      await Promise.all(clients.map((client) => client.close()));
      await relay?.closed();
      await edge.stop();
      await carrier.stop();
      await rm(folder, { recursive: true, force: true });
    }
  },
};

interface Line {
  readonly client: WssClient;
  readonly credential: Credential;
  readonly extension: string;
  readonly domain: string;
}

async function dial(
  { client, credential, extension, domain }: Line,
  number: string,
  callId?: string,
): Promise<SipAnswer> {
  const answer = await client.request('INVITE', `sip:${number}@${domain}`, {
    from: extension,
    to: 'somebody',
    credential,
    body: browserOffer,
    withinMs: 10_000,
    ...(callId === undefined ? {} : { callId }),
  });
  if (answer.status === 200) client.acknowledge(answer);
  return answer;
}

/** BYE in the dialog of an answered call (RFC 3261 section 15.1.1). */
async function hangUp({ client, extension }: Line, answer: SipAnswer): Promise<void> {
  const target = /<([^>]+)>/.exec(answer.header('contact') ?? '')?.[1] ?? '';
  await client.request('BYE', target, {
    from: extension,
    to: 'somebody',
    callId: answer.header('call-id') ?? '',
    fromTag: /;tag=([^;]+)/.exec(answer.header('from') ?? '')?.[1] ?? '',
    toTag: /;tag=([^;]+)/.exec(answer.header('to') ?? '')?.[1] ?? '',
    headers: answer
      .headers('record-route')
      .reverse()
      .map((route) => `Route: ${route}`),
  });
}

/** A call to a colleague behind the PBX, which is then told to call a costly number itself. */
async function transferOut(eve: Line, number: string): Promise<SipAnswer> {
  const call = await dial(eve, '2002');
  const answer = await eve.client.request('REFER', /<([^>]+)>/.exec(call.header('contact') ?? '')?.[1] ?? '', {
    from: eve.extension,
    to: 'somebody',
    callId: call.header('call-id') ?? '',
    fromTag: /;tag=([^;]+)/.exec(call.header('from') ?? '')?.[1] ?? '',
    toTag: /;tag=([^;]+)/.exec(call.header('to') ?? '')?.[1] ?? '',
    headers: [
      ...call
        .headers('record-route')
        .reverse()
        .map((route) => `Route: ${route}`),
      `Refer-To: <sip:${number}@${eve.domain}>`,
    ],
  });
  await hangUp(eve, call);
  return answer;
}

async function each<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  for (const item of items) results.push(await work(item));
  return results;
}

/** A number that begins like this and is as long as one of its kind. */
function numberFor(beginning: string, n: number): string {
  if (beginning.includes(';')) return beginning.replace(';', `555${String(n % 10_000).padStart(4, '0')};`);
  return `${beginning}555${String(n % 10_000).padStart(4, '0')}`.replaceAll(' ', '');
}

/** Milliseconds from `begun` until an alert whose kind begins like this can be read; Infinity when there is none in time. */
async function alert(relay: RelayInTest, kind: string, begun: number, withinMs = 15_000): Promise<number> {
  const found = await until(
    `the alert ${kind}`,
    async () => {
      const response = await relay.fetch('/v1/admin/alerts?tenant=acme', { token: adminToken });
      return ((await response.json()) as { readonly alerts: readonly { readonly kind: string; readonly at: number }[] })
        .alerts;
    },
    (alerts) => alerts.some((one) => one.kind.startsWith(kind)),
    withinMs,
  ).catch(() => null);
  return found === null ? Number.POSITIVE_INFINITY : Date.now() - begun;
}

async function until<T>(
  what: string,
  look: () => Promise<T> | T,
  good: (value: T) => boolean,
  withinMs = 15_000,
): Promise<T> {
  const deadline = Date.now() + withinMs;
  for (;;) {
    const value = await look();
    if (good(value)) return value;
    if (Date.now() > deadline) throw new Error(`Waited in vain for ${what}.`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Twelve days on which an agent called at home, at every hour. */
async function rememberOrdinaryDays(folder: string, agent: string): Promise<void> {
  const store = await openStore({ kind: 'sqlite', folder });
  for (let day = 1; day <= 12; day += 1) {
    for (let hour = 0; hour < 24; hour += 1) {
      const at = Date.now() - day * 86_400_000;
      await store.brakes.begun(
        {
          tenant: 'acme' as TenantId,
          agent: agent as AgentId,
          key: `past-${day}-${hour}`,
          country: 'US',
          perMinute: 0,
          connection: 0,
          day: new Date(at).toISOString().slice(0, 10),
          startedAt: at,
          answeredAt: null,
        },
        hour,
        at,
      );
      await store.brakes.ended('acme' as TenantId, `past-${day}-${hour}`, at, 0);
    }
  }
  await store.close();
}

function two(n: number): string {
  return String(n).padStart(2, '0');
}

/** What a browser offers, shortened. */
const browserOffer = [
  ...['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 't=0 0', 'm=audio 50000 UDP/TLS/RTP/SAVPF 0', 'c=IN IP4 10.77.0.10'],
  ...[
    'a=ice-ufrag:abcd',
    'a=ice-pwd:abcdefghijklmnopqrstuvwx',
    `a=fingerprint:sha-256 ${Array(32).fill('AB').join(':')}`,
  ],
  ...['a=setup:actpass', 'a=mid:0', 'a=sendrecv', 'a=rtcp-mux', ''],
].join('\r\n');
