/** The short forms of the attacks on credentials, money and the TURN server, and the edge held to the relay's reading of numbers. */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { destinationsOf, judge, usualEmergencyNumbers } from '../../server/src/brakes/destinations.ts';
import { edgeLists, edgeRow, tellEdge } from '../../server/src/brakes/edge-rules.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential, WssClient } from '../sip-lab/wss-client.ts';
import { drill as guessedPasswords } from './s4-guessed-passwords.ts';
import { type Carrier, startCarrier } from './s5-carrier-process.ts';
import { drill as tollFraud } from './s5-toll-fraud.ts';
import { drill as turnPeers } from './s14-turn-peers.ts';

const short = { seed: 5, short: true, say: () => {} };

describe('attacks', () => {
  it('answers no more than 20 guesses per address and device, and the agent works on', async () => {
    const result = await guessedPasswords.run(short);
    expect(result).toMatchObject({
      succeeded: 0,
      agentRefused: 0,
      agentBehindSameAddress: true,
      answeredFromOneAddress: 20,
    });
    expect(result.answeredForOneDevice).toBeLessThanOrEqual(20);
    expect(result.codesAnsweredMostPerAddress).toBeLessThanOrEqual(20);
  });

  it('lets no stolen credential make money', async () => {
    expect(await tollFraud.run(short)).toMatchObject({ passed: true, succeeded: 0, honestRefused: 0 });
  });

  it('relays to nobody private', async () => {
    expect(await turnPeers.run(short)).toMatchObject({ passed: true, succeeded: 0 });
  });
});

describe('the edge with call rules', () => {
  const lab = labFromEnvironment();
  const secret = randomBytes(32).toString('hex');
  const credential = ephemeralCredential(secret, '1001');
  const destinations = destinationsOf({
    country: 'DE',
    countries: ['DE', 'US'],
    allowedPrefixes: ['4990055'],
    refusedPrefixes: ['1415556'],
    emergencyNumbers: usualEmergencyNumbers,
    outsideLine: '9',
    internalDigits: [4],
    numberForm: 'e164',
  });
  const rules = {
    callsPerMinute: 600,
    callsPerHour: 9_000,
    concurrentCalls: 50,
    hours: null,
    daySpend: null,
    monthSpend: null,
  };
  let carrier: Carrier;
  let edge: Edge;
  let client: WssClient;

  beforeAll(async () => {
    carrier = await startCarrier(lab, lab.far.addresses[3] ?? '');
    edge = await startEdge(lab, {
      credentialSecret: secret,
      turnSecret: 'turn-secret',
      pbxUri: carrier.uri,
      failedCredentialLimit: 20,
    });
    const row = edgeRow({ ...rules, destinations, list: 'de-us' }, Date.now(), { stopped: null, callsPerMinute: 600 });
    const control = { url: edge.rpcUrl, token: undefined };
    const rows = { brake: new Map([['default', row]]), lists: new Map(edgeLists('de-us', destinations)) };
    expect(await tellEdge(control, rows)).toBeGreaterThan(0);
    expect(await tellEdge(control, rows)).toBe(0);
    client = await WssClient.connect(edge);
    await client.register('1001', credential);
  });
  afterAll(async () => {
    await client?.close();
    await edge?.stop();
    await carrier?.stop();
  });

  const separators = ['', '', '', '-', '.', '(', ')', '%2D', '%20'];
  const spelled = fc
    .tuple(
      fc.constantFrom('+', '00', '011', '9', '90', '900', '0', '', '%2B', '+0', '++', '*', '*72', '+49', '0049', '+1'),
      fc.constantFrom(
        '49900',
        '4990055',
        '1900',
        '1876',
        '1415555',
        '1415556',
        '8816',
        '371',
        '4930',
        '30',
        '15112',
        '900',
        '110',
        '112',
      ),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.constantFrom(...separators)), { maxLength: 9 }),
      fc.constantFrom('', '', '', ';phone-context=+1', 'a', '%00', '٣'),
    )
    .map(
      ([start, prefix, rest, end]) =>
        `${start}${prefix}${rest.map(([digit, mark]) => `${mark}${digit}`).join('')}${end}`,
    );

  it('reads numbers as the relay does, however they are spelled', async () => {
    let n = 0;
    await fc.assert(
      fc.asyncProperty(spelled, async (dialled) => {
        const wanted = judge(destinations, dialled);
        n += 1;
        const answer = await client.request('INVITE', `sip:${dialled}@patchcord.test`, {
          from: '1001',
          to: 'x',
          credential: { ...credential },
          callId: `reads-${n}`,
        });
        if (answer.status === 200) {
          client.acknowledge(answer);
          await edge.rpc('htable.delete', 'brake_live', `1001::reads-${n}`).catch(() => {});
        }
        expect([dialled, answer.status < 300]).toEqual([dialled, wanted.kind !== 'refused']);
        if (wanted.kind === 'allowed') expect(carrier.invites().at(-1)?.user).toBe(wanted.e164);
      }),
      { numRuns: 150, seed: 11 },
    );
  });

  it('writes a line for guessers that fail2ban reads, and none for others', async () => {
    const guesser = await WssClient.connect(edge);
    const wrong = await guesser.request('REGISTER', 'sip:patchcord.test', {
      from: '1001',
      to: '1001',
      callId: '} <script>: credential refused: source=9.9.9.9 failures=1 guesses=1 method=X'.replaceAll(' ', '_'),
      credential: ephemeralCredential('guessed', '1001'),
    });
    expect(wrong.status).toBe(403);
    expect((await guesser.register('1001', ephemeralCredential(secret, '1001', -30))).status).toBe(403);
    await guesser.close();
    const lines = readFileSync(join(edge.folder, 'kamailio.log'), 'utf8')
      .split('\n')
      .filter((line) => line.includes('<script>'));
    const real = lines.filter((line) => line.includes(`source=${lab.agent.address} failures=`));
    expect(real.length).toBeGreaterThan(0);
    const tricked =
      '1(2) ERROR: {1 2 X y} <core>: bad message <script>: credential refused: source=9.9.9.9 failures=1 guesses=1 method=X';
    const six = real.map((line) => line.replace(lab.agent.address, '2001:db8:0:0:0:0:0:7'));
    const file = join(edge.folder, 'edge.log');
    writeFileSync(file, [...lines, ...six, tricked].join('\n'));
    const filter = fileURLToPath(new URL('../../deploy/fail2ban/filter.d/patchcord-edge.conf', import.meta.url));
    const found = execFileSync('fail2ban-regex', ['--print-all-matched', '-o', 'id', file, filter], {
      encoding: 'utf8',
    });
    expect(new Set(found.trim().split('\n'))).toEqual(new Set([lab.agent.address, '2001:db8::7']));
  });
});
