/**
 * Whether a call is recorded, who agreed to it, and what of it: the shapes that panel, relay and log share. Owns the shapes only. The sound itself
 * goes over `sound-wire.ts`; a recording that can be listened to is told by `recording.available`.
 */
import * as v from 'valibot';

/** `ask`: nothing is kept until the far side agreed and the agent said so. */
export const RecordingModeSchema = v.picklist(['never', 'on-demand', 'always', 'ask']);
export type RecordingMode = v.InferOutput<typeof RecordingModeSchema>;

/** Strictest first: of several that hold for a call, the first counts. */
export const recordingModes: readonly RecordingMode[] = ['never', 'ask', 'on-demand', 'always'];

/** `recording` of the profile. */
export const RecordingPolicySchema = v.object({
  mode: RecordingModeSchema,
  /** Where the law of the far side's country asks for more: ISO 3166-1 alpha-2 → mode. The stricter of the two counts. */
  countries: v.optional(v.record(v.pipe(v.string(), v.length(2)), RecordingModeSchema), {}),
  /** `tone`: both sides hear a short tone while it is recorded. */
  notice: v.optional(v.picklist(['none', 'tone']), 'none'),
  /** A pause ends by itself after this time, seconds; 0: only by the agent. */
  resumeAfterSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3_600)), 120),
});
export type RecordingPolicy = v.InferOutput<typeof RecordingPolicySchema>;

const ms = v.pipe(v.number(), v.minValue(0));

/** Data of the events that tell of a recording; times are ms from the answer. */
export const recordingEvents = {
  'recording.started': v.object({ startMs: ms, by: v.picklist(['agent', 'policy', 'consent']) }),
  /** Recording, transcript and every copy of the sound: nothing of what is said now is kept anywhere. */
  'recording.paused': v.object({ startMs: ms }),
  'recording.resumed': v.object({ startMs: ms, by: v.picklist(['agent', 'timer']) }),
  /** `policy`: another mode holds now, for somebody else is at the far side. */
  'recording.stopped': v.object({ startMs: ms, by: v.picklist(['agent', 'refusal', 'policy']) }),
  /** The far side agreed to be recorded. The event's agent and time are the proof of who asked, and when. */
  'consent.given': v.object({ how: v.picklist(['asked', 'announced']) }),
  'consent.refused': v.object({ how: v.picklist(['asked', 'announced']) }),
};

/** What the log says of the recording of its call. */
export interface LoggedRecording {
  /** The last word of the far side; absent: nobody asked. */
  readonly consent?: { readonly given: boolean; readonly how: 'asked' | 'announced'; readonly at: number };
  /** What was kept, ms from the answer; the last one ends with the call where `endMs` is null. */
  readonly kept: readonly { readonly startMs: number; readonly endMs: number | null }[];
  /** The recording that there is was handed over by a phone system; what of the call is in it is the phone system's to say. */
  readonly byPhoneSystem?: true;
}
