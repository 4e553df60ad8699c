/** The door to sound: microphone, speakers, ringer and tones of this frame; noise suppression; and listening along. */
export { loadNoiseSuppression, type NoiseSuppressor, type NoiseTrouble } from '../noise/load.ts';
export * from '../sound-tap/index.ts';
export { createSound } from './sound.ts';
