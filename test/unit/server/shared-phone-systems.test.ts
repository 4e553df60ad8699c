/** Tenants on one phone system: what the relay refuses to start with, and what it takes. */
import { describe, expect, it } from 'vitest';
import { checkConfig, type RelayConfigInput } from '../../../server/src/config.ts';
import { testTenant } from './relay-in-test.ts';

type Sip = ReturnType<typeof testTenant>['sip'];

const secret = 'a-secret-that-is-long-enough-for-anything';
const check = (...tenants: RelayConfigInput['tenants']) => checkConfig({ tenants });
const tenant = (id: string, sip: Partial<Sip>, extension = '1001') =>
  testTenant({
    id,
    sip: { ...testTenant({ id }).sip, ...sip },
    agents: [
      { id: 'x', name: 'X', extension: `${extension}0`, crmUserId: 'x' },
      { id: 'y', name: 'Y', extension, crmUserId: 'y' },
    ],
  });
const edge = (kamailioRpcUrl: string): Partial<Sip> => ({
  credential: { kind: 'kamailio-ephemeral', secret },
  revocation: { kamailioRpcUrl },
});
const ari = (url: string): Partial<Sip> => ({
  credential: { kind: 'asterisk-ari', url, username: 'relay', password: 'x' },
});

describe('an extension that two tenants have', () => {
  it.each([
    ['SIP domain', 'sip.domain', { domain: 'pbx.example.com' }, { domain: 'PBX.example.com' }],
    [
      'edge',
      'sip.revocation.kamailioRpcUrl',
      edge('http://edge.example.com:8090/RPC'),
      edge('http://Edge.example.com:8090/RPC/'),
    ],
    ['Asterisk', 'sip.credential.url', ari('http://127.0.0.1:8088/ari'), ari('http://127.0.0.1:8088/ari/')],
  ])('is refused on one %s, with both tenants and what they share', (_what, setting, one, other) => {
    const start = () => check(tenant('one', one), tenant('two', other));
    expect(start).toThrow(/tenants\.1\.agents\.1\.extension: is also the extension of an agent of tenants\.0/);
    expect(start).toThrow(`the same ${setting}`);
    expect(start).not.toThrow('1001');
    expect(() => check(tenant('one', one), tenant('two', other, '2001'))).not.toThrow();
  });

  it('is taken on phone systems of their own', () => {
    expect(() =>
      check(
        tenant('one', edge('http://one.example.com:8090/RPC')),
        tenant('two', edge('http://two.example.com:8090/RPC')),
        tenant('three', ari('http://one.example.com:8088/ari')),
        tenant('four', ari('http://one.example.com:8089/ari')),
      ),
    ).not.toThrow();
  });
});

describe('the address of an edge', () => {
  it('is one address, however it is spelled', () => {
    const { tenants } = check(
      tenant('one', edge('http://Edge.example.com:80/RPC')),
      tenant('two', edge('http://edge.example.com/RPC/'), '2001'),
    );
    const [first, second] = tenants.map(({ sip }) => sip.revocation.kamailioRpcUrl);
    expect(first).toBe('http://edge.example.com/RPC');
    expect(second).toBe(first);
  });

  it('must not be named in two ways that cannot be told to be one', () => {
    expect(() =>
      check(tenant('one', edge('http://127.0.0.1:8090/RPC')), tenant('two', edge('http://localhost:8090/RPC'), '2001')),
    ).toThrow(/tenants\.1\.sip\.revocation\.kamailioRpcUrl: means the same as that of tenants\.0/);
  });
});

it.each(['relay', 'default', 'Default'])(
  'no agent has the extension "%s": the edge keeps notes under it',
  (extension) => {
    expect(() => check(tenant('one', {}, extension))).toThrow(/tenants\.0\.agents\.1\.extension: must not be "relay"/);
  },
);
