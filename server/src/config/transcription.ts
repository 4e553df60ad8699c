/** Live transcription of a tenant's calls: who hears them, in which language, and what of the words is not told. */
import * as v from 'valibot';
import { SpeechServiceSchema } from '../speech/services.ts';
import { shapeProblem } from '../transcripts/shapes.ts';
import { text } from './fields.ts';

const language = v.pipe(
  text('the language of the calls'),
  v.regex(/^[a-z]{2,3}(?:-[A-Za-z0-9]{2,8})*$/, 'must be a language as in BCP 47, for instance "en-US" or "de"'),
);

const vocabulary = v.pipe(
  v.array(v.pipe(text('a name or word'), v.maxLength(100, 'must not be longer than 100 characters'))),
  v.maxLength(500, 'must not have more than 500 words'),
);

/** `transcription` of a tenant. */
export const TranscriptionSchema = v.strictObject({
  service: SpeechServiceSchema,
  /** BCP 47. */
  language,
  /** Names and words that the service should know, most important first. */
  vocabulary: v.optional(vocabulary, []),
  /** False: messages in mailboxes are not written down. */
  voicemails: v.optional(v.boolean('must be true or false'), true),
  /** Shapes of what is taken out of the words, besides card numbers: `transcripts/shapes.ts`. */
  redact: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          text('a shape'),
          v.rawCheck(({ dataset, addIssue }) => {
            const problem = dataset.typed ? shapeProblem(dataset.value) : null;
            if (problem !== null) addIssue({ message: problem });
          }),
        ),
      ),
      v.maxLength(50, 'must not have more than 50 shapes'),
    ),
    [],
  ),
});

/** `transcription` of an agent: where it differs from the tenant's. */
export const AgentTranscriptionSchema = v.strictObject({
  /** False: nothing of this agent's calls is streamed. */
  on: v.optional(v.boolean('must be true or false'), true),
  language: v.exactOptional(language),
  vocabulary: v.exactOptional(vocabulary),
});

/** What an agent's calls are transcribed with; null: they are not. */
export function transcriptionOf(
  { transcription }: { readonly transcription?: v.InferOutput<typeof TranscriptionSchema> },
  agent: { readonly transcription?: v.InferOutput<typeof AgentTranscriptionSchema> },
): { readonly language: string; readonly vocabulary: readonly string[] } | null {
  const own = agent.transcription;
  if (transcription === undefined || own?.on === false) return null;
  return { language: own?.language ?? transcription.language, vocabulary: own?.vocabulary ?? transcription.vocabulary };
}
