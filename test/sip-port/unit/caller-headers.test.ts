/** What a message says about people, whoever wrote it. */
import { describe, expect, it } from 'vitest';
import {
  answersAfter,
  diversion,
  identified,
  readAddress,
  valuesOf,
  verification,
} from '../../../packages/phone-engine/src/sip/caller-headers.ts';
import { reasonText, saysElsewhere } from '../../../packages/phone-engine/src/sip/reason.ts';
import { message } from './messages.ts';

describe('an address', () => {
  it.each([
    ['"Ada \\"A\\" Example" <sip:+1415:secret@x.example;user=phone>;tag=1', 'Ada "A" Example', '+1415', 'x.example'],
    ['Ada <sips:2001@[::1]:5061>', 'Ada', '2001', '[::1]'],
    ['sip:2001@x.example;tag=1', undefined, '2001', 'x.example'],
    ['<tel:+14155550101;phone-context=x>', '', '+14155550101;phone-context=x', ''],
    ['<sip:x.example>', '', undefined, 'x.example'],
  ])('is read: %s', (text, displayName, user, host) => {
    expect(readAddress(text)).toMatchObject({ displayName, user, host });
  });

  it.each(['', '<>', '<http://x>', 'x', '"', '<sip:', `"${'\\'.repeat(9_000)}`])('is not made up: %s', (text) => {
    expect(readAddress(text)).toBeNull();
  });

  it('is one of several only where the commas separate', () => {
    const several = message(
      ['P-Asserted-Identity', '"Doe, Jane" <sip:1@x>, <tel:+1,2>, '],
      ['P-Asserted-Identity', '<sip:3@x>'],
    );
    expect(valuesOf(several, 'p-asserted-identity')).toEqual(['"Doe, Jane" <sip:1@x>', '<tel:+1,2>', '<sip:3@x>']);
    expect(valuesOf(message(['To', ','.repeat(9_000)], ['To', 'a,'.repeat(900)]), 'to')).toHaveLength(20);
  });
});

describe('who the far side is', () => {
  it.each([
    [[['P-Asserted-Identity', '<tel:+1415>, "Ada" <sip:2001@x>']], { number: '2001', name: 'Ada' }],
    [[['Remote-Party-ID', '"Ada" <sip:2001@x>;party=called;privacy=off']], { number: '2001', name: 'Ada' }],
    [[['Remote-Party-ID', '"Ada" <sip:2001@x>;privacy=full']], undefined],
    [
      [
        ['P-Asserted-Identity', '<sip:2001@x>'],
        ['Privacy', 'id;critical'],
      ],
      undefined,
    ],
    [[['P-Asserted-Identity', '<sip:anonymous@anonymous.invalid>']], undefined],
    [[['P-Asserted-Identity', 'rubbish']], undefined],
    [[], undefined],
  ] as const)('%j', (lines, party) => {
    expect(identified(message(...lines))).toEqual(party);
  });
});

describe('for whom a call was', () => {
  it.each([
    [[['Diversion', '<sip:1@x>;reason="user-busy", <sip:2@x>;reason=no-answer']], { number: '1' }, 'busy'],
    [[['Diversion', '"Ada" <sip:1@x>;privacy=full;reason=unconditional']], { number: '' }, 'unconditional'],
    [[['Diversion', `<sip:1@x>;reason=${'x'.repeat(500)}`]], { number: '1' }, 'x'.repeat(60)],
    [
      [['History-Info', '<sip:1@x?Reason=SIP%3Bcause%3D486>;index=1, <sip:2@x;cause=486>;index=1.1;mp=1']],
      { number: '1' },
      'busy',
    ],
    [
      [
        ['History-Info', '"Ada" <sip:1@x>;index=1'],
        ['History-Info', '<sip:2@x;cause=408>;index=1.1;mp=1'],
        ['History-Info', '<sip:2@192.0.2.1>;index=1.1.1;rc=1.1'],
      ],
      { number: '1', name: 'Ada' },
      'no answer',
    ],
  ] as const)('%j', (lines, from, reason) => {
    expect(diversion(message(...lines))).toEqual({ from, reason });
  });

  it('was for us when it only found its way', () => {
    const lines = [['History-Info', '<sip:1@x>;index=1, <sip:1@192.0.2.1>;index=1.1;rc=1']] as const;
    expect(diversion(message(...lines))).toBeUndefined();
    expect(diversion(message())).toBeUndefined();
  });
});

it.each([
  [['P-Asserted-Identity', '<tel:+1;verstat=TN-Validation-Passed>'], 'passed'],
  [['From', '<sip:+1;verstat=TN-Validation-Failed@x>;tag=1'], 'failed'],
  [['From', '<sip:+1@x;user=phone>;tag=1;verstat=TN-Validation-Passed-A'], 'passed'],
  [['P-Asserted-Identity', '<tel:+1;verstat=No-TN-Validation>'], undefined],
  [['From', '"verstat=TN-Validation-Passed" <sip:+1@x>'], undefined],
] as const)('a number is checked as %j says: %s', (line, found) => {
  expect(verification(message(line))).toBe(found);
});

it.each([
  [['Call-Info', '<sip:x>;purpose=icon, <sip:x>;answer-after=3'], 3_000],
  [['Call-Info', '<sip:x>;answer-after=999999'], 60_000],
  [['Call-Info', '<sip:x>'], undefined],
  [['Alert-Info', 'info=alert-autoanswer'], 0],
  [['Alert-Info', '<http://127.0.0.1>;info=alert-autoanswer;delay=2'], 2_000],
  [['Alert-Info', 'Auto Answer'], 0],
  [['Alert-Info', '<ring-answer>'], 0],
  [['Alert-Info', '<http://x/bell.wav>'], undefined],
  [['Answer-Mode', 'Auto;require'], 0],
  [['Priv-Answer-Mode', 'auto'], 0],
  [['Answer-Mode', 'Manual'], undefined],
] as const)('a call answers itself as %j says: after %s ms', (line, ms) => {
  expect(answersAfter(message(line))).toBe(ms);
});

it('a Reason is shown, bounded, and tells whether somebody else answered', () => {
  expect(reasonText('Q.850;cause=16;text="Normal"')).toBe('Normal');
  expect(reasonText(`SIP;text="${'x'.repeat(200)}"`)).toBe('');
  expect(saysElsewhere('SIP ;cause=200 ;text="Call completed elsewhere"')).toBe(true);
  expect(saysElsewhere('Q.850;cause=26')).toBe(true);
  expect(saysElsewhere('SIP;cause=487;text="ORIGINATOR_CANCEL"')).toBe(false);
  expect(saysElsewhere(undefined)).toBe(false);
});
