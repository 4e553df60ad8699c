/** The note and the wrap-up. Must hold no markup and no logic but the filling in. */
export const wrapUpTexts = {
  note: 'Note',
  notePlaceholder: 'Notes are saved while you type',
  noteSaved: 'Saved',
  noteSaving: 'Saving…',
  dispositionMissing: 'Choose an outcome first.',
  wrapUpSaved: 'Saved. The call goes to your CRM.',
  wrapUpWaiting: (name: string) => `Wrap up the call with ${name}`,
  talked: (time: string) => `${time} talked`,
  wrapUpBegins: (seconds: number) => `${seconds} seconds for the wrap-up.`,
  wrapUpLeft: (seconds: number) => `${seconds} seconds left for the wrap-up.`,
  wrapUpTimeUp: 'Time is up. What you had was saved.',
  wrapUpTimeUpMissing: 'Time is up. Choose an outcome, then save.',
} as const;
