/** What the list of calls says. */
export const texts = {
  title: 'Calls',
  loading: 'Loading calls',
  empty: 'No calls with this record yet.',
  emptyHint: 'Every call appears here by itself, once.',
  failed: 'The calls cannot be shown.',
  again: 'Try again',
  refresh: 'Refresh calls',
  more: 'Load more',
  moreFailed: 'Older calls cannot be loaded.',
  listen: 'Recording and transcript',
  read: 'Transcript',
  close: 'Close',
  unknown: 'Withheld number',
};
