/**
 * The words that the self-test and the later screens share with the rest of the panel. Owns no word itself.
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
