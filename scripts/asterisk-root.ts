/**
 * A folder with a real Asterisk 22 for the tests, since Debian 12 has none: a small Debian "forky" root, made once by debootstrap and kept in
 * the cache of this machine. Owns making it, whole or not at all. Must never start anything in it (test/sip-lab/asterisk.ts does), touch the
 * packages of the machine itself, or leave a mount behind.
 *
 *   node scripts/asterisk-root.ts     makes it when it is not there and prints where it is
 *
 * PATCHCORD_ASTERISK_ROOT names a root of one's own that holds /usr/sbin/asterisk.
 */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const release = 'forky';
/** debootstrap of Debian 12 has no script of that name; every newer release is made as "sid" is. */
const script = 'sid';
const program = 'usr/sbin/asterisk';
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';

/** Where the root is, or will be. */
export function asteriskRoot(environment: NodeJS.ProcessEnv = process.env): string {
  const { PATCHCORD_ASTERISK_ROOT: given, XDG_CACHE_HOME: cache } = environment;
  if (given !== undefined && given !== '') return given;
  return join(cache === undefined || cache === '' ? '/var/cache' : cache, 'patchcord', 'asterisk-22');
}

/**
 * Makes the root when it is not there; a second process that asks meanwhile waits for the first. Takes about 40 seconds once.
 * @returns where it is
 * @throws Error saying what is missing on this machine, or which step failed
 */
export function makeAsteriskRoot(log: (line: string) => void = console.log): string {
  const root = asteriskRoot();
  if (existsSync(join(root, program))) return root;
  if (process.env.PATCHCORD_ASTERISK_ROOT) {
    throw new Error(
      `PATCHCORD_ASTERISK_ROOT is ${root}, which holds no /${program}. Correct it, or unset it to have one made.`,
    );
  }
  if (process.getuid?.() !== 0 || !existsSync('/usr/sbin/debootstrap') || !existsSync(keyring)) {
    throw new Error(
      `The tests need a real Asterisk 22 in ${root}. It is made there by root, with debootstrap and the keys of debian-archive-keyring:\n` +
        'on Debian 12, as root, run "apt-get install -y debootstrap debian-archive-keyring" and then "node scripts/asterisk-root.ts".\n' +
        'Or let PATCHCORD_ASTERISK_ROOT name a folder that holds a root file system with Asterisk 22.',
    );
  }
  log(`Making a Debian ${release} root with Asterisk 22 in ${root}; this happens once.`);
  mkdirSync(dirname(root), { recursive: true });
  // The kernel gives the lock up when its holder dies, so none can go stale.
  run('flock', [`${root}.lock`, process.execPath, fileURLToPath(import.meta.url), '--with-lock']);
  return root;
}

function makeWithLock(root: string): void {
  if (existsSync(join(root, program))) return;
  // What an interrupted run left; nobody else is here.
  const started = `${root}.making-`;
  for (const name of readdirSync(dirname(root))) {
    const path = join(dirname(root), name);
    if (path.startsWith(started)) rmSync(path, { recursive: true, force: true });
  }
  const making = mkdtempSync(started);
  // `/` of the new root: programs in it that are not root have to pass.
  chmodSync(making, 0o755);
  try {
    // Mounts that debootstrap makes (/proc) live in a mount namespace that ends with it.
    const alone = (...command: string[]): void => run('unshare', ['--mount', '--propagation', 'private', ...command]);
    alone('debootstrap', '--variant=minbase', `--keyring=${keyring}`, release, making, debianMirror(), script);
    // A Debian package starts its service; this tells the package that it may not.
    writeFileSync(join(making, 'usr/sbin/policy-rc.d'), '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    const apt = ['apt-get', '-q', '-y', '--no-install-recommends'];
    alone('chroot', making, 'env', 'DEBIAN_FRONTEND=noninteractive', ...apt, 'install', 'asterisk');
    rmSync(join(making, 'var/lib/apt/lists'), { recursive: true, force: true });
    rmSync(join(making, 'var/cache/apt'), { recursive: true, force: true });
    // Each laboratory mounts its own over it.
    writeFileSync(join(making, 'etc/resolv.conf'), '');
    rmSync(root, { recursive: true, force: true });
    renameSync(making, root);
  } catch (error) {
    rmSync(making, { recursive: true, force: true });
    throw error;
  }
}

/** The mirror this machine takes its own Debian packages from. */
function debianMirror(): string {
  const asked = spawnSync('apt-get', ['indextargets', '--format', '$(ORIGIN) $(REPO_URI)', 'Created-By: Packages'], {
    encoding: 'utf8',
  });
  const mirrors = (asked.stdout ?? '')
    .split('\n')
    .map((line) => /^Debian (https?:\S+)$/.exec(line)?.[1])
    // the archive of security updates has releases of its own only
    .filter((uri) => uri !== undefined && !uri.includes('security'));
  const [mirror] = mirrors;
  if (mirror === undefined) {
    throw new Error(
      'No Debian mirror was found in the apt sources of this machine. Run "apt-get update", or make the root elsewhere and name it in PATCHCORD_ASTERISK_ROOT.',
    );
  }
  return mirror;
}

function run(command: string, args: readonly string[]): void {
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 });
  if (result.status === 0) return;
  const output = `${result.stdout ?? ''}${result.stderr ?? ''}`.trim().split('\n').slice(-12).join('\n');
  throw new Error(
    `The root with Asterisk 22 could not be made: "${command} ${args.slice(0, 8).join(' ')}" ended with ${result.status ?? result.error?.message}.\n${output}`,
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    if (process.argv[2] === '--with-lock') makeWithLock(asteriskRoot());
    else console.log(makeAsteriskRoot(console.error));
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exit(1);
  }
}
