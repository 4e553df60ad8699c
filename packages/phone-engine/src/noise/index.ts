/**
 * Noise suppression on the device: RNNoise, loaded and tried before any sound goes through it. A part of its own (docs/adr/0015): whoever wants it says
 * `loadNoiseSuppression`. Must never stand in the way of a call: whatever it can't do, the microphone as it is can.
 */
import { rnnoiseAddress } from './addresses.ts';
import { type GraphTrouble, suppressedMicrophone } from './suppressed-microphone.ts';

/** `not-loaded`: the network or the relay. `forbidden`: the page's policy, or a browser that is too old, does not let it run. */
export type NoiseTrouble = GraphTrouble | 'not-loaded' | 'forbidden';

export interface NoiseSuppressor {
  /**
   * Lets a microphone through it. The caller asks for one without the browser's own suppression.
   * @param microphone ends with the track that is returned
   * @param tell called once at most: from then on the track has the sound as it is
   * @returns a track that gives sound; or why not, and then the microphone is still the caller's
   */
  suppress(
    microphone: MediaStreamTrack,
    tell: (trouble: NoiseTrouble) => void,
  ): Promise<MediaStreamTrack | NoiseTrouble>;
}

/** Loads RNNoise, and compiles it once here: in the audio thread a policy that forbids it is a silence without an error. */
export async function openNoiseSuppressor(): Promise<NoiseSuppressor | NoiseTrouble> {
  let rnnoise: ArrayBuffer;
  try {
    const response = await fetch(rnnoiseAddress());
    if (!response.ok) return 'not-loaded';
    rnnoise = await response.arrayBuffer();
  } catch {
    return 'not-loaded';
  }
  try {
    await WebAssembly.compile(rnnoise);
  } catch {
    return 'forbidden';
  }
  return { suppress: (microphone, tell) => suppressedMicrophone(microphone, rnnoise, tell) };
}
