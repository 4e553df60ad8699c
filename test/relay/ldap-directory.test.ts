/** The company directory against a real OpenLDAP: who is found, who is not, and what happens when it does not answer. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import type { E164, Extension } from '@patchcord/call-protocol';
import { errorCode } from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { checkConfig, type RelayConfigInput } from '../../server/src/config.ts';
import type { CallerDirectory } from '../../server/src/who-is/caller-directory.ts';
import { directoryOf } from '../../server/src/who-is/directory-of.ts';
import { startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { baseDn, bindDn, bindPassword, type SlapdServer, startSlapd } from './slapd-server.ts';

type DirectoryInput = NonNullable<NonNullable<RelayConfigInput['tenants'][number]['callerSources']>['directory']>;

const person = (name: string, lines: readonly string[], kind = 'inetOrgPerson'): string =>
  [`dn: cn=${name},${baseDn}`, `objectClass: ${kind}`, `cn: ${name}`, 'sn: X', ...lines, ''].join('\n');

let slapd: SlapdServer;
beforeAll(async () => {
  slapd = await startSlapd(
    [
      person('Grace Hopper', [
        'displayName: Grace B. Hopper',
        'title: Admiral',
        'telephoneNumber: (415) 555-0101',
        'mobile: +44 20 7946 0958',
      ]),
      person('Ann Lovelace', ['telephoneNumber: +1.415.555.0101 x12', 'title: Countess', 'o: Acme']),
      person('Alan Turing', ['telephoneNumber: 104', 'homePhone: 020 7946 0958']),
      person('Front Desk', ['telephoneNumber: 1040']),
      person('Far Away', ['telephoneNumber: +61 415 555 010']),
      person('Bracket (*)(cn=*', ['telephoneNumber: +1 415 555 0150']),
      person('Berlin', ['telephoneNumber: +49 (0)30.23125.007']),
      person('Paris', ['telephoneNumber: 01.23.45.67.89']),
      person('Paris too', ['mobile: +33.1.23.45.67.80']),
    ].join('\n'),
  );
});
afterAll(() => slapd.stop());

/** Stands before a directory and keeps requests with these bytes to itself. */
async function silentFor(
  url: string,
  bytes: Buffer,
): Promise<{ readonly url: string; swallowed(): number; stop(): Promise<void> }> {
  let swallowed = 0;
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const behind = connect(Number(new URL(url).port), '127.0.0.1');
    for (const socket of [client, behind]) {
      sockets.add(socket);
      socket.on('error', () => {});
    }
    client.on('close', () => behind.destroy());
    behind.on('close', () => client.destroy());
    behind.pipe(client);
    client.on('data', (request: Buffer) => {
      if (request.includes(bytes)) swallowed += 1;
      else behind.write(request);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ldap://127.0.0.1:${(server.address() as AddressInfo).port}`,
    swallowed: () => swallowed,
    stop: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

const opened: CallerDirectory[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close?.();
});

function directory(change: Partial<DirectoryInput> = {}, now: () => number = Date.now): CallerDirectory {
  const settings = { kind: 'ldap' as const, url: slapd.url, baseDn, bindDn, bindPassword, ...change };
  const [tenant] = checkConfig(
    testConfig({ tenants: [testTenant({ callerSources: { directory: settings } })] }),
  ).tenants;
  const made = tenant === undefined ? null : directoryOf(tenant, now);
  if (made === null) throw new Error('no directory');
  opened.push(made);
  return made;
}
const names = async (one: CallerDirectory, number: string): Promise<readonly (string | undefined)[]> =>
  (await one.find(number as E164 | Extension)).map(({ record }) => record.name).sort();

it('finds whoever has the number, however it is written, and nobody who only looks like it', async () => {
  const one = directory();
  expect(await names(one, '+14155550101')).toEqual(['Grace B. Hopper']);
  expect(await names(one, '+442079460958')).toEqual(['Alan Turing', 'Grace B. Hopper']);
  expect(await names(one, '+14155550150')).toEqual(['Bracket (*)(cn=*']);
  expect(await names(one, '+14155550102')).toEqual([]);
  // The same last digits in another city are another number.
  expect(await names(one, '+12025550101')).toEqual([]);
  expect(await names(one, '+61415555010')).toEqual(['Far Away']);
  const found = await one.find('+14155550101' as E164);
  // Neither the number nor the name stands in what is noted of a choice.
  expect(found[0]?.record.id).toMatch(/^ldap-[\w-]{32}$/);
  expect(found).toEqual([
    {
      record: { crm: 'page', object: 'Person', id: found[0]?.record.id, name: 'Grace B. Hopper' },
      number: '+14155550101',
      detail: 'Admiral',
      reason: 'Company directory',
      source: 'directory',
    },
  ]);
});

it('finds a number whose punctuation no spelling has', async () => {
  const one = directory({ filter: '(cn=Ann Lovelace)', label: 'Acme people' });
  expect(await one.find('+14155550101' as E164)).toMatchObject([
    { record: { name: 'Ann Lovelace' }, detail: 'Countess, Acme', reason: 'Acme people' },
  ]);
  const other = directory();
  expect(await names(other, '+493023125007')).toEqual(['Berlin']);
  expect(await names(other, '+33123456789')).toEqual(['Paris']);
  expect(await names(other, '+33123456780')).toEqual(['Paris too']);
});

it('still finds colleagues where the search among all punctuations takes too long, and leaves that out for an hour', async () => {
  let now = 0;
  // A directory without an index for it: what looks for "555" anywhere in a number gets no answer.
  const large = await silentFor(slapd.url, Buffer.from([0x81, 3, ...Buffer.from('555')]));
  try {
    const one = directory({ url: large.url }, () => now);
    expect(await names(one, '+14155550199')).toEqual([]);
    expect(large.swallowed()).toBe(1);
    expect(await names(one, '+14155550101')).toEqual(['Grace B. Hopper']);
    now += 3_599_000;
    expect(await names(one, '+14155550198')).toEqual([]);
    expect(await names(one, '+14155550150')).toEqual(['Bracket (*)(cn=*']);
    expect(large.swallowed()).toBe(1);
    now += 2_000;
    expect(await names(one, '+14155550199')).toEqual([]);
    expect(large.swallowed()).toBe(2);
    expect(await names(one, '+14155550101')).toEqual(['Grace B. Hopper']);
  } finally {
    await large.stop();
  }
});

it('knows an extension as a whole, and as nothing but an extension', async () => {
  const one = directory({ extensionAttributes: ['telephoneNumber'] });
  expect(await names(one, '104')).toEqual(['Alan Turing']);
  expect(await names(one, '10')).toEqual([]);
});

it('speaks TLS with a directory whose authority it knows, and with no other', async () => {
  expect(await names(directory({ url: slapd.secureUrl, ca: slapd.ca }), '+14155550150')).toHaveLength(1);
  const stranger = directory({ url: slapd.secureUrl }).find('+14155550150' as E164);
  expect(errorCode(await stranger.catch((error: unknown) => error))).toBe('crm.unavailable');
});

it('says what is wrong without the secret, and leaves a directory alone that failed', async () => {
  let now = 0;
  const one = directory({ bindPassword: 'not-the-secret' }, () => now);
  const refused = (await one.find('+14155550101' as E164).catch((error: unknown) => error)) as Error;
  expect(errorCode(refused)).toBe('crm.not-authentic');
  expect(refused.message).toContain('bindDn');
  expect(`${refused.message}${String(refused.cause)}`).not.toContain('not-the-secret');
  expect(await one.find('+14155550101' as E164)).toEqual([]);
  now += 30_001;
  expect(errorCode(await one.find('+14155550101' as E164).catch((error: unknown) => error))).toBe('crm.not-authentic');
});

it('gives up after two seconds, and works again when the directory does', async () => {
  let now = 0;
  const one = directory({}, () => now);
  expect(await names(one, '+14155550150')).toHaveLength(1);
  slapd.freeze();
  try {
    expect(errorCode(await one.find('+14155550150' as E164).catch((error: unknown) => error))).toBe('crm.unavailable');
  } finally {
    slapd.thaw();
  }
  now += 30_001;
  expect(await names(one, '+14155550150')).toHaveLength(1);
});

it('stands behind the CRM in a look-up', async () => {
  const source = { kind: 'ldap' as const, url: slapd.url, baseDn, bindDn, bindPassword };
  const one = await startRelayInTest(testConfig({ tenants: [testTenant({ callerSources: { directory: source } })] }));
  try {
    const { token } = await one.signIn();
    const asked = await one.fetch('/v1/matches?number=%2B14155550101', { token });
    const { matches } = (await asked.json()) as { matches: { record: { name: string } }[] };
    expect(matches.map(({ record }) => record.name)).toEqual(['Grace Hopper', 'Grace B. Hopper']);
  } finally {
    await one.closed();
  }
});

it('is refused in the configuration when it would speak in the clear, or by half', () => {
  const why = (change: Partial<DirectoryInput>): string => {
    try {
      directory(change);
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  };
  expect(why({ url: 'ldap://ldap.acme.example' })).toContain('must be ldaps: unless it stays on this machine');
  expect(why({ url: 'https://ldap.acme.example' })).toContain('must be a URL with ldaps: or ldap:');
  expect(why({ filter: 'cn=x' })).toContain('must be in parentheses');
  expect(why({ numberAttributes: ['a)(b'] })).toContain('must be the name of an LDAP attribute');
  const { bindPassword: _secret, ...half } = { kind: 'ldap' as const, url: slapd.url, baseDn, bindDn, bindPassword };
  expect(() => checkConfig(testConfig({ tenants: [testTenant({ callerSources: { directory: half } })] }))).toThrow(
    /bindDn: and "bindPassword" belong together/,
  );
});
