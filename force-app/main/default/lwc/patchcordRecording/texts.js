/** What the player says. */
export const texts = {
  player: 'Recording of the call',
  noRecording:
    'The recording is not available. It may have been deleted, or its link has expired, or your network does not reach it.',
  speed: 'Speed',
  back: 'Back 10 seconds',
  ahead: 'Ahead 10 seconds',
  transcript: 'Transcript',
  search: 'Search the transcript',
  loading: 'Loading the transcript',
  noTranscript: 'No transcript was written.',
  failed: 'The transcript cannot be read.',
  nothingFound: 'No line has these words.',
  found: (count) => (count === 1 ? '1 line' : `${count} lines`),
};
