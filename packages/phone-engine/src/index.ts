/** The phone engine's door: the call machine, its ports, the runtime, one owner and many mirrors. sip.js is behind `./sip`. */

export { type RecordingSteps, recordingSteps } from './call-recording.ts';
export { readDialogs } from './kept-dialogs.ts';
export * from './line-lease.ts';
export * from './phone.ts';
export * from './ports.ts';
export * from './selectors.ts';
export * from './shared-phone.ts';
export * from './state.ts';
export { type Transition, transition } from './transition.ts';
