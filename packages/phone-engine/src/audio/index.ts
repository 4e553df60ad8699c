/** The door to sound: microphone, speakers, ringer and tones of this frame. */
export { createSound } from './sound.ts';
