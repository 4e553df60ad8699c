/** The line: connects, registers, refreshes, finds a dead connection, comes back. Real sockets on loopback, the clock in the test's hand. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import type { SipAccount, SipPort } from '../../../packages/phone-engine/src/ports.ts';
import { createSipPort } from '../../../packages/phone-engine/src/sip/index.ts';
import type { SipSignal } from '../../../packages/phone-engine/src/state.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';
import { FakeSound } from '../../../packages/phone-engine/src/testing/fake-sound.ts';
import { type DigestAlgorithm, type Switch, startSwitch } from '../../../sandbox/src/switch/index.ts';
import { header } from '../../../sandbox/src/switch/sip-message.ts';
import { accountFor } from '../phone-in-browser.ts';
import { ScriptedPbx } from '../scripted-pbx.ts';

const credential = { username: '4102444800:1001', password: 'p', expiresAt: 4_102_444_800_000 };

let pbx: ScriptedPbx;
let clock: FakeClock;
let port: SipPort;
let signals: SipSignal[];
let lost: number;
let switchboard: Switch | undefined;

beforeEach(async () => {
  pbx = await ScriptedPbx.start();
  clock = new FakeClock();
  signals = [];
  lost = 0;
  port = createSipPort({
    sound: new FakeSound(),
    clock,
    random: () => 0.5,
    log: (_level, event) => {
      if (event === 'line.lost') lost += 1;
    },
  });
  port.onSignal((signal) => signals.push(signal));
});
afterEach(async () => {
  const stopped = port.stop();
  clock.advance(2_000);
  await stopped;
  await pbx.close();
  await switchboard?.close();
  switchboard = undefined;
});

const types = () => signals.map(({ type }) => type);
const count = (type: SipSignal['type']) => types().filter((it) => it === type).length;
const until = (what: () => boolean) => expect.poll(what, { timeout: 5_000, interval: 2 }).toBe(true);
const start = (changes: Partial<SipAccount> = {}) => port.start(accountFor(pbx, '1001', changes), credential, []);
const ready = async (changes: Partial<SipAccount> = {}) => {
  start(changes);
  await until(() => count('sip.registered') > 0);
};

describe('registration', () => {
  it('asks for outbound, says which device this is, and is refreshed before it runs out', async () => {
    pbx.grants = 30;
    await ready();
    const contact = header(pbx.registers[0] as never, 'Contact') ?? '';
    expect(contact).toMatch(/reg-id=1;\+sip\.instance="<urn:uuid:[0-9a-f-]{36}>"/);
    await pbx.letPass(clock, 20_000);
    expect(pbx.registers).toHaveLength(1);
    await pbx.letPass(clock, 4_000);
    await until(() => pbx.registers.length === 2);
    expect(count('sip.registered')).toBe(1);
  });

  it('takes the longer interval a server insists on', async () => {
    pbx.nextRegister.push({
      status: 423,
      reason: 'Interval Too Brief',
      headers: [{ name: 'Min-Expires', value: '600' }],
    });
    await ready();
    expect(header(pbx.registers[1] as never, 'Expires')).toBe('600');
  });

  it('waits for a new credential after a refusal, and not for anything else', async () => {
    pbx.nextRegister.push({ status: 403, reason: 'Forbidden' });
    start();
    await until(() => count('sip.rejected') === 1);
    clock.advance(600_000);
    expect(pbx.registers).toHaveLength(1);
    port.renew(credential, []);
    await until(() => count('sip.registered') === 1);
  });

  it('comes back after a refusal that passes, when the server says so', async () => {
    pbx.nextRegister.push({ status: 503, reason: 'Maintenance', headers: [{ name: 'Retry-After', value: '20' }] });
    start();
    await until(() => lost === 1);
    clock.advance(19_000);
    expect(pbx.registers).toHaveLength(1);
    clock.advance(1_500);
    await until(() => count('sip.registered') === 1);
  });

  it('does not wait longer than ten seconds for an answer', async () => {
    pbx.faults.set({ deaf: true });
    start();
    await until(() => clock.pending > 0 && pbx.registers.length === 0 && types().includes('sip.connecting'));
    await expect
      .poll(
        () => {
          clock.advance(1_000);
          return count('sip.lost');
        },
        { timeout: 5_000, interval: 5 },
      )
      .toBe(1);
    pbx.faults.clear();
    await until(() => {
      clock.advance(1_000);
      return count('sip.registered') === 1;
    });
  });

  it('renews in place: registers at once, without losing anything', async () => {
    await ready();
    port.renew({ ...credential, username: '4102444900:1001' }, []);
    await until(() => pbx.registers.length === 2);
    expect(count('sip.lost')).toBe(0);
  });

  it('unregisters when it stops, and stops in two seconds even when nobody answers', async () => {
    await ready();
    await port.stop();
    expect(header(pbx.registers.at(-1) as never, 'Expires')).toBe('0');
    expect(types().at(-1)).toBe('sip.stopped');
    await ready();
    pbx.faults.set({ deaf: true });
    const stopped = port.stop();
    clock.advance(2_000);
    await stopped;
    expect(types().at(-1)).toBe('sip.stopped');
  });
});

describe('servers', () => {
  it('takes the next of the list when the first is away', async () => {
    await ready({ servers: ['ws://127.0.0.1:9', pbx.url] });
    expect(signals.find(({ type }) => type === 'sip.registered')).toMatchObject({ server: pbx.url });
    expect(types().filter((type) => type === 'sip.connecting')).toHaveLength(2);
  });

  it('never gives up', async () => {
    pbx.faults.set({ refuseSockets: true });
    start();
    for (let round = 1; round <= 25; round += 1) {
      await until(() => lost >= round);
      clock.advance(30_000);
    }
    pbx.faults.clear();
    await until(() => {
      clock.advance(30_000);
      return count('sip.registered') === 1;
    });
    // The reason is told when it changes, not with every try.
    expect(count('sip.lost')).toBeLessThan(lost);
  });

  it('is refused before anything is sent when it would not be encrypted', async () => {
    start({ servers: ['ws://10.0.0.1:8080', 'http://pbx.example'] });
    expect(signals).toMatchObject([{ type: 'sip.rejected', code: 0 }]);
    expect((signals[0] as { reason: string }).reason).toContain('wss:');
  });

  it('says that an account is not usable instead of throwing', () => {
    start({ instance: 'no uuid' });
    expect(signals).toMatchObject([{ type: 'sip.rejected', code: 0 }]);
  });
});

describe('a connection', () => {
  it('that went down is opened again at once', async () => {
    await ready();
    pbx.dropSockets();
    await until(() => count('sip.registered') === 2);
    expect(types().filter((type) => type === 'sip.lost')).toHaveLength(1);
  });

  it('that is silent is found and replaced', async () => {
    await ready();
    pbx.faults.set({ deaf: true });
    // Nobody has heard a pong of this server yet: OPTIONS and REGISTER are asked as well before it is called dead.
    await until(() => {
      clock.advance(500);
      return count('sip.lost') === 1;
    });
    pbx.faults.clear();
    await until(() => {
      clock.advance(1_000);
      return count('sip.registered') === 2;
    });
  });
});

describe('a server like Asterisk', () => {
  it('is not called dead though it answers no pings and sends some itself', async () => {
    // Passes everything on to the scripted PBX but the pings, which Asterisk drops.
    const front = new WebSocketServer({ host: '127.0.0.1', port: 0, handleProtocols: () => 'sip' });
    let near: WebSocket | undefined;
    front.on('connection', (socket) => {
      near = socket;
      const far = new WebSocket(pbx.url, 'sip');
      const opened = once(far, 'open');
      far.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
      socket.on('message', (data, isBinary) => {
        if (String(data).trim() !== '') void opened.then(() => far.send(data, { binary: isBinary }));
      });
      socket.on('close', () => far.close());
    });
    await once(front, 'listening');
    pbx.grants = 600;
    await ready({ servers: [`ws://127.0.0.1:${(front.address() as AddressInfo).port}`] });
    await pbx.letPass(clock, 29_000);
    expect(pbx.options.length).toBeGreaterThan(5);
    near?.send('\r\n\r\n');
    const before = pbx.options.length;
    await pbx.letPass(clock, 60_000);
    expect(pbx.options.length).toBeGreaterThan(before + 15);
    expect(count('sip.lost')).toBe(0);
    for (const socket of front.clients) socket.terminate();
    front.close();
  });
});

describe('digest', () => {
  const against = async (algorithms: readonly DigestAlgorithm[]) => {
    switchboard = await startSwitch({ domain: 'sandbox.example', credentialSecret: 's', digestAlgorithms: algorithms });
    port.start(accountFor(switchboard, '1001'), switchboard.credential('1001'), []);
  };
  it.each([
    ['SHA-256 or MD5', ['SHA-256', 'MD5']],
    ['SHA-256 alone', ['SHA-256']],
    ['MD5 alone', ['MD5']],
  ] as const)('is answered where the server offers %s', async (_what, algorithms) => {
    await against(algorithms);
    await until(() => count('sip.registered') === 1);
  });
});
