/** The door to listening along: what is sent and heard in a call, in frames for whoever transcribes or records it; and the tone that tells of that. */
export { createNoticeTones } from '../audio/notice-tone.ts';
export { createSoundTap, type SoundTap, type TappedCall } from './sound-tap.ts';
