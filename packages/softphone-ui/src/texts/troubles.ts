/** What is wrong, and what the relay refuses. Must hold no markup and no logic but the filling in. */
export const troubleTexts = {
  // Troubles
  troublesLabel: 'Trouble',
  revokedTitle: 'Your access was ended',
  revokedAdvice: (reason: string) => `${reason} Ask your admin. What you noted so far is kept.`.trim(),
  codeAgainTitle: 'Please sign in again',
  codeAgainAdvice: 'Your sign-in ran out. Calls go on; notes are kept here and sent when you are back.',
  signInAgain: 'Type a code',
  otherAgentTitle: 'Somebody else signed in',
  otherAgentAdvice: (other: string, agent: string) =>
    `The sign-in is for ${other}, this phone is ${agent}’s and stays so: ${agent}’s calls and notes are not sent as ${other}’s. Load the page anew to change the agent, then sign in with a new code.`,
  reloadPage: 'Load the page anew',
  profileOfOther: (other: string, agent: string) =>
    `The relay sent the phone of ${other} to ${agent}. Load the page anew; if it stays, tell your admin.`,
  pageClosedInCall: 'The phone was closed during the call.',
  microphoneRefusedTitle: 'The microphone is blocked',
  microphoneRefusedAdvice:
    'Nobody could hear you. Click the icon left of the address bar, allow the microphone, and reload the page.',
  microphonePolicyTitle: 'The page keeps the microphone from the phone',
  microphonePolicyAdvice:
    'Ask your admin to allow the microphone for Patchcord in the CRM’s settings (trusted URLs or calling app).',
  lineRejectedTitle: 'The phone system refused you',
  lineRejectedAdvice: (reason: string) =>
    `${reason} A new credential is being fetched. If this stays, tell your admin.`.trim(),
  lineAwayTitle: 'The line is away',
  lineAwayAdvice: 'It comes back by itself. A call you are in can go on; new calls wait.',
  lineUnreachableTitle: 'The phone system can’t be reached',
  lineUnreachableAdvice: 'Trying again by itself. Check your network or VPN; if others have it too, tell your admin.',
  noCredentialTitle: 'No sign-in for the line',
  relayAwayTitle: 'The relay can’t be reached',
  relayAwayAdvice: (waiting: number) =>
    waiting === 0
      ? 'Calls go on. Notes and logs are kept on this computer and sent when it is back.'
      : `Calls go on. Nothing is lost: ${waiting} ${waiting === 1 ? 'entry is' : 'entries are'} kept on this computer and sent when it is back.`,
  storageTitle: 'This browser keeps nothing',
  storageAdvice: 'Storage is blocked for this page. Leave this tab open until your last call is logged.',
  refusedTitle: (count: number) => (count === 1 ? 'One entry was refused' : `${count} entries were refused`),
  refusedAdvice: (reason: string) => `The relay could not take it: ${reason}`,
  eventTooLarge: 'It is too large to be sent. Shorten the note.',
  unloggedTitle: 'A call is not in your CRM',
  unloggedAdvice: (reason: string) => `${reason} The call is kept by the relay; try again under Recent.`,

  // Relay
  relayUnreachable: 'The relay can’t be reached. Check your network; the phone tries again by itself.',
  relayBusy: 'The relay is busy. Wait a moment.',
  relayMalformed: (path: string, where: string, problem: string) =>
    `The relay’s answer to ${path} does not fit at “${where}”: ${problem}. Relay and panel may be of different versions; tell your admin.`,
  sessionOver: 'Your sign-in ran out. Sign in again.',
} as const;
