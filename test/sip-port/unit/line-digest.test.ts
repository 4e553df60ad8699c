/** The hashes of SIP's digest sign-in, against the published vectors and against the system's own. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { md5, sha256 } from '../../../packages/phone-engine/src/sip/digest.ts';

const real = (name: string, text: string): string => createHash(name).update(text, 'utf8').digest('hex');

describe.each([
  ['md5', md5],
  ['sha256', sha256],
] as const)('%s', (name, ours) => {
  it('is right for every length around the edges of its blocks', () => {
    for (let length = 0; length < 200; length += 1)
      expect(ours('a'.repeat(length))).toBe(real(name, 'a'.repeat(length)));
  });

  it('is right for texts of any letters', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
        expect(ours(text)).toBe(real(name, text));
      }),
    );
  });
});

it('gives the vectors of RFC 1321 and FIPS 180-4', () => {
  expect(md5('message digest')).toBe('f96b697d7cb7938d525a2f31aaf161d0');
  expect(sha256('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq')).toBe(
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  );
  expect(sha256('a'.repeat(1_000_000))).toBe('cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0');
});
