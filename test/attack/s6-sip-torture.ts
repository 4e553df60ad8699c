/**
 * The SIP half of S6: messages after the ideas of RFC 4475 (every construct the grammar allows, and those it does not) and broken copies of them,
 * sent to the edge of the laboratory over WebSocket and UDP. The texts are made here. After each batch the edge must still be the same process
 * and register a phone; what it answers to nonsense is its own affair.
 */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { WebSocket } from 'ws';
import { startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { ephemeralCredential, WssClient } from '../sip-lab/wss-client.ts';
import { Mutations } from './mutations.ts';

const secret = 'a-secret-for-torture-messages-0001';

/** Sends them all. `hangs` counts batches after which the edge did not register a phone within five seconds. */
export async function tortureEdge(
  seed: number,
  count: number,
): Promise<{ tried: number; crashes: number; hangs: number }> {
  const lab = labFromEnvironment();
  const edge = await startEdge(lab, { credentialSecret: secret, turnSecret: `${secret}-turn` });
  const mutations = new Mutations(seed);
  const udp = createSocket('udp4');
  let tried = 0;
  let crashes = 0;
  let hangs = 0;
  try {
    const startedAt = Number(((await edge.rpc('core.uptime')) as { uptime: number }).uptime);
    let uptime = startedAt;
    const messages = tortureMessages(edge.domain);
    for (let from = 0; from < count; from += 50) {
      const socket = new WebSocket(edge.wssUrl, 'sip', { rejectUnauthorized: false, origin: 'http://localhost:4000' });
      socket.on('error', () => {});
      await Promise.race([once(socket, 'open'), once(socket, 'close')]);
      for (let index = 0; index < 50; index += 1) {
        const original = messages[(from + index) % messages.length] as string;
        const text = from + index < messages.length ? original : mutations.string(original);
        if (socket.readyState === WebSocket.OPEN) socket.send(text);
        udp.send(Buffer.from(text).subarray(0, 60_000), 5060, lab.edge.address, () => {});
        tried += 2;
      }
      await new Promise<void>((resolve) => {
        socket.ping('', true, () => resolve());
        socket.once('close', () => resolve());
        setTimeout(resolve, 200).unref();
      });
      socket.terminate();
      const answers = await stillServes(edge);
      if (!answers) hangs += 1;
      const now = await edge.rpc('core.uptime').then(
        (told) => Number((told as { uptime: number }).uptime),
        () => -1,
      );
      if (now < uptime) crashes += 1;
      uptime = now;
    }
  } finally {
    udp.close();
    await edge.stop();
  }
  return { tried, crashes, hangs };
}

async function stillServes(edge: { wssUrl: string; domain: string }): Promise<boolean> {
  const work = (async () => {
    const phone = await WssClient.connect(edge);
    const answer = await phone.register('1001', ephemeralCredential(secret, '1001'));
    await phone.close();
    return answer.status === 200;
  })();
  const late = new Promise<boolean>((resolve) => setTimeout(() => resolve(false), 5_000).unref());
  return Promise.race([work.catch(() => false), late]);
}

/** One message for each idea. */
function tortureMessages(domain: string): readonly string[] {
  const message = (start: string, headers: readonly string[], body = ''): string =>
    [start, ...headers, '', body].join('\r\n');
  const id = (): string => randomBytes(6).toString('hex');
  const usual = (method: string, change: Readonly<Record<string, string | null>> = {}): string[] => {
    const headers: Record<string, string | null> = {
      Via: `SIP/2.0/WSS torture.invalid;branch=z9hG4bK${id()}`,
      'Max-Forwards': '70',
      From: `<sip:1001@${domain}>;tag=${id()}`,
      To: `<sip:1002@${domain}>`,
      'Call-ID': `${id()}@torture.invalid`,
      CSeq: `1 ${method}`,
      'Content-Length': '0',
      ...change,
    };
    return Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  };
  const request = (
    method: string,
    change?: Readonly<Record<string, string | null>>,
    body?: string,
    uri = `sip:1002@${domain}`,
  ): string => message(`${method} ${uri} SIP/2.0`, usual(method, change), body);
  return [
    // what the grammar allows, and hardly anybody writes
    request('INVITE', {
      From: `"\\"quoted\\" \\\\ \u00e9" <sip:1001@${domain}>  ;  tag = x`,
      To: `sip:1002@${domain} ;unknown="a;b,c"`,
    }),
    request('OPTIONS', {
      Via: 'SIP / 2.0 / WSS torture.invalid ;branch=z9hG4bKa , SIP/2.0/UDP other.invalid\r\n ;branch=z9hG4bKb',
    }),
    request('INVITE', {}, '', `sip:user;par=u%40example.net@${domain};transport=ws?Subject=a%20b&Route=%3Csip:x%3E`),
    request('OPTIONS', { CSeq: '0009 OPTIONS', 'Max-Forwards': '0068', Expires: '000', 'Content-Length': '0' }),
    request('OPTIONS', { 'Call-ID': '-._!~*`\'%+"(){}[]<>:\\/?' }),
    request("NEWMETHOD!.%*_+`'~", {}),
    request('OPTIONS', { To: `<sip:1002%00@${domain}>`, Contact: `<sip:%6a@${domain};%6cr>` }),
    message('OPTIONS sip:x SIP/2.0', [
      'v: SIP/2.0/WSS a;branch=z9hG4bKc',
      'f: <sip:a@b>;tag=1',
      't: <sip:b@c>',
      'i: 1',
      'CSeq: 1 OPTIONS',
      'l: 0',
      'Max-Forwards: 1',
    ]),
    request('REGISTER', { Contact: `<sip:a@b>;expires=99999999999, *, "x" <sip:c@d>;q=9.9`, Expires: '4294967296' }),
    // what it does not
    request('INVITE', { 'Content-Length': '-999' }, 'v=0\r\n'),
    request('INVITE', { 'Content-Length': '9999' }, 'v=0\r\n'),
    request('INVITE', { 'Content-Length': '99999999999999999999' }, 'v=0\r\n'),
    request('INVITE', { CSeq: '36893488147419103232 INVITE', 'Max-Forwards': '300' }),
    request('INVITE', { CSeq: '1 OPTIONS' }),
    request('INVITE', { From: `"unterminated <sip:1001@${domain}>;tag=1` }),
    request('INVITE', { From: `<sip:1001@${domain};tag=1`, To: '<<>>' }),
    request('INVITE', { Via: null, 'Call-ID': null, CSeq: null }),
    request('INVITE', { To: null, From: null }),
    request('INVITE', { Date: 'Fri, 01 Jan 2010 16:00:00 EST', 'Content-Type': ';;;', Warning: '1812 x' }),
    request('INVITE', {}, '', '<sip:1002@host>'),
    request('INVITE', {}, '', 'sip:1002@host; transport=ws'),
    request('INVITE', {}, '', 'unknownscheme:x'),
    message(`INVITE  sip:1002@${domain}  SIP/2.0`, usual('INVITE')),
    message(`INVITE sip:1002@${domain} SIP/7.0`, usual('INVITE')),
    message('SIP/2.0 4294967301 Better not', usual('INVITE')),
    message('SIP/2.0 200', usual('INVITE')),
    request(
      'OPTIONS',
      {
        From: `<sip:1001@${domain}>;tag=1\r\nFrom: <sip:x@y>;tag=2`,
        'Max-Forwards': '1\r\nMax-Forwards: 2',
        'Content-Length': '8\r\nContent-Length: 2',
      },
      'abcdefgh',
    ),
    request('REGISTER', {
      Authorization: `Digest username="1001", realm=, nonce="", uri=, response="${'f'.repeat(4_000)}", algorithm=MD5-\u0000`,
    }),
    request('REGISTER', { Authorization: 'NoOneKnowsThisScheme opaque-data=here' }),
    request('INVITE', { 'Proxy-Require': 'nothing, likeThis', Require: `${'a,'.repeat(3_000)}b` }),
    request('INVITE', { 'Record-Route': `<sip:a;lr>,`.repeat(200), Route: '<sip:[::1]:99999;lr>, <sip:%zz>' }),
    request(
      'INVITE',
      { 'Content-Type': 'application/sdp' },
      `v=0\r\no=- ${'9'.repeat(400)} 1 IN IP4 256.256.256.256\r\nm=audio 70000 RTP/SAVPF ${'0 '.repeat(900)}\r\na=${'x'.repeat(5_000)}\r\n`,
    ),
    request('INVITE', { 'X-Long': 'x'.repeat(40_000) }),
    request('INVITE', { 'Max-Forwards': '0' }),
    request('OPTIONS', { 'Max-Forwards': '255' }, '', `sips:1002@${domain}`),
    '\r\n\r\n',
    '\u0000'.repeat(500),
    'INVITE',
    `${'A'.repeat(30_000)}\r\n\r\n`,
  ];
}
