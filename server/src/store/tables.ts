/**
 * The tables as kysely sees them. One schema for both databases: text ids, JSON as text, times as integer epoch ms. `migrations/` makes them.
 */

export interface Tables {
  events: {
    source: string;
    id: string;
    tenant: string;
    agent: string;
    call_id: string | null;
    envelope: string;
    received_at: number;
  };
  calls: {
    call_id: string;
    tenant: string;
    agent: string;
    version: number;
    log: string | null;
    /** 1 while the call lives. */
    open: number;
    started_at: number;
    touched_at: number;
    log_state: string;
    log_id: string | null;
    log_reason: string | null;
  };
  outbox: {
    id: string;
    kind: string;
    tenant: string;
    call_id: string | null;
    payload: string;
    version: number;
    attempts: number;
    state: string;
    due_at: number;
    created_at: number;
    lease: string | null;
    lease_until: number;
    reason: string | null;
  };
  sessions: {
    token_hash: string;
    tenant: string;
    agent: string;
    device: string;
    created_at: number;
    expires_at: number;
    revoked_at: number | null;
  };
  pairing_codes: { code_hash: string; tenant: string; agent: string; expires_at: number; used_at: number | null };
  used_proofs: { key: string; expires_at: number };
  issued_credentials: {
    id: string;
    tenant: string;
    agent: string;
    device: string;
    username: string;
    issued_at: number;
    expires_at: number;
  };
  denied_agents: { tenant: string; agent: string; extension: string | null; until: number; denied_at: number };
}
