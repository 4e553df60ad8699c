/**
 * The tables as kysely sees them. One schema for both databases: text ids, JSON as text, times as integer epoch ms. `migrations/` makes them.
 */

import type { Generated } from 'kysely';

export interface Tables {
  events: {
    source: string;
    id: string;
    tenant: string;
    agent: string;
    call_id: string | null;
    envelope: string;
    received_at: number;
    /** Given by the database: the count within the call, and the place in the order of all commits. */
    seq: Generated<number | null>;
    xact: Generated<number | null>;
    position: Generated<number | null>;
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
    /** As the newest fold says: what finds the calls of one leg, and the legs of one conversation. */
    sip_call_id: string | null;
    conversation: string | null;
    /** `<object> <id>` of the record the call was with, and of what it was about. */
    record_key: string | null;
    about_key: string | null;
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
    order_key: string | null;
    position: number;
  };
  /** `phones_at`: when it last named its phones in `open_phones`; null: not yet, or it is of a version that does not. */
  relay_heartbeats: { relay: string; seen_at: number; phones_at: number | null };
  open_phones: { source: string; relay: string; seen_at: number };
  /** `wanted_…`: another device that waits for the line. `kept` is sealed. */
  line_leases: {
    tenant: string;
    agent: string;
    epoch: number;
    version: number;
    device: string;
    place: string;
    via: string;
    granted_at: number;
    held_until: number;
    /** 1: its holder gave it back. */
    has_left: number;
    lost_at: number | null;
    wanted_by: string | null;
    wanted_place: string | null;
    wanted_via: string | null;
    wanted_at: number | null;
    kept: string | null;
    kept_at: number | null;
    /** The epoch whose left calls were seen to. */
    seen_to_epoch: number | null;
    claimed_until: number;
    changed_at: number;
  };
  recoveries: {
    tenant: string;
    peer: string;
    way: string;
    worked: number;
    failed: number;
    last_worked: number;
    last_at: number;
  };
  sessions: {
    /** The session's id; of a session older than the columns below, the hash of its only token. */
    token_hash: string;
    tenant: string;
    agent: string;
    device: string;
    created_at: number;
    expires_at: number;
    revoked_at: number | null;
    /** Null: a session of an older relay, bound to no key; it opens nothing any more. */
    key_thumbprint: string | null;
    salt: string | null;
    label: string | null;
    way: string | null;
    role: string | null;
    access_hash: string | null;
    access_expires_at: number;
    previous_access_hash: string | null;
    previous_access_expires_at: number;
    refresh_hash: string | null;
    previous_refresh_hash: string | null;
    refreshed_at: number;
    last_seen_at: number;
  };
  sign_ins: {
    state_hash: string;
    tenant: string;
    way: string;
    challenge: string;
    sealed: string;
    expires_at: number;
  };
  sign_in_claims: {
    claim_hash: string;
    tenant: string;
    agent: string;
    way: string;
    role: string | null;
    challenge: string;
    expires_at: number;
  };
  vault: { tenant: string; kind: string; key_id: string; sealed: string; version: number; changed_at: number };
  audit: {
    id: string;
    /** '' for the relay as a whole. */
    tenant: string;
    at: number;
    actor: string;
    act: string;
    subject: string | null;
    /** JSON. */
    data: string;
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
    kind: string | null;
    extension: string | null;
    sip_user: string | null;
    ha1: string | null;
    revoked_at: number | null;
  };
  denied_agents: { tenant: string; agent: string; extension: string | null; until: number; denied_at: number };
  brake_states: {
    tenant: string;
    agent: string;
    level: string;
    cause: string;
    reason: string;
    since: number;
    until: number | null;
  };
  call_usage: {
    tenant: string;
    call_key: string;
    agent: string;
    country: string;
    per_minute: number;
    connection: number;
    day: string;
    started_at: number;
    answered_at: number | null;
    ended_at: number | null;
    heard_at: number;
  };
  usage_days: { tenant: string; day: string; agent: string; calls: number; spent: number; hours: number };
  usage_countries: { tenant: string; agent: string; country: string; first_at: number };
  alerts: {
    id: string;
    tenant: string;
    agent: string | null;
    kind: string;
    message: string;
    data: string;
    at: number;
    times: number;
    acknowledged_at: number | null;
    acknowledged_by: string | null;
  };
  record_choices: {
    tenant: string;
    /** Keyed hash. */
    number: string;
    crm: string;
    object: string;
    record_id: string;
    times: number;
    last_at: number;
    last_by: string;
  };
  to_call: {
    tenant: string;
    id: string;
    agent: string;
    kind: string;
    number: string;
    e164: string | null;
    name: string | null;
    record_crm: string | null;
    record_object: string | null;
    record_id: string | null;
    record_name: string | null;
    note: string | null;
    due_at: number | null;
    asked_by: string;
    created_at: number;
    done_at: number | null;
  };
  tenant_policies: { tenant: string; policy: string; value: string; changed_by: string; changed_at: number };
  log_creators: {
    call_id: string;
    tenant: string;
    agent: string;
    creator: string;
    decided_at: number;
    fate: string;
    page_log_id: string | null;
    /** JSON: further log ids, and what was done with each. */
    others: string;
  };
  recordings: {
    call_id: string;
    tenant: string;
    agent: string;
    file: string;
    salt: string;
    digest: string;
    codec: string;
    rate: number;
    channels: number;
    bytes: number;
    duration_ms: number;
    stored_at: number;
    made_by: string;
    deleted_at: number | null;
  };
  recording_parts: {
    file: string;
    call_id: string;
    tenant: string;
    agent: string;
    salt: string;
    start_ms: number;
    bytes: number;
    stored_at: number;
  };
  voicemails: {
    id: string;
    tenant: string;
    mailbox: string;
    number: string;
    e164: string | null;
    name: string | null;
    said: string | null;
    words_state: string | null;
    words: string | null;
    call_id: string | null;
    at: number;
    duration_ms: number;
    heard_at: number | null;
    deleted_at: number | null;
    form: string;
    file: string;
    salt: string;
    bytes: number;
    stored_at: number;
  };
  do_not_call: {
    tenant: string;
    /** Keyed hash. */
    number_hash: string;
    number: string;
    reason: string;
    added_by: string;
    added_at: number;
  };
  /** `said` is JSON. */
  transcript_lines: { call_id: string; speaker: string; line: number; tenant: string; said: string; at: number };
  /** `position` is JSON. */
  sound_streams: { call_id: string; tenant: string; agent: string; holder: string; position: string; at: number };
  transcripts_written: { call_id: string; tenant: string; crm_id: string; at: number };
  legal_holds: { tenant: string; kind: string; subject: string; reason: string; at: number };
  write_probe: { id: number; at: number };
  revocations: {
    id: string;
    tenant: string;
    agent: string;
    device: string | null;
    code: number;
    reason: string;
    at: number;
  };
  deployment: { id: string };
}
