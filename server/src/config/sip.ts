/** A tenant's telephony: the SIP edge, how credentials are made, the TURN server. */

import { AgentIdSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, oneSpelling, secret, text, url } from './fields.ts';

const ttlSeconds = v.optional(
  v.pipe(
    v.number(),
    v.integer(),
    v.minValue(30, 'must be 30 at least'),
    v.maxValue(3_600, 'must be 3600 at most: short-lived is the point'),
  ),
  600,
);

/** Settings of a PBX object or directory user, as that PBX calls them. */
const settings = (what: string) =>
  v.optional(
    v.record(
      v.pipe(v.string(), v.regex(/^[A-Za-z0-9_-]{1,64}$/, 'must be the name of a setting')),
      v.pipe(v.string(`must be text: ${what}`), v.maxLength(500), v.regex(/^[^\p{Cc}]*$/u, 'must be one line')),
    ),
    {},
  );

/** How the tenant's PBX wants its credentials; `credentials/issuers.ts` has a driver for each kind. */
const CredentialSchema = v.variant(
  'kind',
  [
    v.strictObject({
      kind: v.literal('kamailio-ephemeral'),
      secret: secret('the secret shared with the SIP edge'),
      algorithm: v.optional(v.literal('sha256', 'must be "sha256"'), 'sha256'),
      ttlSeconds,
    }),
    v.strictObject({ kind: v.literal('kamailio-htable'), ttlSeconds }),
    v.strictObject({
      kind: v.literal('asterisk-ari'),
      url: v.pipe(url('ARI, for instance http://127.0.0.1:8088/ari', 'https:', 'http:'), oneSpelling),
      username: text('the ARI user'),
      password: givenSecret('the password of the ARI user'),
      /** The endpoint that rings all browsers of an extension is this and the extension. */
      companionPrefix: v.optional(
        v.pipe(v.string(), v.regex(/^[A-Za-z0-9]{1,16}$/, 'must be letters and digits')),
        '99',
      ),
      /** Attributes of a device's endpoint, over those the driver gives. */
      endpoint: settings('an attribute of a PJSIP endpoint'),
      ttlSeconds,
    }),
    v.strictObject({
      kind: v.literal('freeswitch-xmlcurl'),
      /** What FreeSWITCH shows when it asks: the Basic password; the user name is the tenant's id. */
      token: secret('what FreeSWITCH shows when it asks for the directory', 32),
      eventSocket: v.optional(
        v.strictObject({
          host: text('where the event socket listens'),
          port: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)), 8_021),
          password: givenSecret('the password of the event socket'),
          profile: v.optional(
            v.pipe(v.string(), v.regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be a Sofia profile')),
            'internal',
          ),
        }),
      ),
      /** `<param>` and `<variable>` of a user, over those the driver gives. */
      params: settings('a directory parameter'),
      variables: settings('a directory variable'),
      ttlSeconds,
    }),
    v.strictObject({
      kind: v.literal('jambonz-hook'),
      /** What jambonz shows by HTTP Basic when it asks. */
      username: v.pipe(
        text('the user name of the registration hook'),
        v.regex(/^[^:\s]{1,128}$/, 'must not hold ":" or spaces'),
      ),
      password: secret('the password of the registration hook'),
      ttlSeconds,
    }),
    v.strictObject({
      kind: v.literal('static'),
      /** Agent id → what the PBX knows that agent by. Nothing here can be revoked. */
      agents: v.record(
        AgentIdSchema,
        v.strictObject({
          username: v.optional(text('the user name for the digest; absent: the extension')),
          password: givenSecret('the SIP password of this agent'),
        }),
      ),
    }),
  ],
  'must be "kamailio-ephemeral", "kamailio-htable", "asterisk-ari", "freeswitch-xmlcurl", "jambonz-hook" or "static"',
);

const SipSettingsSchema = v.strictObject({
  domain: text('the SIP domain'),
  servers: v.pipe(
    v.array(v.pipe(url('a SIP over WebSocket server', 'wss:', 'ws:'), encryptedUnlessLoopback)),
    v.minLength(1, 'needs at least one WebSocket server, best first'),
  ),
  registerSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(30), v.maxValue(3_600)), 120),
  /** Every request that begins something goes through here first. */
  outboundProxy: v.exactOptional(
    v.pipe(
      text('a SIP URI such as "sip:edge.example.com:5061;transport=ws;lr"'),
      v.regex(/^sips?:[^\s<>",@]{1,200}$/, 'must be a SIP URI without a user, such as "sip:edge.example.com;lr"'),
    ),
  ),
  /** On a later server, how long until the first is tried again, seconds; 0: not before the later one fails. */
  failBackSeconds: v.optional(
    v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(86_400, 'must be 86400 at most: a day')),
    300,
  ),
  /** How the agent's choice of a caller ID is told. */
  callerIdIn: v.optional(
    v.picklist(['p-preferred-identity', 'from'], 'must be "p-preferred-identity" or "from"'),
    'p-preferred-identity',
  ),
  /** How long a call may go without a sign of life, seconds (RFC 4028: 90 at least); 0: only what the far side asks for. */
  sessionSeconds: v.optional(
    v.pipe(
      v.number(),
      v.integer(),
      v.maxValue(86_400, 'must be 86400 at most: a day'),
      v.check((value) => value === 0 || value >= 90, 'must be 0, or 90 at least'),
    ),
    0,
  ),
  candidates: v.optional(
    v.picklist(['first-host', 'full'], 'must be "first-host" (the edge relays media) or "full"'),
    'first-host',
  ),
  credential: CredentialSchema,
  /** How calls are taken up again after a reload, a crash or a lost connection, and what becomes of those that nobody takes up. */
  recovery: v.optional(
    v.strictObject({
      /** `auto` goes by what the far side is and by what worked with it; the others are tried first whatever it is. */
      way: v.optional(v.picklist(['auto', 'resume', 'replaces'], 'must be "auto", "resume" or "replaces"'), 'auto'),
      /** Numbers that an application of the phone system answers (a menu, an announcement), beside those that "features" names. */
      applications: v.optional(
        v.pipe(
          v.array(
            v.pipe(
              text('a number as it is dialled'),
              v.regex(
                /^[A-Za-z0-9*#+._-]{1,64}$/,
                'must be what a phone can dial: letters, digits, "*", "#", "+", ".", "_", "-"',
              ),
            ),
          ),
          v.maxLength(200, 'takes at most 200 numbers'),
        ),
        [],
      ),
      /** A call whose phone is gone for this long, and that no other took up, is ended at the phone system, seconds; 0: never. */
      endAfterSeconds: v.optional(
        v.pipe(
          v.number(),
          v.integer(),
          v.maxValue(3_600, 'must be 3600 at most: the far side talks to nobody'),
          v.check(
            (value) => value === 0 || value >= 10,
            'must be 0, or 10 at least: a phone needs that long to come back',
          ),
        ),
        30,
      ),
    }),
    {},
  ),
  revocation: v.optional(
    v.strictObject({
      kamailioRpcUrl: v.optional(
        v.pipe(url("the edge's control port, for instance http://127.0.0.1:8090/RPC", 'https:', 'http:'), oneSpelling),
      ),
      /** Sent as the `Authorization` header, as the edge expects it. */
      kamailioRpcToken: v.optional(givenSecret('what the control port wants in its Authorization header')),
      /** What becomes of a call that runs while its agent or device is revoked. */
      calls: v.optional(v.picklist(['keep', 'end'], 'must be "keep" or "end"'), 'keep'),
    }),
    {},
  ),
});

export const SipSchema = v.pipe(
  SipSettingsSchema,
  v.forward(
    v.partialCheck(
      [['credential'], ['revocation']],
      ({ credential, revocation }) => credential.kind !== 'kamailio-htable' || revocation.kamailioRpcUrl !== undefined,
      'is missing; credentials of the kind "kamailio-htable" are pushed through the control port of the edge, so name it',
    ),
    ['revocation', 'kamailioRpcUrl'],
  ),
);

export const TurnSchema = v.strictObject({
  urls: v.pipe(
    v.array(
      v.pipe(
        v.string(),
        v.regex(/^turns?:[^/]+$/, 'must be a TURN URL like "turns:turn.example.com:443?transport=tcp"'),
      ),
    ),
    v.minLength(1, 'needs at least one TURN URL'),
  ),
  secret: secret('the static-auth-secret of the TURN server'),
  ttlSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(60), v.maxValue(86_400)), 600),
});
