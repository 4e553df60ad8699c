/** How long the relay keeps what it stores. */
import * as v from 'valibot';

const days = (least: number) =>
  v.pipe(
    v.number('must be a number of days'),
    v.integer('must be a whole number of days'),
    v.minValue(least),
    v.maxValue(36_500),
  );

/** `retention` of the configuration: how many days things are kept. */
export const RetentionSchema = v.strictObject({
  /** A call with its events, after it was last heard of. Thirteen months: a year can be compared with the one before. */
  callDays: v.optional(days(30), 400),
  /** Events of no call: a line that came and went. */
  eventDays: v.optional(days(1), 90),
  /** Who did what. */
  auditDays: v.optional(days(30), 800),
  /** Which record agents chose for a number that several have, after the last choice. */
  choiceDays: v.optional(days(1), 400),
});
export type RetentionSettings = v.InferOutput<typeof RetentionSchema>;
