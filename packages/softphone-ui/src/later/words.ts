/**
 * Every word of the screens that are loaded when they are asked for, so that it can be translated as a whole. Must hold no logic but the filling
 * in; what the rest of the panel says too comes from `lent-texts.ts`.
 */
import { lentTexts } from '../lent-texts.ts';

export const words = {
  ...lentTexts,

  // Colleagues
  noWatch: 'Nobody is watched yet. Ask your administrator to add colleagues (features.watch).',
  groupPickUpAdvice: 'Takes any call that rings in your group.',
  statesUnknown: 'The phone system does not say what these phones do. Calling them works all the same.',

  // Voicemail
  voicemailLabel: 'Messages',
  voicemailEmpty: 'No messages. What callers leave for you appears here.',
  voicemailLoading: 'Loading your messages…',
  play: (name: string) => `Play the message from ${name}`,
  closePlayer: (name: string) => `Close the player of the message from ${name}`,
  player: (name: string) => `Message from ${name}`,
  gettingSound: 'Getting the message…',
  soundGone: 'The message can’t be played just now. Close the player and open it again.',
  isNew: 'New',
  remove: (name: string) => `Delete the message from ${name}`,
  removed: (name: string) => `Deleted: message from ${name}.`,
  said: 'What was said',
  callMailbox: 'Call the mailbox',
  mailboxOnly: 'Your messages are in the mailbox of the phone system. Call it to listen to them.',
  mailboxSays: (fresh: number, old: number) => `${fresh} new, ${old} old`,
  mailboxUnknown: 'The phone system has not said whether messages wait.',
  mailboxEmpty: 'No new messages.',

  // Forwarding
  forwardingTitle: 'Forwarding',
  forwardWhen: 'Send calls on',
  forwardOff: 'Off: calls ring here',
  forwardAlways: 'Always',
  forwardBusy: 'When I am in a call',
  forwardNoAnswer: 'When I do not answer',
  forwardTo: 'To',
  forwardNumber: 'A number',
  forwardNumberLabel: 'Number or extension',
  forwardAfter: 'After seconds',
  forwardSave: 'Use this',
  forwardSaved: 'Saved.',
  forwardSecondsWrong: 'Choose 5 to 120 seconds.',
  forwardHere: 'Works while this phone is open.',

  // Settings
  soundTitle: 'Sound',
  speaker: 'Speaker',
  ringer: 'Ringer',
  systemDefault: 'System default',
  deviceNumber: (kind: string, index: number) => `${kind} ${index}`,
  speakerFixed: 'This browser plays calls on the system’s speaker.',
  testMicrophone: 'Test the microphone',
  stopTest: 'Stop the test',
  speakNow: 'Say something. The bar should move.',
  microphoneHeard: 'We hear you.',
  microphoneLevel: 'Loudness of your microphone',
  soundElsewhere: 'The sound of this phone is in another tab. Choose devices there.',
  soundInWindow: 'The sound of this phone is in the phone window. Choose devices there.',
  soundNowhere: 'Open the phone window to choose its sound devices.',
  setUpTitle: 'Set-up',
  setUpAdvice: 'Looks at everything a call needs and says what is wrong.',
  accountTitle: 'Account',
  agent: 'Agent',
  extension: 'Extension',
  organisation: 'Organisation',
  signOut: 'Sign out',
} as const;
