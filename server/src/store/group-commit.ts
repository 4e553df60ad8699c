/**
 * Answers questions to one SQLite connection so that all that wait share one commit, which is one fsync. Owns the transaction, the savepoints
 * that keep neighbours from harming each other, and the patience with another process that is writing. Must never give out the answer to a
 * write before its commit, nor answer in another order than was asked.
 */
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import type { SqliteAnswer, SqliteQuestion, SqliteResult, SqliteStatement } from './sqlite-dialect.ts';

/** Another process may hold the write lock that long before we say that the store is not there. */
const patienceMs = 10_000;
const statementLimit = 200;
/** SQLITE_BUSY; the bits above it say why. */
const busy = 5;

interface Prepared {
  readonly statement: StatementSync;
  readonly returnsRows: boolean;
}

/** Who reads only needs no transaction; who steers the connection shares none. */
type Kind = 'read' | 'write' | 'control';

export class GroupCommit {
  readonly #database: DatabaseSync;
  readonly #patienceMs: number;
  readonly #statements = new Map<string, Prepared>();
  readonly #pause = new Int32Array(new SharedArrayBuffer(4));

  /** @param options.patienceMs How long to wait for another process that holds the lock */
  constructor(database: DatabaseSync, options: { readonly patienceMs?: number } = {}) {
    this.#database = database;
    this.#patienceMs = options.patienceMs ?? patienceMs;
  }

  /**
   * Answers all, in order. The writes among them, with the reads that stand between, are one transaction; what stands before the first write
   * or after the last one holds no lock. Never throws: a failure is the answer of whom it concerns.
   */
  answer(questions: readonly SqliteQuestion[]): SqliteAnswer[] {
    const answers: SqliteAnswer[] = [];
    for (let at = 0; at < questions.length; ) {
      const group = this.#groupAt(questions, at);
      if (group.length === 1) for (const question of group) answers.push(this.#alone(question));
      else answers.push(...this.#together(group));
      at += group.length;
    }
    return answers;
  }

  /** Runs something that another process may stand in the way of. */
  patiently<T>(work: () => T): T {
    const deadline = Date.now() + this.#patienceMs;
    for (;;) {
      try {
        return work();
      } catch (error) {
        if (!isBusy(error) || Date.now() >= deadline) throw error;
        // Short and uneven: whoever sleeps long between two looks never meets the moment in which a busy neighbour lets go.
        Atomics.wait(this.#pause, 0, 0, 0.3 + Math.random() * 1.5);
      }
    }
  }

  #groupAt(questions: readonly SqliteQuestion[], from: number): readonly SqliteQuestion[] {
    const first = questions[from];
    // A transaction that somebody else steers: everything belongs to it until they end it.
    if (first === undefined || this.#database.isTransaction || kindOf(first) !== 'write')
      return questions.slice(from, from + 1);
    let end = from + 1;
    for (let at = end; at < questions.length; at += 1) {
      const question = questions[at];
      const kind = question === undefined ? 'control' : kindOf(question);
      if (kind === 'control') break;
      if (kind === 'write') end = at + 1;
    }
    return questions.slice(from, end);
  }

  #together(group: readonly SqliteQuestion[]): SqliteAnswer[] {
    try {
      // IMMEDIATE takes the write lock at once: nobody who reads first can lose it half-way to another process.
      this.patiently(() => this.#database.exec('begin immediate'));
    } catch (error) {
      return group.map(({ id }) => ({ id, error: messageOf(error) }));
    }
    const answers: SqliteAnswer[] = [];
    for (const question of group) {
      try {
        answers.push({ id: question.id, results: this.#within(question) });
      } catch (error) {
        // A full disk makes SQLite roll back everything: nothing of this group has happened then, so each may try for itself.
        if (!this.#database.isTransaction) return group.map((one) => this.#alone(one));
        answers.push({ id: question.id, error: messageOf(error) });
      }
    }
    try {
      this.#database.exec('commit');
      return answers;
    } catch {
      if (this.#database.isTransaction) this.#database.exec('rollback');
      return group.map((one) => this.#alone(one));
    }
  }

  /** One question inside of the group's transaction. */
  #within(question: SqliteQuestion): readonly SqliteResult[] | null {
    if (question.kind === 'query') return [this.#run(question.statement)];
    if (question.kind === 'close') return [];
    this.#database.exec('savepoint one');
    try {
      const results = this.#runAll(question.statements);
      this.#database.exec(results === null ? 'rollback to one; release one' : 'release one');
      return results;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('rollback to one; release one');
      throw error;
    }
  }

  /** One question with a commit of its own, if it writes. */
  #alone(question: SqliteQuestion): SqliteAnswer {
    const { id } = question;
    try {
      if (question.kind === 'close') {
        this.#statements.clear();
        this.#database.close();
        return { id, results: [] };
      }
      if (question.kind === 'query') {
        const { statement } = question;
        return { id, results: [this.patiently(() => this.#run(statement))] };
      }
      this.patiently(() => this.#database.exec('begin immediate'));
      try {
        const results = this.#runAll(question.statements);
        this.#database.exec(results === null ? 'rollback' : 'commit');
        return { id, results };
      } catch (error) {
        if (this.#database.isTransaction) this.#database.exec('rollback');
        throw error;
      }
    } catch (error) {
      return { id, error: messageOf(error) };
    }
  }

  /** Null when a statement that must change something did not. */
  #runAll(statements: readonly SqliteStatement[]): readonly SqliteResult[] | null {
    const results: SqliteResult[] = [];
    for (const statement of statements) {
      const result = this.#run(statement);
      if (statement.mustChange && result.changes === 0) return null;
      results.push(result);
    }
    return results;
  }

  #run({ sql, parameters }: SqliteStatement): SqliteResult {
    const { statement, returnsRows } = this.#prepared(sql);
    const values = parameters as SQLInputValue[];
    if (returnsRows) {
      const rows = statement.all(...values);
      return { rows, changes: rows.length };
    }
    return { rows: [], changes: Number(statement.run(...values).changes) };
  }

  #prepared(sql: string): Prepared {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      const statement = this.#database.prepare(sql);
      prepared = { statement, returnsRows: statement.columns().length > 0 };
      if (this.#statements.size >= statementLimit)
        this.#statements.delete(this.#statements.keys().next().value as string);
    } else {
      // To the end: what is used stays, lists of every length pass through.
      this.#statements.delete(sql);
    }
    this.#statements.set(sql, prepared);
    return prepared;
  }
}

function kindOf(question: SqliteQuestion): Kind {
  if (question.kind === 'batch') return 'write';
  if (question.kind === 'close') return 'control';
  const { sql } = question.statement;
  if (/^\s*select\b/i.test(sql)) return 'read';
  return /^\s*(?:insert|update|delete|replace|with)\b/i.test(sql) ? 'write' : 'control';
}

function isBusy(error: unknown): boolean {
  const { errcode } = error as { errcode?: unknown };
  return typeof errcode === 'number' && (errcode & 0xff) === busy;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
