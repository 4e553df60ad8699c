/** What the relay looks for in the words of a call, and who sums a call up. Both are off until somebody writes them down. */
import * as v from 'valibot';
import { languages } from '../after-call/endings.ts';
import { readPhrase } from '../after-call/words.ts';
import { encryptedUnlessLoopback, givenSecret, text, unique, url } from './fields.ts';

const whole = (least: number, most: number) =>
  v.pipe(v.number('must be a number'), v.integer('must be a whole number'), v.minValue(least), v.maxValue(most));

const RuleSchema = v.strictObject({
  /** Names the rule in events; one that changes is another rule. */
  id: v.pipe(
    text('the name of the rule in events'),
    v.regex(/^[a-z0-9][a-z0-9-]{0,39}$/, 'must be small letters, digits and "-", 40 at most'),
  ),
  label: v.pipe(text('what people read'), v.maxLength(80, 'must not be longer than 80 characters')),
  severity: v.optional(v.picklist(['info', 'warning', 'critical']), 'info'),
  /** Whose words count. */
  by: v.optional(v.picklist(['agent', 'far-side', 'either']), 'either'),
  /** `said`: told as soon as it is heard. `not-said`: it has to be said, and is told when it was not. */
  tell: v.optional(v.picklist(['said', 'not-said']), 'said'),
  /** Only this long from the answer; absent: the whole call. */
  withinSeconds: v.exactOptional(whole(1, 3_600)),
  /** Any of these. */
  phrases: v.pipe(
    v.array(
      v.pipe(
        text('a phrase'),
        v.maxLength(200, 'must not be longer than 200 characters'),
        v.check(
          (value) => readPhrase(value) !== null,
          'needs a word, and at most four "*" that stand alone, each between words',
        ),
      ),
    ),
    v.minLength(1, 'needs at least one phrase'),
    v.maxLength(100, 'must not have more than 100 phrases'),
  ),
  /** Words count only as they are written: no grammatical endings. */
  exact: v.optional(v.boolean(), false),
});
export type SpottingRule = v.InferOutput<typeof RuleSchema>;

/** `spotting` of a tenant. */
export const SpottingSchema = v.strictObject({
  /** Whose grammatical endings a word may have; absent: words count as they are written, but for case and accents. */
  language: v.exactOptional(v.picklist(languages)),
  rules: v.optional(
    v.pipe(
      v.array(RuleSchema),
      v.maxLength(200, 'must not have more than 200 rules'),
      unique((rule) => rule.id, 'id'),
    ),
    [],
  ),
});
export type SpottingSettings = v.InferOutput<typeof SpottingSchema>;

/** `summary` of a tenant; absent: nothing leaves the relay. */
export const SummarySchema = v.strictObject({
  /** An OpenAI-compatible endpoint, before `/v1/chat/completions`. */
  url: v.pipe(url('the endpoint that sums calls up', 'https:', 'http:'), encryptedUnlessLoopback),
  /** Absent for a server of your own that asks for none. */
  key: v.exactOptional(givenSecret('the key of the endpoint')),
  model: v.pipe(text('the name of the model'), v.maxLength(120)),
  /** BCP 47; absent: the language of the call. */
  language: v.exactOptional(
    v.pipe(v.string(), v.regex(/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/, 'must be like "en" or "pt-BR"')),
  ),
  /** The endpoint is inside: a server in your own network. One on this machine needs no word. */
  allowPrivate: v.optional(v.boolean(), false),
  timeoutMs: v.optional(whole(1_000, 300_000), 60_000),
  /** What the answer may cost. */
  maxTokens: v.optional(whole(100, 20_000), 1_000),
  /** What the endpoint calls that limit. */
  tokenLimit: v.optional(v.picklist(['max_tokens', 'max_completion_tokens']), 'max_tokens'),
  /** Absent: the model's own. */
  temperature: v.exactOptional(v.pipe(v.number(), v.minValue(0), v.maxValue(2))),
});
export type SummarySettings = v.InferOutput<typeof SummarySchema>;

/** What a tenant asks for and can't get. */
export function afterCallProblems(
  tenants: readonly {
    readonly summary?: SummarySettings | undefined;
    readonly transcripts: { readonly keep: boolean };
  }[],
): readonly { readonly path: readonly (string | number)[]; readonly message: string }[] {
  return tenants.flatMap(({ summary, transcripts }, index) =>
    summary === undefined || transcripts.keep
      ? []
      : [
          {
            path: [index, 'summary'],
            message: 'needs "transcripts.keep": true, because only kept words are summed up',
          },
        ],
  );
}
