/**
 * A process that does nothing but write: `node test/store/writer-process.ts '<options as JSON>'`. Prints `ready`, then one line for every commit
 * that the store acknowledged (`kept <call id>`) or refused (`failed <code> <cause>`), and ends when its input ends or all is written.
 * Whoever starts it (a test, a drill) counts what is in the database afterwards.
 */
import { randomUUID } from 'node:crypto';
import { writeSync } from 'node:fs';
import { type AgentId, type CallId, errorCode, type TenantId, toEnvelope } from '@patchcord/call-protocol';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';

export interface WriterOptions {
  readonly location: StoreLocation;
  readonly agent: string;
  /** Commits under way at once. */
  readonly writers: number;
  /** Ends after so many commits; goes on for ever when absent. */
  readonly commits?: number;
  /** After a refusal this long before the next try. */
  readonly pauseMs?: number;
}

const options = JSON.parse(process.argv[2] ?? '') as WriterOptions;
const store = await openStore(options.location);
const tenant = 'acme' as TenantId;
const agent = options.agent as AgentId;
let begun = 0;
let stopped = false;
process.stdin.resume().on('end', () => {
  stopped = true;
});

/** A pipe of its own: written at once, so that a line says what was true when it was written. Who reads may be slow, and the pipe full meanwhile. */
function say(line: string): void {
  for (let rest = Buffer.from(`${line}\n`); rest.length > 0; ) {
    try {
      rest = rest.subarray(writeSync(1, rest));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
  }
}

async function write(): Promise<void> {
  while (!stopped && begun < (options.commits ?? Number.POSITIVE_INFINITY)) {
    begun += 1;
    const callId = randomUUID() as CallId;
    const source = `/tenants/acme/agents/${options.agent}/devices/one`;
    const id = `${callId}:1`;
    const envelope = toEnvelope({ name: 'call.ringing', at: 1_790_000_000_000, call: callId, data: {} }, id, source);
    try {
      const kept = await store.calls.commit({
        events: [{ source, id, tenant, agent, callId, envelope, receivedAt: 1 }],
        calls: [{ callId, tenant, agent, fromVersion: 0, log: null, touchedAt: 1, logWaiting: true }],
        effects: [{ id: `crm.log ${callId}`, kind: 'crm.log', tenant, callId, payload: {}, dueAt: 1, orderKey: null }],
      });
      say(kept ? `kept ${callId}` : `failed conflict ${callId}`);
    } catch (error) {
      const cause = error instanceof Error && error.cause instanceof Error ? error.cause.message : String(error);
      say(`failed ${errorCode(error)} ${cause}`);
      await new Promise((resolve) => setTimeout(resolve, options.pauseMs ?? 0));
    }
  }
}

say('ready');
await Promise.all(Array.from({ length: options.writers }, write));
await store.close();
process.exit(0);
