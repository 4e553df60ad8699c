/** Records: who it is, what it is about. Must hold no markup and no logic but the filling in. */
export const recordTexts = {
  // Who is it
  searching: 'Looking for the caller…',
  notFound: 'Not in your CRM',
  lookupFailed: 'Your CRM could not be asked. The call goes on.',
  chooseTitle: (count: number) => `${count} records have this number. Which one is it?`,
  changeRecord: 'Change',
  matchFromHost: 'Found by your CRM',
  matchInFront: 'Open in front of you',
  useShownRecord: (name: string) => `Link to ${name}`,
  shownRecordFallback: 'the open record',

  // What is it about
  about: 'About',
  aboutThis: (name: string) => `It is about ${name}`,
  aboutChoose: 'What is it about?',
  aboutChange: 'what the call is about',
  aboutNothing: 'Nothing in particular',
  aboutInFront: 'Open in front of you',
  aboutChosen: 'Chosen for this call',
  aboutLoading: 'Looking for open cases and deals…',
  aboutNone: (name: string) => `Nothing is open for ${name}.`,
  aboutFound: (count: number) => (count === 1 ? 'One record is open.' : `${count} records are open.`),
  aboutFailed: 'Open cases and deals could not be loaded.',
} as const;
