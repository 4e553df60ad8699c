/** What the routes work with. Owns nothing; `index.ts` puts it together. */
import type { Alerts } from '../alerts.ts';
import type { Audit } from '../audit.ts';
import type { Brakes } from '../brakes/brakes.ts';
import type { EventRecorder } from '../call-log/record-events.ts';
import type { RelayConfig } from '../config.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { PairingCodes } from '../identity/pairing-codes.ts';
import type { Possessions } from '../identity/possession.ts';
import type { Proofs } from '../identity/proofs.ts';
import type { Sessions } from '../identity/sessions.ts';
import type { SignIns } from '../identity/sign-ins.ts';
import type { Limits } from '../limits.ts';
import type { LiveHub } from '../live/hub.ts';
import type { LiveMetrics } from '../live/live-metrics.ts';
import type { LiveStreams } from '../live/stream.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { OutboxWatch } from '../observed.ts';
import type { Assembly } from '../recordings/assembly.ts';
import type { Recordings } from '../recordings/recordings.ts';
import type { Recoveries } from '../recoveries.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';
import type { Vault } from '../vault.ts';
import type { Voicemails } from '../voicemails/voicemails.ts';
import type { MatchesInTime } from '../who-is/matches-in-time.ts';
import type { NumberHashes } from '../who-is/number-hash.ts';
import type { WhoIs } from '../who-is/who-is.ts';

export interface RelayParts {
  readonly config: RelayConfig;
  /** What browsers call the relay: an origin, no trailing slash. */
  readonly publicUrl: () => string;
  /** Origins whose pages may talk to the relay: its own. */
  readonly origins: () => readonly string[];
  readonly store: Store;
  readonly tenants: Tenants;
  readonly whoIs: WhoIs;
  readonly audit: Audit;
  readonly possessions: Possessions;
  readonly signIns: SignIns;
  readonly sessions: Sessions;
  readonly codes: PairingCodes;
  readonly proofs: Proofs;
  readonly hub: LiveHub;
  readonly streams: LiveStreams;
  readonly live: LiveMetrics;
  readonly recorder: EventRecorder;
  readonly recordings: Recordings;
  readonly assembly: Assembly;
  readonly voicemails: Voicemails;
  readonly recoveries: Recoveries;
  readonly matchesInTime: MatchesInTime;
  readonly hashes: NumberHashes;
  /** How long an agent who pressed "call" waits for the verdict on the number, ms. */
  readonly mayCallWithinMs: number;
  readonly vault: Vault;
  readonly delivery: Delivery;
  readonly alerts: Alerts;
  readonly brakes: Brakes;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  readonly closing: () => boolean;
  readonly outboxWatch: OutboxWatch;
  /** What works less well than it should, in words for an operator: it degrades the relay, it does not take it out. */
  readonly troubles: () => readonly string[];
}
