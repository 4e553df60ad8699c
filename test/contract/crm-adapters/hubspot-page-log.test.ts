/** One call, one log in HubSpot, whoever made the object: its page, its inbound-call endpoint, the relay. The real client against the emulator. */
import { type CallLog, errorCode, type PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import { type CrmRelay, createHubSpotRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PortalRecord } from '../../../sandbox/src/hubspot/records.ts';
import { type HubSpotSandbox, startHubSpotSandbox } from '../../../sandbox/src/hubspot/sandbox.ts';
import { finishedCall } from './call-log-fixture.ts';

const key = 'patchcord_call_id';
const outcomes = {
  connected: 'f240bbac-87c9-4f6e-bf70-924b57d47db7',
  noAnswer: '73a0d17f-1163-4015-bdd5-ec830791da20',
  leftVoicemail: 'b2cf5968-551e-4856-9783-52b3da59a7d0',
  wrongNumber: '17b47fee-58de-441e-a44c-c6300d46f273',
};

let hubspot: HubSpotSandbox;
let relay: CrmRelay;
let agent: { readonly crmUserId: string; readonly name: string };
let colleague: typeof agent;
let ownerId: string;

const options = () => ({
  apiUrl: hubspot.apiUrl,
  accessToken: hubspot.oauth,
  portalId: hubspot.portalId,
  appId: 99,
  timeoutMs: 5_000,
  mainNumber: '+14155550100',
  lookAgainMs: 10,
});
function connect(change: Partial<Parameters<typeof createHubSpotRelay>[0]> = {}): CrmRelay {
  return createHubSpotRelay({ ...options(), ...change });
}
beforeAll(async () => {
  hubspot = await startHubSpotSandbox({
    panelUrl: 'http://localhost:1/hubspot/',
    relayUrl: 'http://localhost:1',
    clientSecret: 'contract-client-secret',
    appId: 99,
    searchDelayMs: 0,
    inboundDelayMs: 15,
    rateLimits: { perTenSeconds: 100_000, searchesPerSecond: 1_000 },
  });
  relay = connect();
  const [robin, sam] = hubspot.owners;
  if (robin === undefined || sam === undefined) throw new Error('The sandbox portal has two owners.');
  agent = { crmUserId: String(robin.userId), name: 'Robin Avery' };
  colleague = { crmUserId: String(sam.userId), name: 'Sam' };
  ownerId = robin.id;
  // The account gets our properties with the first log.
  await relay.writeLog(finishedCall(), agent, null);
});
afterAll(() => hubspot.close());
let asked = 0;
beforeEach(() => {
  asked = hubspot.requests().length;
});

const requests = () => hubspot.requests().slice(asked);
const objectsOf = (log: CallLog): readonly PortalRecord[] =>
  hubspot.records.calls.filter(({ properties }) => properties.hs_call_external_id === log.callId);
const object = (id: string): PortalRecord => {
  const found = hubspot.portal.get('calls', id);
  if (found === undefined) throw new RangeError(`HubSpot has no call ${id}`);
  return found;
};
interface Version {
  readonly value: string;
  readonly sourceType: string;
  readonly timestamp: string;
}
const minutesLater = new Date(Date.now() + 120_000).toISOString();
const byPerson = (value: string): Version => ({ value, sourceType: 'CRM_UI', timestamp: minutesLater });
const byApp = (value: string): Version => ({ value, sourceType: 'INTEGRATION', timestamp: minutesLater });
/** The page makes an object in the name of whoever looks at it. */
const first = (value: string): Version => ({ value, sourceType: 'CRM_UI', timestamp: new Date().toISOString() });
/** HubSpot, which also keeps what its properties were before: newest first, by the object's id. */
function remembering(histories: Readonly<Record<string, Readonly<Record<string, readonly Version[]>>>>): CrmRelay {
  return connect({
    fetch: async (input, init) => {
      const answer = await fetch(input, init);
      const sent = typeof init?.body === 'string' ? (JSON.parse(init.body) as Record<string, unknown>) : {};
      const wanted = sent.propertiesWithHistory;
      if (!Array.isArray(wanted)) return answer;
      expect(String(input)).toMatch(/batch.read$/);
      const body = (await answer.json()) as { results?: { id: string }[] };
      const results = body.results?.map((one) => {
        const all = Object.entries(histories[one.id] ?? {}).filter(([name]) => wanted.includes(name));
        return { ...one, propertiesWithHistory: Object.fromEntries(all) };
      });
      return new Response(JSON.stringify({ ...body, results }), { status: answer.status });
    },
  });
}
/** HubSpot, which answers some requests differently. */
function answering(change: (path: string, method: string) => Response | undefined): CrmRelay {
  return connect({
    fetch: async (input, init) => change(String(input), init?.method ?? 'GET') ?? (await fetch(input, init)),
  });
}
const refusing = (status: number): Response =>
  new Response(JSON.stringify({ status: 'error', category: 'CONFLICT', message: 'no' }), { status });

/** As HubSpot's page makes it when the phone tells of the call, and goes on in it. */
function pageMakes(log: CallLog, change: Readonly<Record<string, string>> = {}, indexedAt?: number): string {
  return hubspot.portal.create(
    'calls',
    {
      hs_timestamp: String(log.startedAt + 1_234),
      hs_call_title: 'Outbound call',
      hs_call_direction: 'OUTBOUND',
      hs_call_status: 'COMPLETED',
      hs_call_duration: '1000',
      hs_call_disposition: outcomes.connected,
      hs_call_to_number: '4155550101',
      hs_call_external_id: log.callId,
      hs_call_app_id: '99',
      hs_call_source: 'INTEGRATIONS_PLATFORM',
      hubspot_owner_id: ownerId,
      ...change,
    },
    indexedAt === undefined ? {} : { indexedAt },
  ).id;
}
function record(kind: 'contacts' | 'companies' | 'deals' | 'tickets', index = 0): RecordRef {
  const found = hubspot.portal.all(kind)[index];
  if (found === undefined) throw new RangeError(kind);
  const objects = { contacts: 'contact', companies: 'company', deals: 'deal', tickets: 'ticket' } as const;
  return { crm: 'hubspot', object: objects[kind], id: found.id };
}
const placesOf = (id: string): readonly string[] =>
  hubspot.records.associations
    .filter((link) => link.fromType === 'calls' && link.fromId === id)
    .map((link) => `${link.toType}:${link.toId}`)
    .sort();
const ref = ({ object: kind, id }: RecordRef): string =>
  `${{ contact: 'contacts', company: 'companies', deal: 'deals', ticket: 'tickets' }[kind] ?? ''}:${id}`;
async function deliver(write: () => Promise<string>): Promise<string> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await write();
    } catch (error) {
      if (attempt === 8 || !(error as PatchcordError).retryable) throw error;
    }
  }
}

describe('a call object that HubSpot’s page made', () => {
  it('is gone on in: our facts over the page’s own, our key, its places and ours', async () => {
    const log = finishedCall({ note: 'sold', record: record('contacts'), direction: 'outbound' });
    const id = pageMakes(log);
    const deal = record('deals');
    hubspot.portal.associate('calls', id, 'deals', deal.id);
    expect(await relay.writeLog(log, agent, id)).toBe(id);
    expect(objectsOf(log)).toHaveLength(1);
    expect(object(id).properties).toMatchObject({
      [key]: log.callId,
      hs_timestamp: new Date(log.startedAt).toISOString(),
      hs_call_title: 'Call to +14155550101',
      hs_call_body: expect.stringContaining('sold'),
      hs_call_duration: '62400',
      hs_call_to_number: '+14155550101',
      hs_call_external_account_id: 'northlight',
    });
    expect(placesOf(id)).toEqual([ref(deal), ref(record('contacts'))].sort());
    // Found by its key from now on, whatever the relay remembers.
    expect(await relay.writeLog({ ...log, note: 'sold twice' }, agent, null)).toBe(id);
    expect(object(id).properties.hs_call_body).toContain('sold twice');
    expect(objectsOf(log)).toHaveLength(1);
  });

  it('keeps the note and the outcome that a person gave it in HubSpot', async () => {
    const log = finishedCall({ outcome: 'missed', direction: 'inbound', answeredAt: null, talkMs: 0, note: 'ours' });
    const id = pageMakes(log, { hs_call_body: 'My own words', hs_call_disposition: outcomes.wrongNumber });
    await relay.writeLog(log, agent, id);
    await relay.writeLog({ ...log, note: 'ours, later' }, agent, id);
    expect(object(id).properties).toMatchObject({
      hs_call_body: 'My own words',
      hs_call_disposition: outcomes.wrongNumber,
      hs_call_status: 'MISSED',
      hs_call_direction: 'INBOUND',
      hs_call_duration: '0',
    });
  });

  it('takes over a text that is part of ours, and an outcome that nobody had to choose', async () => {
    const log = finishedCall({ outcome: 'no-answer', answeredAt: null, talkMs: 0, note: 'Called twice' });
    const id = pageMakes(log, { hs_call_body: '<p>Called twice</p>' });
    await relay.writeLog(log, agent, id);
    expect(object(id).properties).toMatchObject({ hs_call_disposition: outcomes.noAnswer });
    expect(object(id).properties.hs_call_body).toContain('No answer');
    await relay.writeLog({ ...log, note: 'Called three times' }, agent, id);
    expect(object(id).properties.hs_call_body).toContain('Called three times');
  });

  it('is never left in progress: what only a machine writes is corrected whenever the page wrote it again', async () => {
    const log = finishedCall({ outcome: 'missed', direction: 'inbound', answeredAt: null, talkMs: 0 });
    const id = pageMakes(log, { hs_call_status: 'IN_PROGRESS' });
    await relay.writeLog(log, agent, id);
    hubspot.portal.update('calls', id, {
      hs_call_status: 'IN_PROGRESS',
      hs_call_duration: '77',
      hs_call_title: 'Renamed by a person',
    });
    await relay.writeLog({ ...log, stage: 'final' }, agent, id);
    expect(object(id).properties).toMatchObject({
      hs_call_status: 'MISSED',
      hs_call_duration: '0',
      hs_call_title: 'Renamed by a person',
    });
  });

  it('keeps the title, the owner, the time, the direction and the outcome that a person gave it, alone and in a batch', async () => {
    const theirs = {
      hs_call_title: 'Renewal, second try',
      hubspot_owner_id: hubspot.owners[1]?.id ?? '',
      hs_timestamp: '2026-01-05T09:00:00.000Z',
      hs_call_direction: 'INBOUND',
      hs_call_disposition: outcomes.noAnswer,
    };
    for (const inBatch of [false, true]) {
      const log = finishedCall({ direction: 'outbound', note: 'ours' });
      const id = pageMakes(log, theirs);
      const history = Object.entries(theirs).map(([name, value]) => [name, [byPerson(value), first('the page’s')]]);
      const by = remembering({ [id]: Object.fromEntries(history) });
      if (!inBatch) await by.writeLog(log, agent, id);
      else
        await by.writeLogs?.([
          { log, agent, logId: id },
          { log: finishedCall(), agent, logId: null },
        ]);
      expect(object(id).properties).toMatchObject({ ...theirs, hs_call_duration: '62400', [key]: log.callId });
      expect(object(id).properties.hs_call_body).toContain('ours');
      // And later, when nobody asks what was before.
      await relay.writeLog({ ...log, note: 'later' }, agent, id);
      expect(object(id).properties).toMatchObject(theirs);
    }
  });

  it('gets our values over what the page or another app changed by itself', async () => {
    const log = finishedCall({ direction: 'outbound' });
    const id = pageMakes(log);
    const by = remembering({
      [id]: {
        hs_call_title: [byApp('Call with somebody'), first('Outbound call')],
        hs_call_direction: [first('OUTBOUND')],
      },
    });
    await by.writeLog(log, agent, id);
    expect(object(id).properties.hs_call_title).toBe('Call to +14155550101');
  });

  it('never holds its batch up: one whose key stands elsewhere is written alone, whatever HubSpot calls that', async () => {
    for (const status of [400, 409])
      for (const refused of ['/batch/update', '/batch/associate/default']) {
        const by = answering((path) => (path.endsWith(refused) ? refusing(status) : undefined));
        const doubled = finishedCall({ note: 'first', record: record('contacts') });
        const own = await relay.writeLog(doubled, agent, null);
        const twin = pageMakes(doubled);
        const known = finishedCall({ note: 'first' });
        const knownId = await relay.writeLog(known, agent, null);
        const written = await by.writeLogs?.([
          { log: { ...doubled, note: 'second' }, agent, logId: twin },
          { log: { ...known, note: 'second', record: record('contacts') }, agent, logId: knownId },
        ]);
        expect(written, `${refused} ${status}`).toEqual([{ logId: own }, { logId: knownId }]);
        for (const id of [own, knownId]) expect(object(id).properties.hs_call_body).toContain('second');
        expect(placesOf(knownId)).toEqual([ref(record('contacts'))]);
      }
  });

  it('is one complete log wherever a request was lost on the way', async () => {
    for (const fault of ['answer-lost', 'server-error', 'reset'])
      for (let skip = 0; skip < 3; skip += 1) {
        const log = finishedCall({ note: `${fault} ${skip}`, record: record('contacts', 1), about: record('tickets') });
        const id = pageMakes(log);
        hubspot.faults.add({ fault, on: '* /crm/*s/calls*', skip });
        expect(await deliver(() => relay.writeLog(log, agent, id)), `${fault} at ${skip}`).toBe(id);
        expect(objectsOf(log)).toHaveLength(1);
        expect(object(id).properties.hs_call_body).toContain(`${fault} ${skip}`);
        expect(placesOf(id)).toEqual([ref(record('contacts', 1)), ref(record('tickets'))].sort());
      }
  });

  it('is written in a batch beside new calls and such as are known', async () => {
    const [made, fresh, known] = [1, 2, 3].map((n) => finishedCall({ note: `note ${n}`, record: record('contacts') }));
    if (made === undefined || fresh === undefined || known === undefined) throw new Error('no logs');
    const madeId = pageMakes(made);
    const knownId = await relay.writeLog(known, agent, null);
    asked = hubspot.requests().length;
    const written = await relay.writeLogs?.([
      { log: made, agent, logId: madeId },
      { log: fresh, agent, logId: null },
      { log: { ...known, note: 'later' }, agent, logId: knownId },
    ]);
    expect(written?.map((one) => ('logId' in one ? one.logId : one.error.message))).toEqual([
      madeId,
      expect.stringMatching(/^\d+$/),
      knownId,
    ]);
    // One of them asks what people changed in what the page made.
    expect(requests().filter(({ path }) => path.includes('/calls')).length).toBeLessThanOrEqual(6);
    for (const log of [made, fresh, known]) expect(objectsOf(log)).toHaveLength(1);
    expect(object(madeId).properties).toMatchObject({ [key]: made.callId, hs_call_duration: '62400' });
  });

  it('is not the log when another object carries the call’s key: that one is written, alone and in a batch', async () => {
    for (const write of [
      (log: CallLog, id: string) => relay.writeLog(log, agent, id),
      async (log: CallLog, id: string) => {
        const other = finishedCall();
        const [one] =
          (await relay.writeLogs?.([
            { log, agent, logId: id },
            { log: other, agent, logId: null },
          ])) ?? [];
        return one !== undefined && 'logId' in one ? one.logId : '';
      },
    ]) {
      const log = finishedCall({ note: 'first' });
      const own = await relay.writeLog(log, agent, null);
      const twin = pageMakes(log);
      expect(await write({ ...log, note: 'second' }, twin)).toBe(own);
      expect(object(own).properties.hs_call_body).toContain('second');
      expect(object(twin).properties[key] ?? null).toBeNull();
    }
  });

  it('stays as a person left it when our own note of what we wrote was cleared', async () => {
    const log = finishedCall({ note: 'ours' });
    const id = await relay.writeLog(log, agent, null);
    hubspot.portal.update('calls', id, { patchcord_last_written: '', hs_call_title: 'Theirs' });
    await relay.writeLog({ ...log, note: 'later' }, agent, id);
    expect(object(id).properties.hs_call_title).toBe('Theirs');
  });
});

describe('finding what the page made', () => {
  it('finds it by the call’s id once the index has it, and never another app’s or another call’s', async () => {
    const log = finishedCall();
    expect(await relay.findPageLogs?.(log.callId)).toEqual([]);
    pageMakes(log, { hs_call_app_id: '7' });
    const lagging = pageMakes(log, {}, Date.now() + 3_600_000);
    pageMakes(finishedCall());
    expect(await relay.findPageLogs?.(log.callId)).toEqual([]);
    const first = pageMakes(log);
    const second = pageMakes(log);
    expect(await relay.findPageLogs?.(log.callId)).toEqual([first, second]);
    expect(await relay.isLogOf?.(lagging, log.callId)).toBe(true);
  });

  it('finds the one with our key before all others', async () => {
    const log = finishedCall();
    const twin = pageMakes(log);
    const keyed = await relay.writeLog(log, agent, null);
    expect(await relay.findPageLogs?.(log.callId)).toEqual([keyed, twin]);
  });

  it('finds nothing, and says so once, where HubSpot does not let the app search', async () => {
    for (const status of [400, 403]) {
      const notices: string[] = [];
      const by = connect({
        notice: (text) => notices.push(text),
        fetch: async (input, init) =>
          String(input).endsWith('/calls/search') ? refusing(status) : await fetch(input, init),
      });
      for (let again = 0; again < 2; again += 1) expect(await by.findPageLogs?.(finishedCall().callId)).toEqual([]);
      expect(notices).toEqual([expect.stringContaining('search')]);
    }
    // An outage is another matter: who waits finds it.
    const away = answering((path) => (path.endsWith('/calls/search') ? refusing(503) : undefined));
    await expect(away.findPageLogs?.(finishedCall().callId)).rejects.toMatchObject({ retryable: true });
  });

  it('believes no id that was not made for this very call by our app', async () => {
    const [mine, theirs] = [finishedCall(), finishedCall()];
    const theirId = await relay.writeLog(theirs, colleague, null);
    const typed = hubspot.portal.create('calls', { hs_timestamp: '1790000000000', hs_call_body: 'typed in' }).id;
    for (const id of [theirId, typed, pageMakes(theirs), pageMakes(mine, { hs_call_app_id: '7' }), 'x/../1', ''])
      expect(await relay.isLogOf?.(id, mine.callId), id).toBe(false);
    // One that is gone is nobody's, and nobody is to blame.
    expect(await relay.isLogOf?.('1', mine.callId)).toBeNull();
    expect(await relay.isLogOf?.(pageMakes(mine), mine.callId)).toBe(true);
    expect(await relay.isLogOf?.(theirId, theirs.callId)).toBe(true);
  });
});

describe('a second log of a call', () => {
  it('is taken away when the page made it and nobody edited it; again changes nothing', async () => {
    const log = finishedCall();
    const own = await relay.writeLog(log, agent, null);
    const twin = pageMakes(log);
    expect(await relay.removeSecondLog?.(twin, log.callId, own)).toBe(true);
    expect(objectsOf(log).map(({ id }) => id)).toEqual([own]);
    expect(await relay.removeSecondLog?.(twin, log.callId, own)).toBe(true);
  });

  it('leaves its deals and tickets to the log that stays, and nothing else', async () => {
    const log = finishedCall({ record: record('contacts') });
    const own = await relay.writeLog(log, agent, null);
    const twin = pageMakes(log);
    for (const [kind, one] of [
      ['deals', record('deals')],
      ['tickets', record('tickets')],
      ['contacts', record('contacts', 1)],
    ] as const)
      hubspot.portal.associate('calls', twin, kind, one.id);
    expect(await relay.removeSecondLog?.(twin, log.callId, own)).toBe(true);
    expect(placesOf(own)).toEqual([record('contacts'), record('deals'), record('tickets')].map(ref).sort());
    // A call that gets no log leaves nothing behind.
    const only = pageMakes(finishedCall({ callId: log.callId }));
    hubspot.portal.associate('calls', only, 'deals', record('deals').id);
    expect(await relay.removeSecondLog?.(only, log.callId, null)).toBe(true);
  });

  it('stays when a person changed anything that HubSpot remembers, and goes when only a machine did', async () => {
    const log = finishedCall();
    const own = await relay.writeLog(log, agent, null);
    const edited: Readonly<Record<string, readonly Version[]>>[] = [
      { hs_call_title: [byPerson('Mine'), first('Outbound call')] },
      { hubspot_owner_id: [byPerson('77'), first(ownerId)] },
      { hs_timestamp: [byPerson('1'), first('2')] },
      { hs_activity_type: [byPerson('Discovery call')] },
      // Chosen by hand, although HubSpot could have put it.
      { hs_call_disposition: [byPerson(outcomes.connected), first(outcomes.connected)] },
      { hs_call_title: [{ value: 'Mine', sourceType: 'SOMETHING_NEW', timestamp: minutesLater }, first('x')] },
    ];
    for (const history of edited) {
      const id = pageMakes(log);
      expect(await remembering({ [id]: history }).removeSecondLog?.(id, log.callId, own), JSON.stringify(history)).toBe(
        false,
      );
      expect(hubspot.portal.get('calls', id)).toBeDefined();
    }
    const untouched = pageMakes(log);
    const machines = {
      hs_call_title: [byApp('Renamed by a workflow'), first('Outbound call')],
      hubspot_owner_id: [first(ownerId)],
      hs_call_status: [byPerson('COMPLETED'), first('IN_PROGRESS')],
      hs_call_disposition: [first(outcomes.connected)],
    };
    expect(await remembering({ [untouched]: machines }).removeSecondLog?.(untouched, log.callId, own)).toBe(true);
  });

  it('stays when it is the log itself, another call’s, another app’s, or a person wrote in it', async () => {
    const log = finishedCall();
    const own = await relay.writeLog(log, agent, null);
    const staying = [
      own,
      pageMakes(finishedCall()),
      pageMakes(log, { hs_call_app_id: '7' }),
      pageMakes(log, { hs_call_body: '<p>Call back</p>' }),
      pageMakes(log, { hs_call_disposition: outcomes.wrongNumber }),
      pageMakes(log, { hs_attachment_ids: '77' }),
    ];
    for (const id of staying) expect(await relay.removeSecondLog?.(id, log.callId, own), id).toBe(false);
    expect(await relay.removeSecondLog?.('../contacts/501', log.callId, own)).toBe(false);
    for (const id of staying) expect(hubspot.portal.get('calls', id), id).toBeDefined();
    expect(requests().some(({ method }) => method === 'DELETE')).toBe(false);
  });
});

describe('what a call is about', () => {
  const about = (): readonly RecordRef[] => [record('deals'), record('tickets'), record('deals', 1)];

  it('stands beside the person, moves, is taken off, and stays what it is when it is written again', async () => {
    const [deal, ticket] = about();
    const contact = record('contacts');
    if (deal === undefined || ticket === undefined) throw new Error('no work');
    const log = finishedCall({ record: contact, about: deal });
    const id = await relay.writeLog(log, agent, null);
    expect(placesOf(id)).toEqual([ref(contact), ref(deal)].sort());
    asked = hubspot.requests().length;
    await relay.writeLog(log, agent, id);
    expect(requests().map(({ method }) => method)).toEqual(['GET']);
    await relay.writeLog({ ...log, about: ticket }, agent, id);
    expect(placesOf(id)).toEqual([ref(contact), ref(ticket)].sort());
    const { about: _about, ...nothing } = log;
    await relay.writeLog(nothing, agent, id);
    expect(placesOf(id)).toEqual([ref(contact)]);
  });

  it('changes places with the record and is never lost by it', async () => {
    const [deal, , other] = about();
    if (deal === undefined || other === undefined) throw new Error('no deals');
    const log = finishedCall({ record: deal, about: other });
    const id = await relay.writeLog(log, agent, null);
    await relay.writeLog({ ...log, record: other, about: deal }, agent, id);
    expect(placesOf(id)).toEqual([ref(deal), ref(other)].sort());
    const { about: _about, ...alone } = { ...log, record: other };
    await relay.writeLog(alone, agent, id);
    expect(placesOf(id)).toEqual([ref(other)]);
    await relay.writeLog({ ...alone, about: other }, agent, id);
    expect(placesOf(id)).toEqual([ref(other)]);
  });

  it('stands in a batch as well, with one request a kind', async () => {
    const logs = about().map((one) => finishedCall({ record: record('contacts'), about: one }));
    const write = () => relay.writeLogs?.(logs.map((log) => ({ log, agent, logId: null })));
    for (let again = 0; again < 2; again += 1) {
      const written = await write();
      logs.forEach((log, index) => {
        const one = written?.[index];
        const id = one !== undefined && 'logId' in one ? one.logId : '';
        expect(placesOf(id)).toEqual([ref(record('contacts')), ref(log.about ?? record('contacts'))].sort());
      });
    }
    expect(requests().filter(({ path }) => path.includes('/associations/')).length).toBe(3);
  });
});

describe('how a call ended', () => {
  const inbound = { direction: 'inbound', answeredAt: null, talkMs: 0 } as const;
  it.each([
    ['missed', { ...inbound, outcome: 'missed' }, 'MISSED', outcomes.noAnswer, 'Missed call from +14155550101'],
    ['declined', { ...inbound, outcome: 'declined' }, 'CANCELED', null, 'Declined call from +14155550101'],
    [
      'a message of the caller',
      { ...inbound, outcome: 'missed', reason: 'Went to voicemail' },
      'MISSED',
      outcomes.leftVoicemail,
      'Voicemail from +14155550101',
    ],
    [
      'a message for the called',
      { outcome: 'answered', reason: 'voice mail' },
      'COMPLETED',
      outcomes.leftVoicemail,
      'Call to +14155550101, voicemail',
    ],
    [
      'transferred',
      { direction: 'inbound', transferredTo: '1002' },
      'COMPLETED',
      outcomes.connected,
      'Call from +14155550101, transferred to 1002',
    ],
    [
      'busy',
      { outcome: 'busy', answeredAt: null, talkMs: 0 },
      'BUSY',
      '9d9162e7-6cf3-4944-bf63-4dff82258764',
      'Call to +14155550101',
    ],
    ['given up', { outcome: 'cancelled', answeredAt: null, talkMs: 0 }, 'CANCELED', null, 'Call to +14155550101'],
  ] as const)('is told apart: %s', async (_name, change, status, disposition, title) => {
    const id = await relay.writeLog(finishedCall(change), agent, null);
    const { properties } = object(id);
    expect([properties.hs_call_status, properties.hs_call_disposition ?? null, properties.hs_call_title]).toEqual([
      status,
      disposition,
      title,
    ]);
  });
});

describe('a call that no phone saw', () => {
  const missed = (change: Partial<CallLog> = {}): CallLog =>
    finishedCall({
      direction: 'inbound',
      nearNumber: '1001',
      outcome: 'missed',
      answeredAt: null,
      talkMs: 0,
      reason: 'The phone system reported this call; no phone did.',
      ...change,
    });
  const report = (log: CallLog, attempts = 0, by: CrmRelay = relay): Promise<string> => {
    if (by.reportUnseenCall === undefined) throw new Error('HubSpot takes reports');
    return by.reportUnseenCall(log, agent, [agent, colleague], { attempts });
  };
  const posts = () => requests().filter(({ path }) => path.endsWith('/inbound-call'));

  it('is reported with whom it rang for, in the endpoint’s own units, and logged like any other', async () => {
    const log = missed({ outcome: 'answered', answeredAt: Date.UTC(2026, 10, 21, 9, 30, 5), talkMs: 62_400 });
    const id = await report(log);
    expect(posts().map(({ body }) => body)).toMatchObject([
      {
        externalCallId: log.callId,
        createEngagement: true,
        finalCallStatus: 'COMPLETED',
        durationSeconds: 62,
        fromNumber: { e164Number: '+14155550101', phoneNumberType: 'UNKNOWN' },
        toNumber: { e164Number: '+14155550100', extension: '1001', phoneNumberType: 'UNKNOWN' },
        potentialRecipientUserIds: [Number(agent.crmUserId), Number(colleague.crmUserId)],
        userId: Number(agent.crmUserId),
        callStartedTimestamp: new Date(log.startedAt).toISOString(),
        engagementProperties: { [key]: log.callId },
      },
    ]);
    const sent = posts()[0]?.body as { readonly engagementProperties?: object } | undefined;
    const values = Object.values(sent?.engagementProperties ?? {});
    expect(values.length).toBeGreaterThan(8);
    expect(values.every((value) => typeof value === 'string')).toBe(true);
    expect(objectsOf(log).map((one) => one.id)).toEqual([id]);
    expect(object(id).properties).toMatchObject({
      [key]: log.callId,
      hs_call_status: 'COMPLETED',
      hs_call_duration: '62400',
      hs_call_title: 'Call from +14155550101',
    });
  });

  it('names nobody as its user when nobody answered, and is missed', async () => {
    const log = missed();
    const id = await report(log);
    expect(posts()[0]?.body).not.toHaveProperty('userId');
    expect(object(id).properties).toMatchObject({ hs_call_status: 'MISSED', hs_call_disposition: outcomes.noAnswer });
    // A phone that tells it after all goes on in it, and a person's words stay.
    hubspot.portal.update('calls', id, { hs_call_body: 'Called back' });
    await relay.writeLog({ ...log, note: 'late', stage: 'final' }, agent, id);
    expect(object(id).properties.hs_call_body).toBe('Called back');
  });

  it('is one log however often it is reported, by however many relays', async () => {
    const log = missed();
    const id = await report(log);
    expect(await report(log)).toBe(id);
    expect(await report(log, 1)).toBe(id);
    expect(posts()).toHaveLength(1);
    const both = missed();
    const other = connect();
    const ids = await Promise.all([deliver(() => report(both)), deliver(() => report(both, 0, other))]);
    expect(new Set(ids).size).toBe(1);
    expect(objectsOf(both)).toHaveLength(1);
  });

  it('is one complete log wherever a request was lost on the way', async () => {
    for (const fault of ['answer-lost', 'server-error', 'reset'])
      for (let skip = 0; skip < 5; skip += 1) {
        const log = missed({ note: `${fault} ${skip}`, record: record('contacts', 2) });
        hubspot.faults.add({ fault, on: '* /crm/*', skip });
        let tried = 0;
        const id = await deliver(() => {
          tried += 1;
          return report(log, tried - 1);
        });
        expect(
          objectsOf(log).map((one) => one.id),
          `${fault} at ${skip}`,
        ).toEqual([id]);
        expect(object(id).properties.hs_call_body).toContain(`${fault} ${skip}`);
        expect(placesOf(id)).toContain(ref(record('contacts', 2)));
      }
  });

  it('is not reported again while the first report may still show', async () => {
    const log = missed();
    const slow = connect({ lookAgainMs: 1 });
    const first = await report(log, 0, slow).catch((error: unknown) => error as PatchcordError);
    if (typeof first !== 'string') {
      expect(errorCode(first)).toBe('crm.unavailable');
      expect(first).toMatchObject({ retryable: true });
      expect(first.retryAfterMs).toBeGreaterThanOrEqual(10_000);
    }
    const id = await deliver(() => report(log, 1));
    expect(posts()).toHaveLength(1);
    expect(objectsOf(log).map((one) => one.id)).toEqual([id]);
  });

  it('is reported twice at most where HubSpot takes the report and shows nothing, and logged by its key then', async () => {
    for (const remembers of [true, false]) {
      let sent = 0;
      const deaf = () =>
        answering((path) => {
          if (!path.endsWith('/inbound-call')) return undefined;
          sent += 1;
          return new Response('{"callerIdMatches":[]}');
        });
      const by = deaf();
      const log = missed();
      let attempts = 0;
      // A relay that was started anew knows only how often it was tried before.
      const id = await deliver(() => {
        attempts += 1;
        return report(log, attempts - 1, remembers ? by : deaf());
      });
      expect(sent).toBe(2);
      expect(objectsOf(log).map((one) => one.id)).toEqual([id]);
      // Who is told that nothing went out before knows better by itself.
      if (remembers) await report({ ...log, callId: log.callId }, 0, by);
      expect(sent).toBe(2);
    }
  });

  it('goes on in what HubSpot made of it when a repeat is refused', async () => {
    for (const status of [400, 409]) {
      const log = missed();
      let made = '';
      const by = answering((path) => {
        if (!path.endsWith('/inbound-call')) return undefined;
        // Made by a report whose answer was lost, without our property.
        made = pageMakes(log, { hs_call_direction: 'INBOUND', hs_call_status: 'MISSED' });
        return refusing(status);
      });
      expect(await report(log, 0, by)).toBe(made);
      expect(objectsOf(log)).toHaveLength(1);
      expect(object(made).properties[key]).toBe(log.callId);
    }
  });

  it('is found by HubSpot’s own property when ours did not come along', async () => {
    const log = missed();
    const made = pageMakes(log, { hs_call_direction: 'INBOUND', hs_call_status: 'MISSED' });
    expect(await report(log, 1)).toBe(made);
    expect(posts()).toHaveLength(0);
    expect(object(made).properties[key]).toBe(log.callId);
  });

  it('is logged by its key where the endpoint is not for us, or has no place for the call', async () => {
    for (const status of [403, 404]) {
      let refusals = 0;
      const refusing = connect({
        fetch: async (input, init) => {
          if (!String(input).endsWith('/inbound-call')) return await fetch(input, init);
          refusals += 1;
          return new Response('{"status":"error","message":"no"}', { status });
        },
      });
      for (const log of [missed(), missed()]) {
        const id = await report(log, 0, refusing);
        expect(objectsOf(log).map((one) => one.id)).toEqual([id]);
      }
      // Known by then: it is not asked for each call.
      expect(refusals).toBe(1);
    }
    const { mainNumber: _main, ...withoutNumber } = options();
    const unnumbered = createHubSpotRelay(withoutNumber);
    const placeless: readonly (readonly [Partial<CallLog>, CrmRelay])[] = [
      [{ farSide: { number: '' } }, relay],
      [{ farSide: { number: '202' } }, relay],
      [{ direction: 'outbound', outcome: 'no-answer' }, relay],
      [{}, unnumbered],
    ];
    for (const [change, by] of placeless) {
      const log = missed(change);
      const id = await report(log, 0, by);
      expect(objectsOf(log).map((one) => one.id)).toEqual([id]);
    }
    expect(posts()).toHaveLength(0);
    // An agent with a number of their own needs no other.
    await report(missed({ nearNumber: '+14155550190' }), 0, unnumbered);
    expect(posts()[0]?.body).toMatchObject({ toNumber: { e164Number: '+14155550190' } });
  });
});
