/** Opens the store the configuration names: PostgreSQL by its URL, or SQLite in a folder. The one place that knows which. */
import { checkStore } from './check.ts';
import type { Store } from './contract.ts';
import { asking, type Database, openPostgres, openSqlite, relayPatience } from './database.ts';
import { createAlertStore } from './kysely-alerts.ts';
import { createAuditStore } from './kysely-audit.ts';
import { createBrakeStore } from './kysely-brakes.ts';
import { createCallStore } from './kysely-calls.ts';
import { createChoiceStore } from './kysely-choices.ts';
import { createCredentialStore } from './kysely-credentials.ts';
import { createDoNotCallStore } from './kysely-do-not-call.ts';
import { createFeedStore } from './kysely-feed.ts';
import { createIdentityStore } from './kysely-identity.ts';
import { createKeepingStore } from './kysely-keeping.ts';
import { createLineLeaseStore } from './kysely-line-leases.ts';
import { createLogCreatorStore } from './kysely-log-creators.ts';
import { createMintStore } from './kysely-minting.ts';
import { createOpenPhoneStore } from './kysely-open-phones.ts';
import { createOutboxStore } from './kysely-outbox.ts';
import { createPolicyStore } from './kysely-policies.ts';
import { createRecordingPartStore } from './kysely-recording-parts.ts';
import { createRecordingStore } from './kysely-recordings.ts';
import { createRecoveryStore } from './kysely-recoveries.ts';
import { createRevocationStore } from './kysely-revocations.ts';
import { createSoundStore } from './kysely-sound.ts';
import { createToCallStore } from './kysely-to-call.ts';
import { createTranscriptStore } from './kysely-transcripts.ts';
import { createVaultStore } from './kysely-vault.ts';
import { createVoicemailStore } from './kysely-voicemails.ts';

/** Where the data lies. */
export type StoreLocation =
  | { readonly kind: 'postgres'; readonly url: string }
  | { readonly kind: 'sqlite'; readonly folder: string };

/**
 * Opens the store and brings its tables to this version.
 * @throws PatchcordError `store.unavailable` with what to check
 */
export async function openStore(location: StoreLocation): Promise<Store> {
  const database =
    location.kind === 'postgres' ? await openPostgres(location.url, relayPatience) : await openSqlite(location.folder);
  return storeOver(database);
}

function storeOver(database: Database): Store {
  const { db } = database;
  const dayMs = 86_400_000;
  const logCreators = createLogCreatorStore(database);
  const openPhones = createOpenPhoneStore(database);
  const sound = createSoundStore(database);
  return {
    calls: createCallStore(database),
    outbox: createOutboxStore(database),
    identity: createIdentityStore(database),
    credentials: createCredentialStore(database),
    minting: createMintStore(database),
    audit: createAuditStore(database),
    keeping: createKeepingStore(database),
    vault: createVaultStore(database),
    feed: createFeedStore(database),
    revocations: createRevocationStore(database),
    brakes: createBrakeStore(database),
    alerts: createAlertStore(database),
    choices: createChoiceStore(database),
    recordings: createRecordingStore(database),
    recordingParts: createRecordingPartStore(database),
    transcripts: createTranscriptStore(database),
    sound,
    logCreators,
    openPhones,
    lineLeases: createLineLeaseStore(database),
    recoveries: createRecoveryStore(database),
    toCall: createToCallStore(database),
    policies: createPolicyStore(database),
    voicemails: createVoicemailStore(database),
    doNotCall: createDoNotCallStore(database),
    check: () => checkStore(database),
    forgetExpired: (now) =>
      asking(async () => {
        await db.deleteFrom('sessions').where('expires_at', '<', now).execute();
        await db.deleteFrom('pairing_codes').where('expires_at', '<', now).execute();
        await db.deleteFrom('used_proofs').where('expires_at', '<', now).execute();
        await db.deleteFrom('sign_ins').where('expires_at', '<', now).execute();
        await db.deleteFrom('sign_in_claims').where('expires_at', '<', now).execute();
        await db
          .deleteFrom('revocations')
          .where('at', '<', now - dayMs)
          .execute();
        // a day longer, so that an operator can still see what was issued
        await db
          .deleteFrom('issued_credentials')
          .where('expires_at', '<', now - dayMs)
          .execute();
        // A phone that was away for long still tells its call: that long the decision stands.
        await logCreators.forgetUntold(now - 30 * dayMs);
        // No call is open for that long.
        await openPhones.forget(now - dayMs);
        await sound.forget(now - dayMs);
      }),
    close: () => database.close(),
  };
}
