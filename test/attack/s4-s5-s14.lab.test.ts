/** The short forms of the attacks on credentials, money and the TURN server, and the edge held to the relay's reading of numbers. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  destinationsOf,
  judge,
  type NumberingPlan,
  usualEmergencyNumbers,
} from '../../server/src/brakes/destinations.ts';
import {
  callsAtEdge,
  edgeLists,
  edgeRow,
  endCallsAtEdge,
  endCallsOf,
  tellEdge,
} from '../../server/src/brakes/edge-rules.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential, type SipAnswer, WssClient } from '../sip-lab/wss-client.ts';
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
  const plan: NumberingPlan = {
    country: 'DE',
    countries: ['DE', 'US'],
    allowedPrefixes: ['4990055'],
    refusedPrefixes: ['1415556'],
    emergencyNumbers: usualEmergencyNumbers,
    outsideLine: '9',
    internalDigits: [4],
    numberForm: 'e164',
  };
  const destinations = destinationsOf(plan);
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
  let control: { url: string; token: undefined };
  let calls = 0;

  const dial = (number: string, callId: string, fromTag?: string) =>
    client.request('INVITE', `sip:${number}@patchcord.test`, {
      from: '1001',
      to: 'x',
      credential,
      callId,
      ...(fromTag === undefined ? {} : { fromTag }),
    });
  /** A call to outside that was answered. */
  const running = async (number = '+14155550101'): Promise<SipAnswer & { readonly callId: string }> => {
    calls += 1;
    const callId = `running-${calls}`;
    const answer = await dial(number, callId);
    expect(answer.status).toBe(200);
    client.acknowledge(answer);
    return { ...answer, callId };
  };
  const inDialog = (answer: SipAnswer) => ({
    fromTag: /;tag=([^;]+)/.exec(answer.header('from') ?? '')?.[1] ?? '',
    toTag: /;tag=([^;]+)/.exec(answer.header('to') ?? '')?.[1] ?? '',
    headers: answer
      .headers('record-route')
      .reverse()
      .map((route) => `Route: ${route}`),
  });
  const seen = async (callId: string) => (await callsAtEdge(control)).find((call) => call.sipCallId === callId);
  const slot = (callId: string) => edge.rpc('htable.get', 'brake_live', `1001::${callId}`);
  const byes = (callId: string) => carrier.seen.filter((sight) => sight.what === 'BYE' && sight.callId === callId);

  beforeAll(async () => {
    carrier = await startCarrier(lab, lab.far.addresses[3] ?? '');
    edge = await startEdge(lab, {
      credentialSecret: secret,
      turnSecret: 'turn-secret',
      pbxUri: carrier.uri,
      failedCredentialLimit: 20,
    });
    const row = edgeRow({ ...rules, destinations, list: 'de-us' }, Date.now(), { stopped: null, callsPerMinute: 600 });
    control = { url: edge.rpcUrl, token: undefined };
    const rows = {
      brake: new Map([['default', row]]),
      lists: new Map(edgeLists('de-us', destinations)),
      callerIds: new Map(),
    };
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

  it('reads the numbers and codes of the phone system as the relay does, and what is forwarded as a call to where it goes', async () => {
    const own = destinationsOf({
      ...plan,
      own: {
        exact: ['600', '700', '*7800000'],
        behind: ['5.8', '7.*98', '7.*80'],
        forwards: ['*72', '*21*'],
      },
    });
    for (const [key, value] of edgeLists('own', own)) await edge.rpc('htable.sets', 'brake_list', key, value);
    const row = edgeRow({ ...rules, destinations: own, list: 'own' }, Date.now(), {
      stopped: null,
      callsPerMinute: 600,
    });
    await edge.rpc('htable.sets', 'brake', '1001', row);
    let n = 0;
    const agrees = async (dialled: string): Promise<void> => {
      const wanted = judge(own, dialled);
      n += 1;
      const answer = await dial(dialled, `own-${n}`);
      if (answer.status === 200) {
        client.acknowledge(answer);
        await edge.rpc('htable.delete', 'brake_live', `1001::own-${n}`).catch(() => {});
      }
      expect([dialled, answer.status < 300]).toEqual([dialled, wanted.kind !== 'refused']);
      if (wanted.kind === 'refused') return;
      const [, code = ''] = wanted.kind === 'allowed' ? (/^(\*72|\*21\*)/.exec(dialled) ?? []) : [];
      const end = code !== '' && dialled.endsWith('%23') ? '#' : '';
      const got = carrier.invites().at(-1)?.user ?? '';
      expect(decodeURIComponent(got)).toBe(
        wanted.kind === 'allowed' ? `${code}${wanted.e164}${end}` : decodeURIComponent(dialled),
      );
      if (wanted.kind === 'allowed') expect((await seen(`own-${n}`))?.digits).toBe(wanted.e164.slice(1));
      else expect(await seen(`own-${n}`)).toBeUndefined();
    };
    for (const dialled of [
      ...[
        '600',
        '700',
        '701',
        '81001',
        '8100100',
        '*7800000',
        '*7800001',
        '*981001',
        '*98100100',
        '*801001',
        '*811001',
      ],
      ...['*72', '*72%23', '*721001', '*7281001', '*72700', '*72701', '*72110', '*729110', '*72*981001', '*21*1001%23'],
      ...['*72+4930123456', '*72030123456', '*729030123456', '*7290900123456', '*72+49900123456', '*7200371671234'],
      ...['*721900', '*7219005550100', '*72011371', '*21*+14155550101%23', '*21*+19005550101%23', '*21*1001%231'],
    ])
      await agrees(dialled);
    const mixed = fc
      .tuple(
        fc.constantFrom('*72', '*21*', '*98', '*80', '8', '*', '%23', '7', ''),
        fc.constantFrom('', '+', '00', '0', '9', '90', '*98', '8'),
        fc.constantFrom('', '1001', '700', '110', '49900', '1900', '4930', '371', '1415555', '1415556'),
        fc.stringMatching(/^\d{0,8}$/),
        fc.constantFrom('', '', '%23', '*'),
      )
      .map((parts) => parts.join(''))
      .filter((dialled) => dialled !== '');
    await fc.assert(fc.asyncProperty(mixed, agrees), { numRuns: 120, seed: 12 });
    await edge.rpc('htable.delete', 'brake', '1001');
  });

  it('takes one Call-ID for one call only, and lets no other call end it', async () => {
    const second = await WssClient.connect(edge);
    await second.register('1009', ephemeralCredential(secret, '1009'));
    // A call that costs nothing rings while the one that costs money begins, with everything alike but the number.
    const free = client.request('INVITE', 'sip:1009@patchcord.test', {
      from: '1001',
      to: '1009',
      credential,
      callId: 'twin',
      fromTag: 'same',
    });
    const rings = await second.waitFor(/^INVITE/);
    const costly = await dial('+14155550102', 'twin', 'same');
    expect(costly.status).toBe(200);
    client.acknowledge(costly);
    second.answer(rings, 603, 'Decline');
    expect((await free).status).toBe(603);
    expect(await seen('twin')).toMatchObject({ endedAt: null });
    await slot('twin');

    for (const [number, tag] of [
      ['+14155550103', 'other'],
      ['+14155550103', 'same'],
      ['1009', 'other'],
      ['110', 'other'],
    ] as const)
      expect([number, tag, (await dial(number, 'twin', tag)).status]).toEqual([number, tag, 482]);
    const atOnce = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((tag) => dial('+14155550104', 'crowd', tag)));
    expect(atOnce.map(({ status }) => status).sort()).toEqual([200, 482, 482, 482, 482]);
    expect((await dial('+14155550104', 'odd', 'a|b')).status).toBe(400);
    await second.close();
  });

  it('believes the far side alone that a call has ended', async () => {
    const call = await running();
    const accomplice = await WssClient.connect(edge);
    const registered = await accomplice.register('1008', ephemeralCredential(secret, '1008'));
    const [, target = ''] = /pub-gruu="([^"]+)"/.exec(registered.header('contact') ?? '') ?? [];
    const { headers, fromTag, toTag } = inDialog(call);
    const bye = (tags: { fromTag: string; toTag: string }) =>
      client.request('BYE', target, { from: '1001', to: 'x', callId: call.callId, headers, ...tags });
    for (const tags of [
      { fromTag: 'mine', toTag: 'too' },
      { fromTag, toTag },
    ]) {
      const answered = bye(tags);
      accomplice.answer(await accomplice.waitFor(new RegExp(`^BYE.*tag=${tags.fromTag}`, 's')), 200, 'OK');
      expect((await answered).status).toBe(200);
      expect(await seen(call.callId)).toMatchObject({ endedAt: null });
      await slot(call.callId);
    }
    const contact = /<([^>]+)>/.exec(call.header('contact') ?? '')?.[1] ?? '';
    await client.request('BYE', contact, { from: '1001', to: 'x', callId: call.callId, ...inDialog(call) });
    expect((await seen(call.callId))?.endedAt).not.toBeNull();
    await expect(slot(call.callId)).rejects.toThrow();
    await accomplice.close();
  });

  it('lets no phone count beyond the numbers that calls are ended with', async () => {
    for (const [n, sequence] of ['1000000000', '2000000000', '0001000000001'].entries()) {
      client.send(
        [
          'INVITE sip:+14155550101@patchcord.test SIP/2.0',
          `Via: SIP/2.0/WSS far.invalid;branch=z9hG4bKhigh${n}`,
          'Max-Forwards: 70',
          'From: <sip:1001@patchcord.test>;tag=high',
          'To: <sip:x@patchcord.test>',
          `Call-ID: high-${n}`,
          `CSeq: ${sequence} INVITE`,
          'Contact: <sip:1001@far.invalid;transport=ws>',
          'Content-Length: 0',
          '',
          '',
        ].join('\r\n'),
      );
      expect(await client.waitFor(new RegExp(`^SIP/2\\.0 [2-6].*z9hG4bKhigh${n}`, 's'))).toMatch(/^SIP\/2\.0 400 /);
    }
  });

  it('counts a call as ended when the far side has taken the BYE, and asks again until then', async () => {
    const call = await running('+14155550500');
    const only = new Set(['1001']);
    await endCallsAtEdge(control, only);
    await vi.waitFor(() => expect(byes(call.callId)).toHaveLength(1), 5_000);
    // Every other call of these tests has ended by now, this one has not.
    await vi.waitFor(
      async () =>
        expect((await callsAtEdge(control)).flatMap((one) => (one.endedAt === null ? [one.sipCallId] : []))).toEqual([
          call.callId,
        ]),
      5_000,
    );
    await slot(call.callId);
    await endCallsAtEdge(control, only);
    await vi.waitFor(async () => expect((await seen(call.callId))?.endedAt).not.toBeNull(), 5_000);
    await expect(slot(call.callId)).rejects.toThrow();
  });

  it('ends a call that rang while the access was taken away as soon as it is answered, and no later one', async () => {
    const ringing = dial('+14155550180', 'rang');
    await vi.waitFor(() => expect(carrier.invites().some(({ callId }) => callId === 'rang')).toBe(true), 5_000);
    expect(await endCallsOf(control, '1001')).toBe(0);
    const later = await running('+14155550181');
    client.acknowledge(await ringing);
    expect(await endCallsAtEdge(control, new Set())).toBe(1);
    await vi.waitFor(async () => expect((await seen('rang'))?.endedAt).not.toBeNull(), 5_000);
    expect(byes('rang')).toHaveLength(1);
    expect(await seen(later.callId)).toMatchObject({ endedAt: null });
    expect(await endCallsAtEdge(control, new Set())).toBe(0);
  });

  it('judges a transfer by the rules of the extension, whatever dashes are in its name', async () => {
    const name = 'a-b-abcdefghijklmnop';
    const expires = Math.floor(Date.now() / 1_000) + 300;
    const ha1 = createHash('md5').update(`${name}:patchcord.test:pushed`).digest('hex');
    await edge.rpc('htable.setxs', 'pushed', name, `${ha1}:${expires}:a-b`, 300);
    const phone = await WssClient.connect(edge);
    const pushed = { username: name, password: 'pushed' };
    expect((await phone.register('a-b', pushed)).status).toBe(200);
    const call = await phone.request('INVITE', 'sip:2002@patchcord.test', { from: 'a-b', to: 'x', credential: pushed });
    phone.acknowledge(call);
    const stopped = { stopped: 'Stopped for this test', callsPerMinute: 600 };
    await edge.rpc(
      'htable.sets',
      'brake',
      'a-b',
      edgeRow({ ...rules, destinations, list: 'de-us' }, Date.now(), stopped),
    );
    const refer = await phone.request('REFER', /<([^>]+)>/.exec(call.header('contact') ?? '')?.[1] ?? '', {
      from: 'a-b',
      to: 'x',
      callId: call.header('call-id') ?? '',
      ...inDialog(call),
      headers: [...inDialog(call).headers, 'Refer-To: <sip:+14155550100@patchcord.test>'],
    });
    expect([refer.status, refer.reason]).toEqual([403, 'Stopped for this test']);
    await phone.close();
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
