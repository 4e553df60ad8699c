/** Whether a tenant's calls are recorded: for whom, in which countries, and how the far side hears of it. Off until somebody writes it down. */
import { type RecordingPolicy, recordingModes } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { country } from './fields.ts';

const mode = v.picklist(recordingModes, 'must be "never", "ask", "on-demand" or "always"');

/** `recording` of a tenant. */
export const RecordingPolicySetting = v.strictObject({
  mode: v.optional(mode, 'never'),
  /** Where the far side's country asks for more: the stricter of the two counts. */
  countries: v.optional(v.record(country, mode), {}),
  /** `tone`: both sides hear a short tone while it is recorded. */
  notice: v.optional(v.picklist(['none', 'tone'], 'must be "none" or "tone"'), 'none'),
  /** A pause ends by itself after so many seconds; 0: only the agent ends it. */
  resumeAfterSeconds: v.optional(
    v.pipe(
      v.number('must be a number of seconds'),
      v.integer('must be a whole number of seconds'),
      v.minValue(0, 'must not be less than 0'),
      v.maxValue(3_600, 'must not be more than 3600'),
    ),
    120,
  ),
});

/** `recording` of an agent: where it differs from the tenant's. */
export const AgentRecordingSetting = v.strictObject({ mode });

/** What holds for an agent's calls, before the far side's country is looked at. */
export function recordingPolicyOf(
  { recording }: { readonly recording: v.InferOutput<typeof RecordingPolicySetting> },
  agent: { readonly recording?: v.InferOutput<typeof AgentRecordingSetting> },
): RecordingPolicy {
  return { ...recording, mode: agent.recording?.mode ?? recording.mode };
}
