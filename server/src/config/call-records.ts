/** Which phone systems of a tenant may report calls, what they prove themselves by, and how long their word alone rests before it is logged. */
import * as v from 'valibot';
import { isNetwork, ms, secret } from './fields.ts';

const PbxRecordsSchema = v.strictObject({
  /** Sent as a bearer token or Basic password, or the key the sender signs with ("whsec_…" in base64, anything else as it is). */
  secret: secret('the secret shared with the phone system'),
  /** While the secret is being changed. */
  previousSecret: v.exactOptional(secret('the secret before')),
  /** Addresses it may report from, all when absent. */
  from: v.exactOptional(
    v.array(v.pipe(v.string(), v.check(isNetwork, 'must be an address or a network like "10.0.0.0/8"'))),
  ),
});

export const CallRecordsSchema = v.strictObject({
  kamailio: v.exactOptional(PbxRecordsSchema),
  asterisk: v.exactOptional(PbxRecordsSchema),
  freeswitch: v.exactOptional(PbxRecordsSchema),
  /** A call that only a phone system reported is logged this long after its last report: its phone may still tell more of it. */
  settleMs: v.optional(ms(0, 3_600_000), 60_000),
  /** The same while the agent is signed in somewhere: a browser that is offline brings its journal later. */
  signedInSettleMs: v.optional(ms(0, 86_400_000), 300_000),
  /** A missed call waits this long for the other legs of its ring group: one log for all of them. */
  groupMs: v.optional(ms(0, 600_000), 10_000),
});
