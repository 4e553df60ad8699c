/** A tenant's telephony: the SIP edge, how credentials are made, the TURN server. */
import * as v from 'valibot';
import { encryptedUnlessLoopback, givenSecret, secret, text, url } from './fields.ts';

export const SipSchema = v.strictObject({
  domain: text('the SIP domain'),
  servers: v.pipe(
    v.array(v.pipe(url('a SIP over WebSocket server', 'wss:', 'ws:'), encryptedUnlessLoopback)),
    v.minLength(1, 'needs at least one WebSocket server, best first'),
  ),
  registerSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(30), v.maxValue(3_600)), 120),
  candidates: v.optional(
    v.picklist(['first-host', 'full'], 'must be "first-host" (the edge relays media) or "full"'),
    'first-host',
  ),
  credential: v.strictObject({
    kind: v.literal('kamailio-ephemeral', 'must be "kamailio-ephemeral", the only scheme so far'),
    secret: secret('the secret shared with the SIP edge'),
    algorithm: v.optional(v.literal('sha256', 'must be "sha256"'), 'sha256'),
    ttlSeconds: v.optional(
      v.pipe(
        v.number(),
        v.integer(),
        v.minValue(30, 'must be 30 at least'),
        v.maxValue(3_600, 'must be 3600 at most: short-lived is the point'),
      ),
      600,
    ),
  }),
  revocation: v.optional(
    v.strictObject({
      kamailioRpcUrl: url("the edge's control port, for instance http://127.0.0.1:8090/RPC", 'https:', 'http:'),
      /** Sent as the `Authorization` header, as the edge expects it. */
      kamailioRpcToken: v.optional(givenSecret('what the control port wants in its Authorization header')),
    }),
  ),
});

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
