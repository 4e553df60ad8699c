/**
 * MD5 (RFC 1321) for SIP's digest sign-in (RFC 3261 section 22), which asks for it. Stands in the panel for sip.js' own, which is much longer. Must
 * never be used for anything that only we decide.
 */

const shifts = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21];
const sines = Array.from({ length: 64 }, (_, at) => Math.floor(Math.abs(Math.sin(at + 1)) * 2 ** 32) | 0);

/** Under the name, and with the one method, that sip.js asks for. */
export const Md5 = {
  /** The hash of a text as UTF-8, in hex. */
  hashStr(text: string): string {
    const bytes = new TextEncoder().encode(text);
    const words = new Int32Array((((bytes.length + 8) >> 6) + 1) * 16);
    const put = (byte: number, at: number): void => {
      words[at >> 2] = (words[at >> 2] ?? 0) | (byte << ((at & 3) * 8));
    };
    bytes.forEach(put);
    put(0x80, bytes.length);
    words[words.length - 2] = bytes.length * 8;
    const sum = Int32Array.of(0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476);
    for (let block = 0; block < words.length; block += 16) {
      let [a = 0, b = 0, c = 0, d = 0] = sum;
      for (let at = 0; at < 64; at += 1) {
        const round = at >> 4;
        const mixed = [(b & c) | (~b & d), (b & d) | (c & ~d), b ^ c ^ d, c ^ (b | ~d)][round] ?? 0;
        const word = words[block + (([at, 5 * at + 1, 3 * at + 5, 7 * at][round] ?? 0) & 15)] ?? 0;
        const turned = (a + mixed + (sines[at] ?? 0) + word) | 0;
        const by = shifts[round * 4 + (at & 3)] ?? 0;
        a = d;
        d = c;
        c = b;
        b = (b + ((turned << by) | (turned >>> (32 - by)))) | 0;
      }
      [a, b, c, d].forEach((part, at) => {
        sum[at] = (sum[at] ?? 0) + part;
      });
    }
    return [...new Uint8Array(sum.buffer)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  },
};
