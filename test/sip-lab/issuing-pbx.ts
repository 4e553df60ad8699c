/**
 * The real PBXs that credentials can be issued to, each ready for a relay: what goes into its configuration, how a phone reaches it. Owns
 * starting and stopping them one at a time; what is tried on them is the business of a drill or a benchmark.
 */
import { randomBytes } from 'node:crypto';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { startAsterisk } from './asterisk.ts';
import { startEdge } from './edge.ts';
import { labFromEnvironment } from './namespaces.ts';
import { type Credential, ephemeralCredential } from './wss-client.ts';

type Sip = ReturnType<typeof testTenant>['sip'];

export interface IssuingPbx {
  readonly kind: 'kamailio-ephemeral' | 'kamailio-htable' | 'asterisk-ari';
  readonly wssUrl: string;
  readonly domain: string;
  readonly relay: RelayInTest;
  /** A credential that needs no relay and never changes, and whose it is: what a bare registration is measured with. */
  readonly fixed: { readonly user: string; readonly credential: Credential };
  /** A number that answers by itself; null where nobody does. */
  readonly answers: string | null;
  /** How many places the PBX would ring for this user. */
  bindings(user: string): Promise<number>;
  stop(): Promise<void>;
}

export const issuingKinds: readonly IssuingPbx['kind'][] = ['kamailio-ephemeral', 'kamailio-htable', 'asterisk-ari'];

/** Starts one with a relay in front; `agents` are made as "a0", "a1", … with the extensions 1200, 1201, … */
export async function startIssuingPbx(kind: IssuingPbx['kind'], agents = 20): Promise<IssuingPbx> {
  const lab = labFromEnvironment();
  const secret = randomBytes(32).toString('base64url');
  const withRelay = (domain: string, wssUrl: string, sip: Omit<Sip, 'domain' | 'servers'>): Promise<RelayInTest> =>
    startRelayInTest(
      testConfig({
        tenants: [
          testTenant({
            sip: { domain, servers: [wssUrl], ...sip },
            agents: Array.from({ length: agents }, (_unused, n) => ({
              id: `a${n}`,
              name: `Agent ${n}`,
              extension: String(1200 + n),
              crmUserId: `a${n}`,
            })),
          }),
        ],
      }),
    );
  if (kind === 'asterisk-ari') {
    const pbx = await startAsterisk(lab);
    const sip = { credential: { kind, ...pbx.ari }, revocation: { calls: 'end' as const } };
    const relay = await withRelay(pbx.domain, pbx.wssUrl, sip).catch(async (error: unknown) => {
      await pbx.stop();
      throw error;
    });
    return {
      kind,
      relay,
      wssUrl: pbx.wssUrl,
      domain: pbx.domain,
      fixed: { user: pbx.desk.user, credential: { username: pbx.desk.user, password: pbx.desk.password } },
      answers: '*43',
      bindings: async (user) =>
        (await pbx.cli('pjsip show contacts')).split('\n').filter((line) => line.includes(` ${user}/`)).length,
      async stop() {
        await relay.closed();
        await pbx.stop();
      },
    };
  }
  const edge = await startEdge(lab, { credentialSecret: secret, turnSecret: secret });
  const credential: Sip['credential'] = kind === 'kamailio-ephemeral' ? { kind, secret } : { kind };
  const sip = { credential, revocation: { kamailioRpcUrl: edge.rpcUrl } };
  const relay = await withRelay(edge.domain, edge.wssUrl, sip).catch(async (error: unknown) => {
    await edge.stop();
    throw error;
  });
  return {
    kind,
    relay,
    wssUrl: edge.wssUrl,
    domain: edge.domain,
    fixed: { user: '1999', credential: ephemeralCredential(secret, '1999', 3_600) },
    answers: null,
    bindings: (user) =>
      edge.rpc('ul.lookup', 'location', user).then(
        (found) => JSON.stringify(found).split('"Address"').length - 1,
        () => 0,
      ),
    async stop() {
      await relay.closed();
      await edge.stop();
    },
  };
}
