/** Recordings of calls, and the words of a call: where they lie, how long, how they are opened. */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, ms, text, url } from './fields.ts';

const whole = (least: number, most: number) =>
  v.pipe(v.number('must be a number'), v.integer('must be a whole number'), v.minValue(least), v.maxValue(most));

/** A bucket of S3, or of what speaks like it. What goes there is sealed before. */
const BucketSchema = v.strictObject({
  /** Where the storage answers, without the bucket: `https://s3.eu-central-1.amazonaws.com`. */
  endpoint: v.pipe(
    url('where the storage answers', 'https:', 'http:'),
    encryptedUnlessLoopback,
    v.check((value) => !URL.canParse(value) || new URL(value).pathname === '/', 'must not have a path'),
  ),
  region: v.pipe(
    text('the region of the bucket'),
    v.regex(/^[a-z0-9-]{1,64}$/, 'must be a region, for instance "eu-central-1"'),
  ),
  bucket: v.pipe(
    text('the name of the bucket'),
    v.regex(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/, 'must be the name of a bucket'),
  ),
  /** In front of every name, so that a bucket may hold other things: `patchcord/`. */
  prefix: v.optional(
    v.pipe(
      v.string(),
      v.regex(/^(?:[\w.-]+\/)*$/, 'must be empty, or names that each end in "/", for instance "patchcord/"'),
      v.maxLength(200),
    ),
    '',
  ),
  accessKeyId: givenSecret('the access key'),
  secretAccessKey: givenSecret('the secret of the access key'),
  /** The bucket in the path, as MinIO has it; else in the host name, as Amazon wants it. */
  pathStyle: v.optional(v.boolean(), false),
});
export type BucketSettings = v.InferOutput<typeof BucketSchema>;

/** `recordings` of the configuration: what phone systems hand over. */
export const RecordingsSchema = v.pipe(
  v.strictObject({
    /** Absent: `recordings` in `dataDir`. Relays of one database need one folder that all of them reach. */
    folder: v.exactOptional(text('a folder for recordings')),
    /** In place of a folder, never beside one. */
    bucket: v.exactOptional(BucketSchema),
    /** A recording goes this many days after it was handed over, and with its call if that goes first. */
    days: v.optional(whole(1, 36_500), 180),
    /** How long a link to a recording opens it. */
    linkMinutes: v.optional(whole(1, 60), 10),
    /** The largest recording that is taken, in units of 1,000,000 bytes: an hour of two channels has 58 in G.711, 115 in 16-bit PCM. */
    largestMb: v.optional(whole(1, 4_000), 500),
  }),
  v.forward(
    v.partialCheck(
      [['folder'], ['bucket']],
      ({ folder, bucket }) => folder === undefined || bucket === undefined,
      'cannot stand beside "recordings.folder": recordings lie in one place. Take out one of the two; what lies in the other is copied by hand (docs/guides/recording.md, "Where it lies")',
    ),
    ['bucket'],
  ),
);
export type RecordingSettings = v.InferOutput<typeof RecordingsSchema>;

/** `transcripts` of a tenant. */
export const TranscriptsSchema = v.strictObject({
  /** Whether the final lines of a transcript are kept with their call, and given to a CRM that takes them. Else they are told live and gone. */
  keep: v.optional(v.boolean(), false),
  /** A transcript is given to the CRM this long after its call ended: last lines are still on their way. */
  settleMs: v.optional(ms(0, 600_000), 20_000),
});
