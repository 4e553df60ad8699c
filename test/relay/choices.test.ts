/** The memory of choices: what an agent settled on stands in front the next time, and is never chosen by itself. */
import { type Match, type Matches, newCallId, type RecordRef } from '@patchcord/call-protocol';
import { type CrmRelay, createMemoryRelay, type MemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterEach, describe, expect, it } from 'vitest';
import type { RelayDependencies } from '../../server/src/index.ts';
import {
  answeredCall,
  envelopes,
  type Life,
  type RelayInTest,
  startRelayInTest,
} from '../unit/server/relay-in-test.ts';

const number = '+14155550101';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function start(dependencies: RelayDependencies): Promise<RelayInTest> {
  const one = await startRelayInTest(undefined, dependencies);
  closing.push(() => one.closed());
  return one;
}

/** One session for each agent of a relay: signing in is slow on purpose. */
const tokens = new WeakMap<RelayInTest, Map<string, Promise<string>>>();
function tokenOf(one: RelayInTest, agent: string): Promise<string> {
  const known = tokens.get(one) ?? new Map<string, Promise<string>>();
  tokens.set(one, known);
  const token = known.get(agent) ?? one.signIn(agent).then((session) => session.token);
  known.set(agent, token);
  return token;
}

async function matchesOf(one: RelayInTest, of: string, agent = 'ada'): Promise<readonly Match[]> {
  const response = await one.fetch(`/v1/matches?number=${encodeURIComponent(of)}`, {
    token: await tokenOf(one, agent),
  });
  expect(response.status).toBe(200);
  return ((await response.json()) as Matches).matches;
}

const names = (matches: readonly Match[]): readonly (string | undefined)[] => matches.map(({ record }) => record.name);

/** Two people behind one number. */
function household(): MemoryRelay {
  return createMemoryRelay({
    records: [
      { object: 'Contact', id: 'c1', name: 'Ann Lovelace', numbers: ['(415) 555-0101'] },
      { object: 'Contact', id: 'c2', name: 'Grace Hopper', numbers: ['(415) 555-0101'] },
    ],
  });
}

describe('the memory of choices', () => {
  const chosen = (record: RecordRef, by: 'agent' | 'only-match' = 'agent'): Life => ({
    name: 'record.chosen',
    at: Date.UTC(2026, 10, 12, 9),
    data: { record, by },
  });
  const grace: RecordRef = { crm: 'memory', object: 'Contact', id: 'c2', name: 'Grace Hopper' };
  const ann: RecordRef = { crm: 'memory', object: 'Contact', id: 'c1', name: 'Ann Lovelace' };
  const noon = () => Date.UTC(2026, 10, 20, 12);

  async function live(one: RelayInTest, life: readonly Life[], agent = 'ada'): Promise<void> {
    const panel = await one.connect(await tokenOf(one, agent));
    panel.publish(...envelopes(newCallId(), [...answeredCall, ...life]));
    await panel.acknowledged();
  }
  /** Waits for what is remembered after the acknowledgement. */
  const until = (one: RelayInTest, fits: (matches: readonly Match[]) => boolean, agent = 'ada') =>
    expect.poll(async () => fits(await matchesOf(one, number, agent)), { timeout: 20_000 }).toBe(true);

  it('puts the record that was chosen before in front, for every agent, and says why', async () => {
    const one = await start({ connectCrm: household, now: noon });
    expect(names(await matchesOf(one, number))).toEqual(['Ann Lovelace', 'Grace Hopper']);
    await live(one, [chosen(grace)]);
    await until(one, ([first]) => first?.record.id === 'c2');
    expect((await matchesOf(one, number, 'bob'))[0]?.reason).toBe('Contact: same number. Chosen on 12 November');
    await live(one, [chosen(grace)], 'bob');
    await live(one, [chosen(grace)]);
    await until(one, ([first]) => first?.reason === 'Contact: same number. Chosen 3 times, last on 12 November');
    // Never chosen silently: both stand there.
    expect(await matchesOf(one, number)).toHaveLength(2);
  });

  it('counts what an agent settled on in the end, and nothing a phone chose by itself', async () => {
    const one = await start({ connectCrm: household, now: noon });
    await live(one, [chosen(ann, 'only-match')]);
    await live(one, [chosen(grace), { name: 'wrap-up.saved', data: { note: 'it was Ann' } }, chosen(ann)]);
    await until(one, ([first]) => first?.reason.endsWith('Chosen on 12 November') === true);
    expect((await matchesOf(one, number)).map(({ reason }) => reason)).toEqual([
      'Contact: same number. Chosen on 12 November',
      'Contact: same number',
    ]);
  });

  it('takes a choice back that the wrap-up changes later', async () => {
    const one = await start({ connectCrm: household, now: noon });
    const panel = await one.connect(await tokenOf(one, 'ada'));
    const call = newCallId();
    panel.publish(...envelopes(call, [...answeredCall, chosen(grace)]));
    await panel.acknowledged();
    await until(one, ([first]) => first?.record.id === 'c2');
    panel.publish(...envelopes(call, [chosen(ann)], 10));
    await panel.acknowledged();
    await until(one, ([first]) => first?.record.id === 'c1');
    expect((await matchesOf(one, number))[1]?.reason).toBe('Contact: same number');
  });

  it('forgets a record that no longer matches', async () => {
    const all = household();
    let gone = false;
    const crm: CrmRelay = {
      ...all,
      findByNumber: async (...asked) =>
        (await all.findByNumber(...asked)).filter(({ record }) => !gone || record.id !== 'c2'),
    };
    const one = await start({ connectCrm: () => crm, now: noon });
    await live(one, [chosen(grace)]);
    await until(one, ([first]) => first?.record.id === 'c2');
    gone = true;
    expect(names(await matchesOf(one, number))).toEqual(['Ann Lovelace']);
    gone = false;
    expect(names(await matchesOf(one, number))).toEqual(['Ann Lovelace', 'Grace Hopper']);
  });

  const rowsOf = async (one: RelayInTest): Promise<readonly Record<string, unknown>[]> => {
    const { DatabaseSync } = await import('node:sqlite');
    const { readdirSync } = await import('node:fs');
    const file = readdirSync(one.folder).find((name) => /\.(?:db|sqlite)$/.test(name)) ?? '';
    const database = new DatabaseSync(`${one.folder}/${file}`, { readOnly: true });
    const rows = database.prepare('select * from record_choices').all();
    database.close();
    return rows;
  };

  it('keeps no number in the store', async () => {
    const one = await start({ connectCrm: household, now: noon });
    await live(one, [chosen(grace)]);
    await until(one, ([first]) => first?.record.id === 'c2');
    const rows = await rowsOf(one);
    expect(rows).toHaveLength(1);
    expect(JSON.stringify(rows)).not.toContain('4155550101');
  });

  it('keeps only records of the CRM, and takes an earlier choice back for one that is none', async () => {
    const one = await start({ connectCrm: household, now: noon });
    const desk: RecordRef = { crm: 'page', object: 'Person', id: 'ldap-of-the-desk', name: 'Front Desk' };
    const panel = await one.connect(await tokenOf(one, 'ada'));
    const call = newCallId();
    panel.publish(...envelopes(call, [...answeredCall, chosen(grace)]));
    await panel.acknowledged();
    await until(one, ([first]) => first?.record.id === 'c2');
    panel.publish(...envelopes(call, [chosen(desk)], 10));
    await panel.acknowledged();
    await until(one, ([first]) => first?.record.id === 'c1');
    for (const other of [desk, { crm: 'memory', object: 'User', id: 'u1' }, { ...grace, crm: 'hubspot' }] as const)
      await live(one, [chosen(other)], 'bob');
    await live(one, [chosen(ann)]);
    await until(one, ([first]) => first?.reason.endsWith('Chosen on 12 November') === true);
    expect((await rowsOf(one)).map(({ record_id: id }) => id)).toEqual(['c1']);
  });
});
