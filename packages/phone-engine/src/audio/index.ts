/** The door to sound: microphone, speakers, ringer and tones of this frame; and listening along. */
export * from '../sound-tap/index.ts';
export { createSound } from './sound.ts';
