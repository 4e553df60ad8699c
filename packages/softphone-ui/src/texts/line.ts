/** The line, taking calls, and the window that holds the phone. Must hold no markup and no logic but the filling in. */
export const lineTexts = {
  // Line and availability
  line: {
    offline: 'Offline',
    connecting: 'Connecting',
    ready: 'Ready',
    reconnecting: 'Reconnecting',
    rejected: 'Refused',
  },
  available: 'Available',
  unavailable: 'Away',
  availabilityLabel: 'Take calls',
  remote: 'Remote',
  remoteHint: 'The sound of this phone is elsewhere. You can do everything from here.',

  // Where the phone is
  phoneInWindow: 'The phone is in another window',
  phoneOn: (place: string) => `The phone is on ${place}`,
  useHere: 'Use the phone here',
  useHereHint: 'Calls ring here from then on. A call in progress comes with it, and its sound.',
  fetchingPhone: 'Fetching the phone…',
  phoneIsHere: 'The phone is here now.',
  phoneWentTo: (place: string) => `The phone is now used on ${place}.`,
  phoneWentToWindow: 'The phone is now used in another window.',

  // The window with the phone
  windowGoneTitle: 'The phone window is not connected',
  windowGoneAdvice: 'Calls reach you only while it is open. To call, type a number here: the window opens by itself.',
  openPhoneWindow: 'Open the phone window',
  windowBlocked:
    'The browser did not open the phone window. Allow pop-up windows for this page in the address bar, then try again.',
  windowOpening: 'Opening the phone window…',
  windowWaitsTitle: (number: string) => `Opening the phone window to call ${number}`,
  windowWaitsAdvice: 'It is called as soon as the line is ready.',
  dropWait: 'Don’t call',
  windowNotThere: 'Not called: the phone window did not get its line in time. Look at the window, then call again.',
  windowLostCall: (name: string) => `The call with ${name} waits for the phone window. Open it now, and it goes on.`,
  windowLostRinging: (name: string) => `${name} was calling when the phone window closed.`,
  hostNumberWaitsForWindow:
    'The phone window is not connected. The number is ready; press Call to open the window and dial.',
  hostNumberWaitsForStart: 'The line is just starting. The number is called as soon as it is ready.',
  lineNotThere: 'Not called: the line was not ready in time. Press Call when it is.',
  logCreatorUnknown: 'The relay did not say in time who makes the log, so that the page made none.',
} as const;
