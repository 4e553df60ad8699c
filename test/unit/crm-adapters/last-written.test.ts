import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  fingerprints,
  fromStored,
  ownChanges,
  plainSpelling,
  toStored,
} from '../../../packages/crm-adapters/src/last-written.ts';

describe('what may be written again', () => {
  it('writes what is still ours', () => {
    const written = fingerprints({ note: 'first' });
    expect(ownChanges({ note: 'second' }, { note: 'first' }, written)).toEqual({
      changes: { note: 'second' },
      own: { note: 'second' },
      written: fingerprints({ note: 'second' }),
    });
  });

  it('keeps what a person wrote, also when they emptied it', () => {
    const written = fingerprints({ note: 'first' });
    for (const now of ['by hand', '', null])
      expect(ownChanges({ note: 'second' }, { note: now }, written)).toEqual({ changes: {}, own: {}, written });
  });

  it('fills what was never written and is empty, and leaves it when somebody was faster', () => {
    expect(ownChanges({ note: 'a' }, { note: null }, {}).changes).toEqual({ note: 'a' });
    expect(ownChanges({ note: 'a' }, { note: 'theirs' }, {}).changes).toEqual({});
  });

  it('takes a value back as its own that a person set to what we want', () => {
    const { changes, written } = ownChanges({ note: 'same' }, { note: 'same' }, fingerprints({ note: 'old' }));
    expect(changes).toEqual({});
    expect(ownChanges({ note: 'next' }, { note: 'same' }, written).changes).toEqual({ note: 'next' });
  });

  it('does not mind line ends and spaces around', () => {
    const written = fingerprints({ note: 'one\ntwo' });
    expect(ownChanges({ note: 'three' }, { note: 'one\r\ntwo ' }, written).changes).toEqual({ note: 'three' });
  });

  it('never overwrites a text that nobody of us wrote', () => {
    fc.assert(
      fc.property(fc.string(), fc.string({ minLength: 1 }), fc.string(), (ours, theirs, next) => {
        fc.pre(plainSpelling('note', theirs) !== plainSpelling('note', ours) && plainSpelling('note', theirs) !== '');
        const { changes } = ownChanges({ note: next }, { note: theirs }, fingerprints({ note: ours }));
        expect(changes).toEqual({});
      }),
    );
  });

  it('leaves nothing that passes for a person’s, in whatever order two relays read and write', () => {
    const version = fc.record({ note: fc.constantFrom('', 'a', 'b'), outcome: fc.constantFrom('live', 'ended') });
    // Each writes what it made of what it read then, also where the other wrote meanwhile.
    const steps = fc.shuffledSubarray(['read 0', 'read 1', 'write 0', 'write 1'], { minLength: 4 });
    fc.assert(
      fc.property(version, fc.tuple(version, version), steps, (first, wants, order) => {
        let stands = { fields: first as Record<string, unknown>, written: fingerprints(first) };
        const read = [stands, stands];
        for (const step of order) {
          const who = Number(step.slice(-1)) as 0 | 1;
          if (step.startsWith('read')) read[who] = stands;
          else {
            const { fields, written } = read[who] ?? stands;
            const { changes, own, written: next } = ownChanges(wants[who], fields, written);
            if (Object.keys(changes).length > 0) stands = { fields: { ...stands.fields, ...own }, written: next };
          }
        }
        expect(stands.written).toEqual(fingerprints(stands.fields as typeof first));
      }),
    );
  });

  it('survives storing, and knows nothing from an unreadable store', () => {
    const written = fingerprints({ a: 'x', b: 7, c: null });
    expect(fromStored(toStored(written))).toEqual(written);
    for (const text of [null, undefined, '', 'no json', '[]', '7', 'null']) expect(fromStored(text)).toEqual({});
    expect(fromStored('{"a":"x","b":7}')).toEqual({ a: 'x' });
  });
});
