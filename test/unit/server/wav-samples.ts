/** WAV files with known tones, as phone systems would make them, and what is heard in one. Owns no file on disk. */
import { goertzel, parseWav, tone } from '../../sip-lab/tone.ts';

const rate = 8_000;

/** A WAV file of one or two tones, one per channel, 16-bit PCM unless a codec says otherwise. */
export function wavOf(
  hertz: readonly [number] | readonly [number, number],
  options: { seconds?: number; codec?: 'pcm16' | 'alaw' | 'ulaw'; dataLength?: number; extra?: Buffer } = {},
): Buffer {
  const { seconds = 1, codec = 'pcm16' } = options;
  const channels = hertz.map((hz) => tone({ hz, seconds, rate }).samples);
  const width = codec === 'pcm16' ? 2 : 1;
  const data = Buffer.alloc((channels[0]?.length ?? 0) * channels.length * width);
  for (const [channel, samples] of channels.entries()) {
    for (const [index, sample] of samples.entries()) {
      const at = (index * channels.length + channel) * width;
      // G.711 is not read here: bytes that tell the channels apart are enough.
      if (codec === 'pcm16') data.writeInt16LE(Math.round(sample * 32_767), at);
      else data[at] = channel === 0 ? 0x11 : 0x22;
    }
  }
  const code = { pcm16: 1, alaw: 6, ulaw: 7 }[codec];
  const format = Buffer.alloc(16);
  format.writeUInt16LE(code, 0);
  format.writeUInt16LE(channels.length, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt32LE(rate * channels.length * width, 8);
  format.writeUInt16LE(channels.length * width, 12);
  format.writeUInt16LE(width * 8, 14);
  return riff([
    ['fmt ', format],
    ...(options.extra === undefined ? [] : [['LIST', options.extra] as const]),
    ['data', data, options.dataLength],
  ]);
}

/** A RIFF/WAVE file of these chunks; a length that is given stands in the place of the true one. */
export function riff(chunks: readonly (readonly [string, Buffer, (number | undefined)?])[]): Buffer {
  const body = chunks.flatMap(([name, data, length = data.length]) => {
    const head = Buffer.alloc(8);
    head.write(name, 0, 'latin1');
    head.writeUInt32LE(length, 4);
    return [head, data, Buffer.alloc(data.length % 2)];
  });
  const whole = Buffer.concat([Buffer.from('RIFF\0\0\0\0WAVE', 'latin1'), ...body]);
  whole.writeUInt32LE(whole.length - 8, 4);
  return whole;
}

/** How loud a tone is on a channel (1 or 2) of a 16-bit PCM file of two channels; 0.25 where it was made above. */
export function loudness(wav: Buffer, channel: 1 | 2, hz: number): number {
  const start = wav.indexOf('data') + 8;
  const alone = Buffer.alloc((wav.length - start) / 2);
  for (let at = 0; at < alone.length; at += 2)
    wav.copy(alone, at, start + at * 2 + (channel - 1) * 2, start + at * 2 + channel * 2);
  const mono = riff([
    ['fmt ', Buffer.from('01000100401f0000803e000002001000', 'hex')],
    ['data', alone],
  ]);
  const { samples } = parseWav(mono);
  return goertzel(samples, rate, hz);
}
