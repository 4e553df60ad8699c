/**
 * Owns which codecs this browser is told to use. Must never leave a codec in that the profile did not name, besides telephone events and comfort
 * noise, which belong to the others.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import type { Codec } from '../ports.ts';

/**
 * What the browser can, in the profile's order: first the codecs, then telephone events (RFC 4733) and comfort noise (RFC 3389) at their clock rates.
 * @param capable what the browser says of itself
 * @param codecs an empty list leaves everything as the browser has it
 * @throws PatchcordError `media.failed` when the browser has none of them
 */
export function codecsInOrder(capable: readonly RTCRtpCodec[], codecs: readonly Codec[]): readonly RTCRtpCodec[] {
  if (codecs.length === 0) return capable;
  const named = (name: string) =>
    capable.filter(({ mimeType }) => mimeType.toLowerCase() === `audio/${name.toLowerCase()}`);
  const chosen = codecs.flatMap(named);
  if (chosen.length === 0)
    throw new PatchcordError(
      'media.failed',
      `This browser has none of the codecs that the profile allows (${codecs.join(', ')}). Ask your administrator to allow another.`,
    );
  // Phones know events at 8000 Hz even where they speak opus; without opus the others would only confuse them.
  const rates = new Set([8_000, ...chosen.map(({ clockRate }) => clockRate)]);
  const companions = [...named('telephone-event'), ...named('CN')].filter(({ clockRate }) => rates.has(clockRate));
  return [...chosen, ...companions];
}
