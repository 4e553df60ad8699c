/** What `sip.credential` takes for each kind of PBX, and what it says when something is missing. */
import { expect, it } from 'vitest';
import { checkConfig } from '../../../server/src/config.ts';
import { testTenant } from './relay-in-test.ts';

const withSip = (sip: object) => () =>
  checkConfig({ tenants: [{ ...testTenant(), sip: { ...testTenant().sip, ...sip } }] });

it('every kind has defaults for all that is not a secret or an address', () => {
  const password = 'a secret that is long enough for every kind';
  for (const credential of [
    { kind: 'kamailio-ephemeral', secret: password },
    { kind: 'asterisk-ari', url: 'http://127.0.0.1:8088/ari', username: 'relay', password },
    { kind: 'freeswitch-xmlcurl', token: password },
    { kind: 'jambonz-hook', username: 'jambonz', password },
    { kind: 'static', agents: { ada: { password: 'x' } } },
  ])
    expect(withSip({ credential })().tenants[0]?.sip.credential.kind).toBe(credential.kind);
});

it('pushed credentials need the control port of the edge', () => {
  const credential = { kind: 'kamailio-htable' };
  expect(withSip({ credential })).toThrow(/tenants\.0\.sip\.revocation\.kamailioRpcUrl: is missing/);
  expect(withSip({ credential, revocation: { kamailioRpcUrl: 'http://127.0.0.1:8090/RPC' } })).not.toThrow();
});

it('an unknown kind, a wish that is none, and a setting that could break a line are named', () => {
  expect(withSip({ credential: { kind: 'telepathy' } })).toThrow(/sip\.credential\.kind: must be "kamailio-ephemeral"/);
  expect(withSip({ revocation: { calls: 'perhaps' } })).toThrow(/revocation\.calls: must be "keep" or "end"/);
  const ari = { kind: 'asterisk-ari', url: 'http://127.0.0.1:8088/ari', username: 'relay', password: 'p' };
  expect(withSip({ credential: { ...ari, endpoint: { context: 'a\nb' } } })).toThrow(/endpoint/);
});
