/**
 * Owns the sound of telephone keys: two frequencies each (ITU-T Q.23), as a track that a call sends instead of the microphone.
 * Must never leave an audio context open behind it.
 */
import type { ClockPort } from '../ports.ts';

const rows = [697, 770, 852, 941];
const columns = [1209, 1336, 1477, 1633];
const keys = '123A456B789C*0#D';

/** Longer than a telephone event: what a lost packet leaves of it must still be recognised (40 ms, ITU-T Q.24). Seconds. */
const toneSeconds = 0.16;
const gapSeconds = 0.09;
const pauseSeconds = 2;
/** The change of tracks must be over before the first tone, and the last tone before the change back. */
const leadSeconds = 0.3;
/** Amplitude of each of the two, as a part of full scale. */
const level = 0.2;
const rampSeconds = 0.005;
const startMs = 1_000;
const graceMs = 3_000;
const pollMs = 20;

/** The two frequencies of a key in Hz, or undefined for a character that is no key. */
export function frequenciesOf(key: string): readonly [number, number] | undefined {
  const index = key.length === 1 ? keys.indexOf(key) : -1;
  const row = rows[index >> 2];
  const column = columns[index & 3];
  return index < 0 || row === undefined || column === undefined ? undefined : [row, column];
}

/**
 * Sounds the keys, one after the other; `,` is a pause of two seconds.
 * @param send takes the track, and undefined when it is over
 * @returns why it could not be done, or an empty text
 */
export async function soundKeys(
  digits: string,
  send: (track: MediaStreamTrack | undefined) => Promise<void>,
  newContext: () => AudioContext,
  clock: ClockPort,
): Promise<string> {
  let context: AudioContext | undefined;
  let track: MediaStreamTrack | undefined;
  try {
    context = newContext();
    if (context.state !== 'running') await Promise.race([context.resume(), after(clock, startMs)]);
    if (context.state !== 'running') return 'The browser keeps sound back. Click into this page and send them again.';
    const output = context.createMediaStreamDestination();
    [track] = output.stream.getAudioTracks();
    if (!track) return 'This browser cannot make key tones.';
    await send(track);
    const end = write(context, output, digits) + leadSeconds;
    // By the clock of the sound, which may stand still for a moment; but never for ever.
    const deadline = clock.now() + (end - context.currentTime) * 1_000 + graceMs;
    while (context.currentTime < end && clock.now() < deadline) await after(clock, pollMs);
    return '';
  } catch {
    return 'This browser could not make the key tones.';
  } finally {
    await send(undefined).catch(() => {});
    track?.stop();
    await context?.close().catch(() => {});
  }
}

/** Writes all tones into the context's clock; returns when they are over by that clock, in seconds. */
function write(context: AudioContext, output: AudioNode, digits: string): number {
  let at = context.currentTime + leadSeconds;
  for (const key of digits) {
    const frequencies = frequenciesOf(key);
    if (!frequencies) {
      at += pauseSeconds;
      continue;
    }
    const gain = context.createGain();
    gain.gain.setValueAtTime(0, at);
    gain.gain.linearRampToValueAtTime(level, at + rampSeconds);
    gain.gain.setValueAtTime(level, at + toneSeconds - rampSeconds);
    gain.gain.linearRampToValueAtTime(0, at + toneSeconds);
    gain.connect(output);
    for (const frequency of frequencies) {
      const oscillator = context.createOscillator();
      oscillator.frequency.value = frequency;
      oscillator.connect(gain);
      oscillator.start(at);
      oscillator.stop(at + toneSeconds);
    }
    at += toneSeconds + gapSeconds;
  }
  return at;
}

function after(clock: ClockPort, ms: number): Promise<void> {
  return new Promise((resolve) => clock.setTimeout(resolve, ms));
}
