/**
 * Keeps the line's short-lived credentials fresh: fetches them, renews at two thirds of their life (also in the middle of a call), and at
 * once when the registrar refuses. Owns when, never what for: the credential passes through and is not kept.
 */
import { type Credentials, type ErrorCode, errorCode } from '@patchcord/call-protocol';
import type { ClockPort } from '@patchcord/phone-engine';

export interface CredentialTrouble {
  readonly code: ErrorCode;
  readonly message: string;
}

export interface CredentialKeeper {
  start(): void;
  /** The registrar refused the line: a new credential now, later and later while it keeps refusing. */
  rejected(): void;
  /** The registrar took the line. */
  accepted(): void;
  /** Asks now instead of at the planned time: the relay is back, or the agent signed in again. */
  nudge(): void;
  stop(): void;
}

export interface CredentialKeeperOptions {
  readonly fetch: () => Promise<Credentials>;
  /** `first` is true once: the account is set then, later credentials renew it in place. */
  readonly apply: (credentials: Credentials, first: boolean) => void;
  /** null when the last fetch went well. */
  readonly trouble: (trouble: CredentialTrouble | null) => void;
  readonly clock: ClockPort;
  readonly random?: () => number;
}

const firstDelayMs = 1_000;
const longestDelayMs = 60_000;
/** A credential that seems to lapse sooner is renewed this much later, whatever its life: clocks differ. */
const shortestRenewalMs = 5_000;
/** setTimeout counts in 32 bits. */
const longestRenewalMs = 2_000_000_000;

/** Keeps one line supplied. A revoked credential stops it: only a new sign-in starts over. */
export function createCredentialKeeper(options: CredentialKeeperOptions): CredentialKeeper {
  const { clock, random = Math.random } = options;
  let timer: unknown = null;
  let first = true;
  let failures = 0;
  let refusals = 0;
  let fetching = false;
  let stopped = true;

  function plan(ms: number): void {
    if (timer !== null) clock.clearTimeout(timer);
    timer = clock.setTimeout(() => void renew(), Math.min(ms, longestRenewalMs));
  }

  function backOff(count: number): number {
    return Math.min(longestDelayMs, firstDelayMs * 2 ** Math.min(count, 10)) * (0.5 + random() / 2);
  }

  async function renew(): Promise<void> {
    if (stopped || fetching) return;
    fetching = true;
    try {
      const credentials = await options.fetch();
      if (stopped) return;
      failures = 0;
      options.apply(credentials, first);
      first = false;
      options.trouble(null);
      const life = credentials.sip.expiresAt - clock.now();
      plan(Math.max(shortestRenewalMs, (life * 2) / 3));
    } catch (error) {
      if (stopped) return;
      const code = errorCode(error);
      options.trouble({ code, message: error instanceof Error ? error.message : String(error) });
      if (code === 'credential.revoked') stopped = true;
      else {
        plan(backOff(failures));
        failures += 1;
      }
    } finally {
      fetching = false;
    }
  }

  return {
    start() {
      if (!stopped) return;
      stopped = false;
      void renew();
    },
    rejected() {
      if (stopped) return;
      if (refusals === 0) void renew();
      else plan(backOff(refusals));
      refusals += 1;
    },
    accepted() {
      refusals = 0;
    },
    nudge() {
      if (failures === 0) return;
      failures = 0;
      void renew();
    },
    stop() {
      stopped = true;
      if (timer !== null) clock.clearTimeout(timer);
      timer = null;
    },
  };
}
