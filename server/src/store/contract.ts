/**
 * What the relay asks of its storage, whatever is behind it: the door to `contract/`, one file per matter. Both databases keep these promises
 * and one test suite holds them to it. Must never speak SQL.
 *
 * Promise of every writing method: when it resolves, the change is on disk; when it rejects with `store.unavailable`, nothing was changed.
 */
import type { AlertStore } from './contract/alerts.ts';
import type { AuditStore } from './contract/audit.ts';
import type { BrakeStore } from './contract/brakes.ts';
import type { CallStore } from './contract/calls.ts';
import type { ChoiceStore } from './contract/choices.ts';
import type { CredentialStore } from './contract/credentials.ts';
import type { DoNotCallStore } from './contract/do-not-call.ts';
import type { FeedStore } from './contract/feed.ts';
import type { IdentityStore } from './contract/identity.ts';
import type { KeepingStore } from './contract/keeping.ts';
import type { LineLeaseStore } from './contract/line-leases.ts';
import type { LogCreatorStore } from './contract/log-creators.ts';
import type { MintStore } from './contract/minting.ts';
import type { OpenPhoneStore } from './contract/open-phones.ts';
import type { OutboxStore } from './contract/outbox.ts';
import type { PolicyStore } from './contract/policies.ts';
import type { RecordingPartStore } from './contract/recording-parts.ts';
import type { RecordingStore } from './contract/recordings.ts';
import type { RecoveryStore } from './contract/recoveries.ts';
import type { RevocationStore } from './contract/revocations.ts';
import type { SoundStore } from './contract/sound.ts';
import type { ToCallStore } from './contract/to-call.ts';
import type { TranscriptStore } from './contract/transcripts.ts';
import type { VaultStore } from './contract/vault.ts';
import type { VoicemailStore } from './contract/voicemails.ts';

export type * from './contract/alerts.ts';
export type * from './contract/audit.ts';
export type * from './contract/brakes.ts';
export type * from './contract/calls.ts';
export type * from './contract/choices.ts';
export type * from './contract/credentials.ts';
export type * from './contract/do-not-call.ts';
export type * from './contract/feed.ts';
export type * from './contract/identity.ts';
export type * from './contract/keeping.ts';
export type * from './contract/line-leases.ts';
export type * from './contract/log-creators.ts';
export type * from './contract/minting.ts';
export type * from './contract/open-phones.ts';
export type * from './contract/outbox.ts';
export type * from './contract/policies.ts';
export type * from './contract/recording-parts.ts';
export type * from './contract/recordings.ts';
export type * from './contract/recoveries.ts';
export type * from './contract/revocations.ts';
export type * from './contract/sound.ts';
export type * from './contract/stored-event.ts';
export type * from './contract/to-call.ts';
export type * from './contract/transcripts.ts';
export type * from './contract/vault.ts';
export type * from './contract/voicemails.ts';

export interface Store {
  readonly calls: CallStore;
  readonly outbox: OutboxStore;
  readonly identity: IdentityStore;
  readonly credentials: CredentialStore;
  readonly minting: MintStore;
  readonly audit: AuditStore;
  readonly keeping: KeepingStore;
  readonly vault: VaultStore;
  readonly feed: FeedStore;
  readonly revocations: RevocationStore;
  readonly brakes: BrakeStore;
  readonly alerts: AlertStore;
  readonly choices: ChoiceStore;
  readonly recordings: RecordingStore;
  readonly recordingParts: RecordingPartStore;
  readonly transcripts: TranscriptStore;
  readonly sound: SoundStore;
  readonly logCreators: LogCreatorStore;
  readonly openPhones: OpenPhoneStore;
  readonly lineLeases: LineLeaseStore;
  readonly recoveries: RecoveryStore;
  readonly toCall: ToCallStore;
  readonly policies: PolicyStore;
  readonly voicemails: VoicemailStore;
  readonly doNotCall: DoNotCallStore;
  /** Throws `store.unavailable` when the database does not take a write or is behind on migrations. */
  check(): Promise<void>;
  /** Forgets what has expired: sessions, codes, proofs, credentials. */
  forgetExpired(now: number): Promise<void>;
  close(): Promise<void>;
}
