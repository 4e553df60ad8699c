/** The hash of SIP's digest sign-in as the built panel computes it. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Md5 } from '../../scripts/panel-md5.ts';

const real = (text: string): string => createHash('md5').update(text, 'utf8').digest('hex');

it('is MD5 for every length around the edges of its blocks', () => {
  for (let length = 0; length < 200; length += 1)
    expect(Md5.hashStr('a'.repeat(length))).toBe(real('a'.repeat(length)));
});

it('is MD5 for texts of any letters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 300 }), (text) => {
      expect(Md5.hashStr(text)).toBe(real(text));
    }),
  );
});

it('answers the challenge of RFC 2617, section 3.5', () => {
  const ha1 = Md5.hashStr('Mufasa:testrealm@host.com:Circle Of Life');
  const ha2 = Md5.hashStr('GET:/dir/index.html');
  expect(Md5.hashStr(`${ha1}:dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:0a4f113b:auth:${ha2}`)).toBe(
    '6629fae49393a05397450978507c4ef1',
  );
});
