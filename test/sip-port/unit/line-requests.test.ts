/** What the line's requests carry and how it answers those of others: outbound proxy, names, challenges, OPTIONS, unknown methods. */
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { SipAccount, SipPort } from '../../../packages/phone-engine/src/ports.ts';
import { createSipPort } from '../../../packages/phone-engine/src/sip/index.ts';
import { digestAnswer } from '../../../packages/phone-engine/src/sip/sign-in.ts';
import { preloadedRoute } from '../../../packages/phone-engine/src/sip/transport-rule.ts';
import type { SipSignal } from '../../../packages/phone-engine/src/state.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';
import { FakeSound } from '../../../packages/phone-engine/src/testing/fake-sound.ts';
import { header, headerList, type SipRequest } from '../../../sandbox/src/switch/sip-message.ts';
import { accountFor } from '../phone-in-browser.ts';
import { ScriptedPbx } from '../scripted-pbx.ts';

const credential = { username: 'device-7"a', password: 'secret', expiresAt: 4_102_444_800_000 };

let pbx: ScriptedPbx;
let clock: FakeClock;
let port: SipPort;
let signals: SipSignal[];

beforeEach(async () => {
  pbx = await ScriptedPbx.start();
  clock = new FakeClock();
  signals = [];
  port = createSipPort({ sound: new FakeSound(), clock, random: () => 0.5 });
  port.onSignal((signal) => signals.push(signal));
});
afterEach(async () => {
  const stopped = port.stop();
  clock.advance(2_000);
  await stopped;
  await pbx.close();
});

const count = (type: SipSignal['type']) => signals.filter((it) => it.type === type).length;
const until = (what: () => boolean) => expect.poll(what, { timeout: 5_000, interval: 2 }).toBe(true);
const start = (changes: Partial<SipAccount> = {}) => port.start(accountFor(pbx, '1001', changes), credential, []);
const ready = async (changes: Partial<SipAccount> = {}) => {
  start(changes);
  await until(() => count('sip.registered') > 0);
};
const register = (index: number): SipRequest => {
  const request = pbx.registers.at(index);
  if (!request) throw new Error('There was no such REGISTER.');
  return request;
};

describe('an outbound proxy', () => {
  it('is the Route of every request that begins something', async () => {
    await ready({ outboundProxy: 'sip:edge.example.com;transport=ws' });
    expect(header(register(0), 'Route')).toBe('<sip:edge.example.com;transport=ws;lr>');
    expect(register(0).uri).toBe('sip:scripted.example');
    pbx.faults.set({ deaf: true });
    // A server that does not answer pings is asked by OPTIONS.
    clock.advance(2_500);
    pbx.faults.clear();
    clock.advance(2_500);
    await until(() => pbx.options.length > 0);
    for (const request of [...pbx.options, ...pbx.registers])
      expect(header(request, 'Route')).toBe('<sip:edge.example.com;transport=ws;lr>');
  });

  it('is no Route where there is none', async () => {
    await ready();
    expect(header(register(0), 'Route')).toBeUndefined();
  });

  it('is written as a loose route, and refused where it is not a SIP URI', () => {
    expect(preloadedRoute(null)).toEqual([]);
    expect(preloadedRoute('sip:10.0.0.1:5060')).toEqual(['<sip:10.0.0.1:5060;lr>']);
    expect(preloadedRoute('sip:edge.example.com;lr')).toEqual(['<sip:edge.example.com;lr>']);
    expect(preloadedRoute('sip:edge.example.com?Subject=x')).toEqual(['<sip:edge.example.com;lr>']);
    for (const bad of ['edge.example.com', 'tel:+49', 'sip:a b', 'sip:a>\r\nX: y'])
      expect(() => preloadedRoute(bad)).toThrow();
  });

  it('that is none makes the account unusable, and says so', async () => {
    start({ outboundProxy: 'https://edge.example.com' });
    expect(signals).toMatchObject([{ type: 'sip.rejected', code: 0 }]);
  });
});

describe('who the phone is', () => {
  it('is the extension with its display name; the credential signs in under a name of its own', async () => {
    challengeWith('Digest realm="scripted.example", nonce="n1", algorithm=MD5, qop="auth"');
    await ready({ displayName: 'Ada "the" Agent' });
    const signed = register(1);
    expect(header(signed, 'From')).toMatch(/^"Ada the Agent" <sip:1001@scripted\.example>;tag=/);
    expect(header(signed, 'To')).toContain('<sip:1001@scripted.example>');
    expect(header(signed, 'Authorization')).toContain('username="device-7\\"a"');
    expect(header(signed, 'Via')).toMatch(/^SIP\/2\.0\/WS [\w-]+\.invalid;branch=/);
    expect(header(signed, 'Contact')).toMatch(/^<sip:\w+@[\w-]+\.invalid;transport=ws>/);
  });
});

const md5 = (text: string) => createHash('md5').update(text).digest('hex');
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const challengeWith = (...challenges: string[]) => {
  pbx.nextRegister.push({
    status: 401,
    reason: 'Unauthorized',
    headers: challenges.map((value) => ({ name: 'WWW-Authenticate', value })),
  });
};
const answersOf = (request: SipRequest, name = 'Authorization') =>
  request.headers.filter((it) => it.name === name).map(({ value }) => value);
const part = (answer: string, name: string) =>
  new RegExp(`${name}="?([^",]+)`).exec(answer)?.[1] ?? `no ${name} in ${answer}`;
const rightAnswer = (hash: (text: string) => string, answer: string) =>
  hash(
    [
      hash(`${credential.username}:${part(answer, 'realm')}:${credential.password}`),
      part(answer, 'nonce'),
      part(answer, 'nc'),
      part(answer, 'cnonce'),
      'auth',
      hash('REGISTER:sip:scripted.example'),
    ].join(':'),
  );

describe('a challenge', () => {
  it('is answered with the strongest algorithm that both know', async () => {
    challengeWith(
      'Digest realm="r", nonce="a", algorithm=MD5, qop="auth"',
      'Digest realm="r", nonce="b", algorithm=SHA-512-256, qop="auth"',
      'Digest realm="r", nonce="c", algorithm=SHA-256, qop="auth,auth-int"',
      'Basic realm="r"',
    );
    await ready();
    const [answer = '', ...others] = answersOf(register(1));
    expect(others).toEqual([]);
    expect(part(answer, 'nonce')).toBe('c');
    expect(part(answer, 'response')).toBe(rightAnswer(sha256, answer));
  });

  it('is answered where several stand in one header, and without qop as the oldest servers want it', async () => {
    challengeWith('Digest realm="r", nonce="a", algorithm=SHA-512-256, Digest realm="r", nonce="b"');
    await ready();
    const [answer = ''] = answersOf(register(1));
    expect(part(answer, 'response')).toBe(
      md5(`${md5(`${credential.username}:r:${credential.password}`)}:b:${md5('REGISTER:sip:scripted.example')}`),
    );
    expect(answer).not.toContain('cnonce');
  });

  it('is answered for each realm', async () => {
    challengeWith(
      'Digest realm="one", nonce="a", algorithm=MD5, qop="auth"',
      'Digest realm="two", nonce="b", algorithm=SHA-256, qop="auth", opaque="o"',
    );
    await ready();
    const answers = answersOf(register(1));
    expect(answers.map((it) => part(it, 'realm'))).toEqual(['one', 'two']);
    expect(part(answers[0] ?? '', 'response')).toBe(rightAnswer(md5, answers[0] ?? ''));
    expect(part(answers[1] ?? '', 'response')).toBe(rightAnswer(sha256, answers[1] ?? ''));
    expect(answers[1]).toContain('opaque="o"');
  });

  it('of a proxy and then of the server behind it are both answered', async () => {
    pbx.nextRegister.push({
      status: 407,
      reason: 'Proxy Authentication Required',
      headers: [{ name: 'Proxy-Authenticate', value: 'Digest realm="p", nonce="a", qop="auth"' }],
    });
    challengeWith('Digest realm="r", nonce="b", algorithm=SHA-256, qop="auth"');
    await ready();
    expect(answersOf(register(2), 'Proxy-Authorization')).toHaveLength(1);
    expect(answersOf(register(2))).toHaveLength(1);
    const numbers = pbx.registers.map((it) => Number(header(it, 'CSeq')?.split(' ')[0]));
    expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(3);
  });

  it('with a stale nonce is answered again, for a time', async () => {
    for (const nonce of ['a', 'b', 'c']) challengeWith(`Digest realm="r", nonce="${nonce}", stale=TRUE, qop="auth"`);
    await ready();
    expect(part(answersOf(register(3))[0] ?? '', 'nonce')).toBe('c');
  });

  it('is not answered for ever: a second one means that the password is wrong', async () => {
    for (const nonce of ['a', 'b', 'c']) challengeWith(`Digest realm="r", nonce="${nonce}", qop="auth"`);
    start();
    await until(() => count('sip.rejected') === 1);
    expect(pbx.registers).toHaveLength(2);
    clock.advance(600_000);
    expect(pbx.registers).toHaveLength(2);
  });

  it('is not answered for ever when every nonce is called stale', async () => {
    for (let nonce = 0; nonce < 9; nonce += 1)
      challengeWith(`Digest realm="r", nonce="${nonce}", stale=true, qop="auth"`);
    start();
    await until(() => count('sip.rejected') === 1);
    expect(pbx.registers.length).toBeLessThanOrEqual(4);
  });

  it.each([
    ['an algorithm that nobody here knows', 'Digest realm="r", nonce="a", algorithm=SHA-512-256, qop="auth"'],
    ['another way to sign in', 'Bearer realm="r"'],
    ['no nonce', 'Digest realm="r"'],
    ['what nobody can read', 'Digest realm="r", nonce="\u0001'],
  ])('with %s is a refusal that says what is wrong', async (_what, challenge) => {
    challengeWith(challenge);
    start();
    await until(() => count('sip.rejected') === 1);
    expect(pbx.registers).toHaveLength(1);
    const told = JSON.stringify(signals.at(-1));
    expect(told).toContain('SHA-256');
    expect(told).not.toContain(credential.password);
  });

  it('is answered as in the examples of RFC 7616, section 3.9.1', () => {
    const asked = {
      realm: 'http-auth@example.org',
      nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
      opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
      qop: ['auth', 'auth-int'],
    };
    const mufasa = { username: 'Mufasa', password: 'Circle of Life' };
    const request = { method: 'GET', uri: '/dir/index.html', body: '' };
    const cnonce = 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ';
    const response = (algorithm: string) =>
      part(digestAnswer({ ...asked, algorithm }, mufasa, request, cnonce), 'response');
    expect(response('MD5')).toBe('8ca523f5e9506fed4657c9700eebdbec');
    expect(response('SHA-256')).toBe('753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1');
  });

  it('that wants the session form or the body under seal is answered so', () => {
    const request = { method: 'INVITE', uri: 'sip:2@x', body: 'v=0' };
    const me = { username: 'u', password: 'p' };
    const session = digestAnswer(
      { realm: 'r', nonce: 'n', algorithm: 'SHA-256-SESS', qop: ['auth-int'] },
      me,
      request,
      'c',
    );
    const secret = sha256(`${sha256('u:r:p')}:n:c`);
    expect(part(session, 'response')).toBe(
      sha256(`${secret}:n:00000001:c:auth-int:${sha256(`INVITE:sip:2@x:${sha256('v=0')}`)}`),
    );
    expect(session).toContain('algorithm=SHA-256-sess');
  });
});

describe('a request of the server', () => {
  it('by OPTIONS is answered with what the phone can do', async () => {
    await ready();
    const answer = await pbx.asks();
    expect(answer.status).toBe(200);
    for (const method of ['INVITE', 'BYE', 'CANCEL', 'ACK', 'OPTIONS', 'REFER', 'NOTIFY', 'INFO'])
      expect(header(answer as never, 'Allow')).toContain(method);
    expect(header(answer as never, 'Accept')).toContain('application/sdp');
    expect(headerList(answer as never, 'Supported').join()).toContain('replaces');
  });

  it.each(['PUBLISH', 'FROBNICATE'])('by %s is refused with the methods that are answered', async (method) => {
    await ready();
    const answer = await pbx.asks(method);
    expect(answer.status).toBe(405);
    expect(header(answer as never, 'Allow')).toContain('INVITE');
  });
});
