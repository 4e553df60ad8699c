/**
 * What the relay makes of the words of a call: phrases that a customer's rules look for, and a summary by a machine. Owns the shapes only. None
 * of them holds words that were said, but the summary: a phrase is named as the rule writes it.
 */
import * as v from 'valibot';

const speaker = v.picklist(['agent', 'far-side']);
const ruleFields = {
  /** Its id in the tenant's configuration. */
  rule: v.pipe(v.string(), v.minLength(1), v.maxLength(40)),
  label: v.pipe(v.string(), v.minLength(1), v.maxLength(80)),
  severity: v.picklist(['info', 'warning', 'critical']),
};

export const PhraseSpottedSchema = v.object({
  ...ruleFields,
  /** Who said it. */
  speaker,
  /** As the rule has it, not as it was said. */
  phrase: v.pipe(v.string(), v.maxLength(200)),
  /** The line of the transcript in which it ends. */
  line: v.pipe(v.number(), v.integer(), v.minValue(0)),
  /** When the line in which it begins was begun, ms from the answer. */
  startMs: v.pipe(v.number(), v.minValue(0)),
  /** It had to be said, and was. */
  awaited: v.optional(v.boolean()),
});

export const PhraseMissedSchema = v.object({
  ...ruleFields,
  /** Who had to say it. */
  by: v.picklist(['agent', 'far-side', 'either']),
  /** From the answer; absent: until the end of the call. */
  withinSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1))),
  /** How much of that time nobody heard: sound was lost, or paused on purpose. Absent: all of it was heard. */
  unheardMs: v.optional(v.pipe(v.number(), v.minValue(1))),
});

/** The first words of a side became final: from here on "not heard" says something. */
export const TranscriptStartedSchema = v.object({ speaker });

/** From the answer, ms: what lies between was heard of neither side. */
export const TranscriptInterruptedSchema = v.object({
  startMs: v.pipe(v.number(), v.minValue(0)),
  endMs: v.pipe(v.number(), v.minValue(0)),
  why: v.picklist(['lost', 'paused']),
});

export const MachineSummarySchema = v.object({
  summary: v.pipe(v.string(), v.minLength(1), v.maxLength(2_000)),
  actionItems: v.pipe(v.array(v.pipe(v.string(), v.minLength(1), v.maxLength(300))), v.maxLength(10)),
  sentiment: v.picklist(['negative', 'neutral', 'positive']),
  /** One of the tenant's, as a suggestion: what a person chose counts. */
  disposition: v.optional(v.object({ value: v.string(), label: v.string() })),
  model: v.pipe(v.string(), v.maxLength(120)),
  /** Of the prompt it was asked with. */
  promptVersion: v.pipe(v.number(), v.integer(), v.minValue(1)),
});
/** What a machine made of a call. */
export type MachineSummary = v.InferOutput<typeof MachineSummarySchema>;

/** A phrase as the log tells of it. */
export interface LoggedPhrase {
  readonly rule: string;
  readonly label: string;
  readonly severity: v.InferOutput<typeof PhraseSpottedSchema>['severity'];
  readonly by: 'agent' | 'far-side' | 'either';
  /** `said`: heard. `kept`: had to be said, and was heard. `missed`: had to be said, and was not heard. */
  readonly what: 'said' | 'kept' | 'missed';
  /** From the answer, ms; absent for what was missed. */
  readonly startMs?: number;
  readonly withinSeconds?: number | undefined;
  readonly unheardMs?: number | undefined;
}
