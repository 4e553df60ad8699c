/**
 * The words that what is loaded later, the self-test above all, shares with the rest of the panel. Owns no word itself. They are handed over one by one: with `texts` as a whole in
 * other hands the minifier could no longer put each word where it is used, which costs 2 kB gzip.
 */
import { texts } from './texts.ts';

export const lentTexts = {
  product: texts.product,
  title: texts.selfTest.title,
  microphone: texts.microphone,
  microphonePolicyAdvice: texts.microphonePolicyAdvice,
  soundFailed: texts.soundFailed,
  lineAwayTitle: texts.lineAwayTitle,
  lineUnreachableAdvice: texts.lineUnreachableAdvice,
  callBack: texts.callBack,
  colleagues: texts.colleagues,
  groupPickUp: texts.groupPickUp,
  newMessages: texts.newMessages,
  reload: texts.reload,
  slots: texts.slots,
  toVoicemail: texts.toVoicemail,
  undo: texts.undo,
  callBackAt: texts.callBackAt,
} as const;
