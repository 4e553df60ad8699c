/** Reading what a service says: JSON, of a shape. */
import * as v from 'valibot';

/** A time in a message: seconds or ms, never negative, never endless. */
export const wireTime = v.pipe(v.number(), v.finite(), v.minValue(0), v.maxValue(1e9));
/** A time that is written as text. */
export const wireTimeText = v.pipe(
  v.union([v.string(), v.number()]),
  v.transform((value) => (typeof value === 'string' && value.trim() === '' ? Number.NaN : Number(value))),
  wireTime,
);
/** Between 0 and 1; anything else is left out. */
export const wireConfidence = v.fallback(
  v.optional(v.pipe(v.number(), v.minValue(0), v.maxValue(1)), undefined),
  undefined,
);

/** The message, or null when it is no JSON or of another shape. */
export function readAnswer<const Schema extends v.GenericSchema>(
  schema: Schema,
  text: string,
): v.InferOutput<Schema> | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const read = v.safeParse(schema, value);
  return read.success ? read.output : null;
}

/** `confidence` as a part of what was heard: absent where the service says none. */
export function sure(confidence: number | undefined): { confidence?: number } {
  return confidence === undefined ? {} : { confidence };
}
