/** One customer organisation: its CRM, its telephony, its agents, and the rules for them. */
import { AgentIdSchema, AgentRoleSchema, TenantIdSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { SpottingSchema, SummarySchema } from './after-call.ts';
import { AgentBrakesSchema, BrakesSchema } from './brakes.ts';
import { CallRecordsSchema } from './call-records.ts';
import { CallerSourcesSchema } from './caller-sources.ts';
import { CrmSchema } from './crm.ts';
import { AgentFeaturesSetting, FeaturesSetting, MediaSetting } from './features.ts';
import { country, encryptedUnlessLoopback, givenSecret, hostOrigin, text, unique, url } from './fields.ts';
import { AgentRecordingSetting, RecordingPolicySetting } from './recording-policy.ts';
import { TranscriptsSchema } from './recordings.ts';
import { PageCommandsSetting, ScreenPopSetting } from './screen-pop.ts';
import { SignInSchema } from './sign-in.ts';
import { SipSchema, TurnSchema } from './sip.ts';
import { AgentTranscriptionSchema, TranscriptionSchema } from './transcription.ts';

const webhookSecret = v.pipe(
  givenSecret('the signing secret'),
  v.regex(
    /^whsec_[A-Za-z0-9+/]{32,}={0,2}$/,
    'must be a Standard Webhooks secret: "whsec_" and at least 24 bytes in base64',
  ),
);

const reservedNames = new Set(['relay', 'default']);

const AgentSchema = v.strictObject({
  id: AgentIdSchema,
  name: text("the agent's name"),
  extension: v.pipe(
    text('the extension'),
    v.regex(/^[A-Za-z0-9._~!$&'()*+,;=-]{1,64}$/, 'must be a SIP user name without ":", "@" or spaces'),
    v.check(
      (value) => !reservedNames.has(value.toLowerCase()),
      'must not be "relay" or "default": the SIP edge keeps notes of its own under these names',
    ),
  ),
  crmUserId: text('who the agent is in the CRM: a Salesforce user id (005…) or a HubSpot user id'),
  email: v.optional(v.string()),
  /** A supervisor sees the team, an admin changes it. */
  role: v.optional(AgentRoleSchema, 'agent'),
  /** Brakes of this agent where they differ from the tenant's. */
  brakes: v.exactOptional(AgentBrakesSchema),
  /** What of an office phone is this agent's instead of the tenant's. */
  features: v.exactOptional(AgentFeaturesSetting),
  /** What of live transcription is this agent's instead of the tenant's. */
  transcription: v.exactOptional(AgentTranscriptionSchema),
  /** Whether this agent's calls are recorded, instead of the tenant's. */
  recording: v.exactOptional(AgentRecordingSetting),
});

export const TenantSchema = v.strictObject({
  id: TenantIdSchema,
  name: text('what people call this customer'),
  /** Country of a number typed without a country code. */
  country,
  /** Further countries whose number formats the phone should know. */
  countries: v.optional(v.array(country), []),
  hostOrigins: v.pipe(v.array(hostOrigin), v.minLength(1, 'needs the origin of the page that may frame the phone')),
  crm: CrmSchema,
  /** Who a caller is where the CRM has nobody with the number. */
  callerSources: v.optional(CallerSourcesSchema, {}),
  signIn: v.optional(SignInSchema, {}),
  sip: SipSchema,
  turn: v.optional(TurnSchema),
  iceTransportPolicy: v.optional(v.picklist(['all', 'relay']), 'all'),
  /** How sound is sent. */
  media: v.optional(MediaSetting, {}),
  /** What of an office phone the agents have. */
  features: v.optional(FeaturesSetting, {}),
  /** Against toll fraud; without a word here the defaults protect. */
  brakes: v.optional(BrakesSchema, {}),
  /** Phone systems that report calls, so that a call no browser saw is logged. */
  callRecords: v.optional(CallRecordsSchema),
  /** Who transcribes calls while they last; absent: nobody, and no sound leaves a page. */
  transcription: v.exactOptional(TranscriptionSchema),
  /** Whether the relay records calls; without a word here it does not. */
  recording: v.optional(RecordingPolicySetting, {}),
  /** What becomes of the words of a call. */
  transcripts: v.optional(TranscriptsSchema, {}),
  /** Phrases that are looked for in the words of a call. */
  spotting: v.optional(SpottingSchema, {}),
  /** Who sums a call up when it is over. */
  summary: v.exactOptional(SummarySchema),
  dispositions: v.optional(
    v.array(v.strictObject({ value: text('what the CRM stores'), label: text('what the agent reads') })),
    [],
  ),
  dispositionRequired: v.optional(v.boolean(), false),
  /** Seconds an agent has for the wrap-up until it is saved as it stands; 0: as long as they like. */
  wrapUpSeconds: v.optional(v.pipe(v.number('must be a number'), v.integer(), v.minValue(0), v.maxValue(3_600)), 0),
  screenPop: v.optional(ScreenPopSetting, {}),
  pageCommands: v.optional(PageCommandsSetting, {}),
  webhooks: v.optional(
    v.array(
      v.pipe(
        v.strictObject({
          url: v.pipe(url('where events go', 'https:', 'http:'), encryptedUnlessLoopback),
          secret: webhookSecret,
          /** While a secret is being changed: events carry a signature of each. */
          previousSecret: v.optional(webhookSecret),
          /** Event names to send, all when absent. */
          events: v.optional(v.array(v.string())),
          /** The endpoint is inside: this machine or its networks, also without encryption on this machine. */
          allowPrivate: v.optional(v.boolean(), false),
        }),
        v.forward(
          v.partialCheck(
            [['url'], ['allowPrivate']],
            (webhook) => webhook.allowPrivate || !webhook.url.startsWith('http:'),
            'must be https: unless "allowPrivate" is true for this webhook',
          ),
          ['url'],
        ),
      ),
    ),
    [],
  ),
  agents: v.pipe(
    v.array(AgentSchema),
    unique((agent) => agent.id, 'id'),
    unique((agent) => agent.extension, 'extension'),
    unique((agent) => agent.crmUserId, 'crmUserId'),
  ),
});
