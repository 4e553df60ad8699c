/** What a player needs to know of a recording, and the words that go with it: `GET /v1/calls/<call id>/recording` and `…/transcript`. Shapes only. */
import * as v from 'valibot';

const ms = v.pipe(v.number(), v.minValue(0));
/** Who is heard on a channel. */
const SpeakerSchema = v.picklist(['agent', 'far-side']);

/** 200: it can be heard. 202, `making`: it is there once the call is over and its parts are one file; ask again. 410 where it was deleted. */
export const ListeningSchema = v.variant('state', [
  v.object({ state: v.literal('making') }),
  v.object({
    state: v.literal('ready'),
    /** Plays it without a session, until `expiresAt` (epoch ms); takes `Range`. */
    url: v.pipe(v.string(), v.url()),
    durationMs: ms,
    expiresAt: v.number(),
    channels: v.picklist([1, 2]),
    /** Who is on which channel; empty where one channel has both. */
    speakers: v.array(SpeakerSchema),
    /**
     * For each channel its loudness in a thousand stretches of the same length: the square root of the loudest sample, 0 to 255. null: not counted when it
     * was taken.
     */
    peaks: v.nullable(v.array(v.array(v.number()))),
    /** What was left out on purpose, ms of the recording: it is silence there. */
    pauses: v.array(v.object({ startMs: ms, endMs: ms })),
    /** Whose call it is, for a person. */
    call: v.object({ agent: v.string(), farSide: v.string(), startedAt: v.number() }),
  }),
]);
export type Listening = v.InferOutput<typeof ListeningSchema>;

/** What was said, by time, ms of the recording; empty where the customer keeps no transcripts. */
export const SpokenWordsSchema = v.object({
  lines: v.array(v.object({ speaker: SpeakerSchema, text: v.string(), startMs: ms, endMs: ms })),
});
export type SpokenWords = v.InferOutput<typeof SpokenWordsSchema>;
