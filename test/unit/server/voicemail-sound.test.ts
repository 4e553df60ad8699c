/** The sound of messages as speech services take it, and messages as the fold of a call takes them. */
import { type AgentId, type CallId, newCallId, type TenantId, type WireEvent } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { foldCall } from '../../../server/src/call-log/fold.ts';
import { speechSound } from '../../../server/src/voicemails/speech-sound.ts';
import { goertzel, tone } from '../../sip-lab/tone.ts';
import { riff } from './wav-samples.ts';

function wav(rate: number, channels: 1 | 2, hz: number): Buffer {
  const { samples } = tone({ hz, seconds: 1, rate });
  const data = Buffer.alloc(samples.length * channels * 2);
  for (const [index, sample] of samples.entries())
    for (let channel = 0; channel < channels; channel += 1)
      data.writeInt16LE(Math.round(sample * 32_767), (index * channels + channel) * 2);
  const format = Buffer.alloc(16);
  format.writeUInt16LE(1, 0);
  format.writeUInt16LE(channels, 2);
  format.writeUInt32LE(rate, 4);
  format.writeUInt32LE(rate * channels * 2, 8);
  format.writeUInt16LE(channels * 2, 12);
  format.writeUInt16LE(16, 14);
  return riff([
    ['fmt ', format],
    ['data', data],
  ]);
}
async function heard(file: Buffer, pieceBytes: number): Promise<Buffer> {
  async function* pieces(): AsyncGenerator<Buffer> {
    for (let at = 0; at < file.length; at += pieceBytes) yield file.subarray(at, at + pieceBytes);
  }
  const out: Buffer[] = [];
  for await (const pcm of speechSound(pieces())) out.push(pcm);
  return Buffer.concat(out);
}
function loudness(pcm: Buffer, hz: number): number {
  const samples = Float32Array.from({ length: pcm.length / 2 }, (_, index) => pcm.readInt16LE(index * 2) / 32_768);
  return goertzel(samples, 16_000, hz);
}

it.each([
  [8_000, 1],
  [8_000, 2],
  [16_000, 1],
  [44_100, 2],
  [48_000, 1],
] as const)(
  '%i samples a second, %i channels, become 16,000 of one, the same however the file comes',
  async (rate, channels) => {
    const file = wav(rate, channels, 440);
    const whole = await heard(file, file.length);
    expect(Math.abs(whole.length / 2 - 16_000)).toBeLessThan(5);
    // As loud as the tone was, and nothing an octave above.
    const source = loudness(wav(16_000, 1, 440).subarray(44), 440);
    expect(loudness(whole, 440) / source).toBeGreaterThan(0.95);
    expect(loudness(whole, 880) / source).toBeLessThan(0.02);
    const inPieces = await heard(file, 997);
    expect(inPieces.length).toBe(whole.length);
    expect(inPieces.equals(whole)).toBe(true);
  },
);

it('a message makes a missed call where nothing else is known, and changes nothing else of one that is', () => {
  const callId = newCallId() as CallId;
  const owner = { callId, tenant: 'acme' as TenantId, agent: 'ada' as AgentId, extension: '1001' };
  const voicemail = newCallId();
  const from = { number: '+14155550101' };
  const data = { voicemail, mailbox: '1001', from, durationMs: 4_000 };
  const said = { call: callId, source: '/tenants/acme/relay', id: `${callId}:voicemail-${voicemail}` };
  const left = { ...said, name: 'voicemail.linked', at: 50_000, data } as WireEvent;
  const alone = foldCall(owner, [left]);
  expect(alone).toMatchObject({
    ...{ direction: 'inbound', farSide: from, startedAt: 50_000, endedAt: 54_000, outcome: 'missed', stage: 'ended' },
    ...{ talkMs: 0, voicemail: { id: voicemail, durationMs: 4_000 } },
  });
  expect(alone).not.toHaveProperty('endedByRule');
  const device = { call: callId, source: '/tenants/acme/agents/ada/devices/one' };
  const began = { ...device, name: 'call.started', at: 20_000, id: `${callId}:1` };
  const over = { ...device, name: 'call.ended', at: 40_000, id: `${callId}:2` };
  const events = [
    { ...began, data: { direction: 'inbound', farSide: from } },
    { ...over, data: { outcome: 'declined', reason: 'You declined', by: 'agent' } },
  ] as WireEvent[];
  const told = foldCall(owner, events);
  expect(foldCall(owner, [left, ...events])).toEqual({ ...told, voicemail: { id: voicemail, durationMs: 4_000 } });
  expect(foldCall(owner, [...events, left])).toEqual(foldCall(owner, [left, ...events]));
});
