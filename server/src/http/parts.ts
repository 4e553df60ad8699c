/** What the routes work with. Owns nothing; `index.ts` puts it together. */
import type { RelayConfig } from '../config.ts';
import type { Delivery } from '../delivery/delivery.ts';
import type { PairingCodes } from '../identity/pairing-codes.ts';
import type { Proofs } from '../identity/proofs.ts';
import type { Sessions } from '../identity/sessions.ts';
import type { Limits } from '../limits.ts';
import type { LiveHub } from '../live/hub.ts';
import type { Log } from '../logging.ts';
import type { Metrics } from '../metrics.ts';
import type { Store } from '../store/contract.ts';
import type { Tenants } from '../tenants.ts';

export interface RelayParts {
  readonly config: RelayConfig;
  /** What browsers call the relay: an origin, no trailing slash. */
  readonly publicUrl: () => string;
  readonly store: Store;
  readonly tenants: Tenants;
  readonly sessions: Sessions;
  readonly codes: PairingCodes;
  readonly proofs: Proofs;
  readonly hub: LiveHub;
  readonly delivery: Delivery;
  readonly limits: Limits;
  readonly metrics: Metrics;
  readonly log: Log;
  readonly now: () => number;
  readonly closing: () => boolean;
}
