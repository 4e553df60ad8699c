/** What is spoken in tests of the sound socket, and how a service hears it. */
import type { Decode } from '../speech/decode.ts';
import { speak, toneDecoder } from '../speech/tone-alphabet.ts';

const rate = 16_000;

/** Hears both alphabets: a syllable in the wrong channel would be seen. */
export const bothEars: Decode = (hz) => {
  const ears = [toneDecoder('near')(hz), toneDecoder('far')(hz)];
  return {
    push: (samples) => ears.flatMap((ear) => ear.push(samples)),
    flush: () => ears.flatMap((ear) => ear.flush()),
  };
};
/** The agent says this. */
export const near = (...words: string[]): Int16Array => speak(words, { alphabet: 'near', rate });
/** The far side says this. */
export const far = (...words: string[]): Int16Array => speak(words, { alphabet: 'far', rate });
/** Nobody speaks, and the page sends that: the other way is `null`. */
export const silent = new Int16Array(0);
