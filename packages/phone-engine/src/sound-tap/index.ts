/** The door to listening along: what is sent and heard in a call, in frames for whoever transcribes it. */
export { createSoundTap, type SoundTap, type TappedCall } from './sound-tap.ts';
