/** The time zone of the user in tests. */
export default 'America/Los_Angeles';
