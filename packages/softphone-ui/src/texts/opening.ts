/** Starting, signing in and signing out. Must hold no markup and no logic but the filling in. */
export const openingTexts = {
  product: 'Patchcord',
  openingHost: 'Connecting to your CRM…',
  openingIdentity: 'Signing you in…',
  openingProfile: 'Loading your phone…',
  openingPhone: 'Joining the line…',
  outsideTitle: 'Patchcord can’t work here',
  haltedTitle: 'Your phone did not start',
  tryAgain: 'Try again',
  retrying: 'Trying again by itself.',
  codeTitle: 'Sign in with a code',
  codeAdvice: 'Ask your CRM or your admin for a pairing code and type it here. A code works once.',
  codeAdviceHubSpot:
    'Get a code on the Phone card of any record, under “Connect my phone”, and type it here. It works once.',
  orByCode: 'or',
  codeLabel: 'Pairing code',
  codeSubmit: 'Sign in',
  codeBusy: 'Signing in…',
  codeEmpty: 'Type the code first.',
  signInTitle: 'Sign in',
  signInClosed:
    'The sign-in window was closed, or the browser did not open it. Allow windows for this page and try again.',
  leftTitle: 'You are signed out',
  signInAnew: 'Sign in again',
} as const;
