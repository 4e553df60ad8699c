/** What the check of the set-up says. */
export const texts = {
  title: 'Phone set-up',
  loading: 'Looking at the set-up',
  refresh: 'Check again',
  failed: 'The set-up cannot be checked.',
  again: 'Try again',
  empty:
    'Salesforce named nothing that was looked at. Check again; if this stays, the classes of the phone are out of date.',
  users: 'Users without it',
  allWell: 'Everything that can be seen from here is well.',
  bad: (count) => (count === 1 ? '1 thing to mend.' : `${count} things to mend.`),
  unknown: (count) => (count === 1 ? '1 thing to look at yourself.' : `${count} things to look at yourself.`),
  asOf: (time) => `As of ${time}`,
  states: { good: 'Well', bad: 'To mend', unknown: 'Not visible from here' },
  names: {
    callCenter: 'Call centre',
    permissionSet: 'Permission set',
    certificate: 'Certificate',
    trustedUrl: 'Trusted URL',
  },
};
