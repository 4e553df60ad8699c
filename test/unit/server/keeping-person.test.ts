import type { E164 } from '@patchcord/call-protocol';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { blank, holds, isReadable, mentionsOf, withoutPerson } from '../../../server/src/keeping/person.ts';

const american = mentionsOf('+14155550101' as E164);
const british = mentionsOf('+442079460958' as E164);

describe('a person’s number in a text', () => {
  it.each([
    '+14155550101',
    '14155550101',
    '4155550101',
    '(415) 555-0101',
    'call 415.555.0101, please',
    '+1 (415) 555 0101',
    '001 415 555 0101',
    'sip:+14155550101@pbx',
    '"4155550101"',
  ])('is found in "%s"', (text) => {
    expect(holds(text, american)).toBe(true);
    expect(withoutPerson(text, american)).not.toMatch(/5550101|555.0101/);
  });

  it.each(['+442079460958', '020 7946 0958', '+44 (0)20 7946 0958', '0044 20 7946 0958', '(020) 79460958'])(
    'is found in "%s", as its country writes it',
    (text) => {
      expect(holds(text, british)).toBe(true);
      expect(withoutPerson(text, british)).not.toMatch(/0958/);
    },
  );

  it.each([
    '+14155550102',
    '41555501011',
    '94155550101',
    '+14155550',
    '',
    'no number',
    '00000000-0000-4000-8000-000000000001',
  ])('is not found in "%s"', (text) => {
    expect(holds(text, american)).toBe(false);
    expect(withoutPerson(text, american)).toBe(text);
  });

  it('goes from JSON with the name that stands beside it, and JSON stays JSON', () => {
    const text = JSON.stringify({
      farSide: { number: '(415) 555-0101', e164: '+14155550101', name: 'Grace' },
      note: 'call 415-555-0101 back',
      body: JSON.stringify({ to: '+14155550101' }),
      other: { number: '+14155550102', e164: '+14155550102', name: 'Ada' },
      n: 4155550101,
      '+14155550101': 1,
    });
    expect(JSON.parse(withoutPerson(text, american))).toEqual({
      farSide: { number: blank, name: blank },
      note: `call ${blank} back`,
      body: JSON.stringify({ to: blank }),
      other: { number: '+14155550102', e164: '+14155550102', name: 'Ada' },
      n: null,
      [blank]: 1,
    });
  });

  it('leaves an event that can be read', () => {
    const event = {
      specversion: '1.0',
      id: '00000000-0000-4000-8000-000000000001:1',
      source: '/x',
      type: 'dev.patchcord.call.started.v1',
      subject: '00000000-0000-4000-8000-000000000001',
      time: '2026-11-21T10:00:00.000Z',
      datacontenttype: 'application/json',
      data: { direction: 'inbound', farSide: { number: '+14155550101', e164: '+14155550101', name: 'Grace' } },
    };
    const text = withoutPerson(JSON.stringify(event), american);
    expect(text).not.toContain('4155550101');
    expect(isReadable(text)).toBe(true);
    expect(isReadable('{}')).toBe(false);
  });

  it('leaves nothing to find, whatever stands around it', () => {
    const around = fc.string().filter((text) => !/\d/.test(text));
    fc.assert(
      fc.property(around, around, (before, after) => {
        expect(holds(withoutPerson(`${before}+14155550101${after}`, american), american)).toBe(false);
      }),
    );
  });
});
