/** One text without what must not be told of a call: card numbers in digits or words, codes, and the shapes that the customer named. Pure. */
import { CallRedaction } from '../transcripts/redaction.ts';

/** Of no language here: number words of all of them are known then. */
const anyLanguage = 'und';

/** @param shapes As the configuration names them (`transcription.redact`) */
export function redactedText(text: string, shapes: readonly string[]): string {
  const redaction = new CallRedaction(anyLanguage, shapes);
  const line = { line: 0, speaker: 'agent', text, startMs: 0, endMs: 0, final: true } as const;
  const told = [...redaction.take(line, 0), ...redaction.release()];
  // The last word on it; a text that nobody decided about is not told.
  return told.findLast(({ decided }) => decided)?.line.text ?? '';
}
