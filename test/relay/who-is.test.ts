/** Who has a number: the order of those who are asked, and what a call may be about. */
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Match, type Matches, PatchcordError } from '@patchcord/call-protocol';
import { type CrmRelay, createMemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterEach, describe, expect, it } from 'vitest';
import type { RelayConfigInput, RelayDependencies } from '../../server/src/index.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const number = '+14155550101';
const stranger = '+14155550177';
const path = (of: string): string => `/v1/matches?number=${encodeURIComponent(of)}`;

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  tokens.clear();
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(
  tenant: Partial<RelayConfigInput['tenants'][number]> = {},
  dependencies: RelayDependencies & { folder?: string } = {},
): Promise<RelayInTest> {
  const one = await startRelayInTest(testConfig({ tenants: [testTenant(tenant)] }), dependencies);
  closing.push(() => one.closed());
  return one;
}

/** One session for each agent of a relay: signing in is slow on purpose. */
const tokens = new Map<string, string>();
async function tokenOf(one: RelayInTest, agent: string): Promise<string> {
  const key = `${one.relay.port} ${agent}`;
  const token = tokens.get(key) ?? (await one.signIn(agent)).token;
  tokens.set(key, token);
  return token;
}

async function matchesOf(one: RelayInTest, of: string, agent = 'ada'): Promise<readonly Match[]> {
  const token = await tokenOf(one, agent);
  const response = await one.fetch(path(of), { token });
  expect(response.status).toBe(200);
  return ((await response.json()) as Matches).matches;
}

const names = (matches: readonly Match[]): readonly (string | undefined)[] => matches.map(({ record }) => record.name);

describe('an extension', () => {
  const agents = testTenant().agents;

  it('is the colleague who has it: a user of the CRM, never the one who asks', async () => {
    const asked: unknown[] = [];
    const crm: CrmRelay = {
      ...createMemoryRelay(),
      findByExtension: (extension, agent) => {
        asked.push([extension, agent.crmUserId]);
        const user = (id: string, name: string): Match => ({
          record: { crm: 'memory', object: 'User', id, name },
          number: extension,
          reason: 'Colleague',
        });
        return Promise.resolve([user('005000000000002', 'Bob in the CRM'), user('005000000000001', 'Ada herself')]);
      },
    };
    const one = await start({}, { connectCrm: () => crm });
    expect(await matchesOf(one, '1002')).toEqual([
      {
        record: { crm: 'memory', object: 'User', id: '005000000000002', name: 'Bob Moog' },
        number: '1002',
        reason: 'Colleague',
        source: 'directory',
      },
    ]);
    expect(asked).toEqual([['1002', '005000000000001']]);
    expect(await matchesOf(one, '1001')).toEqual([]);
    expect(await matchesOf(one, '2002')).toMatchObject([{ record: { name: 'Bob in the CRM' }, source: 'directory' }]);
  });

  it('is known without the CRM, and is an error of the CRM only where nobody else knows', async () => {
    const crm: CrmRelay = {
      ...createMemoryRelay(),
      findByExtension: () => Promise.reject(new PatchcordError('crm.unavailable', 'away', { retryable: true })),
    };
    const one = await start({ agents }, { connectCrm: () => crm });
    expect(names(await matchesOf(one, '1002'))).toEqual(['Bob Moog']);
    const { token } = await one.signIn();
    expect((await one.fetch(path('2002'), { token })).status).toBe(502);
  });

  it('is one to six digits, and nothing else is asked for as one', async () => {
    const one = await start();
    const { token } = await one.signIn();
    for (const wrong of ['', '1234567', '10a', '*21', '-1'])
      expect((await one.fetch(path(wrong), { token })).status, wrong).toBe(400);
  });
});

/** A number service on this machine. */
async function numberService(
  answer: (request: IncomingMessage, body: string) => { status?: number; body?: unknown; delayMs?: number },
): Promise<{ readonly url: string; readonly asked: string[] }> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => {
      body += chunk.toString();
    });
    request.on('end', () => {
      asked.push(`${request.method} ${request.url} ${request.headers.authorization ?? '-'} ${body}`.trim());
      const { status = 200, body: said = '' } = answer(request, body);
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(typeof said === 'string' ? said : JSON.stringify(said));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closing.push(() => new Promise((resolve) => server.close(resolve)));
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

describe('a number service', () => {
  it('names a caller nobody knows, once an hour, and is no record of the CRM', async () => {
    const service = await numberService(() => ({ body: { name: ' Ada Ltd ', company: 'Ada Holding', more: 1 } }));
    let now = Date.now();
    const one = await start(
      {
        callerSources: {
          enrichment: {
            url: `${service.url}/who?n={number}`,
            authorization: 'Bearer of-this-test',
            label: 'number book',
            allowPrivate: true,
          },
        },
      },
      { now: () => now },
    );
    const known = await matchesOf(one, stranger);
    expect(known).toEqual([
      {
        record: { crm: 'page', object: 'Caller', id: stranger, name: 'Ada Ltd' },
        number: stranger,
        detail: 'Ada Holding',
        reason: 'Name from the number book',
        source: 'enrichment',
      },
    ]);
    expect(await matchesOf(one, stranger, 'bob')).toEqual(known);
    expect(service.asked).toEqual([`GET /who?n=%2B14155550177 Bearer of-this-test`]);
    now += 3_600_001;
    tokens.clear();
    await matchesOf(one, stranger);
    expect(service.asked).toHaveLength(2);
    // Somebody the CRM knows, an extension, and what is no number of any plan, are nobody's business.
    expect(names(await matchesOf(one, number))).toEqual(['Grace Hopper']);
    expect(await matchesOf(one, '4711')).toEqual([]);
    expect(await matchesOf(one, '+19999999')).toEqual([]);
    expect(service.asked).toHaveLength(2);
  });

  it('is posted to where the configuration says so, and its silence, errors and nonsense cost nobody the look-up', async () => {
    let said: { status?: number; body?: unknown } = { status: 404 };
    const service = await numberService(() => said);
    let now = Date.now();
    const one = await start(
      { callerSources: { enrichment: { url: `${service.url}/who`, method: 'POST', allowPrivate: true } } },
      { now: () => now },
    );
    expect(await matchesOf(one, stranger)).toEqual([]);
    expect(service.asked).toEqual([`POST /who - {"number":"${stranger}"}`]);
    for (const [index, wrong] of [{ status: 500 }, { status: 429 }].entries()) {
      said = wrong;
      expect(await matchesOf(one, `+1415555020${index}`)).toEqual([]);
      expect(service.asked).toHaveLength(index + 2);
      // It is left alone for half a minute.
      expect(await matchesOf(one, `+1415555021${index}`)).toEqual([]);
      expect(service.asked).toHaveLength(index + 2);
      now += 31_000;
    }
    const before = service.asked.length;
    const nonsense = [{ body: 'no JSON' }, { body: { name: 'x'.repeat(5_000) } }, { body: {} }, { status: 302 }];
    for (const [index, wrong] of nonsense.entries()) {
      said = wrong;
      expect(await matchesOf(one, `+1415555022${index}`)).toEqual([]);
      // The next number is asked for all the same.
      expect(service.asked).toHaveLength(before + index + 1);
    }
  });

  it('may say that it knows nobody, which is remembered and keeps nobody else from being asked for', async () => {
    let said: unknown = { name: null };
    const service = await numberService(() => ({ body: said }));
    const one = await start({ callerSources: { enrichment: { url: `${service.url}/{number}`, allowPrivate: true } } });
    for (const [index, nobody] of [{ name: null }, { name: '' }, { name: '  ', company: 'Acme' }].entries()) {
      said = nobody;
      for (const agent of ['ada', 'bob'] as const)
        expect(await matchesOf(one, `+1415555023${index}`, agent)).toEqual([]);
      expect(service.asked).toHaveLength(index + 1);
    }
    said = { name: 'Ada Ltd' };
    expect(names(await matchesOf(one, stranger))).toEqual(['Ada Ltd']);
  });

  it('is never asked on this machine or its networks unless that is meant', async () => {
    const service = await numberService(() => ({ body: { name: 'Inside' } }));
    const url = `${service.url.replace('http:', 'https:')}/{number}`;
    const one = await start({ callerSources: { enrichment: { url } } });
    expect(await matchesOf(one, stranger)).toEqual([]);
    expect(service.asked).toEqual([]);
  });
});

describe('a company directory', () => {
  it('stands behind the CRM, before the number service, without repeating a name, and may fail', async () => {
    const service = await numberService(() => ({ body: { name: 'Never asked' } }));
    const entry = (name: string, of: string): Match => ({
      record: { crm: 'page', object: 'Person', id: name, name },
      number: of as Match['number'],
      reason: 'Corporate directory',
      source: 'directory',
    });
    let failing = false;
    const one = await start(
      { callerSources: { enrichment: { url: `${service.url}/{number}`, allowPrivate: true } } },
      {
        openDirectory: () => ({
          find: (of) =>
            failing
              ? Promise.reject(new PatchcordError('crm.unavailable', 'away', { retryable: true }))
              : Promise.resolve([entry('grace hopper', of), entry('Front desk', of)]),
        }),
      },
    );
    expect(names(await matchesOf(one, number))).toEqual(['Grace Hopper', 'Front desk']);
    expect(names(await matchesOf(one, stranger))).toEqual(['grace hopper', 'Front desk']);
    expect(names(await matchesOf(one, '1002'))).toEqual(['Bob Moog', 'grace hopper', 'Front desk']);
    expect(service.asked).toEqual([]);
    failing = true;
    expect(names(await matchesOf(one, number))).toEqual(['Grace Hopper']);
  });
});

describe('what a call may be about', () => {
  const related = (id: string): string => `/v1/records/related?object=Contact&id=${id}`;

  it('is asked of the agent’s own CRM, in their name, once in half a minute', async () => {
    const asked: unknown[] = [];
    let now = Date.now();
    const crm: CrmRelay = {
      ...createMemoryRelay(),
      relatedTo: (record, agent) => {
        asked.push([record, agent.crmUserId]);
        return Promise.resolve(
          Array.from({ length: 30 }, (_, index) => ({
            record: { crm: 'memory' as const, object: 'Case', id: `case-${index}`, name: `Case ${index}` },
            detail: 'Open',
            reason: 'Open case',
          })),
        );
      },
    };
    const one = await start({}, { connectCrm: () => crm, now: () => now });
    const { token } = await one.signIn();
    const first = (await (await one.fetch(related('003A'), { token })).json()) as { records: unknown[] };
    expect(first.records).toHaveLength(20);
    expect(first.records[0]).toEqual({
      record: { crm: 'memory', object: 'Case', id: 'case-0', name: 'Case 0' },
      detail: 'Open',
      reason: 'Open case',
    });
    await one.fetch(related('003A'), { token });
    expect(asked).toEqual([[{ crm: 'memory', object: 'Contact', id: '003A' }, '005000000000001']]);
    await one.fetch(related('003A'), { token: (await one.signIn('bob')).token });
    await one.fetch(related('003B'), { token });
    expect(asked).toHaveLength(3);
    now += 30_001;
    await one.fetch(related('003A'), { token });
    expect(asked).toHaveLength(4);
  });

  it('needs a session and a record; a CRM without such a thing has none; its failure is told and not kept', async () => {
    const one = await start();
    const { token } = await one.signIn();
    expect((await one.fetch(related('003A'))).status).toBe(401);
    for (const wrong of ['', '?object=Contact', '?object=Con tact&id=1', '?object=Contact&id=a/b', '?object=C&id=%00'])
      expect((await one.fetch(`/v1/records/related${wrong}`, { token })).status, wrong).toBe(400);
    expect(await (await one.fetch(related('003A'), { token })).json()).toEqual({ records: [] });

    let away = true;
    const crm: CrmRelay = {
      ...createMemoryRelay(),
      relatedTo: () =>
        away
          ? Promise.reject(new PatchcordError('crm.unavailable', 'The CRM is away.', { retryable: true }))
          : Promise.resolve([]),
    };
    const other = await start({}, { connectCrm: () => crm });
    const session = await other.signIn();
    const failed = await other.fetch(related('003A'), { token: session.token });
    expect(failed.status).toBe(502);
    expect(await failed.json()).toMatchObject({ error: { code: 'crm.unavailable', retryable: true } });
    away = false;
    expect((await other.fetch(related('003A'), { token: session.token })).status).toBe(200);
  });
});
