/** What a screen reader is told. Must hold no markup and no logic but the filling in. */
export const spokenTexts = {
  announceIncoming: (name: string) => `Incoming call from ${name}. Alt A answers, Alt X declines.`,
  stoppedRinging: (name: string) => `The call from ${name} stopped ringing.`,
  announceDialing: (name: string) => `Calling ${name}.`,
  announceRinging: (name: string) => `Ringing ${name}.`,
  announceConnected: (name: string) => `Connected with ${name}.`,
  announceEnded: (name: string, reason: string) => `The call with ${name} ended. ${reason}`.trim(),
  announceHeld: (name: string) => `${name} is on hold.`,
  announceResumed: (name: string) => `Talking to ${name} again.`,
  announceFarHeld: (name: string) => `${name} put you on hold.`,
  announceMuted: 'You are muted.',
  announceUnmuted: 'You can be heard again.',
  announceMatches: (count: number) => `${count} records have this number. Choose one.`,
  announceRecord: (name: string) => `The record is ${name}.`,
  announceLineReady: 'The line is ready.',
  announceWindowGone: 'The phone window is gone. Open it to call and to be called.',
  announceLineLost: 'The line is away. It comes back by itself.',
} as const;
