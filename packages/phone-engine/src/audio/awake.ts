/**
 * Keeps a context at the pace of the sound card that mixes for a call and plays nothing itself. After 30 s of nothing Chromium takes the card away from a
 * context and drives it by a timer (`media::SilentSinkSuspender`, crbug.com/40247085), which is late on a busy computer, and what is late is lost to the
 * far side. Owns how nearly nothing is written; must never be heard.
 */

/** -140 dB. */
export const nearlyNothing = 1e-7;

/** Until the context is closed. */
export function keepAwake(context: BaseAudioContext): void {
  const source = context.createConstantSource();
  source.offset.value = nearlyNothing;
  source.connect(context.destination);
  source.start();
}
