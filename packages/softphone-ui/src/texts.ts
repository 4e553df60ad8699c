/**
 * Every word the panel says, by screen (with self-test-texts.ts), so that it can be translated as a whole. Short and plain: what happened, what
 * still works, what to do. Words follow the glossary: call, line, agent, far side, hold, record, relay. This is their one door; a word is
 * there once, whichever screen says it.
 */
import { callTexts } from './texts/call.ts';
import { keypadTexts } from './texts/keypad.ts';
import { lineTexts } from './texts/line.ts';
import { officeTexts } from './texts/office.ts';
import { openingTexts } from './texts/opening.ts';
import { pageTexts } from './texts/page.ts';
import { recentTexts } from './texts/recent.ts';
import { recordingTexts } from './texts/recording.ts';
import { recordTexts } from './texts/records.ts';
import { settingsTexts } from './texts/settings.ts';
import { spokenTexts } from './texts/spoken.ts';
import { transcriptionTexts } from './texts/transcription.ts';
import { troubleTexts } from './texts/troubles.ts';
import { wrapUpTexts } from './texts/wrap-up.ts';

export const texts = {
  ...openingTexts,
  ...lineTexts,
  ...keypadTexts,
  ...pageTexts,
  ...recentTexts,
  ...callTexts,
  ...officeTexts,
  ...recordTexts,
  ...wrapUpTexts,
  ...settingsTexts,
  ...transcriptionTexts,
  ...recordingTexts,
  ...spokenTexts,
  ...troubleTexts,
} as const;
