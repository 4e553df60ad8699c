/**
 * The thread that holds the SQLite connection. A slow disk stops this thread and never the relay's. Owns the connection and taking all
 * questions that wait at once; what becomes of them is `group-commit.ts`. Knows no table.
 */
import { DatabaseSync } from 'node:sqlite';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { GroupCommit } from './group-commit.ts';
import type { SqliteQuestion } from './sqlite-dialect.ts';

const port = parentPort;
if (port === null) throw new Error('sqlite-worker.ts runs as a worker thread only.');

/** So that one answer never waits for thousands of others. */
const largestGroup = 500;

// The timeout is short, because patience is `group-commit.ts`'s business; it covers the locks that SQLite takes by the way.
const database = new DatabaseSync((workerData as { path: string }).path, { timeout: 20 });
const group = new GroupCommit(database);
// WAL: readers never wait for the writer. FULL: one fsync per commit, so that an acknowledged event survives a power cut.
group.patiently(() => database.exec('pragma journal_mode = wal'));
database.exec('pragma synchronous = full');
database.exec('pragma foreign_keys = on');
// 16 MB: pages that many commits touch are carried into the database file once, not every 4 MB.
database.exec('pragma wal_autocheckpoint = 4000');

port.on('message', (first: readonly SqliteQuestion[]) => {
  const questions = [...first];
  while (questions.length < largestGroup) {
    const more = receiveMessageOnPort(port);
    if (more === undefined) break;
    questions.push(...(more.message as readonly SqliteQuestion[]));
  }
  port.postMessage(group.answer(questions));
  if (questions.some(({ kind }) => kind === 'close')) port.close();
});
