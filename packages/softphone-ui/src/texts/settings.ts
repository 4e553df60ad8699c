/** The way to the self-test, and help. Must hold no markup and no logic but the filling in. */
export const settingsTexts = {
  /** The settings' other words are loaded with them. */
  microphone: 'Microphone',
  soundFailed: 'The sound devices can’t be used. Unplug and plug in your headset, then try again.',

  // Self-test
  /** The way to the checks; what the checks themselves say is in self-test-texts.ts, which is loaded with them. */
  selfTest: {
    title: 'Check the set-up',
    loading: 'Getting the checks…',
    notLoaded:
      'The checks could not be loaded: the network is away, or the phone was updated meanwhile. Try again; if it stays, load the page anew.',
  },

  // Help
  help: 'Help and quick keys',
  helpTitle: 'Quick keys',
  helpIntro: 'They work while the phone has the focus.',
  keys: [
    ['Alt A', 'Answer'],
    ['Alt X', 'Hang up or decline'],
    ['Alt M', 'Mute or unmute'],
    ['Alt H', 'Hold or resume'],
    ['Alt K', 'Keypad of the call'],
    ['Alt T', 'Transfer'],
    ['Alt S', 'Swap calls'],
    ['Alt G', 'Bring the held call into the call'],
    ['Alt P', 'Park, where there are slots'],
    ['Alt N', 'Go to the note'],
    ['Esc', 'Close the keypad or the transfer'],
    ['0–9 * #', 'Digits, where a keypad is open'],
  ],
} as const;
