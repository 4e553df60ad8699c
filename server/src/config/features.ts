/**
 * What of an office phone a tenant's agents have, and how its phone system does it. Whatever the phone system must play along with is off until
 * somebody says how it is dialled. Owns the form of these settings; what an agent gets of them is `agent-features.ts`.
 */
import { ExtensionSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { text, unique } from './fields.ts';

/** As a phone dials it; `{extension}` and `{number}` stand for the one meant. */
const dialled = (what: string, ...may: readonly string[]) =>
  v.pipe(
    text(what),
    v.regex(
      /^[A-Za-z0-9*#+._{}-]{1,64}$/,
      'must be what a phone can dial: letters, digits, "*", "#", "+", ".", "_", "-"',
    ),
    v.check(
      (value) =>
        [...value.replace(/\{([a-z]+)\}/g, (_all, name: string) => (may.includes(name) ? '' : '{'))].every(
          (one) => one !== '{' && one !== '}',
        ),
      may.length === 0
        ? 'must not hold "{" or "}": nothing is put in here'
        : `may hold ${may.map((name) => `"{${name}}"`).join(' and ')}, and no other "{" or "}"`,
    ),
  );

/** The same, where nothing comes of it without the one meant. */
const dialledWith = (name: 'extension' | 'number', what: string) =>
  v.pipe(
    dialled(what, name),
    v.check((value) => value.includes(`{${name}}`), `must hold "{${name}}": it would reach nobody else`),
  );

const declineCode = v.picklist([480, 486, 600, 603], 'must be 480, 486, 600 or 603');
const whole = (least: number, most: number) =>
  v.pipe(
    v.number('must be a number'),
    v.integer('must be a whole number'),
    v.minValue(least, `must be ${least} at least`),
    v.maxValue(most, `must be ${most} at most`),
  );

/** Caller IDs an agent may choose from; the phone system sends one of them with a call. */
const CallerIdsSchema = v.pipe(
  v.array(
    v.strictObject({
      number: v.pipe(
        text('the number that the far side shall see'),
        v.regex(/^\+[1-9]\d{6,14}$/, 'must be a number with its country code, as +14155550100'),
      ),
      label: v.pipe(text('what the agent reads'), v.maxLength(80, 'must have 80 characters at most')),
    }),
  ),
  v.maxLength(20, 'takes at most 20 numbers'),
  unique((one) => one.number, 'number'),
);

const WatchedSchema = v.union(
  [
    v.literal('colleagues'),
    v.pipe(
      v.array(
        v.union(
          [
            ExtensionSchema,
            v.strictObject({
              extension: ExtensionSchema,
              name: v.pipe(text('what the agent reads'), v.maxLength(80, 'must have 80 characters at most')),
            }),
          ],
          'must be an extension of one to six digits, or { "extension", "name" }',
        ),
      ),
      v.maxLength(100, 'takes at most 100 extensions: each is a subscription of every phone'),
    ),
  ],
  'must be "colleagues" or a list of extensions',
);

const MoveToSchema = v.pipe(
  v.array(
    v.strictObject({
      /** `{extension}` is the agent's own. */
      number: dialled('what is dialled to reach the other device', 'extension'),
      label: v.pipe(text('what the agent reads'), v.maxLength(80, 'must have 80 characters at most')),
    }),
  ),
  v.maxLength(10, 'takes at most 10 devices'),
);

const codes = <On extends v.GenericSchema<string, string>>(what: string, on: On) =>
  v.strictObject({ on, off: dialled(`what is dialled to end ${what}`) });

/** `features` of a tenant. */
export const FeaturesSetting = v.strictObject({
  mostCalls: v.optional(whole(1, 6), 6),
  /** A second inbound call rings; false: it is told busy. */
  callWaiting: v.optional(v.boolean(), true),
  /** What the phone answers when it is busy, and when the agent declines: 6xx ends the ringing of everybody else as well. */
  busyCode: v.optional(declineCode, 486),
  declineCode: v.optional(declineCode, 486),
  conference: v.optional(
    v.strictObject({
      /** Far sides that are mixed in the browser; 0: none. */
      mostMembers: v.optional(whole(0, 5), 5),
      room: v.exactOptional(dialled('a conference room, such as "8{extension}"', 'extension')),
    }),
    {},
  ),
  park: v.exactOptional(
    v.pipe(
      v.strictObject({
        to: v.exactOptional(dialled('where a call is sent to be parked')),
        slots: v.optional(
          v.pipe(v.array(dialled('a slot')), v.maxLength(30, 'takes at most 30 slots: each is a subscription')),
          [],
        ),
      }),
      v.check(
        ({ to, slots }) => to !== undefined || slots.length > 0,
        'needs "to" (the phone system finds a slot) or "slots" (each is a target of its own), or both',
      ),
    ),
  ),
  pickup: v.optional(
    v.strictObject({
      directed: v.exactOptional(
        dialledWith('extension', 'what takes a colleague’s ringing call, such as "**{extension}"'),
      ),
      group: v.exactOptional(dialled('what takes a call that rings in the group, such as "*8"')),
      /** Watched dialogs may be taken over by INVITE with Replaces. */
      byDialog: v.optional(v.boolean(), false),
    }),
    {},
  ),
  /** Absent: calls can't be forwarded. `by-phone`: the phone answers 302, and the phone system must follow it. */
  forwarding: v.exactOptional(
    v.union(
      [v.literal('by-phone'), codes('forwarding', dialledWith('number', 'what is dialled for forwarding'))],
      'must be "by-phone" or { "on", "off" } as they are dialled',
    ),
  ),
  doNotDisturb: v.optional(
    v.union(
      [v.literal('by-phone'), codes('do not disturb', dialled('what is dialled for do not disturb'))],
      'must be "by-phone" or { "on", "off" } as they are dialled',
    ),
    'by-phone',
  ),
  /** Intercom and paging: calls that ask for it answer themselves `never`, while the agent is in no call (`idle`), or `always`. */
  autoAnswer: v.optional(v.picklist(['never', 'idle', 'always'], 'must be "never", "idle" or "always"'), 'never'),
  voicemail: v.exactOptional(
    v.strictObject({
      number: v.exactOptional(dialled('the own mailbox, such as "*97"')),
      deposit: v.exactOptional(dialled('where a call is sent to leave a message', 'extension')),
      /** The phone system tells how many messages wait (message-summary). */
      watched: v.optional(v.boolean(), false),
      /** The phone system hands its messages to the relay: agents see and hear them in the panel. */
      listed: v.optional(v.boolean(), false),
    }),
  ),
  callerIds: v.optional(CallerIdsSchema, []),
  watch: v.optional(WatchedSchema, []),
  moveTo: v.optional(MoveToSchema, []),
  /** A far side may send the phone elsewhere within the SIP domain (REFER). */
  followTransfers: v.optional(v.boolean(), false),
  /** Numbers that must not be called, by a record of the CRM or the tenant's own list: never looked at, the agent is asked, or it is refused. */
  doNotCall: v.optional(v.picklist(['off', 'ask', 'refuse'], 'must be "off", "ask" or "refuse"'), 'ask'),
});

/** `features` of an agent: what is theirs instead of the tenant's. */
export const AgentFeaturesSetting = v.strictObject({
  callerIds: v.exactOptional(CallerIdsSchema),
  watch: v.exactOptional(WatchedSchema),
  moveTo: v.exactOptional(MoveToSchema),
  autoAnswer: v.exactOptional(v.picklist(['never', 'idle', 'always'], 'must be "never", "idle" or "always"')),
  /** Mailboxes whose messages the agent sees and hears; absent: the one of their extension. */
  mailboxes: v.exactOptional(
    v.pipe(
      v.array(v.pipe(text('a mailbox'), v.regex(/^[A-Za-z0-9._-]{1,32}$/, 'must be a mailbox, such as "1001"'))),
      v.maxLength(20, 'takes at most 20 mailboxes'),
    ),
  ),
});

/** `media` of a tenant. */
export const MediaSetting = v.strictObject({
  /** What is offered and answered, best first; others are left out. */
  codecs: v.optional(
    v.pipe(
      v.array(v.picklist(['opus', 'G722', 'PCMU', 'PCMA'], 'must be "opus", "G722", "PCMU" or "PCMA"')),
      v.minLength(1, 'needs at least one codec'),
      unique((one) => one, 'name'),
    ),
    ['opus', 'G722', 'PCMU', 'PCMA'],
  ),
  opus: v.optional(v.strictObject({ fec: v.optional(v.boolean(), true), dtx: v.optional(v.boolean(), false) }), {}),
  /** How digits leave the phone. */
  digits: v.optional(v.picklist(['rfc4733', 'info', 'in-band'], 'must be "rfc4733", "info" or "in-band"'), 'rfc4733'),
  /** The most that agents may have of their own voice; `rnnoise` lets the panel's pages compile WebAssembly. */
  noiseSuppression: v.optional(
    v.picklist(['off', 'browser', 'rnnoise'], 'must be "off", "browser" or "rnnoise"'),
    'browser',
  ),
});

/** `voicemails` of the configuration: messages that phone systems hand over. They lie beside the recordings. */
export const VoicemailsSchema = v.strictObject({
  /** A message goes this many days after it was handed over. */
  days: v.optional(whole(1, 36_500), 180),
  /** A deleted message can be brought back for this many days. */
  undoDays: v.optional(whole(0, 365), 7),
  /** The largest message that is taken, in units of 1,000,000 bytes: ten minutes have 9.6 in 16-bit PCM of 8,000 samples. */
  largestMb: v.optional(whole(1, 100), 20),
});
export type VoicemailSettings = v.InferOutput<typeof VoicemailsSchema>;
