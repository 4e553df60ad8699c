/**
 * How an adapter asks for leave before each request, and tells what came back: so that a CRM's limits are used well and never overrun.
 * Owns the shape only; who grants leave, and how much of it, is the relay's matter. Must never hold up an adapter that was given no gate.
 */

/** What is about to be asked of the CRM. */
export interface GatedRequest {
  /** A search: CRMs count these apart. */
  readonly search?: boolean;
  /** A person waits for the answer: it goes before what does not. */
  readonly urgent?: boolean;
}

/** What an answer says of the CRM's limits; absent where it says nothing. */
export interface SaidOfLimits {
  /** The CRM refused for its limits; how long it asks us to wait, ms, where it says so. */
  readonly refused?: {
    readonly retryAfterMs?: number;
    /** The limit of searches, which stops nothing else. */
    readonly searchesOnly?: boolean;
  };
  /** What it grants, and what is left of that, in a span (HubSpot's `X-HubSpot-RateLimit-*`). */
  readonly window?: { readonly limit: number; readonly remaining: number; readonly spanMs: number };
  /** What of the day's allowance is used (Salesforce's `Sforce-Limit-Info`). */
  readonly day?: { readonly used: number; readonly limit: number };
}

export interface RequestGate {
  /**
   * Resolves when the request may be sent; call the result with what came back, once, whatever came back.
   * @throws PatchcordError `crm.rate-limited` with `retryAfterMs` when it would have to wait too long
   */
  pass(request: GatedRequest): Promise<(said: SaidOfLimits) => void>;
}

/** Lets everything through at once. */
export const openGate: RequestGate = { pass: () => Promise.resolve(() => {}) };
