import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GroupCommit } from '../../../server/src/store/group-commit.ts';
import type { SqliteQuestion, SqliteStatement } from '../../../server/src/store/sqlite-dialect.ts';

let folder = '';
let databases: DatabaseSync[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'patchcord-group-'));
});
afterEach(() => {
  for (const database of databases) if (database.isOpen) database.close();
  databases = [];
  rmSync(folder, { recursive: true, force: true });
});

function open(): DatabaseSync {
  const database = new DatabaseSync(join(folder, 'one.sqlite'), { timeout: 0 });
  databases.push(database);
  database.exec('pragma journal_mode = wal');
  database.exec('create table if not exists notes (id text primary key, body text not null)');
  return database;
}

/** The statements that steer a transaction, as they were run. */
function watched(database: DatabaseSync): string[] {
  const seen: string[] = [];
  const exec = database.exec.bind(database);
  database.exec = (sql: string) => {
    seen.push(sql);
    return exec(sql);
  };
  return seen;
}

const insert = (id: string, body: string | null = 'x', mustChange = false): SqliteStatement => ({
  sql: 'insert into notes (id, body) values (?, ?) on conflict (id) do nothing',
  parameters: [id, body],
  mustChange,
});
let nextId = 1;
const batch = (...statements: SqliteStatement[]): SqliteQuestion => ({ id: nextId++, kind: 'batch', statements });
const query = (sql: string, ...parameters: unknown[]): SqliteQuestion => ({
  id: nextId++,
  kind: 'query',
  statement: { sql, parameters },
});
const count = () => query('select count(*) as n from notes');
const idsIn = (database: DatabaseSync) =>
  database
    .prepare('select id from notes order by id')
    .all()
    .map((row) => String(row.id));

describe('the group commit', () => {
  it('commits all that wait at once, and answers in the order of the questions', () => {
    const database = open();
    const group = new GroupCommit(database);
    const seen = watched(database);
    const questions = [batch(insert('a')), batch(insert('b')), query('insert into notes values (?, ?)', 'c', 'x')];
    const answers = group.answer(questions);
    expect(answers.map(({ id }) => id)).toEqual(questions.map(({ id }) => id));
    expect(seen.filter((sql) => sql === 'commit')).toHaveLength(1);
    expect(idsIn(database)).toEqual(['a', 'b', 'c']);
  });

  it('keeps the neighbours of a batch that is rolled back or fails', () => {
    const database = open();
    const group = new GroupCommit(database);
    const answers = group.answer([
      batch(insert('a')),
      batch(insert('b'), insert('a', 'again', true)),
      batch(insert('c'), insert('d', null)),
      query('insert into notes values (?, null)', 'e'),
      batch(insert('f')),
    ]);
    expect(answers[1]).toMatchObject({ results: null });
    expect(answers[2]).toMatchObject({ error: expect.stringContaining('NOT NULL') as string });
    expect(answers[3]).toMatchObject({ error: expect.stringContaining('NOT NULL') as string });
    expect(idsIn(database)).toEqual(['a', 'f']);
  });

  it('lets a read between writes see what was written before it', () => {
    const group = new GroupCommit(open());
    const answers = group.answer([count(), batch(insert('a')), count(), batch(insert('b')), count()]);
    const counts = answers.flatMap((answer) =>
      'results' in answer
        ? (answer.results ?? []).flatMap(({ rows }) => rows.map((row) => (row as { n: number }).n))
        : [],
    );
    expect(counts).toEqual([0, 1, 2]);
  });

  it('takes no lock for reads alone', () => {
    const database = open();
    const group = new GroupCommit(database, { patienceMs: 0 });
    open().exec('begin immediate');
    const seen = watched(database);
    expect(group.answer([count(), count()])).toMatchObject([{ results: [{}] }, { results: [{}] }]);
    expect(seen).toEqual([]);
  });

  it('tells everybody of the group when another process keeps the lock, and has changed nothing', () => {
    const database = open();
    const other = open();
    const group = new GroupCommit(database, { patienceMs: 20 });
    other.exec('begin immediate');
    for (const answer of group.answer([batch(insert('a')), count(), batch(insert('b'))]))
      expect(answer).toMatchObject({ error: expect.stringContaining('locked') as string });
    other.exec('rollback');
    expect(idsIn(database)).toEqual([]);
    expect(group.answer([batch(insert('a')), batch(insert('b'))])).toMatchObject([
      { results: [{}] },
      { results: [{}] },
    ]);
  });

  it('on a full disk keeps what fits, and says of the rest that it was not kept', () => {
    const database = open();
    const group = new GroupCommit(database);
    const pages = database.prepare('pragma page_count').get() as { page_count: number };
    database.exec(`pragma max_page_count = ${pages.page_count + 2}`);
    const answers = group.answer([
      batch(insert('small')),
      batch(insert('large', 'x'.repeat(100_000))),
      batch(insert('also small')),
    ]);
    expect(answers.map((answer) => 'results' in answer)).toEqual([true, false, true]);
    expect(answers[1]).toMatchObject({ error: expect.stringContaining('full') as string });
    expect(idsIn(database)).toEqual(['also small', 'small']);
  });

  it('leaves alone a transaction that somebody else steers', () => {
    const database = open();
    const group = new GroupCommit(database);
    group.answer([
      query('begin immediate'),
      query('insert into notes values (?, ?)', 'a', 'x'),
      query('insert into notes values (?, ?)', 'b', 'x'),
      query('rollback'),
      batch(insert('c')),
      batch(insert('d')),
    ]);
    expect(idsIn(database)).toEqual(['c', 'd']);
  });

  it('leaves the database as if every question had been asked alone', () => {
    const statement = fc.record({
      id: fc.constantFrom('a', 'b', 'c', 'd', 'e'),
      body: fc.constantFrom('x', 'y', null),
      mustChange: fc.boolean(),
    });
    const asked = fc.array(fc.array(statement, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 8 });
    const database = open();
    fc.assert(
      fc.property(asked, (batches) => {
        const questions = batches.map((one) =>
          batch(...one.map(({ id, body, mustChange }) => insert(id, body, mustChange))),
        );
        const state = () => database.prepare('select * from notes order by id').all();
        database.exec('delete from notes');
        const together = new GroupCommit(database).answer(questions);
        const grouped = state();
        database.exec('delete from notes');
        const apart = questions.flatMap((question) => new GroupCommit(database).answer([question]));
        expect(together).toEqual(apart);
        expect(grouped).toEqual(state());
      }),
      { numRuns: 100 },
    );
  });
});
