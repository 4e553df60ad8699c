/**
 * What of a call stands in a Salesforce org afterwards, in the Task and in our own record, through the real jsforce; and what a person who
 * edited either finds untouched.
 */
import { type CallLog, E164Schema, newCallId } from '@patchcord/call-protocol';
import type { CrmRelay } from '@patchcord/crm-adapters/relay';
import * as v from 'valibot';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { finishedCall } from './call-log-fixture.ts';
import { startTestOrg, type TestOrg } from './salesforce-org.ts';

let test: TestOrg;
let relay: CrmRelay;
beforeAll(async () => {
  test = await startTestOrg();
  relay = test.relay;
});
afterAll(() => test.close());
afterEach(() => {
  test.org.faults.clear();
  test.org.rights.clear();
  test.notices.length = 0;
});

const seen = (log: CallLog, from = test) => ({
  task: from.org.records.Task.find((one) => one.CallObject === log.callId),
  call: from.org.records.Patchcord_Call__c.find((one) => one.Call_Key__c === log.callId),
});
const write = async (change: Partial<CallLog>) => {
  const log = finishedCall(change);
  await relay.writeLog(log, test.robin, null);
  return seen(log);
};
const planted = (object: 'Case' | 'Opportunity', name: string) => {
  const row =
    object === 'Case'
      ? { Subject: name, Status: 'New' }
      : { Name: name, StageName: 'Proposal', CloseDate: '2026-12-31' };
  return { crm: 'salesforce', object, id: test.org.store.create(object, row, test.robin.crmUserId), name } as const;
};

describe('a logged call', () => {
  it('fills every field of our own record that the log knows', async () => {
    const record = test.record('Elena Marchetti');
    const about = planted('Case', 'Camera is dark');
    const conversation = newCallId();
    const { task, call } = await write({
      direction: 'inbound',
      farSide: { number: '4155550101', e164: v.parse(E164Schema, '+14155550101'), name: 'MARCHETTI E' },
      record,
      about,
      note: 'Wants a new lens',
      disposition: 'Resolved',
      transferredTo: '2041',
      conversation,
      stage: 'final',
    });
    expect(call).toMatchObject({
      Direction__c: 'Inbound',
      From_Number__c: '+14155550101',
      To_Number__c: '+14155550190',
      Far_Side_Name__c: 'MARCHETTI E',
      Started_At__c: '2026-11-21T09:30:00.000+0000',
      Answered_At__c: '2026-11-21T09:30:05.000+0000',
      Duration_Seconds__c: 62,
      Outcome__c: 'answered',
      Disposition__c: 'Resolved',
      Note__c: 'Wants a new lens',
      Transferred_To__c: '2041',
      Conversation__c: conversation,
      Agent__c: test.robin.crmUserId,
      Contact__c: record.id,
      Case__c: about.id,
      Account__c: null,
      OwnerId: test.robin.crmUserId,
      Task_Id__c: task?.Id,
    });
    expect(`${call?.Ended_At__c}`).toMatch(/^2026-11-21T09:31:07/);
    expect(task).toMatchObject({
      Type: 'Call',
      TaskSubtype: 'Call',
      Status: 'Completed',
      IsClosed: true,
      CallType: 'Inbound',
      CallDurationInSeconds: 62,
      CallDisposition: 'Resolved',
      WhoId: record.id,
      WhatId: about.id,
      OwnerId: test.robin.crmUserId,
    });
  });

  it('is about an opportunity beside its contact, and about the account where there is no person', async () => {
    const about = planted('Opportunity', 'Ten cameras');
    const contact = test.record('Priya Raman');
    const account = test.record('Northlight Cameras');
    expect((await write({ record: contact, about })).task).toMatchObject({ WhoId: contact.id, WhatId: about.id });
    expect(await write({ record: account })).toMatchObject({
      task: { WhoId: null, WhatId: account.id },
      call: { Account__c: account.id },
    });
    expect(await write({ record: account, about })).toMatchObject({
      task: { WhoId: null, WhatId: about.id },
      call: { Account__c: account.id, Opportunity__c: about.id },
    });
  });

  it('with a lead names what it was about in words, for a Task takes no second link there', async () => {
    const lead = test.record('Jonas Weber');
    const about = planted('Opportunity', 'Spring order');
    const { task, call } = await write({ record: lead, about });
    expect(task).toMatchObject({ WhoId: lead.id, WhatId: null });
    expect(task?.Description).toContain('About Opportunity Spring order');
    expect(call).toMatchObject({ Lead__c: lead.id, Opportunity__c: about.id });
  });

  it('tells missed, declined, voicemail, transferred and answered elsewhere apart', async () => {
    const unanswered = { direction: 'inbound', answeredAt: null, talkMs: 0 } as const;
    for (const [change, subject, result] of [
      [{ ...unanswered, outcome: 'missed' }, 'Missed call from +14155550101', 'Missed'],
      [{ ...unanswered, outcome: 'declined' }, 'Declined call from +14155550101', 'Declined'],
      [{ ...unanswered, outcome: 'missed', reason: 'voicemail' }, 'Voicemail from +14155550101', 'Voicemail'],
      [
        { ...unanswered, outcome: 'answered-elsewhere' },
        'Call from +14155550101, answered elsewhere',
        'Answered elsewhere',
      ],
      [{ transferredTo: '2041' }, 'Call to +14155550101, transferred to 2041', 'Transferred'],
      [{ outcome: 'no-answer', answeredAt: null, talkMs: 0 }, 'Call to +14155550101', 'No answer'],
    ] as const)
      expect((await write(change)).task).toMatchObject({ Subject: subject, CallDisposition: result });
  });

  it('counts its day where the agent is', async () => {
    const user = test.org.records.User.find((one) => one.Id === test.sam.crmUserId);
    if (user === undefined) throw new Error('no user');
    test.org.store.plant('User', { ...user, TimeZoneSidKey: 'Asia/Tokyo' });
    const log = finishedCall({ startedAt: Date.UTC(2026, 10, 21, 23, 30) });
    await test.freshRelay().writeLog(log, test.sam, null);
    expect(seen(log).task?.ActivityDate).toBe('2026-11-22');
    test.org.store.plant('User', { ...user, TimeZoneSidKey: 'Nowhere/At_All' });
    const other = finishedCall({ startedAt: Date.UTC(2026, 10, 21, 23, 30) });
    await test.freshRelay({ timeZone: 'Pacific/Auckland' }).writeLog(other, test.sam, null);
    expect(seen(other).task?.ActivityDate).toBe('2026-11-22');
    test.org.store.plant('User', user);
  });

  it('uses the org’s own closed status, and puts a person account on its contact', async () => {
    const persons = await startTestOrg({ personAccounts: true, closedStatus: 'Erledigt' });
    try {
      const id = persons.org.store.create('Account', { LastName: 'Doe', FirstName: 'Pia' }, persons.robin.crmUserId);
      const contact = persons.org.records.Account.find((one) => one.Id === id)?.PersonContactId;
      const log = finishedCall({ record: { crm: 'salesforce', object: 'Account', id, name: 'Pia Doe' } });
      await persons.relay.writeLog(log, persons.robin, null);
      expect(seen(log, persons).task).toMatchObject({
        Status: 'Erledigt',
        IsClosed: true,
        WhoId: contact,
        WhatId: null,
      });
      expect(seen(log, persons).call).toMatchObject({ Contact__c: contact, Account__c: id });
    } finally {
      await persons.close();
    }
  });

  it('in an org with an older package goes without the fields it lacks, and that is said once', async () => {
    for (const field of ['Note__c', 'Case__c', 'Conversation__c'])
      test.org.rights.deny({ object: 'Patchcord_Call__c', field });
    const older = test.freshRelay();
    const log = finishedCall({ note: 'Wants two' });
    const id = await older.writeLog(log, test.robin, null);
    await older.writeLog({ ...log, note: 'Wants three' }, test.robin, id);
    expect(seen(log).task?.Description).toContain('Wants three');
    expect(test.notices).toHaveLength(1);
    expect(test.notices[0]).toMatch(/Patchcord_Call__c\.Note__c.*Deploy Patchcord's metadata/s);
  });
});

describe('a person’s edit', () => {
  it('stays in our own record as in the Task, field by field', async () => {
    const log = finishedCall({ note: 'first', disposition: 'Open' });
    const id = await relay.writeLog(log, test.robin, null);
    const { call } = seen(log);
    test.org.store.update('Patchcord_Call__c', `${call?.Id}`, { Note__c: 'My own note' }, test.robin.crmUserId);
    test.org.store.update('Task', id, { CallDisposition: 'Mine' }, test.robin.crmUserId);
    const later = { ...log, note: 'second', disposition: 'Closed', talkMs: 99_000, stage: 'final' } as const;
    await relay.writeLog(later, test.robin, id);
    await relay.writeLog({ ...later, note: 'third' }, test.robin, null);
    expect(seen(log)).toMatchObject({
      task: { CallDisposition: 'Mine', CallDurationInSeconds: 99, Description: expect.stringContaining('third') },
      call: { Note__c: 'My own note', Disposition__c: 'Closed', Duration_Seconds__c: 99 },
    });
  });

  it('of the owner stays too', async () => {
    const log = finishedCall();
    const id = await relay.writeLog(log, test.robin, null);
    test.org.store.update('Task', id, { OwnerId: test.sam.crmUserId }, test.robin.crmUserId);
    await relay.writeLog({ ...log, note: 'later' }, test.robin, id);
    await relay.writeLog({ ...log, note: 'later still' }, test.robin, id);
    expect(seen(log).task).toMatchObject({
      OwnerId: test.sam.crmUserId,
      Description: expect.stringContaining('later still'),
    });
  });

  it('to the chosen record moves neither link back', async () => {
    const first = test.record('Theo Okafor');
    const chosen = test.record('Mina Sato');
    const log = finishedCall({ record: first });
    const id = await relay.writeLog(log, test.robin, null);
    test.org.store.update('Task', id, { WhoId: chosen.id }, test.robin.crmUserId);
    await relay.writeLog({ ...log, record: test.record('Elena Marchetti'), note: 'x' }, test.robin, id);
    expect(seen(log).task?.WhoId).toBe(chosen.id);
    expect(seen(log).call?.Contact__c).toBe(test.record('Elena Marchetti').id);
  });
});

describe('requests', () => {
  const asked = async (work: () => Promise<unknown>): Promise<number> => {
    const before = test.org.requests().length;
    await work();
    return test.org.requests().length - before;
  };

  it('one for a first write, two for a later one, and no update when nothing changed', async () => {
    const log = finishedCall();
    await relay.writeLog(finishedCall(), test.robin, null);
    let id = '';
    expect(
      await asked(async () => {
        id = await relay.writeLog(log, test.robin, null);
      }),
    ).toBe(1);
    expect(await asked(() => relay.writeLog({ ...log, note: 'later' }, test.robin, id))).toBe(2);
    expect(await asked(() => relay.writeLog({ ...log, note: 'later' }, test.robin, id))).toBe(1);
  });
});
