import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { errorCode } from '@patchcord/call-protocol';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { checkConfig, loadConfig } from '../../../server/src/config.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function problemsOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    expect(errorCode(error)).toBe('config.invalid');
    return (error as Error).message;
  }
  throw new Error('nothing was wrong with it');
}

it('fills in what an operator need not say', () => {
  const config = checkConfig(testConfig());
  expect(config).toMatchObject({ host: '127.0.0.1', dataDir: '.patchcord', trustProxy: 0 });
  expect(config.tenants[0]).toMatchObject({
    screenPop: { inbound: 'ring', outbound: 'never', unknown: { open: 'nothing' } },
    pageCommands: { dial: 'ask', answer: 'refuse' },
    dispositionRequired: false,
    sip: { registerSeconds: 120, candidates: 'first-host', credential: { ttlSeconds: 600, algorithm: 'sha256' } },
  });
});

it('reports everything that is missing or wrong at once, with path, reason and remedy', () => {
  const problems = problemsOf(() =>
    checkConfig({
      port: 'many',
      tenants: [
        {
          id: 'a b',
          country: 'usa',
          hostOrigins: ['https://crm.example.com/path'],
          crm: { kind: 'salesforce', loginUrl: 'http://login.example.com' },
          sip: { domain: 'd', servers: ['http://x'], credential: { kind: 'kamailio-ephemeral', secret: 'short' } },
          agents: [
            { id: 'ada', name: 'Ada', extension: '1001', crmUserId: '1' },
            { id: 'ada', name: 'Ada', extension: '10:01', crmUserId: '2' },
          ],
          webhooks: [{ url: 'http://hooks.example.com', secret: 'whsec_no' }],
          colour: 'red',
        },
      ],
    }),
  );
  for (const expected of [
    'port: must be a port number',
    'tenants.0.id: ',
    'tenants.0.name: is missing; set it',
    'tenants.0.country: must be two capital letters',
    'tenants.0.hostOrigins.0: must be an origin without a path',
    'tenants.0.crm.loginUrl: must be encrypted',
    'tenants.0.crm.clientId: is missing',
    'tenants.0.crm.assertionPublicKey: or "assertionPublicKeys" is needed',
    'tenants.0.sip.servers.0: must be a URL with wss: or ws:',
    'tenants.0.sip.credential.secret: is too short',
    'tenants.0.agents: has two entries with the same id',
    'tenants.0.agents.1.extension: must be a SIP user name',
    'tenants.0.webhooks.0.url: must be encrypted',
    'tenants.0.webhooks.0.secret: must be a Standard Webhooks secret',
    'tenants.0.colour: is not a setting',
  ]) {
    expect(problems).toContain(expected);
  }
});

it('wants to know its public name once it listens beyond this machine, and which proxies to trust', () => {
  expect(problemsOf(() => checkConfig(testConfig({ host: '0.0.0.0' })))).toContain('publicUrl: is missing');
  expect(checkConfig(testConfig({ host: '0.0.0.0', publicUrl: 'https://phone.example.com' })).host).toBe('0.0.0.0');
  expect(problemsOf(() => checkConfig(testConfig({ publicUrl: 'https://phone.example.com/path' })))).toContain(
    'must not have a path',
  );
  expect(checkConfig(testConfig({ trustProxy: ['10.0.0.0/8', 'loopback', '::1'] })).trustProxy).toHaveLength(3);
  for (const wrong of ['proxy.example.com', '10.0.0.0/99', '']) {
    expect(problemsOf(() => checkConfig(testConfig({ trustProxy: [wrong] })))).toContain('trustProxy');
  }
});

it('says what a tenant without a list, or a file that is no object, lacks', () => {
  expect(problemsOf(() => checkConfig({}))).toContain('tenants: is missing');
  expect(problemsOf(() => checkConfig('tenants'))).toContain('(the whole file): ');
  expect(problemsOf(() => checkConfig({ tenants: [] }))).toContain('tenants: needs at least one tenant');
  expect(problemsOf(() => checkConfig({ tenants: [{ ...testTenant(), crm: { kind: 'pigeon' } }] }))).toContain(
    'tenants.0.crm',
  );
});

it('takes secrets from the environment and from files, and says which could not be read', () => {
  const file = join(folder, 'secret');
  writeFileSync(file, 'a-secret-from-a-file-0123456789\n');
  const withSecret = (secret: unknown) => ({
    tenants: [{ ...testTenant(), sip: { ...testTenant().sip, credential: { kind: 'kamailio-ephemeral', secret } } }],
  });
  expect(checkConfig(withSecret({ file })).tenants[0]?.sip.credential).toMatchObject({
    secret: 'a-secret-from-a-file-0123456789',
  });
  expect(
    checkConfig(withSecret({ env: 'SIP_SECRET' }), { SIP_SECRET: 'a-secret-from-the-environment' }).tenants[0]?.sip
      .credential,
  ).toMatchObject({ secret: 'a-secret-from-the-environment' });
  const unset = problemsOf(() => checkConfig(withSecret({ env: 'SIP_SECRET' })));
  expect(unset).toContain('tenants.0.sip.credential.secret: the environment variable SIP_SECRET is not set');
  expect(unset).toContain('one problem');
  expect(problemsOf(() => checkConfig(withSecret({ file: '/nowhere/at/all' })))).toContain(
    'the file /nowhere/at/all cannot be read',
  );
});

it('lets the environment override the file, also by files that hold the value', () => {
  const path = join(folder, 'relay.json');
  const tokenFile = join(folder, 'admin-token');
  writeFileSync(path, JSON.stringify({ ...testConfig(), port: 1 }));
  writeFileSync(tokenFile, 'another-admin-token-for-this-test-only\n');
  const config = loadConfig({
    PATCHCORD_CONFIG: path,
    PORT: '8099',
    PUBLIC_URL: 'https://phone.example.com',
    ADMIN_TOKEN_FILE: tokenFile,
    DATABASE_URL: 'postgres://localhost/patchcord',
  });
  expect(config).toMatchObject({
    port: 8_099,
    publicUrl: 'https://phone.example.com',
    adminToken: 'another-admin-token-for-this-test-only',
    databaseUrl: 'postgres://localhost/patchcord',
  });
  expect(problemsOf(() => loadConfig({ PATCHCORD_CONFIG: path, PORT: 'x' }))).toContain('port');
  expect(problemsOf(() => loadConfig({ PATCHCORD_CONFIG: path, ADMIN_TOKEN_FILE: '/nowhere' }))).toContain(
    'ADMIN_TOKEN_FILE: the file /nowhere',
  );
});

it('says what is wrong with the file itself', () => {
  const broken = join(folder, 'broken.json');
  writeFileSync(broken, '{"tenants": ');
  expect(problemsOf(() => loadConfig({}))).toContain('set PATCHCORD_CONFIG');
  expect(problemsOf(() => loadConfig({ PATCHCORD_CONFIG: join(folder, 'absent.json') }))).toContain(
    'there is no such file',
  );
  expect(problemsOf(() => loadConfig({ PATCHCORD_CONFIG: broken }))).toContain('it is not JSON');
  expect(problemsOf(() => loadConfig({ PATCHCORD_CONFIG: folder }))).toContain('it cannot be read');
});

it('never prints a value that was given', () => {
  const secrets = ['hunter2-hunter2', 'whsec_hunter3', 'http://user:hunter4@example.com'];
  const problems = problemsOf(() =>
    checkConfig({
      adminToken: secrets[0],
      port: 'hunter5',
      tenants: [
        {
          ...testTenant(),
          id: 'hunter 6',
          country: 'hunter7',
          screenPop: 'hunter8',
          webhooks: [{ url: secrets[2], secret: secrets[1] }],
          crm: { kind: 'hunter9' },
          turn: { urls: ['hunter10'], secret: 'hunter11' },
        },
      ],
    }),
  );
  expect(problems).not.toContain('hunter');
});

it('demands keys where several relays share what is sealed, and nowhere else', () => {
  const databaseUrl = 'postgres://relay@db.example/patchcord';
  const oidc = { issuer: 'https://login.example.com', clientId: 'patchcord' };
  const sealing = testConfig({ databaseUrl, tenants: [testTenant({ signIn: { oidc } })] });
  expect(() => checkConfig(sealing)).toThrow(/encryptionKeys: is missing; with PostgreSQL/);
  const key = Buffer.alloc(32, 7).toString('base64');
  expect(checkConfig({ ...sealing, encryptionKeys: [{ id: 'one', key }] }).encryptionKeys).toHaveLength(1);
  expect(checkConfig(testConfig({ databaseUrl })).databaseUrl).toBe(databaseUrl);
  const twice = { ...sealing, encryptionKeys: [key, 'dG9vIHNob3J0'].map((one) => ({ id: 'one', key: one })) };
  expect(() => checkConfig(twice)).toThrow(/must be 32 bytes in base64[\s\S]*|two entries with the same id/);
});

it('takes a bucket for recordings, and says what is wrong with one without quoting it', () => {
  const bucket = {
    endpoint: 'https://s3.eu-central-1.amazonaws.com',
    region: 'eu-central-1',
    bucket: 'acme-recordings',
    accessKeyId: 'AKIDOFTHETEST',
    secretAccessKey: 'a-secret-that-nobody-may-read',
  };
  expect(checkConfig({ ...testConfig(), recordings: { bucket } }).recordings.bucket).toEqual({
    ...bucket,
    prefix: '',
    pathStyle: false,
  });
  const wrong = { ...bucket, endpoint: 'http://minio.example.com:9000', prefix: 'patchcord', region: 'EU' };
  const problems = problemsOf(() => checkConfig({ ...testConfig(), recordings: { bucket: wrong } }));
  expect(problems).toContain('recordings.bucket.endpoint: must be encrypted');
  expect(problems).toContain('recordings.bucket.prefix: must be empty, or names that each end in "/"');
  expect(problems).toContain('recordings.bucket.region: must be a region');
  for (const secret of [bucket.secretAccessKey, bucket.accessKeyId]) expect(problems).not.toContain(secret);
  const both = problemsOf(() => checkConfig({ ...testConfig(), recordings: { folder: '/srv/recordings', bucket } }));
  expect(both).toContain('recordings.bucket: cannot stand beside "recordings.folder"');
  expect(both).not.toContain(bucket.secretAccessKey);
});
