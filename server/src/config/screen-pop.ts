/**
 * What opens in the CRM for a call, as an administrator writes it: one word for when, or each part of the policy with the defaults of the rest.
 * Owns the defaults; the shape that reaches the phone is call-protocol's.
 */
import { PageCommandsSchema, ScreenPopSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';

const { inbound, outbound, known, several, unknown } = ScreenPopSchema.entries;
const parts = v.strictObject({
  inbound: v.optional(inbound, 'ring'),
  outbound: v.optional(outbound, 'never'),
  known: v.optional(known, { open: 'record' }),
  several: v.optional(several, { open: 'choice' }),
  unknown: v.optional(unknown, { open: 'nothing' }),
});

/** `"ring"`, `"answer"` and `"never"` say when a caller's record opens. */
export const ScreenPopSetting = v.union(
  [
    v.pipe(
      v.picklist(['ring', 'answer', 'never']),
      v.transform((when) => v.parse(parts, { inbound: when })),
    ),
    parts,
  ],
  'must be "ring", "answer" or "never", or say "inbound", "outbound", "known", "several" and "unknown"',
);

const commands = PageCommandsSchema.entries;
export const PageCommandsSetting = v.strictObject({
  dial: v.optional(commands.dial, 'ask'),
  answer: v.optional(commands.answer, 'refuse'),
  control: v.optional(commands.control, 'allow'),
});
