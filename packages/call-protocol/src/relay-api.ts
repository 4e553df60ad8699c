/**
 * What panel and relay say to each other: HTTP bodies and the messages of the live socket. Both sides check with the same schema.
 * The access token travels in the `Authorization` header (`DPoP <token>`, RFC 9449), or in the first socket message, each time beside a
 * fresh proof that the sender holds the key it is bound to; never in a URL.
 */
import * as v from 'valibot';
import { CallOutcomeSchema, DirectionSchema, PartySchema } from './call.ts';
import { EnvelopeSchema } from './envelope.ts';
import { AgentIdSchema, CallIdSchema, DeviceIdSchema, E164Schema, ExtensionSchema, TenantIdSchema } from './ids.ts';
import { RecordingPolicySchema } from './recording.ts';
import { CrmNameSchema, MatchSchema, RecordRefSchema, RelatedSchema } from './records.ts';
import { PageCommandsSchema, ScreenPopSchema } from './screen-pop.ts';

/** Failure body of every route. `message` is for people: what happened, why, what to do. */
export const ErrorBodySchema = v.object({
  error: v.object({ code: v.string(), message: v.string(), retryable: v.boolean() }),
});
export type ErrorBody = v.InferOutput<typeof ErrorBodySchema>;

/** `POST /v1/sessions`: who the agent is, by a proof the CRM or an identity provider vouches for. The header `DPoP` names the session's key. */
export const SessionRequestSchema = v.object({
  device: DeviceIdSchema,
  /** Keep the refresh token in a cookie too, so that this page can go on after a reload. */
  remember: v.optional(v.boolean(), false),
  proof: v.variant('kind', [
    v.object({ kind: v.literal('salesforce-assertion'), assertion: v.pipe(v.string(), v.maxLength(8_192)) }),
    v.object({ kind: v.literal('pairing-code'), code: v.pipe(v.string(), v.maxLength(32)) }),
    /** What the sign-in window handed over, and what only the page that opened it knows. */
    v.object({
      kind: v.literal('sign-in'),
      claim: v.pipe(v.string(), v.maxLength(128)),
      verifier: v.pipe(v.string(), v.maxLength(128)),
    }),
  ]),
});
export type SessionRequest = v.InferOutput<typeof SessionRequestSchema>;

/** `POST /v1/sessions/resume`: new tokens for a refresh token, which is in the cookie or, where cookies are refused, here. */
export const ResumeRequestSchema = v.object({ refresh: v.optional(v.pipe(v.string(), v.maxLength(256))) });

/** What an agent may do beyond phoning: a supervisor sees the team, an admin changes it. */
export const AgentRoleSchema = v.picklist(['agent', 'supervisor', 'admin'], 'must be "agent", "supervisor" or "admin"');
export type AgentRole = v.InferOutput<typeof AgentRoleSchema>;
export type IdentityProof = SessionRequest['proof'];

export const AgentSchema = v.object({
  id: AgentIdSchema,
  tenant: TenantIdSchema,
  name: v.string(),
  extension: v.string(),
});
export type Agent = v.InferOutput<typeof AgentSchema>;

export const SessionSchema = v.object({
  /** The access token: good for minutes, and only beside a proof of the session's key. */
  token: v.string(),
  /** End of the access token, epoch ms. */
  expiresAt: v.number(),
  /** Gets the next access token, once. Kept in memory only. */
  refresh: v.string(),
  /** End of the session, epoch ms: then the agent signs in anew. */
  endsAt: v.number(),
  agent: AgentSchema,
});
export type Session = v.InferOutput<typeof SessionSchema>;

/** `GET /v1/devices`: where this agent is signed in. */
export const DevicesSchema = v.object({
  devices: v.array(
    v.object({
      id: DeviceIdSchema,
      /** Browser and system, as it named itself. */
      label: v.string(),
      way: v.string(),
      since: v.number(),
      lastSeenAt: v.number(),
      /** The device that asks. */
      current: v.boolean(),
    }),
  ),
});
export type Devices = v.InferOutput<typeof DevicesSchema>;

/** `GET /v1/sign-in/ways?host=&origin=&audience=`: the ways to sign in beside a pairing code; `path` is opened as a window. */
export const SignInWaysSchema = v.object({
  ways: v.array(v.object({ path: v.pipe(v.string(), v.regex(/^\/v1\/sign-in\//)), label: v.string() })),
});
export type SignInWay = v.InferOutput<typeof SignInWaysSchema>['ways'][number];

/** From the sign-in window to the page that opened it, by `postMessage` within the relay's origin. */
export const SignInMessageSchema = v.object({ type: v.literal('patchcord.sign-in'), claim: v.string() });

/** `POST /v1/hubspot/pairing-codes` (signed by HubSpot) and `POST /v1/admin/pairing-codes` (admin token, body `{tenant, agent}`). */
export const PairingCodeSchema = v.object({ code: v.string(), expiresAt: v.number() });
export type PairingCode = v.InferOutput<typeof PairingCodeSchema>;

const declineCode = v.picklist([480, 486, 600, 603]);
const dialString = v.pipe(v.string(), v.regex(/^[A-Za-z0-9*#+._{}-]{1,64}$/));
const codes = v.object({ on: dialString, off: dialString });

/** What of an office phone this agent has. In a dial string `{extension}` and `{number}` stand for the one meant. */
export const FeaturesSchema = v.object({
  /** Calls at once, the ringing ones included. */
  mostCalls: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(6)),
  callWaiting: v.boolean(),
  busyCode: declineCode,
  declineCode,
  conference: v.object({
    /** Far sides that are mixed in the browser; 0: none. */
    mostMembers: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(5)),
    /** A conference room at the phone system, such as `8{extension}`. */
    room: v.nullable(dialString),
  }),
  park: v.nullable(
    v.object({
      /** Where a call is sent to be parked; a slot is found by the phone system. null: each slot is a target of its own. */
      to: v.nullable(dialString),
      /** Watched, and dialled to take a call back. */
      slots: v.array(dialString),
    }),
  ),
  pickup: v.object({
    /** Dialled to take a colleague's ringing call, such as `**{extension}`. */
    directed: v.nullable(dialString),
    /** Dialled to take any call that rings in the group. */
    group: v.nullable(dialString),
    /** The dialogs that are watched may be taken over by INVITE with Replaces. */
    byDialog: v.boolean(),
  }),
  /** null: calls can't be forwarded. */
  forwarding: v.nullable(v.union([v.literal('by-phone'), codes])),
  doNotDisturb: v.union([v.literal('by-phone'), codes]),
  autoAnswer: v.picklist(['never', 'idle', 'always']),
  voicemail: v.nullable(
    v.object({
      /** Dialled to listen to the own mailbox. */
      number: v.nullable(dialString),
      /** Where a ringing call is sent to leave a message. */
      deposit: v.nullable(dialString),
      /** The phone system tells how many messages wait. */
      watched: v.boolean(),
      /** The relay has the messages themselves. */
      listed: v.boolean(),
    }),
  ),
  callerIds: v.array(v.object({ number: v.string(), label: v.string() })),
  /** Colleagues whose phones are watched. */
  watch: v.array(v.object({ extension: ExtensionSchema, name: v.string() })),
  /** Other devices of this agent that a live call can go on at. */
  moveTo: v.array(v.object({ number: dialString, label: v.string() })),
  followTransfers: v.boolean(),
  /** Before dialling a record that asks not to be called. */
  doNotCall: v.picklist(['off', 'ask', 'refuse']),
});
export type Features = v.InferOutput<typeof FeaturesSchema>;

/** `GET /v1/profile`: what the phone needs to know before it can work. No secret in it. */
export const ProfileSchema = v.object({
  tenant: v.object({ id: TenantIdSchema, name: v.string(), crm: CrmNameSchema }),
  agent: AgentSchema,
  sip: v.object({
    domain: v.pipe(v.string(), v.minLength(1)),
    /** WSS URLs in order of preference. `ws:` only towards loopback. */
    servers: v.pipe(v.array(v.pipe(v.string(), v.url())), v.minLength(1)),
    registerSeconds: v.pipe(v.number(), v.integer(), v.minValue(30), v.maxValue(3_600)),
    /** `first-host`: the peer relays media and takes an offer with one host candidate. `full`: wait for reflexive or relay candidates. */
    candidates: v.picklist(['first-host', 'full']),
    /** SIP URI that every request goes through first. */
    outboundProxy: v.nullable(v.string()),
    /** On a later server, how long until the first is tried again, seconds; 0: not before the later one fails. */
    failBackSeconds: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)),
    callerIdIn: v.picklist(['p-preferred-identity', 'from']),
    /** RFC 4028; 0: only what the far side asks for. */
    sessionSeconds: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400)),
    /** How calls are taken up again after a reload, a crash or a lost connection. */
    recovery: v.object({
      way: v.picklist(['auto', 'resume', 'replaces']),
      /** Numbers that an application of the phone system answers; such a call must not be replaced. */
      applications: v.array(v.pipe(v.string(), v.maxLength(64))),
      /** What worked with which far side in this tenant so far. */
      known: v.array(
        v.object({
          peer: v.pipe(v.string(), v.maxLength(120)),
          way: v.picklist(['resume', 'replaces']),
          worked: v.boolean(),
        }),
      ),
    }),
  }),
  media: v.object({
    codecs: v.pipe(v.array(v.picklist(['opus', 'G722', 'PCMU', 'PCMA'])), v.minLength(1)),
    opus: v.object({ fec: v.boolean(), dtx: v.boolean() }),
    digits: v.picklist(['rfc4733', 'info', 'in-band']),
    /** The most an agent may have; `rnnoise`: the phone's own, besides the browser's. */
    noiseSuppression: v.optional(v.picklist(['off', 'browser', 'rnnoise']), 'browser'),
  }),
  features: FeaturesSchema,
  /** `relay` sends all media through TURN. */
  iceTransportPolicy: v.picklist(['all', 'relay']),
  numbers: v.object({
    /** ISO 3166-1 alpha-2 country of a number typed without a country code. */
    country: v.pipe(v.string(), v.length(2)),
    /** libphonenumber-js metadata for the tenant's countries; absent countries fall back to digits as typed. */
    metadata: v.record(v.string(), v.unknown()),
  }),
  dispositions: v.array(v.object({ value: v.string(), label: v.string() })),
  dispositionRequired: v.boolean(),
  /** How long an agent has for the wrap-up until it is saved as it stands, seconds; 0: as long as they like. */
  wrapUpSeconds: v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(3_600)),
  screenPop: ScreenPopSchema,
  pageCommands: PageCommandsSchema,
  /** The sound of calls goes to the relay, which has it transcribed: `WS /v1/sound`. */
  transcription: v.optional(v.picklist(['off', 'on']), 'off'),
  recording: v.optional(RecordingPolicySchema, { mode: 'never' }),
});
export type Profile = v.InferOutput<typeof ProfileSchema>;

/** `POST /v1/credentials`: short-lived SIP and TURN credentials for this device. Kept in memory only. */
export const CredentialsSchema = v.object({
  sip: v.object({
    username: v.string(),
    password: v.string(),
    expiresAt: v.number(),
    /** User part of the address of record, when it isn't the extension: where each device is a user of its own at the PBX. */
    user: v.optional(v.string()),
  }),
  iceServers: v.array(
    v.object({ urls: v.array(v.string()), username: v.optional(v.string()), credential: v.optional(v.string()) }),
  ),
});
export type Credentials = v.InferOutput<typeof CredentialsSchema>;

/** `GET /v1/matches?number=+14155550101` or `?number=104`: records whose number equals this one, colleagues with this extension. */
export const MatchesSchema = v.object({
  number: v.union([E164Schema, ExtensionSchema]),
  matches: v.array(MatchSchema),
});
export type Matches = v.InferOutput<typeof MatchesSchema>;

/** `GET /v1/records/related?object=Contact&id=003…`: what a call with this record may be about, likeliest first. */
export const RelatedRecordsSchema = v.object({ records: v.array(RelatedSchema) });
export type RelatedRecords = v.InferOutput<typeof RelatedRecordsSchema>;

/** `GET /v1/calls?limit=50`: the agent's own history, newest first. */
export const CallSummarySchema = v.object({
  callId: CallIdSchema,
  direction: DirectionSchema,
  farSide: PartySchema,
  startedAt: v.number(),
  talkMs: v.number(),
  outcome: v.nullable(CallOutcomeSchema),
  record: v.nullable(RecordRefSchema),
  disposition: v.nullable(v.string()),
  /** `saved` in the CRM, `waiting` in the outbox, `failed` for good with `logReason`. */
  log: v.picklist(['waiting', 'saved', 'failed', 'none']),
  logReason: v.optional(v.string()),
  /** Whether it can be listened to: `ready`, or `making` until its parts are one file. */
  recording: v.optional(v.string()),
});
export type CallSummary = v.InferOutput<typeof CallSummarySchema>;
export const HistorySchema = v.object({ calls: v.array(CallSummarySchema) });

/**
 * `PUT /v1/calls/<call id>/log-creator`, body `{}`: asks who makes the log of a call that begins, before anybody does. The first answer is
 * kept; asking again gives the same. Whoever gets no answer lets the relay do it.
 */
export const LogCreatorSchema = v.object({
  /** `page`: the CRM's own page is asked to make it, and the relay goes on in it. `relay`: the page is asked to make none. */
  creator: v.picklist(['page', 'relay']),
  /** The log, where there is one already. */
  logId: v.nullable(v.string()),
});
export type LogCreator = v.InferOutput<typeof LogCreatorSchema>;

/** What an agent has to call: a call-back at a time, or an entry of the dial list. */
export const ToCallSchema = v.object({
  id: v.pipe(v.string(), v.uuid()),
  kind: v.picklist(['call-back', 'dial-list']),
  /** As it shall be dialled. */
  number: v.pipe(v.string(), v.minLength(1), v.maxLength(128)),
  name: v.nullable(v.pipe(v.string(), v.maxLength(255))),
  record: v.nullable(RecordRefSchema),
  note: v.nullable(v.pipe(v.string(), v.maxLength(2_000))),
  /** When to call, epoch ms; null on the dial list, which has an order instead. */
  dueAt: v.nullable(v.number()),
  /** Who wants it, for a person: an agent's name, a workflow. */
  askedBy: v.pipe(v.string(), v.maxLength(255)),
  createdAt: v.number(),
  doneAt: v.nullable(v.number()),
});
export type ToCall = v.InferOutput<typeof ToCallSchema>;

/** `GET /v1/to-call`: what is open, call-backs by time, then the dial list in its order. */
export const ToCallListSchema = v.object({ entries: v.array(ToCallSchema) });
export type ToCallList = v.InferOutput<typeof ToCallListSchema>;

/** `POST /v1/to-call`: `id` is made by who asks, so that a repeat adds nothing. */
export const ToCallRequestSchema = v.object({
  ...v.pick(ToCallSchema, ['id', 'kind', 'number']).entries,
  ...v.partial(v.pick(ToCallSchema, ['name', 'record', 'note', 'dueAt'])).entries,
});
export type ToCallRequest = v.InferOutput<typeof ToCallRequestSchema>;

/** `PATCH /v1/to-call/<id>`: `done` may be taken back by `done: false`. */
export const ToCallChangeSchema = v.object({ dueAt: v.optional(v.number()), done: v.optional(v.boolean()) });
export type ToCallChange = v.InferOutput<typeof ToCallChangeSchema>;

/** A message somebody left in the agent's mailbox, as it lies at the relay. */
export const VoicemailSchema = v.object({
  id: v.pipe(v.string(), v.uuid()),
  /** Who left it; the number is empty when it was withheld. */
  from: PartySchema,
  /** When it was left, epoch ms. */
  at: v.number(),
  durationMs: v.number(),
  heard: v.boolean(),
  /** Since when it is deleted, epoch ms: it can be brought back until the relay's grace is over; null: it is there. */
  deletedAt: v.nullable(v.number()),
  /** Records with the caller's number; absent where the relay could not look in time. */
  matches: v.optional(v.array(MatchSchema)),
  /** What was said, where something wrote it down. */
  text: v.nullable(v.string()),
  /** Why there is no text where somebody writes messages down: `waiting` (it is being written), `none` (no words in it), else the reason in words. */
  noText: v.optional(v.string()),
});
export type Voicemail = v.InferOutput<typeof VoicemailSchema>;

/** `GET /v1/voicemails`: the agent's own, newest first; deleted ones that can still be brought back with `deletedAt`. */
export const VoicemailsSchema = v.object({ voicemails: v.array(VoicemailSchema) });
export type Voicemails = v.InferOutput<typeof VoicemailsSchema>;

/** `PATCH /v1/voicemails/<id>`, answered with the message as it is then; `deleted: false` brings one back. `DELETE` is `deleted: true`. */
export const VoicemailChangeSchema = v.object({ heard: v.optional(v.boolean()), deleted: v.optional(v.boolean()) });
export type VoicemailChange = v.InferOutput<typeof VoicemailChangeSchema>;

/** `GET /v1/voicemails/<id>/audio`: a link that plays it for some minutes without a session, for an `<audio>` element. */
export const VoicemailAudioSchema = v.object({
  url: v.pipe(v.string(), v.url()),
  durationMs: v.number(),
  /** End of the link, epoch ms. */
  expiresAt: v.number(),
});
export type VoicemailAudio = v.InferOutput<typeof VoicemailAudioSchema>;

/** `GET /v1/may-call?number=`: whether this number may be called. Answered within a second, whatever the CRM does. */
export const MayCallSchema = v.object({
  /** `yes`: dial. `ask`: say `reason` and dial when the agent confirms. `no`: the tenant refuses such calls; say `reason`. */
  verdict: v.picklist(['yes', 'ask', 'no']),
  /** In words for the agent; empty where there is nothing to say. */
  reason: v.pipe(v.string(), v.maxLength(500)),
  /** Whose wish it is not to be called, where a record says so. */
  record: v.optional(RecordRefSchema),
});
export type MayCall = v.InferOutput<typeof MayCallSchema>;

/** `GET /v1/unlogged` (the agent's own) and `GET /v1/admin/unlogged?tenant=`: calls whose log is not in the CRM, why, and what to do. */
export const UnloggedSchema = v.object({
  calls: v.array(
    v.object({
      ...CallSummarySchema.entries,
      agent: AgentIdSchema,
      /** When the relay last heard of the call, epoch ms. */
      since: v.number(),
      /** In words: what happens next, or what a person has to do. */
      advice: v.string(),
    }),
  ),
});
export type Unlogged = v.InferOutput<typeof UnloggedSchema>;

/** `POST /v1/calls/<call id>/log/retry`: where the log stands after asking again. */
export const LogRetrySchema = v.object({
  callId: CallIdSchema,
  log: v.picklist(['waiting', 'saved', 'failed', 'none']),
});

/** `GET /v1/calls/<call id>/events?after=<seq>`: a call's events after a number, in order. `more`: ask again after the last of these. */
export const CallEventsSchema = v.object({
  events: v.array(v.object({ seq: v.number(), event: EnvelopeSchema })),
  more: v.boolean(),
});
export type CallEvents = v.InferOutput<typeof CallEventsSchema>;

/** `WS /v1/live`, panel → relay. The first message authenticates; everything before that is refused. */
export const PanelMessageSchema = v.variant('type', [
  v.object({
    type: v.literal('authenticate'),
    token: v.pipe(v.string(), v.maxLength(4_096)),
    /** DPoP proof (method GET, the socket's URL). */
    proof: v.optional(v.pipe(v.string(), v.maxLength(4_096))),
    /** This frame has no calls of its own. It has from its first `publish` on, which may be empty. */
    mirror: v.optional(v.boolean()),
  }),
  v.object({ type: v.literal('publish'), events: v.pipe(v.array(v.unknown()), v.maxLength(100)) }),
  /**
   * This device (one storage partition of one browser) wants to own the agent's line, or owns it and says so again (`epoch`: what it was given).
   * `take`: also from another device that has it.
   */
  v.object({ type: v.literal('line.ask'), epoch: v.nullable(v.number()), take: v.boolean() }),
  v.object({ type: v.literal('line.leave'), epoch: v.number() }),
  /** What another device would have to know to take the calls up; kept sealed, for the next owner only. `kept` is JSON in the phone's own words. */
  v.object({ type: v.literal('line.keep'), epoch: v.number(), kept: v.pipe(v.string(), v.maxLength(48_000)) }),
  /** To the agent's other devices: the phone's state from its owner, commands and looks from the others. */
  v.object({ type: v.literal('frames.say'), body: v.pipe(v.string(), v.maxLength(48_000)) }),
]);
export type PanelMessage =
  | {
      readonly type: 'authenticate';
      readonly token: string;
      readonly proof?: string | undefined;
      readonly mirror?: boolean | undefined;
    }
  | { readonly type: 'publish'; readonly events: readonly v.InferOutput<typeof EnvelopeSchema>[] }
  | { readonly type: 'line.ask'; readonly epoch: number | null; readonly take: boolean }
  | { readonly type: 'line.leave'; readonly epoch: number }
  | { readonly type: 'line.keep'; readonly epoch: number; readonly kept: string }
  | { readonly type: 'frames.say'; readonly body: string };

/** `WS /v1/live`, relay → panel. `acknowledged` means stored on disk; `refused` means the event can never be taken and why. */
export const RelayMessageSchema = v.variant('type', [
  v.object({ type: v.literal('authenticated'), agent: AgentSchema }),
  v.object({ type: v.literal('acknowledged'), ids: v.array(v.string()) }),
  v.object({ type: v.literal('refused'), id: v.string(), message: v.string() }),
  v.object({
    type: v.literal('event'),
    event: EnvelopeSchema,
    /** The event's number within its call. A reader that misses one before it asks `GET /v1/calls/<call id>/events?after=<number>`. */
    seq: v.optional(v.number()),
  }),
  /** This device owns the line until it is told otherwise, or says nothing for `forMs`. `kept`: what the owner before left; it says itself whether that was this device. */
  v.object({
    type: v.literal('line.yours'),
    epoch: v.number(),
    forMs: v.pipe(v.number(), v.minValue(0)),
    kept: v.nullable(v.string()),
  }),
  /** Another device owns it: it came first, or took it. `where`: for the agent, such as "Chrome on Windows". */
  v.object({ type: v.literal('line.elsewhere'), epoch: v.number(), device: DeviceIdSchema, where: v.string() }),
  /** Nobody owns it any more: whoever can may ask. */
  v.object({ type: v.literal('line.free'), epoch: v.number() }),
  v.object({ type: v.literal('frames.said'), device: DeviceIdSchema, body: v.string() }),
  v.object({ type: v.literal('error'), code: v.string(), message: v.string() }),
]);
export type RelayMessage = v.InferOutput<typeof RelayMessageSchema>;
