/** The page around the phone: what it asks for, and what stands on its own bar. Must hold no markup and no logic but the filling in. */
export const pageTexts = {
  // Wishes of the page around the phone
  pageAsksToDial: (who: string) => `This page asks to call ${who}. The number is ready; press Call if you want to.`,
  pageWhileTyping: 'The agent is typing a number.',
  pageFloods: 'Too many commands at once. Wait ten seconds.',
  pageMayNot: 'The phone does not take this from the page. An administrator can allow it (pageCommands).',
  pageCallUnknown: 'This call is no longer there.',
  dialTwice: 'The same click was heard twice.',

  // Host label
  hostReady: 'Patchcord: ready',
  hostUnavailable: 'Patchcord: away',
  hostOffline: 'Patchcord: offline',
  hostRinging: (name: string) => `${name} is calling`,
  hostInCall: (name: string) => `In a call: ${name}`,
  hostWrapUp: 'Patchcord: wrap up',
  notOpened: (reason: string) => `Nothing was opened for the call. ${reason}`.trim(),
  recordNotOpened: (name: string, reason: string) => `${name} was not opened. ${reason}`.trim(),
} as const;
