/** A side of a call that nobody transcribes: its sound is done as soon as it is there. For a stream that is recorded alone. Pure but for its place. */
import type { Channel } from '../speech/channel-contract.ts';
import type { SpeechToText } from '../speech/speech-to-text.ts';

const bytesPerMs = 32;

/** The service of such a stream. */
export const nobody: SpeechToText = {
  open: () => {
    throw new Error('nobody transcribes this call');
  },
};

export function createDeafChannel(): Channel {
  let settledMs = 0;
  return {
    hear: (pcm, atMs) => {
      settledMs = atMs + pcm.byteLength / bytesPerMs;
    },
    get settledMs() {
      return settledMs;
    },
    forget: () => {},
    finish: () => Promise.resolve(),
    drop: () => {},
  };
}
