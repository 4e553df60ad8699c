/** The tabs, the keypad, and why a number can’t be dialled. Must hold no markup and no logic but the filling in. */
export const keypadTexts = {
  // Tabs
  tabsLabel: 'Parts of the phone',
  tabKeypad: 'Keypad',
  tabRecent: 'Recent',
  tabSettings: 'Settings',
  missedCount: (count: number) => `${count} missed`,

  // Keypad
  numberLabel: 'Number',
  numberPlaceholder: 'Type or paste a number',
  numberWillDial: (number: string) => `Calls ${number}`,
  numberThenDigits: (number: string, digits: string) => `Calls ${number}, then sends ${digits.replaceAll(',', '')}`,
  deleteDigit: 'Delete the last digit',
  call: 'Call',
  keypadLabel: 'Keypad',

  // Numbers that can't be dialled
  numberEmpty: 'Type a number first.',
  numberLetters: 'Letters can’t be dialled. Type the digits of the number.',
  numberCharacters: 'A number has digits, and a + only in front.',
  numberTooShort: 'This number is too short. Is the area code missing?',
  numberTooLong: 'This number is too long. Check the digits.',
  numberLength: 'This number does not have the right length. Check the digits.',
  numberUnknownCountry: 'No country has this code. Check the digits after the +.',
  numberNotInPlan: 'This number does not exist in its country. Check the digits.',
  numberNotInCountry: (country: string) =>
    `This number does not exist in ${country}. For another country start with + and its code.`,
  withheldNumber: 'Withheld number',
  hostNumberInvalid: (number: string, reason: string) => `“${number}” was not called. ${reason}`,
  hostNumberWaitsForCall: 'You are in a call. The number is ready to call when you are.',
  hostNumberWaitsForLine: 'The line is not ready. The number waits here; call when the line is back.',
} as const;
