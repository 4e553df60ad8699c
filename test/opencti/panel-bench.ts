/**
 * Owns one host page per version with the panel half in it, fresh for every test, and what tests of it say often. Must never expect anything of
 * the panel half itself.
 */
import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { type Adapter, type Attempt, eventually, type Host, type Rig } from './rig.ts';

/** Every shape of an error, with the words that must reach a person. */
export const errorFaults = [
  ['host-error', 'GENERIC_ERROR: No luck.'],
  ['host-invalid-param', 'INVALID_PARAM: No luck.'],
  ['host-server-error', 'SERVER_ERROR: No luck.'],
  ['host-container-error', 'SOFTPHONE_CONTAINER_ERROR: No luck.'],
  ['host-error-text', 'No luck.'],
  ['host-error-singular', 'GENERIC_ERROR: No luck.'],
] as const;

export interface PanelBench {
  readonly version: number;
  readonly rig: () => Rig;
  readonly host: Host;
  /** The panel half in the frame there is; a test that makes the frame anew puts the new one here. */
  adapter: Adapter;
  /** What was said on the wire in this test. */
  said(methodName: string): readonly Readonly<Record<string, unknown>>[];
  fault(name: string, on: string, more?: object): void;
  idOf(name: string): string;
  recordPop(name: string): object;
  /** What was said before is done with on both sides. */
  settled(): Promise<void>;
  /** Asks something whose answer the fault spoils, and lets the deadline pass once the host is done with it. */
  unanswered(name: string, method: string, ask: () => Promise<Attempt>): Promise<Attempt>;
  /** A call whose page goes before it is answered. */
  lost(call: Promise<Attempt>): Promise<unknown>;
}

/** Registers the hooks and answers what the tests use; the page is there once they run. */
export function panelBench(rig: () => Rig, version: number): PanelBench {
  let host: Host | undefined;
  let adapter: Adapter | undefined;
  /** Messages on the wire before this test. */
  let before = 0;
  const there = <T>(what: T | undefined): T => {
    if (what === undefined) throw new Error('The page of this version did not open.');
    return what;
  };

  beforeAll(async () => {
    await rig().serve(version);
    host = await rig().openHost();
    await host.page.waitForSelector('[data-shown]');
  });
  afterAll(async () => {
    await host?.page.close();
  });
  beforeEach(async () => {
    before = rig().sandbox.hostMessages().length;
    adapter = await there(host).fresh();
  });
  afterEach(() => {
    rig().sandbox.faults.clear();
    rig().front.script.from = 'classic';
  });

  const bench: PanelBench = {
    version,
    rig,
    get host() {
      return there(host);
    },
    get adapter() {
      return there(adapter);
    },
    set adapter(next) {
      adapter = next;
    },
    said: (methodName) =>
      rig()
        .sandbox.hostMessages()
        .slice(before)
        .map((one) => one.message)
        .filter((message) => message.methodName === methodName),
    fault: (name, on, more = {}) => rig().sandbox.faults.add({ fault: name, on, ...more }),
    idOf(name) {
      const { Contact, Lead } = rig().sandbox.records;
      return `${[...Contact, ...Lead].find((row) => row.Name === name)?.Id}`;
    },
    recordPop: (name) => ({
      kind: 'record',
      record: { crm: 'salesforce', object: 'Contact', id: bench.idOf(name) },
    }),
    settled: () => bench.adapter.settled(),
    async unanswered(name, method, ask) {
      bench.fault(name, method);
      const asked = bench.said(method).length;
      const answer = ask();
      await eventually(() => bench.said(method).length).toBe(asked + 1);
      await bench.settled();
      if (name === 'host-wrong-origin') await bench.adapter.strangers(1);
      await bench.adapter.timePasses();
      return answer;
    },
    lost: (call) => call.catch(() => undefined),
  };
  return bench;
}
