import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { errorCode, PatchcordError } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { isOutside, type OutsideRequest, postOutside } from '../../../server/src/delivery/outside-http.ts';
import { startReceiver } from './http-receiver.ts';

let cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
  cleanups = [];
});
const request: OutsideRequest = { headers: { 'content-type': 'text/plain' }, body: 'hello', timeoutMs: 2_000 };
const refused = async (url: string, options: Partial<OutsideRequest> = {}): Promise<PatchcordError> => {
  const error = await postOutside(url, { ...request, ...options }).then(
    () => null,
    (thrown: unknown) => thrown as PatchcordError,
  );
  if (error === null) throw new Error(`${url} was let through`);
  return error;
};

describe('an address counts as outside', () => {
  it('only on the public internet, in whatever form it is written', () => {
    for (const address of ['8.8.8.8', '1.1.1.1', '100.63.255.255', '100.128.0.0', '172.32.0.1', '2606:4700:4700::1111'])
      expect(isOutside(address), address).toBe(true);
    for (const address of [
      '0.0.0.0',
      '10.1.2.3',
      '100.64.0.1',
      '127.0.0.1',
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '192.0.2.1',
      '198.18.0.1',
      '224.0.0.1',
      '239.255.255.250',
      '255.255.255.255',
      '::',
      '::1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b:1::1',
      '2002:7f00:1::',
      '2001::1',
      '2001:db8::1',
      'fc00::1',
      'fd12:3456::1',
      'fe80::1',
      'fe80::1%eth0',
      'ff02::1',
      'not an address',
    ])
      expect(isOutside(address), address).toBe(false);
  });

  it('never in a private IPv4 network, nor when IPv6 carries one', () => {
    const octet = fc.nat(255);
    fc.assert(
      fc.property(fc.constantFrom('10', '127', '0', '240'), octet, octet, octet, (first, b, c, d) => {
        const address = `${first}.${b}.${c}.${d}`;
        expect(isOutside(address)).toBe(false);
        expect(isOutside(`::ffff:${address}`)).toBe(false);
      }),
    );
  });
});

describe('a request to the outside', () => {
  it('is refused for anything that is not https, or carries a password', async () => {
    for (const url of ['http://example.com/', 'ftp://example.com/', 'https://u:p@example.com/', 'nonsense'])
      expect(errorCode(await refused(url))).toBe('config.invalid');
  });

  it('is refused for every spelling of an address inside', async () => {
    for (const host of [
      '127.0.0.1',
      '2130706433',
      '0x7f.1',
      '017700000001',
      '127.1',
      '[::1]',
      '[::ffff:7f00:1]',
      '169.254.169.254',
    ])
      expect(errorCode(await refused(`https://${host}/`)), host).toBe('config.invalid');
  });

  it('is refused when one of the addresses of its name is inside, and says so without naming it', async () => {
    const error = await refused('https://hooks.example.com/', { resolve: async () => ['93.184.216.34', '10.0.0.7'] });
    expect(errorCode(error)).toBe('config.invalid');
    expect(error.retryable).toBe(false);
    expect(error.message).not.toContain('10.0.0.7');
  });

  it('goes to the address that was checked, whatever the name says a moment later', async () => {
    const hook = await startReceiver(() => ({ status: 200, body: 'thanks' }));
    cleanups.push(() => hook.close());
    const { port } = new URL(hook.url);
    let asked = 0;
    const answer = await postOutside(`http://rebind.example.com:${port}/path?x=1`, {
      ...request,
      allowPrivate: true,
      resolve: async () => {
        asked += 1;
        return asked === 1 ? ['127.0.0.1'] : ['127.0.0.2'];
      },
    });
    expect(answer).toMatchObject({ status: 200, body: 'thanks' });
    expect(asked).toBe(1);
    expect(hook.received).toMatchObject([{ path: '/path?x=1', body: 'hello' }]);
    expect(hook.received[0]?.headers.host).toBe(`rebind.example.com:${port}`);
  });

  it('does not follow a redirect', async () => {
    const elsewhere = await startReceiver();
    const hook = await startReceiver(() => ({ status: 302, headers: { location: elsewhere.url } }));
    cleanups.push(
      () => hook.close(),
      () => elsewhere.close(),
    );
    expect(await postOutside(hook.url, { ...request, allowPrivate: true })).toMatchObject({ status: 302 });
    expect(elsewhere.received).toHaveLength(0);
  });

  it('reads only so much of an answer', async () => {
    const endless = createServer((_request, response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write('x'.repeat(10_000), () => setImmediate(more));
      };
      more();
    });
    await new Promise<void>((resolve) => endless.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => {
      endless.closeAllConnections();
      endless.close();
    });
    const { port } = endless.address() as AddressInfo;
    const answer = await postOutside(`http://127.0.0.1:${port}`, {
      ...request,
      allowPrivate: true,
      longestAnswer: 100,
    });
    expect(answer.body).toBe('x'.repeat(100));
  });

  it('gives up when all of it takes too long: no answer, an answer that trickles, a name that never resolves', async () => {
    const silent = createTcpServer((socket) => {
      socket.on('error', () => {});
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n');
        const drip = setInterval(() => socket.write('x'), 20);
        socket.once('close', () => clearInterval(drip));
      });
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => silent.close());
    const { port } = silent.address() as AddressInfo;
    const late = await refused(`http://127.0.0.1:${port}`, { allowPrivate: true, timeoutMs: 150 });
    expect(late).toMatchObject({ code: 'crm.unavailable', retryable: true });
    const never = await refused('https://hooks.example.com/', { timeoutMs: 50, resolve: () => new Promise(() => {}) });
    expect(never).toMatchObject({ code: 'crm.unavailable', retryable: true });
  });

  it('says that nobody is there', async () => {
    expect(await refused('http://127.0.0.1:1/', { allowPrivate: true })).toMatchObject({
      code: 'crm.unavailable',
      retryable: true,
    });
    expect(await refused('https://no-such-name.invalid/')).toBeInstanceOf(PatchcordError);
  });
});
