/**
 * The thread that holds the SQLite connection. A slow disk stops this thread and never the relay's. Owns the connection, the statements
 * and the meaning of a batch; knows no table. Answers messages strictly in the order they came.
 */
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { parentPort, workerData } from 'node:worker_threads';
import type { SqliteAnswer, SqliteQuestion, SqliteResult, SqliteStatement } from './sqlite-dialect.ts';

const port = parentPort;
if (port === null) throw new Error('sqlite-worker.ts runs as a worker thread only.');

const database = new DatabaseSync((workerData as { path: string }).path);
// WAL: readers never wait for the writer. FULL: one fsync per commit, so that an acknowledged event survives a power cut.
database.exec('pragma journal_mode = wal');
database.exec('pragma synchronous = full');
database.exec('pragma busy_timeout = 5000');
database.exec('pragma foreign_keys = on');

const statements = new Map<string, StatementSync>();
const statementLimit = 200;

function prepared(sql: string): StatementSync {
  let statement = statements.get(sql);
  if (statement === undefined) {
    statement = database.prepare(sql);
    if (statements.size >= statementLimit) statements.delete(statements.keys().next().value as string);
    statements.set(sql, statement);
  }
  return statement;
}

function run({ sql, parameters }: SqliteStatement): SqliteResult {
  const statement = prepared(sql);
  const values = parameters as SQLInputValue[];
  if (statement.columns().length > 0) {
    const rows = statement.all(...values);
    return { rows, changes: rows.length };
  }
  return { rows: [], changes: Number(statement.run(...values).changes) };
}

function answer(question: SqliteQuestion): SqliteAnswer {
  if (question.kind === 'close') {
    statements.clear();
    database.close();
    return { id: question.id, results: [] };
  }
  if (question.kind === 'query') return { id: question.id, results: [run(question.statement)] };
  // IMMEDIATE takes the write lock at once: a batch that reads first can't lose it half-way to another process.
  database.exec('begin immediate');
  try {
    const results: SqliteResult[] = [];
    for (const statement of question.statements) {
      const result = run(statement);
      if (statement.mustChange && result.changes === 0) {
        database.exec('rollback');
        return { id: question.id, results: null };
      }
      results.push(result);
    }
    database.exec('commit');
    return { id: question.id, results };
  } catch (error) {
    if (database.isTransaction) database.exec('rollback');
    throw error;
  }
}

port.on('message', (question: SqliteQuestion) => {
  try {
    port.postMessage(answer(question));
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    port.postMessage({ id: question.id, error: message } satisfies SqliteAnswer);
  }
  if (question.kind === 'close') port.close();
});
