/** Age and erasure on real stores: what must go is gone, from the files too; what must stay stays. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import {
  type AgentId,
  type CallId,
  type CallLog,
  type E164,
  newCallId,
  type PhoneEvent,
  type TenantId,
  toEnvelope,
} from '@patchcord/call-protocol';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { backUp } from '../../server/src/keeping/backup.ts';
import { type ErasureOptions, erasePerson } from '../../server/src/keeping/erasure.ts';
import { Retention } from '../../server/src/keeping/retention.ts';
import { createLog } from '../../server/src/logging.ts';
import type { Store } from '../../server/src/store/contract.ts';
import { type Database, openPostgres, openSqlite } from '../../server/src/store/database.ts';
import { openStore, type StoreLocation } from '../../server/src/store/open.ts';
import { type PostgresServer, startPostgres } from './postgres-server.ts';

const tenant = 'acme' as TenantId;
const agent = 'ada' as AgentId;
const dayMs = 86_400_000;
const now = 1_790_000_000_000;
const grace = '+14155550101' as E164;
const other = '+14155550199' as E164;

let postgres: PostgresServer;
let folder = '';
let location: StoreLocation;
let store: Store;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres.stop());
afterEach(async () => {
  await store.close();
  await rm(folder, { recursive: true, force: true });
});

async function call(
  number: E164,
  options: { touchedAt?: number; note?: string; stage?: CallLog['stage']; logWaiting?: boolean } = {},
): Promise<CallId> {
  const { touchedAt = now, note = '', stage = 'final', logWaiting = false } = options;
  const callId = newCallId();
  const source = '/tenants/acme/agents/ada/devices/one';
  const farSide = { number, e164: number, name: 'Grace Hopper' };
  const event = (n: number, name: PhoneEvent['name'], data: unknown) => {
    const id = `${callId}:${n}`;
    const envelope = toEnvelope({ name, at: now, call: callId, data } as PhoneEvent, id, source);
    return { source, id, tenant, agent, callId, envelope, receivedAt: touchedAt };
  };
  const events = [event(1, 'call.started', { direction: 'inbound', farSide }), event(2, 'wrap-up.saved', { note })];
  const log = { callId, tenant, agent, direction: 'inbound', farSide, note, stage, startedAt: 1, transferredTo: null };
  await store.calls.commit({
    events,
    calls: [{ callId, tenant, agent, fromVersion: 0, log: log as unknown as CallLog, touchedAt, logWaiting }],
    effects: events.map(({ id, envelope }) => ({
      id: `webhook ${id}`,
      kind: 'webhook',
      tenant,
      callId,
      payload: { url: 'https://example.com', messageId: id, body: JSON.stringify(envelope) },
      dueAt: now * 2,
      orderKey: null,
    })),
  });
  return callId;
}

const left = async (...ids: CallId[]) => [...(await store.calls.readCalls(ids)).keys()];

describe.each(['sqlite', 'postgres'] as const)('with %s', (kind) => {
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'patchcord-keeping-'));
    location =
      kind === 'sqlite' ? { kind, folder: join(folder, 'data') } : { kind, url: await postgres.createDatabase() };
    store = await openStore(location);
  });

  describe('age', () => {
    const retention = (stopping = () => false) =>
      new Retention({
        store,
        tenants: { find: () => undefined },
        hashes: {
          known: (of, number) => Promise.resolve(of === tenant ? { hash: `hash of ${number}` } : 'unreadable'),
        },
        settings: { callDays: 400, eventDays: 90, auditDays: 800, choiceDays: 400 },
        log: createLog('silent'),
        now: () => now,
        stopping,
      });

    it('takes calls that are over and written, and leaves those that live, wait or are held', async () => {
      const touchedAt = now - 401 * dayMs;
      const gone = await call(other, { touchedAt });
      const young = await call(other, { touchedAt: now - 399 * dayMs });
      const live = await call(other, { touchedAt, stage: 'live' });
      const waiting = await call(other, { touchedAt, logWaiting: true });
      const heldCall = await call(other, { touchedAt });
      const heldNumber = await call(grace, { touchedAt });
      await store.keeping.addHold({ tenant, kind: 'call', subject: heldCall, reason: 'court', at: 1 });
      await store.keeping.addHold({ tenant, kind: 'number', subject: grace, reason: 'court', at: 1 });
      const job = retention();
      expect(await job.run()).toMatchObject({ calls: 1 });
      expect(new Set(await left(gone, young, live, waiting, heldCall, heldNumber))).toEqual(
        new Set([young, live, waiting, heldCall, heldNumber]),
      );
      await store.keeping.releaseHold(tenant, 'number', grace);
      expect(await job.run()).toMatchObject({ calls: 1 });
      expect(await left(heldNumber)).toEqual([]);
    });

    it('takes many in small steps, also when two relays clean at once', async () => {
      for (let n = 0; n < 450; n += 1) await call(other, { touchedAt: now - 500 * dayMs });
      const turns = await Promise.all([retention().run(), retention().run()]);
      expect(turns.reduce((sum, { calls }) => sum + calls, 0)).toBe(450);
      expect(await store.keeping.oldCalls(now, null, 10)).toEqual([]);
    });

    it('ends a turn with the page it is at when the relay stops', async () => {
      for (let index = 0; index < 250; index += 1) await call(other, { touchedAt: now - 401 * dayMs });
      let asked = 0;
      const turn = retention(() => {
        asked += 1;
        return asked > 1;
      });
      expect(await turn.run()).toMatchObject({ calls: 200 });
    });

    it('takes old entries of the audit', async () => {
      const entry = { tenant, actor: 'admin', act: 'test.made' } as const;
      await store.audit.add([
        { ...entry, at: now - 801 * dayMs },
        { ...entry, at: now - 799 * dayMs },
      ]);
      expect(await retention().run()).toMatchObject({ audit: 1 });
      expect(await store.audit.read(tenant, '', 10)).toHaveLength(1);
    });

    it('takes what was to be called long ago, unless its number is held', async () => {
      const entry = { tenant, agent, kind: 'call-back', name: null, record: null, note: null, askedBy: 'Ada' } as const;
      const at = now - 401 * dayMs;
      for (const [id, e164] of [
        ['old', other],
        ['held', grace],
      ] as const)
        await store.toCall.add({ ...entry, id, number: e164, e164, dueAt: at, createdAt: at, doneAt: null }, 10);
      await store.keeping.addHold({ tenant, kind: 'number', subject: grace, reason: 'court', at: 1 });
      expect(await retention().run()).toMatchObject({ toCall: 1 });
      expect((await store.toCall.open(tenant, agent)).map(({ id }) => id)).toEqual(['held']);
      await store.keeping.releaseHold(tenant, 'number', grace);
    });

    it('takes what agents chose long ago', async () => {
      const choice = { tenant, number: 'hash', crm: 'memory', object: 'Contact' } as const;
      await store.choices.remember({ ...choice, id: 'old' }, agent, now - 401 * dayMs);
      await store.choices.remember({ ...choice, id: 'young' }, agent, now - 399 * dayMs);
      expect(await retention().run()).toMatchObject({ choices: 1 });
      expect((await store.choices.ofNumber(tenant, 'hash')).map(({ id }) => id)).toEqual(['young']);
    });

    it('leaves what was chosen for a held number, and all of the customer’s where nobody can say which those are', async () => {
      const keyless = 'keyless' as TenantId;
      const choice = { crm: 'memory', object: 'Contact', id: 'old' } as const;
      const all = [
        { tenant, number: `hash of ${grace}` },
        { tenant, number: `hash of ${other}` },
        { tenant: keyless, number: 'hash of anybody' },
      ];
      for (const one of all) await store.choices.remember({ ...choice, ...one }, agent, now - 401 * dayMs);
      for (const of of [tenant, keyless])
        await store.keeping.addHold({ tenant: of, kind: 'number', subject: grace, reason: 'court', at: 1 });
      const kept = async (): Promise<readonly number[]> =>
        Promise.all(all.map(async (one) => (await store.choices.ofNumber(one.tenant, one.number)).length));
      expect(await retention().run()).toMatchObject({ choices: 1 });
      expect(await kept()).toEqual([1, 0, 1]);
      for (const of of [tenant, keyless]) await store.keeping.releaseHold(of, 'number', grace);
      expect(await retention().run()).toMatchObject({ choices: 2 });
      expect(await kept()).toEqual([0, 0, 0]);
    });
  });

  describe('an erasure', () => {
    /** Files of recordings that were to be taken away. */
    let removed: string[] = [];
    beforeEach(() => {
      removed = [];
    });
    async function erase(dryRun = false, rememberedAs: ErasureOptions['rememberedAs'] = 'nothing') {
      const database: Database =
        location.kind === 'sqlite' ? await openSqlite(location.folder) : await openPostgres(location.url);
      try {
        return await erasePerson(database, {
          tenant,
          number: grace,
          country: 'US',
          reason: `asked by ${grace} on paper`,
          actor: 'admin',
          dryRun,
          rememberedAs,
          removeFiles: async (files) => void removed.push(...files),
          removeVoicemailFiles: async (files) => void removed.push(...files),
          now,
        });
      } finally {
        await database.close();
      }
    }
    /** All that is kept, as a backup has it, and for SQLite the bytes of the files too. */
    async function bytes(): Promise<string> {
      const path = join(folder, `backup-${Math.random()}`);
      await backUp(location, path, now);
      let all = gunzipSync(await readFile(path)).toString();
      if (location.kind === 'sqlite')
        for (const name of await readdir(location.folder)) all += await readFile(join(location.folder, name), 'latin1');
      return all;
    }

    it('takes what was chosen for the number, and all of the customer’s where the key of its hash is lost', async () => {
      const remembered = async (): Promise<number> =>
        (await store.choices.ofNumber(tenant, 'hers')).length + (await store.choices.ofNumber(tenant, 'his')).length;
      for (const number of ['hers', 'his']) {
        await store.choices.remember({ tenant, number, crm: 'memory', object: 'Contact', id: number }, agent, now);
      }
      expect(await erase(true, { hash: 'hers' })).toMatchObject({ choices: 1 });
      expect(await remembered()).toBe(2);
      expect(await erase(false, { hash: 'hers' })).toMatchObject({ choices: 1 });
      expect((await store.choices.ofNumber(tenant, 'his')).map(({ id }) => id)).toEqual(['his']);
      await store.keeping.addHold({ tenant, kind: 'number', subject: grace, reason: 'court', at: 1 });
      expect(await erase(false, 'unreadable')).toMatchObject({ choices: 0 });
      await store.keeping.releaseHold(tenant, 'number', grace);
      expect(await erase(false, 'unreadable')).toMatchObject({ choices: 1 });
      expect(await remembered()).toBe(0);
    });

    it('takes the recordings and the words of the calls, with their files, but none that a hold keeps', async () => {
      const calls = [await call(grace), await call(grace), await call(other)] as const;
      const [hers, held, his] = calls;
      for (const callId of calls) {
        const file = callId.replaceAll('-', '');
        const made = { madeBy: 'phone-system', deletedAt: null, storedAt: now } as const;
        const sound = { codec: 'pcm16', rate: 8_000, channels: 1, bytes: 2, durationMs: 1, ...made } as const;
        await store.recordings.add({ callId, tenant, agent, file, salt: 'salt', digest: 'digest', ...sound });
        await store.sound.claim({ tenant, agent, callId }, 'relay', now);
        const part = { callId, tenant, agent, file: `${file}-part`, salt: 's', startMs: 0, bytes: 4, storedAt: now };
        await store.recordingParts.add(part, 'relay');
        const line = { line: 1, speaker: 'agent', text: 'on 415 555 0101', startMs: 0, endMs: 1, final: true } as const;
        await store.transcripts.keep({ tenant, callId, line, at: now });
      }
      await store.keeping.addHold({ tenant, kind: 'call', subject: held, reason: 'court', at: 1 });
      expect(await erase(true)).toMatchObject({ recordings: 1 });
      expect(removed).toEqual([]);
      expect(await erase(false)).toMatchObject({ recordings: 1, calls: 1 });
      const file = hers.replaceAll('-', '');
      expect(removed).toEqual([file, `${file}-part`]);
      expect(await store.recordingParts.ofCalls(tenant, [hers])).toEqual([]);
      expect(await store.recordingParts.ofCalls(tenant, [held])).toHaveLength(1);
      expect((await store.recordings.ofCalls(tenant, calls)).map(({ callId }) => callId).sort()).toEqual(
        [held, his].sort(),
      );
      expect(await store.transcripts.of(tenant, hers)).toEqual([]);
      expect((await store.transcripts.of(tenant, his)).map(({ text }) => text)).toEqual(['on [erased]']);
    });

    it('takes messages that the person left, with their files, and leaves a number that must not be called uncalled', async () => {
      const message = (id: string, number: string, e164: E164 | null, text: string | null = null) => ({
        ...{ id, tenant, mailbox: '1001', number, e164, name: 'Grace', text, at: 1, durationMs: 1, heardAt: null },
        ...{ wordsState: null, words: null, callId: null },
        ...{ deletedAt: null, form: 'wav' as const, file: `file-${id}`, salt: 's', bytes: 1, storedAt: now },
      });
      const messages = [
        message('hers', grace, grace),
        message('hers-too', '001-415-555-0101', null),
        message('his', other, other, 'Call me, not 415 555 0101.'),
      ];
      const source = '/tenants/acme/relay';
      for (const one of messages) {
        const data = {
          voicemail: newCallId(),
          mailbox: '1001',
          from: { number: one.number, name: 'Grace' },
          durationMs: 1,
        };
        const envelope = toEnvelope({ name: 'voicemail.received', at: now, data }, `voicemail:${one.id}`, source);
        const event = { source, id: envelope.id, tenant, agent, callId: null, envelope, receivedAt: now };
        expect(await store.voicemails.add(one, event, [])).toBe(true);
      }
      await store.doNotCall.put(
        { tenant, numberHash: 'hash of hers', number: grace, reason: 'asked', addedBy: 'admin', addedAt: 1 },
        10,
      );
      const left = async () =>
        (await store.voicemails.of(tenant, ['1001'], { deletedAfter: 0, limit: 10 })).map(({ id, text }) => [id, text]);
      await store.keeping.addHold({ tenant, kind: 'number', subject: grace, reason: 'court', at: 1 });
      expect(await erase(false)).toMatchObject({ voicemails: 0 });
      await store.keeping.releaseHold(tenant, 'number', grace);
      expect(await erase(true)).toMatchObject({ voicemails: 2 });
      expect([await left(), removed]).toEqual([expect.objectContaining({ length: 3 }), []]);
      expect(await erase(false)).toMatchObject({ voicemails: 2 });
      expect(await left()).toEqual([['his', 'Call me, not [erased].']]);
      expect(removed.sort()).toEqual(['file-hers', 'file-hers-too']);
      expect(await store.doNotCall.find(tenant, 'hash of hers')).toMatchObject({ number: '[erased]' });
      expect(await bytes()).not.toMatch(/415\D{0,3}555\D{0,3}0101/);
    });

    it('takes what there was to call with the number, and blanks it where it stands in a note', async () => {
      const entry = {
        tenant,
        agent,
        kind: 'call-back',
        name: 'Grace',
        record: null,
        dueAt: now,
        askedBy: 'Ada',
        createdAt: now,
        doneAt: null,
      } as const;
      const hers = { ...entry, id: 'hers', number: '(415) 555-0101', e164: grace, note: null };
      const his = { ...entry, id: 'his', number: other, e164: other, note: 'not on 415-555-0101' };
      for (const one of [hers, his]) await store.toCall.add(one, 10);
      const left = async () => (await store.toCall.open(tenant, agent)).map(({ id, note }) => [id, note]);
      expect(await erase(true)).toMatchObject({ blanked: 2 });
      expect(await left()).toHaveLength(2);
      expect(await erase(false)).toMatchObject({ blanked: 2 });
      expect(await left()).toEqual([['his', expect.not.stringContaining('0101')]]);
      expect(await bytes()).not.toContain('555-0101');
    });

    it('says first what would go, and changes nothing', async () => {
      const ids = [await call(grace), await call(other, { note: 'ask 415-555-0101' })];
      expect(await erase(true)).toMatchObject({ calls: 1, rows: 4, held: 0, live: 0 });
      expect(new Set(await left(...ids))).toEqual(new Set(ids));
      expect(await bytes()).toContain('4155550101');
    });

    it('leaves no trace of the number, in whatever spelling, and none of its name', async () => {
      const gone = await call(grace, { note: 'a secret of hers' });
      const unwritten = await call(grace, { logWaiting: true });
      const mentions = await call(other, { note: 'ask (415) 555-0101 about it' });
      const elsewhere = { ...(await store.keeping.holds(tenant)) };
      expect(elsewhere).toEqual({});
      await store.audit.add([{ tenant, actor: 'admin', act: 'test.made', data: { number: '4155550101' }, at: now }]);
      const erasure = await erase();
      expect(erasure).toMatchObject({ calls: 2, unwritten: 1, held: 0, live: 0 });
      expect(await left(gone, unwritten, mentions)).toEqual([mentions]);
      const all = await bytes();
      for (const trace of ['4155550101', '555-0101', 'a secret of hers', gone, unwritten])
        expect(all).not.toContain(trace);
      const kept = (await store.calls.readCalls([mentions])).get(mentions);
      expect(kept?.call.log?.note).toBe('ask [erased] about it');
      expect(kept?.call.log?.farSide.number).toBe(other);
      expect(kept?.events).toHaveLength(2);
      const noted = (await store.audit.read(tenant, '', 10)).filter(({ act }) => act === 'person.erased');
      expect(noted).toMatchObject([
        { actor: 'admin', subject: erasure.id, data: { calls: 2, reason: 'asked by [erased] on paper' } },
      ]);
      expect(await erase()).toMatchObject({ calls: 0, blanked: 0 });
    });

    it('leaves what a legal hold keeps, and says so', async () => {
      const [held, free] = [await call(grace), await call(grace)];
      await store.keeping.addHold({ tenant, kind: 'call', subject: held, reason: 'court', at: 1 });
      expect(await erase()).toMatchObject({ calls: 1, held: expect.any(Number) as number });
      expect(await left(held, free)).toEqual([held]);
      expect((await store.calls.readCalls([held])).get(held)?.call.log?.farSide.number).toBe(grace);
      await store.keeping.addHold({ tenant, kind: 'number', subject: grace, reason: 'court', at: 1 });
      const another = await call(grace);
      expect(await erase()).toMatchObject({ calls: 0, held: 2 });
      expect(await left(held, another)).toHaveLength(2);
    });

    it('leaves a call that is under way to the next time, and other tenants alone', async () => {
      const live = await call(grace, { stage: 'live' });
      expect(await erase()).toMatchObject({ calls: 0, live: 1 });
      expect(await left(live)).toEqual([live]);
    });
  });
});
