/**
 * What the driver for Asterisk does when something else happens between two of its steps. The stand-in keeps objects as ARI's push configuration
 * does and lets a test step in before any request; that a real Asterisk takes them is shown in the SIP lab.
 */
import { randomUUID } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { AgentId, DeviceId, TenantId } from '@patchcord/call-protocol';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkConfig } from '../../../server/src/config.ts';
import { ha1 } from '../../../server/src/credentials/digest.ts';
import type { CredentialIssuer, Device, SipCredential } from '../../../server/src/credentials/issuer.ts';
import { issuerOf } from '../../../server/src/credentials/issuers.ts';
import { createLog } from '../../../server/src/logging.ts';
import type { Store } from '../../../server/src/store/contract.ts';
import { openStore } from '../../../server/src/store/open.ts';
import { testTenant } from './relay-in-test.ts';

type Field = { readonly attribute: string; readonly value: string };

class StandInAsterisk {
  readonly objects = new Map<string, Field[]>();
  /** Global variables, forgotten with the objects. */
  readonly variables = new Map<string, string>();
  variablesTaken = true;
  /** Called before a request is carried out; may answer in its place. */
  before: (request: string) => Promise<number | undefined> | number | undefined = () => undefined;
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<StandInAsterisk> {
    const server = createServer();
    const self = new StandInAsterisk(server);
    server.on('request', (request, response) => {
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('end', () => {
        void (async () => {
          const { status, body } = await self.#answer(
            request.method ?? '',
            decodeURIComponent(request.url ?? ''),
            Buffer.concat(parts).toString(),
          );
          response.writeHead(status, { 'content-type': 'application/json' });
          response.end(body === undefined ? '' : JSON.stringify(body));
        })();
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return self;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/ari`;
  }

  async #answer(method: string, path: string, text: string): Promise<{ status: number; body?: unknown }> {
    const key = /\/res_pjsip\/(.+)$/.exec(path)?.[1];
    const instead = await this.before(`${method} ${key ?? path}`);
    if (typeof instead === 'number') return { status: instead, body: {} };
    if (path.endsWith('/endpoints/PJSIP')) {
      const names = [...this.objects.keys()].filter((name) => name.startsWith('endpoint/'));
      return { status: 200, body: names.map((name) => ({ resource: name.slice('endpoint/'.length) })) };
    }
    const set = /\/asterisk\/variable\?variable=([^&]*)&value=(.*)$/.exec(path);
    if (method === 'POST' && set !== null) {
      if (!this.variablesTaken) return { status: 500, body: {} };
      this.variables.set(set[1] ?? '', set[2] ?? '');
      return { status: 204 };
    }
    if (key === undefined) return { status: 200, body: [] };
    const known = this.objects.get(key);
    if (method === 'PUT') {
      const { fields } = JSON.parse(text) as { fields: Field[] };
      const rest = (known ?? []).filter(({ attribute }) => !fields.some((field) => field.attribute === attribute));
      this.objects.set(key, [...rest, ...fields]);
      return { status: 200, body: this.objects.get(key) };
    }
    if (known === undefined) return { status: 404, body: {} };
    if (method === 'DELETE') {
      this.objects.delete(key);
      return { status: 204 };
    }
    return { status: 200, body: known };
  }

  value(key: string, attribute: string): string | undefined {
    return this.objects.get(key)?.find((field) => field.attribute === attribute)?.value;
  }

  /** Whether the device gets in with this credential. */
  takes({ username, password, user = '' }: SipCredential): boolean {
    if (!this.objects.has(`endpoint/${user}`)) return false;
    return ['a', 'b'].some(
      (place) => this.value(`auth/${user}-${place}`, 'md5_cred') === ha1(username, 'sip.example.com', password),
    );
  }

  close(): Promise<void> {
    return new Promise((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}

let asterisk: StandInAsterisk;
let store: Store;
let folder: string;
let issuer: CredentialIssuer;

const aDevice = (): Device => ({
  agent: 'ada' as AgentId,
  id: randomUUID() as DeviceId,
  extension: '1001',
  name: 'Ada Byron',
});
const withdraw = (device: Device, all = false) =>
  store.credentials.revokeIssued('acme' as TenantId, device.agent, all ? null : device.id, Date.now());
/** Steps in once, before the first request that reads like this. */
function stepIn(request: RegExp, act: () => Promise<unknown>): void {
  asterisk.before = async (asked) => {
    if (!request.test(asked)) return;
    asterisk.before = () => {};
    await act();
  };
}

beforeEach(async () => {
  asterisk = await StandInAsterisk.start();
  folder = mkdtempSync(join(tmpdir(), 'patchcord-ari-'));
  store = await openStore({ kind: 'sqlite', folder });
  const credential = { kind: 'asterisk-ari' as const, url: asterisk.url, username: 'relay', password: 'x' };
  const [tenant] = checkConfig({ tenants: [testTenant({ sip: { ...testTenant().sip, credential } })] }).tenants;
  if (tenant === undefined) throw new Error('The configuration lost its tenant.');
  issuer = issuerOf(tenant, { store: store.credentials, log: createLog('silent'), now: Date.now });
});
afterEach(async () => {
  await asterisk.close();
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

it('lets two devices of an agent in that sign in at once, though Asterisk refuses the later of two that make one object', async () => {
  let refused = 0;
  asterisk.before = (asked) => {
    if (asked !== 'PUT endpoint/991001' || refused > 0) return;
    refused += 1;
    return 403;
  };
  const credentials = await Promise.all([issuer.issue(aDevice()), issuer.issue(aDevice())]);
  expect(refused).toBe(1);
  expect(credentials.every((one) => asterisk.takes(one))).toBe(true);
  expect(asterisk.value('endpoint/991001', 'aors')?.split(',')).toHaveLength(2);
});

it('says so when Asterisk takes nothing at all', async () => {
  asterisk.before = (asked) => (asked.startsWith('PUT') ? 403 : undefined);
  await expect(issuer.issue(aDevice())).rejects.toMatchObject({ code: 'sip.refused', message: /sorcery\.conf/ });
});

describe('what an office phone asks for', () => {
  const issuerWith = (endpoint: Record<string, string>, callerIds: string[] = []): CredentialIssuer => {
    const credential = { kind: 'asterisk-ari' as const, url: asterisk.url, username: 'relay', password: 'x', endpoint };
    const features = { callerIds: callerIds.map((number) => ({ number, label: number })) };
    const [tenant] = checkConfig({
      tenants: [testTenant({ sip: { ...testTenant().sip, credential }, features })],
    }).tenants;
    if (tenant === undefined) throw new Error('The configuration lost its tenant.');
    return issuerOf(tenant, { store: store.credentials, log: createLog('silent'), now: Date.now });
  };

  it('gives a device its mailbox and pick-up group, and the companion the group alone', async () => {
    const { user } = await issuer.issue(aDevice());
    expect(asterisk.value(`endpoint/${user}`, 'mailboxes')).toBe('1001@default');
    expect(asterisk.value(`aor/${user}`, 'mailboxes')).toBe('1001@default');
    expect(asterisk.value('endpoint/991001', 'mailboxes')).toBeUndefined();
    for (const endpoint of [`endpoint/${user}`, 'endpoint/991001'])
      for (const group of ['named_call_group', 'named_pickup_group'])
        expect(asterisk.value(endpoint, group)).toBe('acme');
  });

  it('lets the tenant say otherwise, with the extension where it belongs', async () => {
    const { user } = await issuerWith({ mailboxes: 'box-{extension}@sales', named_pickup_group: 'floor-2' }).issue(
      aDevice(),
    );
    expect(asterisk.value(`endpoint/${user}`, 'mailboxes')).toBe('box-1001@sales');
    expect(asterisk.value(`aor/${user}`, 'mailboxes')).toBe('box-1001@sales');
    expect(asterisk.value('endpoint/991001', 'named_pickup_group')).toBe('floor-2');
  });

  it('tells which numbers the extension may show, and tells it again to an Asterisk that restarted', async () => {
    const shown = issuerWith({}, ['+14155550100', '+14155550101']);
    const device = aDevice();
    await shown.issue(device);
    expect(asterisk.variables.get('CALLERIDS_1001')).toBe('+14155550100&+14155550101');
    asterisk.variables.clear();
    await shown.issue(device);
    expect(asterisk.variables.size).toBe(0);
    asterisk.objects.clear();
    await shown.reconcile();
    expect(asterisk.variables.get('CALLERIDS_1001')).toBe('+14155550100&+14155550101');
  });

  it('takes numbers away from an Asterisk that an earlier relay told', async () => {
    asterisk.variables.set('CALLERIDS_1001', '+14155550199');
    await issuer.issue(aDevice());
    expect(asterisk.variables.get('CALLERIDS_1001')).toBe('');
  });

  it('lets an agent in, though Asterisk takes no variable', async () => {
    asterisk.variablesTaken = false;
    const credential = await issuer.issue(aDevice());
    expect(asterisk.takes(credential)).toBe(true);
  });
});

describe('an endpoint with the companion’s name that is somebody else’s', () => {
  const theirs: Field[] = [
    { attribute: 'aors', value: 'their-phone' },
    { attribute: 'callerid_tag', value: '' },
  ];
  const foreign = (): void => {
    asterisk.objects.set('endpoint/991001', [...theirs]);
    asterisk.objects.set('auth/991001', [{ attribute: 'username', value: '991001' }]);
  };
  const untouched = (): void => {
    expect(asterisk.objects.get('endpoint/991001')).toEqual(theirs);
    expect(asterisk.value('auth/991001', 'username')).toBe('991001');
  };

  it('is named when a credential is asked for, and nothing is given out', async () => {
    foreign();
    await expect(issuer.issue(aDevice())).rejects.toMatchObject({
      code: 'config.invalid',
      message: expect.stringContaining('991001') as string,
    });
    untouched();
    expect(await store.credentials.issuedTo('acme' as TenantId, 'ada' as AgentId, 0)).toEqual([]);
  });

  it('is left alone by a revocation, which takes the devices all the same', async () => {
    const device = aDevice();
    const credential = await issuer.issue(device);
    foreign();
    await withdraw(device);
    await issuer.revokeAgent(device);
    expect(asterisk.takes(credential)).toBe(false);
    untouched();
  });

  it('is named by the reconciler, which brings the rest up to date', async () => {
    const device = aDevice();
    const credential = await issuer.issue(device);
    asterisk.objects.clear();
    foreign();
    await expect(issuer.reconcile()).rejects.toMatchObject({ code: 'config.invalid' });
    expect(asterisk.takes(credential)).toBe(true);
    untouched();
  });
});

describe('the reconciler', () => {
  it('does not put back what is revoked while it puts it back', async () => {
    const device = aDevice();
    const credential = await issuer.issue(device);
    asterisk.objects.clear();
    stepIn(/^PUT endpoint\/1001-/, async () => {
      await withdraw(device);
      await issuer.revoke(device, device.id);
    });
    await issuer.reconcile();
    expect(asterisk.takes(credential)).toBe(false);
    expect(asterisk.objects.has(`endpoint/${credential.user}`)).toBe(false);
    expect(asterisk.objects.has('endpoint/991001')).toBe(false);
  });

  it('does not take away what is issued while it looks', async () => {
    const device = aDevice();
    let credential: SipCredential | undefined;
    stepIn(/endpoints\/PJSIP$/, async () => {
      credential = await issuer.issue(device);
    });
    await issuer.reconcile();
    expect(credential !== undefined && asterisk.takes(credential)).toBe(true);
    expect(asterisk.value('endpoint/991001', 'aors')).toBe(credential?.user);
  });

  it('does not close a place that was given a new credential while it looks', async () => {
    const device = aDevice();
    const first = await issuer.issue(device);
    asterisk.objects.clear();
    let second: SipCredential | undefined;
    stepIn(/^PUT auth\/1001-.*-b$/, async () => {
      second = await issuer.issue(device);
    });
    await issuer.reconcile();
    expect(asterisk.takes(first)).toBe(true);
    expect(second !== undefined && asterisk.takes(second)).toBe(true);
  });
});

describe('a revocation that is carried out late', () => {
  it('takes what was withdrawn, and leaves a device alone that has signed in again since', async () => {
    const [back, gone] = [aDevice(), aDevice()];
    const [old, lost] = [await issuer.issue(back), await issuer.issue(gone)];
    const older = await issuer.issue(back);
    await withdraw(back, true);
    const fresh = await issuer.issue(back);
    await issuer.revokeAgent(back);
    expect(asterisk.takes(fresh)).toBe(true);
    for (const credential of [old, older, lost]) expect(asterisk.takes(credential)).toBe(false);
    expect(asterisk.value('endpoint/991001', 'aors')).toBe(fresh.user);
  });
});
