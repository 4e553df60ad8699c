#!/usr/bin/env node
/** The relay's command line: `serve`, `check-config`, `pairing-code`, and those of `keeping/`. Owns signals and exit codes: 0 well, 1 failed, 2 wrong configuration. */
import { type AgentId, errorCode, type TenantId } from '@patchcord/call-protocol';
import { Command } from 'commander';
import { rulesOf } from './brakes/rules.ts';
import { loadConfig } from './config.ts';
import { PairingCodes } from './identity/pairing-codes.ts';
import { type PanelSource, startRelay } from './index.ts';
import { addKeepingCommands } from './keeping/commands.ts';
import { createLog } from './logging.ts';
import { openStore } from './store/open.ts';
import { encryptionKeys, Vault } from './vault.ts';

/** The relay gives its work ten seconds; the store gets the rest. */
const longestStopMs = 15_000;

const program = new Command('patchcord-relay')
  .description('The relay: knows the agent, mints SIP credentials, writes every call into the CRM once.')
  .addHelpText(
    'after',
    '\nThe configuration is the JSON file named by PATCHCORD_CONFIG; PORT, HOST, PUBLIC_URL, DATABASE_URL, REDIS_URL, DATA_DIR, ADMIN_TOKEN, ' +
      'METRICS_TOKEN and LOG_LEVEL override it, each also as <NAME>_FILE: the path of a file that holds the value.',
  );

program
  .command('serve', { isDefault: true })
  .description('run the relay until it is told to stop (SIGTERM, SIGINT)')
  .option('--panel <folder>', 'folder of the built panel, served as /assets')
  .action(async ({ panel }: { panel?: string }) => {
    const config = loadConfig();
    const log = createLog(config.logLevel);
    const source: PanelSource | undefined = panel === undefined ? undefined : { folder: panel };
    const starting = startRelay(config, { log, ...(source === undefined ? {} : { panel: source }) });
    // Listened to before it runs: a signal during the start is not lost either.
    const stop = (signal: string): void => {
      log.info({ signal }, 'stopping');
      // What hangs now is not waited for: acknowledged work is on disk, and leases run out by themselves.
      setTimeout(() => {
        log.fatal('stopping took too long');
        process.exit(1);
      }, config.drainNoticeMs + longestStopMs).unref();
      starting
        .then((relay) => relay.close())
        .then(
          () => process.exit(0),
          (error: unknown) => {
            log.error({ err: error }, 'could not stop cleanly');
            process.exit(1);
          },
        );
    };
    process.once('SIGTERM', stop);
    process.once('SIGINT', stop);
    process.on('unhandledRejection', (error) => {
      // A bug: unknown state is not worth going on with; what was acknowledged is on disk, and the supervisor starts us again.
      log.fatal({ err: error }, 'unhandled rejection');
      process.exit(1);
    });
    await starting;
  });

program
  .command('check-config')
  .description('say everything that is missing or wrong in the configuration, and start nothing')
  .action(() => {
    const config = loadConfig();
    for (const tenant of config.tenants) rulesOf(tenant);
    const agents = config.tenants.reduce((sum, tenant) => sum + tenant.agents.length, 0);
    process.stdout.write(`The configuration is good: tenants ${config.tenants.length}, agents ${agents}.\n`);
  });

program
  .command('pairing-code')
  .description('make a pairing code for an agent: eight letters and digits, good for five minutes and one use')
  .requiredOption('--tenant <id>', 'tenant of the agent')
  .requiredOption('--agent <id>', 'the agent')
  .action(async ({ tenant, agent }: { tenant: string; agent: string }) => {
    const config = loadConfig();
    const known = config.tenants.find((one) => one.id === tenant)?.agents.some((one) => one.id === agent) ?? false;
    if (!known) {
      process.stderr.write(`The configuration has no agent "${agent}" in a tenant "${tenant}". Check both ids.\n`);
      process.exitCode = 1;
      return;
    }
    const store = await openStore(
      config.databaseUrl === undefined
        ? { kind: 'sqlite', folder: config.dataDir }
        : { kind: 'postgres', url: config.databaseUrl },
    );
    try {
      const { code, expiresAt } = await new PairingCodes(store.identity, Date.now).create(
        tenant as TenantId,
        agent as AgentId,
      );
      process.stdout.write(`${code}  (until ${new Date(expiresAt).toLocaleTimeString()})\n`);
    } finally {
      await store.close();
    }
  });

addKeepingCommands(program);

program
  .command('rotate-keys')
  .description('seal every kept secret anew with the first of encryptionKeys; may be stopped and run again')
  .action(async () => {
    const config = loadConfig();
    const store = await openStore(
      config.databaseUrl === undefined
        ? { kind: 'sqlite', folder: config.dataDir }
        : { kind: 'postgres', url: config.databaseUrl },
    );
    try {
      const { rotated, changed, unknown } = await new Vault(
        store.vault,
        () => encryptionKeys(config),
        Date.now,
      ).rotate();
      const count = [...(await store.vault.countByKey())].map(([id, secrets]) => `${id}: ${secrets}`).join(', ');
      process.stdout.write(
        `Sealed anew: ${rotated}; changed by a relay meanwhile: ${changed}. Secrets by key now: ${count || 'none'}.\n`,
      );
      if (unknown.length === 0) return;
      process.stderr.write(
        `No key of the ring opens these; put the key back, or connect the CRM again:\n  ${unknown.join('\n  ')}\n`,
      );
      process.exitCode = 1;
    } finally {
      await store.close();
    }
  });

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
  // Whatever is still open must not keep a process alive that does no work.
  process.exit(errorCode(error) === 'config.invalid' ? 2 : 1);
}
