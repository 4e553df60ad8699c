/** What an administrator writes of a Salesforce org, and what the pages of the panel make of it. */
import { errorCode, type TenantId } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { Alerts } from '../../../server/src/alerts.ts';
import { checkConfig, type RelayConfigInput, type TenantConfig } from '../../../server/src/config.ts';
import { CrmNotices, withoutSecrets } from '../../../server/src/crm-notices.ts';
import { contentPolicy } from '../../../server/src/http/panel-pages.ts';
import { LiveHub } from '../../../server/src/live/hub.ts';
import { createLog } from '../../../server/src/logging.ts';
import { createMetrics } from '../../../server/src/metrics.ts';
import type { Store } from '../../../server/src/store/contract.ts';
import type { Tenants } from '../../../server/src/tenants.ts';
import { startRelayInTest, testConfig, testTenant } from './relay-in-test.ts';

type SalesforceInput = Extract<RelayConfigInput['tenants'][number]['crm'], { readonly kind: 'salesforce' }>;
const certificate = '-----BEGIN CERTIFICATE-----\nof the org';
const base: SalesforceInput = {
  kind: 'salesforce',
  loginUrl: 'https://login.salesforce.com',
  clientId: 'consumer-key',
  orgId: '00D000000000001',
};
const keyed: SalesforceInput = {
  ...base,
  privateKey: 'a private key',
  username: 'relay@acme.example',
  assertionPublicKey: certificate,
};

function tenantsOf(crm: SalesforceInput, hostOrigins = ['https://acme.lightning.force.com']): readonly TenantConfig[] {
  return checkConfig(testConfig({ tenants: [testTenant({ crm, hostOrigins })] })).tenants;
}
function problemsOf(crm: SalesforceInput): string {
  try {
    tenantsOf(crm);
  } catch (error) {
    expect(errorCode(error)).toBe('config.invalid');
    return (error as Error).message;
  }
  return '';
}

describe('a Salesforce org', () => {
  it('is reached in the agents’ names with a key, and as one user when it is connected by its page', () => {
    expect(tenantsOf(keyed)[0]?.crm).toMatchObject({ actAs: 'agent', assertionPublicKeys: [certificate] });
    expect(tenantsOf({ ...keyed, actAs: 'integration' })[0]?.crm).toMatchObject({ actAs: 'integration' });
    const connected = tenantsOf({ ...base, assertionPublicKeys: [certificate, `${certificate} renewed`] });
    expect(connected[0]?.crm).toMatchObject({
      actAs: 'integration',
      assertionPublicKeys: [certificate, `${certificate} renewed`],
    });
  });

  it('counts the day of a call in a time zone there is', () => {
    expect(tenantsOf({ ...keyed, timeZone: 'Europe/Berlin' })[0]?.crm).toMatchObject({ timeZone: 'Europe/Berlin' });
    for (const timeZone of ['Europe/Nowhere', 'Berlin', ''])
      expect(problemsOf({ ...keyed, timeZone })).toContain('crm.timeZone: must');
    expect(problemsOf({ ...keyed, timeZone: 'CEST+1' })).toContain(
      'crm.timeZone: must be an IANA time zone, for instance "Europe/Berlin"',
    );
  });

  it('says which settings belong together', () => {
    const { privateKey: _key, ...withoutKey } = keyed;
    const { username: _name, ...withoutName } = keyed;
    expect(problemsOf(withoutKey)).toContain('tenants.0.crm.privateKey: is missing beside "username"; set both, or');
    expect(problemsOf(withoutName)).toContain('tenants.0.crm.username: is missing beside "privateKey"');
    expect(problemsOf(base)).toContain('crm.assertionPublicKey: or "assertionPublicKeys" is needed, one of both');
    expect(problemsOf({ ...keyed, assertionPublicKeys: [certificate] })).toContain('one of both');
    expect(problemsOf({ ...base, assertionPublicKeys: [] })).toContain('needs at least one certificate');
    expect(problemsOf({ ...base, assertionPublicKeys: ['no PEM'] })).toContain('assertionPublicKeys.0: must be PEM');
    expect(problemsOf({ ...base, assertionPublicKey: certificate, actAs: 'agent' })).toContain(
      'crm.actAs: must be "integration" where the org is connected by its OAuth page',
    );
    expect(problemsOf({ ...keyed, actAs: 'nobody' as 'agent' })).toContain('must be "agent" or "integration"');
  });

  it('needs encryption keys for what is kept when several relays share it', () => {
    const shared = (crm: SalesforceInput) => () =>
      checkConfig(testConfig({ databaseUrl: 'postgres://localhost/x', tenants: [testTenant({ crm })] }));
    expect(shared(keyed)).not.toThrow();
    expect(shared({ ...base, assertionPublicKey: certificate })).toThrow(/encryptionKeys: is missing/);
  });

  it('takes its script from exact hosts of Salesforce only', () => {
    for (const good of [
      'https://acme.my.salesforce.com',
      'https://acme--uat.sandbox.lightning.force.com',
      'https://acme--c.vf.force.com',
    ])
      expect(problemsOf({ ...keyed, scriptHost: good })).toBe('');
    for (const bad of [
      'http://acme.my.salesforce.com',
      'https://acme.my.salesforce.com/',
      'https://acme.my.salesforce.com:8443',
      'https://*.my.salesforce.com',
      'https://my.salesforce.com',
      'https://acme.my.salesforce.com.evil.example',
      'https://user@acme.my.salesforce.com',
      "https://a'b.my.salesforce.com",
    ])
      expect(problemsOf({ ...keyed, scriptHost: bad }), bad).toContain(
        'crm.scriptHost: must be an exact https: origin',
      );
  });
});

describe('the page of the panel', () => {
  const policyOf = (crm: SalesforceInput, hostOrigins?: string[]): Map<string, string> =>
    new Map(
      contentPolicy('salesforce', tenantsOf(crm, hostOrigins), 'https://phone.example.com')
        .split('; ')
        .map((directive) => [directive.split(' ')[0] ?? '', directive.split(' ').slice(1).join(' ')]),
    );

  it('may be framed by the forms of the org’s My Domain, and by nobody else', () => {
    expect(policyOf(keyed).get('frame-ancestors')).toBe(
      'https://acme.lightning.force.com https://acme.my.salesforce.com https://acme--c.vf.force.com',
    );
    expect(policyOf(keyed, ['https://acme--uat.sandbox.lightning.force.com']).get('frame-ancestors')).toBe(
      'https://acme--uat.sandbox.lightning.force.com https://acme--uat.sandbox.my.salesforce.com https://acme--uat--c.sandbox.vf.force.com',
    );
    expect(policyOf(keyed, ['https://crm.example.com']).get('frame-ancestors')).toBe('https://crm.example.com');
    expect(policyOf({ ...keyed, frameAlso: [] }).get('frame-ancestors')).toBe('https://acme.lightning.force.com');
    expect(policyOf({ ...keyed, frameAlso: ['https://acme--pack.vf.force.com'] }).get('frame-ancestors')).toBe(
      'https://acme.lightning.force.com https://acme--pack.vf.force.com',
    );
  });

  it('loads the script from the host that is named, which the page reads', async () => {
    const scriptHost = 'https://acme--c.vf.force.com';
    expect(
      policyOf({ ...keyed, scriptHost })
        .get('script-src')
        ?.split(' '),
    ).toContain(scriptHost);
    expect(policyOf(keyed).get('script-src')).not.toContain('vf.force.com');
    const panel = {
      files: new Map([
        ['panel-salesforce-0123456789ab.js', Buffer.from('0')],
        ['panel-0123456789ab.css', Buffer.from('')],
      ]),
    };
    const hostOrigins = ['https://acme.lightning.force.com'];
    const one = await startRelayInTest(
      testConfig({
        tenants: [
          testTenant({ crm: { ...keyed, scriptHost }, hostOrigins }),
          testTenant({ id: 'plain', crm: { ...keyed, orgId: '00D000000000002' }, hostOrigins: ['https://b.example'] }),
        ],
      }),
      { panel },
    );
    try {
      const page = async (path: string): Promise<string> => (await one.fetch(path)).text();
      expect(await page('/t/acme/salesforce/')).toContain(`data-script-host="${scriptHost}"`);
      expect(await page('/t/plain/salesforce/')).not.toContain('data-script-host');
      expect((await one.fetch('/salesforce/')).status).toBe(404);
    } finally {
      await one.closed();
    }
  });
});

describe('a notice of the CRM adapter', () => {
  it('is an alert once, without numbers and tokens, and is told again when it could not be kept', async () => {
    const raised: string[] = [];
    let failing = true;
    const notices = new CrmNotices({
      log: createLog('silent'),
      raise: (alert) => {
        raised.push(`${alert.tenant} ${alert.kind} ${alert.message}`);
        return failing ? Promise.reject(new Error('no store')) : Promise.resolve(true);
      },
    });
    const acme = 'acme' as Parameters<CrmNotices['take']>[0];
    const text = 'Ada may not see +1 (415) 555-0101 with 00D000000000001!AQEAQ.secret_token';
    notices.take(acme, text);
    await new Promise((resolve) => setImmediate(resolve));
    failing = false;
    notices.take(acme, text);
    notices.take(acme, text);
    expect(raised).toEqual(Array(2).fill('acme crm.notice Ada may not see [number] with [token]'));
    notices.take(acme, `${'long '.repeat(200)}`);
    expect(raised[2]?.length).toBeLessThan(550);
    expect(withoutSecrets('the field Quality_Mos__c of Patchcord_Call__c, extension 104, 12 calls')).toBe(
      'the field Quality_Mos__c of Patchcord_Call__c, extension 104, 12 calls',
    );
  });
});

describe('an alert', () => {
  it('of one kind is told once an hour for each matter it is about', async () => {
    const ids: string[] = [];
    const alerts = new Alerts({
      tenants: { find: () => undefined } as unknown as Tenants,
      store: {
        alerts: {
          raise: ({ id }: { readonly id: string }) => {
            ids.push(id);
            return Promise.resolve(false);
          },
        },
      } as unknown as Store,
      hub: new LiveHub(),
      metrics: createMetrics(),
      log: createLog('silent'),
      now: () => 1_790_000_000_000,
      effectsWait: () => {},
    });
    const alert = { tenant: 'acme' as TenantId, agent: null, kind: 'crm.notice', message: 'A field is missing.' };
    for (const about of ['one field', 'another field', 'one field', undefined])
      await alerts.raise({ ...alert, ...(about === undefined ? {} : { about }) });
    expect(new Set(ids).size).toBe(3);
    expect(ids[2]).toBe(ids[0]);
  });
});

describe('what opens for a call', () => {
  it('is still told in one word, and a bad word is explained', () => {
    const popOf = (screenPop: unknown) =>
      checkConfig(testConfig({ tenants: [testTenant({ screenPop: screenPop as 'ring' })] })).tenants[0]?.screenPop;
    expect(popOf('answer')).toEqual({
      inbound: 'answer',
      outbound: 'never',
      known: { open: 'record' },
      several: { open: 'choice' },
      unknown: { open: 'nothing' },
    });
    expect(popOf('never')?.inbound).toBe('never');
    expect(popOf({ outbound: 'dial', unknown: { open: 'new-record', object: 'Lead' } })).toMatchObject({
      inbound: 'ring',
      outbound: 'dial',
      unknown: { open: 'new-record', object: 'Lead' },
    });
    const why = (screenPop: unknown): string => {
      try {
        popOf(screenPop);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    expect(why('sometimes')).toContain('tenants.0.screenPop: must be "ring", "answer" or "never", or say "inbound"');
    expect(why({ inbound: 'later' })).toMatch(
      /tenants\.0\.screenPop(?:\.inbound)?: must be "ring", "answer" or "never"/,
    );
    expect(why({ unknown: { open: 'new-record', object: 'no object!' } })).toContain('tenants.0.screenPop');
    expect(why({ unknown: { open: 'url', url: 'https://evil.example' } })).toContain('tenants.0.screenPop');
  });

  it('reaches the phone with its commands and the time for the wrap-up', async () => {
    const one = await startRelayInTest(
      testConfig({
        tenants: [testTenant({ screenPop: 'answer', pageCommands: { dial: 'refuse' }, wrapUpSeconds: 45 })],
      }),
    );
    try {
      const { token } = await one.signIn();
      expect(await (await one.fetch('/v1/profile', { token })).json()).toMatchObject({
        screenPop: { inbound: 'answer', unknown: { open: 'nothing' } },
        pageCommands: { dial: 'refuse', answer: 'refuse', control: 'allow' },
        wrapUpSeconds: 45,
      });
    } finally {
      await one.closed();
    }
  });
});
