/**
 * The hashes of SIP's digest sign-in: MD5 (RFC 1321), which RFC 3261 section 22 asks for, and SHA-256 (FIPS 180-4), which RFC 8760 adds. Written here
 * because sip.js answers at once, in the middle of a message, and the browser's own hashes answer later. Must never be used for anything that only
 * we decide, and never for anything that is stored.
 */

const words64 = Array.from({ length: 64 }, (_, at) => at);
const primes: number[] = [];
for (let candidate = 2; primes.length < 64; candidate += 1)
  if (primes.every((prime) => candidate % prime > 0)) primes.push(candidate);

/** The first 32 bits behind the point. */
const fraction = (value: number): number => ((value % 1) * 2 ** 32) | 0;

const sines = words64.map((at) => (Math.abs(Math.sin(at + 1)) * 2 ** 32) | 0);
const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const cubeRoots = primes.map((prime) => fraction(Math.cbrt(prime)));
const squareRoots = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

const right = (word: number, by: number): number => (word >>> by) | (word << (32 - by));

/** The text as UTF-8, padded to whole blocks of 16 words; both hashes pad alike and differ in the order of bytes. */
function blocksOf(text: string, bigEndian: boolean): Int32Array {
  const bytes = new TextEncoder().encode(text);
  const length = (((bytes.length + 8) >> 6) + 1) * 16;
  const view = new DataView(new ArrayBuffer(length * 4));
  bytes.forEach((byte, at) => {
    view.setUint8(at, byte);
  });
  view.setUint8(bytes.length, 0x80);
  view.setUint32((length - (bigEndian ? 1 : 2)) * 4, bytes.length * 8, !bigEndian);
  return Int32Array.from({ length }, (_, at) => view.getInt32(at * 4, !bigEndian));
}

function hex(sum: readonly number[], bigEndian: boolean): string {
  const view = new DataView(new ArrayBuffer(sum.length * 4));
  sum.forEach((word, at) => {
    view.setInt32(at * 4, word, !bigEndian);
  });
  return Array.from(new Uint8Array(view.buffer), (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** MD5 of a text as UTF-8, in hex. */
export function md5(text: string): string {
  const words = blocksOf(text, false);
  const sum = [0x67452301, 0xefcdab89 | 0, 0x98badcfe | 0, 0x10325476];
  for (let block = 0; block < words.length; block += 16) {
    let [a = 0, b = 0, c = 0, d = 0] = sum;
    for (const at of words64) {
      const round = at >> 4;
      const mixed = [(b & c) | (~b & d), (b & d) | (c & ~d), b ^ c ^ d, c ^ (b | ~d)][round] ?? 0;
      const word = words[block + (([at, 5 * at + 1, 3 * at + 5, 7 * at][round] ?? 0) & 15)] ?? 0;
      const turned = right((a + mixed + (sines[at] ?? 0) + word) | 0, 32 - (shifts[round * 4 + (at & 3)] ?? 0));
      [a, b, c, d] = [d, (b + turned) | 0, b, c];
    }
    [a, b, c, d].forEach((part, at) => {
      sum[at] = ((sum[at] ?? 0) + part) | 0;
    });
  }
  return hex(sum, false);
}

/** SHA-256 of a text as UTF-8, in hex. */
export function sha256(text: string): string {
  const words = blocksOf(text, true);
  const sum = [...squareRoots];
  const schedule = new Int32Array(64);
  for (let block = 0; block < words.length; block += 16) {
    let [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = sum;
    for (const at of words64) {
      const early = schedule[at - 15] ?? 0;
      const late = schedule[at - 2] ?? 0;
      schedule[at] =
        at < 16
          ? (words[block + at] ?? 0)
          : (schedule[at - 16] ?? 0) +
            (right(early, 7) ^ right(early, 18) ^ (early >>> 3)) +
            (schedule[at - 7] ?? 0) +
            (right(late, 17) ^ right(late, 19) ^ (late >>> 10));
      const first =
        h +
        (right(e, 6) ^ right(e, 11) ^ right(e, 25)) +
        ((e & f) ^ (~e & g)) +
        (cubeRoots[at] ?? 0) +
        (schedule[at] ?? 0);
      const second = (right(a, 2) ^ right(a, 13) ^ right(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
      [a, b, c, d, e, f, g, h] = [(first + second) | 0, a, b, c, (d + first) | 0, e, f, g];
    }
    [a, b, c, d, e, f, g, h].forEach((part, at) => {
      sum[at] = ((sum[at] ?? 0) + part) | 0;
    });
  }
  return hex(sum, true);
}
