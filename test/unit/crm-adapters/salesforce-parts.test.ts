import type { CallLog } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { resultOf, textOf, titleOf } from '../../../packages/crm-adapters/src/log-words.ts';
import { isOrgAddress, salesforceAuthorizeUrl } from '../../../packages/crm-adapters/src/salesforce/oauth.ts';
import { escapeSoql } from '../../../packages/crm-adapters/src/salesforce/org.ts';
import { blamedFields, fromRefusal, isAboutRights } from '../../../packages/crm-adapters/src/salesforce/refusals.ts';
import { callFields, linksOf, taskSpelling } from '../../../packages/crm-adapters/src/salesforce/task.ts';
import { finishedCall } from '../../contract/crm-adapters/call-log-fixture.ts';

describe('the words of a call in any CRM', () => {
  const inbound = { direction: 'inbound', answeredAt: null, talkMs: 0 } as const;
  it.each<[Partial<CallLog>, string, string]>([
    [{ ...inbound, outcome: 'missed' }, 'Missed call from +14155550101', 'Missed'],
    [{ ...inbound, outcome: 'declined' }, 'Declined call from +14155550101', 'Declined'],
    [{ ...inbound, outcome: 'missed', reason: 'went to voice mail' }, 'Voicemail from +14155550101', 'Voicemail'],
    [{ outcome: 'answered', transferredTo: 'voicemail' }, 'Call to +14155550101, voicemail', 'Voicemail'],
    [{ direction: 'inbound', transferredTo: '2041' }, 'Call from +14155550101, transferred to 2041', 'Transferred'],
    [{ outcome: 'busy' }, 'Call to +14155550101', 'Busy'],
    [{ outcome: null }, 'Call to +14155550101', ''],
  ])('%j', (change, title, result) => {
    const log = finishedCall(change);
    expect(titleOf(log)).toBe(title);
    expect(resultOf(log)).toBe(result);
  });

  it('puts a CRM’s own lines last, and fits them in', () => {
    const log = finishedCall({ note: 'note' });
    expect(textOf(log, 200, ['About it'])).toBe('note\n\nFrom +14155550190 to +14155550101\nAbout it');
    expect(textOf(log, 10, ['About it'])).toHaveLength(10);
  });
});

describe('where a token may go', () => {
  it.each([
    ['https://acme.my.salesforce.com', true],
    ['https://acme--uat.sandbox.my.salesforce.com/', true],
    ['https://acme.lightning.force.com', true],
    ['https://crm.acme.example', true],
    ['http://localhost:4100', true],
    ['http://localhost:4200', false],
    ['http://acme.my.salesforce.com', false],
    ['https://salesforce.com.evil.example', false],
    ['https://evilsalesforce.com', false],
    ['https://acme.my.salesforce.com@evil.example', false],
    ['https://user:pass@acme.my.salesforce.com', false],
    ['javascript:alert(1)', false],
    ['', false],
  ])('%s: %s', (address, allowed) => {
    expect(isOrgAddress(address, ['https://crm.acme.example/x', 'http://localhost:4100', ''])).toBe(allowed);
  });

  it('asks for consent with PKCE and a state', () => {
    const url = salesforceAuthorizeUrl({
      loginUrl: 'https://login.salesforce.com',
      clientId: 'id & more',
      redirectUri: 'https://relay.example/back',
      state: 's',
      codeChallenge: 'c',
    });
    expect(url.origin + url.pathname).toBe('https://login.salesforce.com/services/oauth2/authorize');
    expect(Object.fromEntries(url.searchParams)).toEqual({
      response_type: 'code',
      client_id: 'id & more',
      redirect_uri: 'https://relay.example/back',
      scope: 'api refresh_token',
      state: 's',
      code_challenge: 'c',
      code_challenge_method: 'S256',
    });
  });
});

describe('which part of a log a refusal blames', () => {
  it.each([
    [{ code: 'X', message: 'whatever', fields: ['A__c'] }, ['A__c']],
    [{ code: 'INVALID_FIELD', message: "No such column 'Note__c' on sobject of type Patchcord_Call__c" }, ['Note__c']],
    [
      { code: 'INVALID_FIELD_FOR_INSERT_UPDATE', message: 'Unable to create/update fields: A, B__c. Please check …' },
      ['A', 'B__c'],
    ],
    [{ code: 'STRING_TOO_LONG', message: 'Subject: data value too large: x (max length=10)' }, ['Subject']],
    [{ code: 'INSUFFICIENT_ACCESS', message: 'insufficient access rights on object id' }, []],
  ])('%j', (refusal, fields) => {
    expect(blamedFields(refusal)).toEqual(fields);
  });

  it('a lack of rights may be somebody else’s to have, a rule of the org is not', () => {
    const about = (code: string, message = ''): boolean => isAboutRights(fromRefusal({ code, message }, 'to log'));
    expect(about('INSUFFICIENT_ACCESS_OR_READONLY')).toBe(true);
    expect(about('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 'entity type cannot be inserted: Patchcord_Call__c')).toBe(
      true,
    );
    expect(about('CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', 'CountCalls: execution of BeforeInsert')).toBe(false);
    expect(about('FIELD_CUSTOM_VALIDATION_EXCEPTION')).toBe(false);
    expect(about('UNABLE_TO_LOCK_ROW')).toBe(false);
    expect(isAboutRights(new Error('x'))).toBe(false);
  });

  it('a lock inside a trigger goes away by itself', () => {
    const error = fromRefusal(
      { code: 'CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY', message: 'CountCalls: … UNABLE_TO_LOCK_ROW, unable to obtain …' },
      'to log the call',
    );
    expect(error).toMatchObject({ code: 'crm.unavailable', retryable: true, retryAfterMs: 1_000 });
  });
});

describe('what a person is told to do', () => {
  const told = (code: string, doing: string): string => fromRefusal({ code, message: '' }, doing).message;
  it.each([
    ['to log the call', 'then ask for this log again.'],
    ['to update the logged call', 'then ask for this log again.'],
    ['to search for the caller', 'then look again.'],
    ['to list open cases and opportunities', 'then look again.'],
    ['to describe Contact', 'then try again.'],
  ])('%s: %s', (doing, words) => {
    for (const code of ['INVALID_TYPE', 'INSUFFICIENT_ACCESS', 'SOMETHING_NEW']) {
      expect(told(code, doing).endsWith(`, ${words}`)).toBe(true);
      expect(told(code, doing)).not.toContain('written');
    }
  });

  it('a lock and a full storage say how long it is tried', () => {
    expect(told('ENTITY_IS_LOCKED', 'to log the call')).toContain('It is tried again for three days; approve');
    expect(told('STORAGE_LIMIT_EXCEEDED', 'to log the call')).toMatch(/; it is tried again every hour\.$/);
  });
});

describe('whom a call was with and what it was about', () => {
  const ref = (object: string, id: string) => ({ crm: 'salesforce', object, id, name: object }) as const;
  const contact = ref('Contact', '003Pc00000000AAIAY');
  const lead = ref('Lead', '00QPc00000000AAIAY');
  const account = ref('Account', '001Pc00000000AAIAY');
  const deal = ref('Opportunity', '006Pc00000000AAIAY');
  const other = ref('Rental__c', 'a0XPc00000000AAIAY');

  it.each([
    ['a contact and a deal', contact, deal, contact.id, deal.id, []],
    ['a contact and its account', contact, account, contact.id, account.id, []],
    ['a lead and a deal', lead, deal, lead.id, null, ['About Opportunity Opportunity']],
    ['an account and a deal', account, deal, null, deal.id, []],
    ['nobody and a contact', null, contact, contact.id, null, []],
    ['an object of the org’s own', contact, other, contact.id, other.id, []],
    ['nothing of another CRM', { crm: 'hubspot', object: 'contact', id: '501' } as const, deal, null, deal.id, []],
  ])('%s', (_name, record, about, who, what, lines) => {
    expect(linksOf(finishedCall({ record, about }), {})).toMatchObject({ who, what, lines });
  });

  it('a person account is its contact, and stands in our own record as both', () => {
    const links = linksOf(finishedCall({ record: account }), {
      personContacts: new Map([[account.id.slice(0, 15), contact.id]]),
    });
    expect(links).toMatchObject({ who: contact.id, what: null });
    expect(links.lookups).toMatchObject({ Account__c: account.id, Contact__c: contact.id });
  });

  it('carries the namespace on every field of ours, and fits the longest texts', () => {
    const agent = { crmUserId: '005Pc0000000001IAA', name: 'Robin' };
    const log = finishedCall({ note: 'n'.repeat(40_000), disposition: 'd'.repeat(300), transferredTo: 't'.repeat(99) });
    const fields = callFields(log, agent, 'acme__', { timeZone: 'UTC' });
    expect(Object.keys(fields).filter((name) => !name.startsWith('acme__'))).toEqual(['OwnerId']);
    expect(`${fields.acme__Note__c}`).toHaveLength(32_000);
    expect(`${fields.acme__Disposition__c}`).toHaveLength(255);
    expect(`${fields.acme__Transferred_To__c}`).toHaveLength(80);
  });

  it('carries the address of the player where there is one and the call was recorded, by whomever', () => {
    const agent = { crmUserId: '005Pc0000000001IAA', name: 'Robin' };
    const wording = { timeZone: 'UTC', recordingPage: 'https://relay.example.com/t/acme/page/#recording=' };
    const recording = { kept: [{ startMs: 0, endMs: null }] };
    const log = finishedCall({ recording });
    const address = `https://relay.example.com/t/acme/page/#recording=${log.callId}`;
    expect(callFields(log, agent, 'acme__', wording).acme__Recording_Url__c).toBe(address);
    expect(callFields(log, agent, '', { timeZone: 'UTC' })).not.toHaveProperty('Recording_Url__c');
    const byPhoneSystem = finishedCall({ recording: { kept: [], byPhoneSystem: true } });
    expect(callFields(byPhoneSystem, agent, '', wording).Recording_Url__c).toBe(
      `${wording.recordingPage}${byPhoneSystem.callId}`,
    );
    const refused = finishedCall({ recording: { kept: [], consent: { given: false, how: 'asked', at: 1 } } });
    expect(callFields(refused, agent, '', wording)).not.toHaveProperty('Recording_Url__c');
  });

  it('knows a value again in the org’s own spelling', () => {
    expect(taskSpelling('Started_At__c', '2026-11-21T09:30:00.000+0000')).toBe(
      taskSpelling('Started_At__c', '2026-11-21T09:30:00.400Z'),
    );
    expect(taskSpelling('acme__Contact__c', '003Pc00000000AAIAY')).toBe('003Pc00000000AA');
    expect(taskSpelling('Note__c', 'a\r\nb ')).toBe('a\nb');
    expect(taskSpelling('Ended_At__c', null)).toBe('');
  });

  it('lets no text out of its quotes', () => {
    expect(escapeSoql("1' OR Name != '\\")).toBe("1\\' OR Name != \\'\\\\");
  });
});
