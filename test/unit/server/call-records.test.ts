import { createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readFreeSwitch } from '../../../server/src/call-records/freeswitch.ts';
import { type PbxRecords, proveRecords } from '../../../server/src/call-records/intake.ts';
import { plainReader } from '../../../server/src/call-records/plain.ts';

/** A record of mod_json_cdr with the keys it is documented to have; a test overrides variables and caller profile. */
function freeSwitch(variables: Record<string, unknown> = {}, profile: Record<string, unknown> = {}): object {
  return {
    'core-uuid': 'b3b5',
    switchname: 'pbx',
    channel_data: { state: 'CS_REPORTING', direction: 'outbound' },
    variables: {
      uuid: 'leg-b',
      direction: 'outbound',
      call_uuid: 'leg-a',
      bridge_uuid: 'leg-a',
      start_epoch: '1790000000',
      start_uepoch: '1790000000250000',
      answer_epoch: '1790000004',
      answer_uepoch: '1790000004500000',
      end_epoch: '1790000034',
      end_uepoch: '1790000034500000',
      billsec: '30',
      hangup_cause: 'NORMAL_CLEARING',
      hangup_cause_q850: '16',
      sip_call_id: 'abc%40host',
      sip_auth_username: '1001-w7f3',
      number_alias: '1001',
      ...variables,
    },
    app_log: { applications: [] },
    callflow: [
      {
        caller_profile: {
          caller_id_number: '+14155550101',
          caller_id_name: 'Grace%20Hopper',
          destination_number: '1001-w7f3',
          ...profile,
        },
      },
    ],
  };
}

describe('a record of FreeSWITCH', () => {
  it('tells a call to an agent’s device', () => {
    expect(readFreeSwitch(freeSwitch())).toEqual([
      {
        pbx: 'freeswitch',
        reportId: 'leg-b',
        state: 'ended',
        sipCallId: 'abc@host',
        conversation: 'leg-a',
        extension: '1001',
        device: '1001-w7f3',
        direction: 'inbound',
        farSide: { number: '+14155550101', name: 'Grace Hopper' },
        startedAt: 1_790_000_000_250,
        answeredAt: 1_790_000_004_500,
        endedAt: 1_790_000_034_500,
        cause: 16,
        outcome: 'answered',
      },
    ]);
  });

  it('tells a call that an agent placed by the number that was dialled, not by the device', () => {
    const placed = freeSwitch(
      { uuid: 'leg-a', direction: 'inbound' },
      { caller_id_number: '1001-w7f3', destination_number: '004930901820' },
    );
    expect(readFreeSwitch(placed)).toMatchObject([{ direction: 'outbound', farSide: { number: '004930901820' } }]);
  });

  it.each([
    ['LOSE_RACE', 'outbound', 'answered-elsewhere'],
    ['PICKED_OFF', 'outbound', 'answered-elsewhere'],
    ['ORIGINATOR_CANCEL', 'outbound', 'missed'],
    ['NO_ANSWER', 'outbound', 'missed'],
    ['CALL_REJECTED', 'outbound', 'declined'],
    ['ORIGINATOR_CANCEL', 'inbound', 'cancelled'],
    ['USER_BUSY', 'inbound', 'busy'],
    ['NO_ANSWER', 'inbound', 'no-answer'],
    ['INCOMPATIBLE_DESTINATION', 'inbound', 'failed'],
  ])('that was not answered and ended with %s on an %s leg is %s', (hangup_cause, direction, outcome) => {
    const record = freeSwitch({ hangup_cause, direction, answer_epoch: '0', answer_uepoch: '0' });
    expect(readFreeSwitch(record)).toMatchObject([{ answeredAt: null, outcome }]);
  });

  it('knows the extension by the device where no alias is told, and takes seconds where there is nothing finer', () => {
    const record = freeSwitch({
      number_alias: undefined,
      start_uepoch: undefined,
      answer_uepoch: '',
      end_uepoch: undefined,
    });
    expect(readFreeSwitch(record)).toMatchObject([
      { extension: '1001', startedAt: 1_790_000_000_000, answeredAt: 1_790_000_004_000, endedAt: 1_790_000_034_000 },
    ]);
  });

  it('tells nothing of a leg that has no device, and refuses what is no record', () => {
    expect(readFreeSwitch(freeSwitch({ sip_call_id: undefined }))).toEqual([]);
    expect(readFreeSwitch(freeSwitch({ sip_auth_username: '', number_alias: '' }))).toEqual([]);
    for (const wrong of [null, 'x', [], {}, { variables: 'x' }])
      expect(() => readFreeSwitch(wrong)).toThrow('mod_json_cdr');
    expect(() => readFreeSwitch(freeSwitch({ start_epoch: '', start_uepoch: '' }))).toThrow('startedAt');
  });
});

describe('a record in our own form', () => {
  const read = plainReader('asterisk');
  const record = {
    id: '1.2',
    state: 'ended',
    sipCallId: 'a%40b',
    conversation: '',
    extension: '1001',
    direction: 'inbound',
    number: '%2B14155550101',
    name: '%22Zo%C3%AB%22',
    started: '1790000000.25',
    answered: '0.000000',
    ended: '1790000020',
    cause: '',
  };

  it('is read as its texts say', () => {
    expect(read(record)).toEqual([
      {
        pbx: 'asterisk',
        reportId: '1.2',
        state: 'ended',
        sipCallId: 'a@b',
        conversation: null,
        extension: '1001',
        device: null,
        direction: 'inbound',
        farSide: { number: '+14155550101', name: '"Zoë"' },
        startedAt: 1_790_000_000_250,
        answeredAt: null,
        endedAt: 1_790_000_020_000,
        cause: null,
        outcome: null,
      },
    ]);
  });

  it('never ends before it began, whatever the clock did', () => {
    expect(read({ ...record, answered: '1789999990', ended: '1789999980' })).toMatchObject([
      { answeredAt: 1_790_000_000_250, endedAt: 1_790_000_000_250 },
    ]);
  });

  it('keeps a withheld number withheld', () => {
    expect(read({ ...record, number: 'anonymous' })).toMatchObject([{ farSide: { number: '' } }]);
  });

  it('is refused with the name of the field, never anything else, whatever it holds', () => {
    fc.assert(
      fc.property(
        fc.oneof(fc.anything(), fc.dictionary(fc.constantFrom(...Object.keys(record)), fc.anything())),
        (anything) => {
          const given = typeof anything === 'object' && anything !== null ? { ...record, ...anything } : anything;
          for (const reader of [read, readFreeSwitch]) {
            try {
              for (const report of reader(given))
                expect(report.endedAt ?? report.startedAt).toBeGreaterThanOrEqual(report.startedAt);
            } catch (error) {
              expect(error).toMatchObject({ code: 'request.invalid' });
            }
          }
        },
      ),
      { numRuns: 2_000 },
    );
  });
});

describe('who may send call records', () => {
  const settings: PbxRecords = {
    secret: 'the-secret-of-a-phone-system-0001',
    previousSecret: 'the-secret-it-had-before-0000001',
  };
  const body = Buffer.from('[{"id":"1"}]');
  const now = 1_790_000_000_000;
  const signed = (secret: string | Buffer, change: { at?: number; body?: Buffer; id?: string } = {}) => {
    const id = change.id ?? 'msg_1';
    const time = String(Math.floor((change.at ?? now) / 1_000));
    const mac = createHmac('sha256', secret)
      .update(`${id}.${time}.`)
      .update(change.body ?? body)
      .digest('base64');
    return { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': `v1,${mac}` };
  };
  const passes = (
    headers: Record<string, string>,
    change: Partial<Parameters<typeof proveRecords>[1]> = {},
    by = settings,
  ) => {
    try {
      proveRecords(by, { headers, body, address: '10.1.2.3', now, ...change });
      return true;
    } catch (error) {
      expect(error).toMatchObject({ code: 'identity.required' });
      return false;
    }
  };
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

  it.each([
    ['a bearer token', true, { authorization: `Bearer ${settings.secret}` }],
    ['the bearer token of before', true, { authorization: `Bearer ${settings.previousSecret}` }],
    ['a Basic password', true, { authorization: basic(`freeswitch:${settings.secret}`) }],
    ['a signature', true, signed(settings.secret)],
    ['a signature by the secret of before', true, signed(settings.previousSecret ?? '')],
    ['nothing', false, {}],
    ['an empty token', false, { authorization: 'Bearer ' }],
    ['another token', false, { authorization: 'Bearer the-secret-of-somebody-else-0001' }],
    ['another password', false, { authorization: basic('freeswitch:no') }],
    ['another scheme', false, { authorization: `Digest ${settings.secret}` }],
    ['a signature by another secret', false, signed('the-secret-of-somebody-else-0001')],
    ['an old signature', false, signed(settings.secret, { at: now - 301_000 })],
    ['a signature from the future', false, signed(settings.secret, { at: now + 301_000 })],
    ['a signature of another body', false, signed(settings.secret, { body: Buffer.from('[]') })],
    ['a wrong signature beside a right token', false, { ...signed('x'), authorization: `Bearer ${settings.secret}` }],
  ])('%s: %s', (_what, right, headers) => {
    expect(passes(headers as Record<string, string>)).toBe(right);
  });

  it('reads a secret of Standard Webhooks as its bytes', () => {
    const key = Buffer.alloc(32, 7);
    expect(passes(signed(key), {}, { secret: `whsec_${key.toString('base64')}` })).toBe(true);
  });

  it('only from the networks that are named', () => {
    const headers = { authorization: `Bearer ${settings.secret}` };
    const from = { ...settings, from: ['10.1.0.0/16', '2001:db8::/32', 'loopback'] };
    for (const address of ['10.1.2.3', '::ffff:10.1.2.3', '2001:db8::5', '127.0.0.1', '::1']) {
      expect(passes(headers, { address }, from)).toBe(true);
    }
    for (const address of ['10.2.0.1', '2001:db9::5', '', 'nonsense'])
      expect(passes(headers, { address }, from)).toBe(false);
  });
});
