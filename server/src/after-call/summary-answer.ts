/**
 * Reads what a model answered. Owns that nothing of it is believed: the shape is checked, texts are cut, made plain and redacted, and a disposition
 * is one of the tenant's or none. A transcript is what strangers said, so its summary may be what a stranger wanted: no link, no markup and no
 * number of a card gets through. Pure.
 */
import { type MachineSummary, PatchcordError } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { redactedText } from './redacted-text.ts';
import { promptVersion } from './summary-prompt.ts';

/** Of one text: what is beyond is not even looked at. */
const longestRead = 10_000;
const longest = { summary: 2_000, item: 300, items: 10 } as const;

/** As chat completions answer; everything else in it is of no interest. */
const CompletionSchema = v.object({
  choices: v.pipe(
    v.array(
      v.object({
        finish_reason: v.nullish(v.string()),
        message: v.object({ content: v.nullish(v.string()), refusal: v.nullish(v.string()) }),
      }),
    ),
    v.minLength(1),
  ),
});

const AnswerSchema = v.strictObject({
  summary: v.string(),
  actionItems: v.array(v.string()),
  sentiment: v.picklist(['negative', 'neutral', 'positive']),
  disposition: v.nullable(v.string()),
});

export interface AnswerContext {
  readonly model: string;
  readonly dispositions: readonly { readonly value: string; readonly label: string }[];
  /** Shapes of what the customer has taken out of words. */
  readonly shapes: readonly string[];
}

/**
 * @param body Of an answer with status 200
 * @throws PatchcordError `request.invalid`: not retryable where the model declined, or ran out of tokens; else another try may help
 */
export function readAnswer(body: string, { model, dispositions, shapes }: AnswerContext): MachineSummary {
  const completion = v.safeParse(CompletionSchema, json(body));
  if (!completion.success) throw unreadable('answered something that is no chat completion');
  const [choice] = completion.output.choices;
  const { finish_reason: finished, message } = choice ?? { finish_reason: null, message: {} };
  // Its reasons may repeat the call: they are for nobody's log.
  if ((message.refusal ?? '') !== '' || finished === 'content_filter')
    throw declined(
      'The model declined to sum this call up. Nothing is wrong with the relay; this call stays without a summary.',
    );
  if (finished === 'length')
    throw declined(
      'The summary was cut off by the limit of tokens. Raise "maxTokens" in "summary", then ask for this one again.',
    );
  const answer = v.safeParse(AnswerSchema, json(message.content ?? ''));
  if (!answer.success)
    throw unreadable('answered without the JSON it was asked for; it may not know "response_format" with a schema');
  const { sentiment } = answer.output;
  const summary = plain(answer.output.summary, longest.summary, shapes);
  if (summary === '') throw unreadable('answered an empty summary');
  const disposition = dispositions.find(({ value }) => value === answer.output.disposition);
  return {
    summary,
    actionItems: answer.output.actionItems
      .map((item) => plain(item, longest.item, shapes))
      .filter((item) => item !== '')
      .slice(0, longest.items),
    sentiment,
    ...(disposition === undefined ? {} : { disposition: { value: disposition.value, label: disposition.label } }),
    model,
    promptVersion,
  };
}

/** One paragraph without control characters, direction marks, links, markup and card numbers. */
function plain(text: string, most: number, shapes: readonly string[]): string {
  const shown = redactedText(
    text
      .slice(0, longestRead)
      .normalize('NFC')
      .replace(/\s+/g, ' ')
      .replace(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}]/gu, '')
      .replace(/!?\[([^\]]{0,300})\]\([^)]{0,2000}\)/g, '$1')
      .replace(/<[/!a-z][^>]{0,500}>/gi, ' ')
      .replace(/\b(?:[a-z][a-z0-9+.-]{1,20}:\/\/|www\.|javascript:|data:|mailto:)\S+/gi, '[link removed]')
      .replace(/\b(?:[a-z0-9-]{1,63}\.){1,8}[a-z]{2,24}\/\S*/gi, '[link removed]')
      .replace(/ {2,}/g, ' ')
      .trim(),
    shapes,
  );
  return shown.length > most ? `${shown.slice(0, most - 1).replace(/[\uD800-\uDBFF]$/, '')}…` : shown;
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Another try may be answered better. */
function unreadable(what: string): PatchcordError {
  return new PatchcordError('request.invalid', `The endpoint that sums calls up ${what}.`, { retryable: true });
}

function declined(message: string): PatchcordError {
  return new PatchcordError('request.invalid', message);
}
