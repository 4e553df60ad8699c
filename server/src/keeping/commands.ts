/** The commands that look after the data: `backup`, `restore`, `erase`, `hold`, `release`, `holds`. Owns their words; prints no number. */
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import type { Command } from 'commander';
import type { RelayConfig, TenantConfig } from '../config.ts';
import { loadConfig } from '../config.ts';
import { maskNumber } from '../logging.ts';
import { recordingPlace, voicemailPlace } from '../recordings/places.ts';
import { openPostgres, openSqlite } from '../store/database.ts';
import { createVaultStore } from '../store/kysely-vault.ts';
import { openStore, type StoreLocation } from '../store/open.ts';
import { encryptionKeys, Vault } from '../vault.ts';
import { NumberHashes } from '../who-is/number-hash.ts';
import { backUp, type Rows, restore } from './backup.ts';
import { erasePerson } from './erasure.ts';
import { mentionsOf, withoutPerson } from './person.ts';
import { readNumber } from './retention.ts';

interface Subject {
  readonly tenant: string;
  readonly call?: string;
  readonly number?: string;
  readonly reason: string;
}

export function addKeepingCommands(program: Command): void {
  program
    .command('backup')
    .description('write everything the store holds into a new file; relays may run meanwhile')
    .requiredOption('--to <file>', 'the file to make; one that exists is never overwritten')
    .action(async ({ to }: { to: string }) => {
      const rows = await backUp(locationOf(loadConfig()), to, Date.now());
      say(`Backed up ${total(rows)} rows of ${Object.keys(rows).length} tables (${rows.calls ?? 0} calls) to ${to}.`);
    });

  program
    .command('restore')
    .description('fill an empty store from a backup of either database; stop the relays first')
    .requiredOption('--from <file>', 'a file that "backup" made')
    .option('--force', 'give up what the store holds')
    .action(async ({ from, force }: { from: string; force?: boolean }) => {
      const rows = await restore(locationOf(loadConfig()), from, {
        now: Date.now(),
        force: force ?? false,
        progress: (text) => process.stderr.write(`  ${text}\n`),
      });
      say(`Restored ${total(rows)} rows of ${Object.keys(rows).length} tables (${rows.calls ?? 0} calls).`);
    });

  program
    .command('erase')
    .description('erase one person from the store: the calls with their number, and the number wherever else it stands')
    .requiredOption('--tenant <id>', 'whose calls')
    .requiredOption('--number <E.164>', 'the number of the person, like +14155550101')
    .requiredOption('--reason <text>', 'why; kept in the audit')
    .option('--dry-run', 'only say what would go')
    .action(async (options: { tenant: string; number: string; reason: string; dryRun?: boolean }) => {
      const config = loadConfig();
      const tenant = tenantOf(config, options.tenant);
      const number = readNumber(options.number, tenant.country);
      const location = locationOf(config);
      const database =
        location.kind === 'sqlite' ? await openSqlite(location.folder) : await openPostgres(location.url);
      try {
        const dryRun = options.dryRun ?? false;
        const vault = new Vault(createVaultStore(database), () => encryptionKeys(config), Date.now);
        const rememberedAs = await new NumberHashes(vault).known(tenant.id as TenantId, number);
        const { id, ...counts } = await erasePerson(database, {
          tenant: tenant.id,
          number,
          country: tenant.country,
          reason: options.reason,
          actor: 'admin',
          dryRun,
          rememberedAs,
          removeFiles: (files) => recordingPlace(config).remove(files),
          removeVoicemailFiles: (files) => voicemailPlace(config).remove(files),
          now: Date.now(),
        });
        say(`${dryRun ? 'Would erase' : `Erased (${id})`}: ${described(counts)}.`);
        if (counts.held > 0) say('A legal hold keeps some of it: release the hold, then erase again.');
        if (counts.live > 0) say('Some calls are under way: erase again when they are over.');
      } finally {
        await database.close();
      }
    });

  for (const name of ['hold', 'release'] as const) {
    program
      .command(name)
      .description(
        name === 'hold'
          ? 'keep a call, or all calls with a number, from being deleted or erased'
          : 'lift a hold; what is too old goes with the next cleaning',
      )
      .requiredOption('--tenant <id>', 'whose calls')
      .option('--call <id>', 'one call')
      .option('--number <E.164>', 'every call with this number')
      .requiredOption('--reason <text>', 'why; kept in the audit')
      .action((subject: Subject) => (name === 'hold' ? hold(subject) : release(subject)));
  }

  program
    .command('holds')
    .description('list the legal holds of a tenant')
    .requiredOption('--tenant <id>', 'whose')
    .action(async ({ tenant }: { tenant: string }) => {
      const config = loadConfig();
      const store = await openStore(locationOf(config));
      try {
        const holds = await store.keeping.holds(tenantOf(config, tenant).id);
        if (holds.length === 0) say('Nothing is held.');
        for (const { kind, subject, reason, at } of holds)
          say(`${new Date(at).toISOString()}  ${kind} ${kind === 'number' ? maskNumber(subject) : subject}  ${reason}`);
      } finally {
        await store.close();
      }
    });
}

async function hold(given: Subject): Promise<void> {
  await withSubject('hold.placed', given, async ({ store, now, ...held }) => {
    if (!(await store.keeping.addHold({ ...held, at: now }))) {
      say('This is held already.');
      return false;
    }
    say('Held: neither age nor an erasure deletes it until it is released.');
    return true;
  });
}

async function release(given: Subject): Promise<void> {
  await withSubject('hold.released', given, async ({ store, tenant, kind, subject }) => {
    if (!(await store.keeping.releaseHold(tenant, kind, subject))) {
      throw new PatchcordError('request.invalid', 'There is no such hold. "holds" lists those there are.');
    }
    say('Released.');
    return true;
  });
}

/** Opens the store for what a hold is about, and notes it when something was done. */
async function withSubject(
  act: 'hold.placed' | 'hold.released',
  given: Subject,
  work: (parts: {
    readonly store: Awaited<ReturnType<typeof openStore>>;
    readonly tenant: TenantId;
    readonly kind: 'call' | 'number';
    readonly subject: string;
    readonly reason: string;
    readonly now: number;
  }) => Promise<boolean>,
): Promise<void> {
  const config = loadConfig();
  const tenant = tenantOf(config, given.tenant);
  if ((given.call === undefined) === (given.number === undefined)) {
    throw new PatchcordError('request.invalid', 'Say either --call or --number.');
  }
  const number = given.number === undefined ? null : readNumber(given.number, tenant.country);
  const kind = number === null ? 'call' : 'number';
  const subject = number ?? given.call ?? '';
  const reason = number === null ? given.reason : withoutPerson(given.reason, mentionsOf(number));
  const now = Date.now();
  const store = await openStore(locationOf(config));
  try {
    if (!(await work({ store, tenant: tenant.id, kind, subject, reason, now }))) return;
    await store.audit.add([
      {
        tenant: tenant.id,
        actor: 'admin',
        act,
        subject: kind === 'call' ? `call:${subject}` : null,
        data: { kind, reason },
        at: now,
      },
    ]);
  } finally {
    await store.close();
  }
}

/** Where the configuration keeps the data. */
function locationOf(config: RelayConfig): StoreLocation {
  return config.databaseUrl === undefined
    ? { kind: 'sqlite', folder: config.dataDir }
    : { kind: 'postgres', url: config.databaseUrl };
}

function tenantOf(config: RelayConfig, id: string): TenantConfig {
  const tenant = config.tenants.find((one) => one.id === id);
  if (tenant === undefined) {
    throw new PatchcordError('request.invalid', `The configuration has no tenant "${id}". Check the id.`);
  }
  return tenant;
}

function described(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([what, count]) => `${what} ${count}`)
    .join(', ');
}

function total(rows: Rows): number {
  return Object.values(rows).reduce((sum, count) => sum + count, 0);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
