/**
 * What the tests need from the system, and how it gets there. Owns the list; installs by apt on Debian, elsewhere says exactly what is
 * missing. Never removes or upgrades anything.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** A file that proves the package is there → the Debian package that brings it. */
const needed: readonly (readonly [proof: string, debianPackage: string])[] = [
  ['/usr/bin/chromium', 'chromium'],
  ['/usr/bin/chromium-headless-shell', 'chromium-headless-shell'],
  ['/usr/sbin/kamailio', 'kamailio'],
  ['kamailio/modules/websocket.so', 'kamailio-websocket-modules'],
  ['kamailio/modules/tls.so', 'kamailio-tls-modules'],
  ['kamailio/modules/presence.so', 'kamailio-presence-modules'],
  ['kamailio/modules/outbound.so', 'kamailio-outbound-modules'],
  ['kamailio/modules/auth_ephemeral.so', 'kamailio-autheph-modules'],
  ['kamailio/modules/uuid.so', 'kamailio-extra-modules'],
  ['kamailio/modules/utils.so', 'kamailio-utils-modules'],
  ['kamailio/modules/db_sqlite.so', 'kamailio-sqlite-modules'],
  ['/usr/bin/rtpengine', 'rtpengine-daemon'],
  ['/usr/bin/turnserver', 'coturn'],
  ['/usr/bin/fail2ban-regex', 'fail2ban'],
  ['/usr/bin/baresip', 'baresip'],
  ['/usr/bin/linphonec', 'linphone-cli'],
  ['/usr/bin/sipp', 'sip-tester'],
  ['/usr/lib/postgresql', 'postgresql'],
  ['/usr/bin/redis-server', 'redis-server'],
  // A company directory for the look-up of callers.
  ['/usr/sbin/slapd', 'slapd'],
  ['/usr/bin/sox', 'sox'],
  // makes the root with Asterisk 22: scripts/asterisk-root.ts
  ['/usr/sbin/debootstrap', 'debootstrap'],
  ['/usr/share/keyrings/debian-archive-keyring.gpg', 'debian-archive-keyring'],
  ['/usr/sbin/ip', 'iproute2'],
  ['/usr/bin/openssl', 'openssl'],
  ['/usr/bin/strace', 'strace'],
  ['/usr/bin/java', 'openjdk-17-jre-headless'],
  // The panel's layout is measured: the same fonts everywhere.
  ['/usr/share/fonts/truetype/noto', 'fonts-noto-core'],
];

/** Debian packages of the list that are not installed. */
export function missingSystemPackages(): readonly string[] {
  return needed.filter(([proof]) => !isThere(proof)).map(([, debianPackage]) => debianPackage);
}

/**
 * Installs what is missing.
 * @throws Error naming every missing package and the command that would install it, when this machine can't.
 */
export function installSystemPackages(log: (line: string) => void = console.log): void {
  const missing = missingSystemPackages();
  if (missing.length === 0) return;
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
  if (!existsSync('/usr/bin/apt-get') || process.getuid?.() !== 0) {
    throw new Error(
      `The tests need system packages that are missing here: ${missing.join(', ')}.\n` +
        `On Debian 12, as root, run: apt-get update && ${command}\nWithout them, "npm run test:unit" runs what needs only Node.`,
    );
  }
  log(`Installing system packages: ${missing.join(' ')}`);
  for (const [step, args] of [
    ['apt-get', ['update', '-qq']],
    ['apt-get', command.split(' ').slice(1)],
  ] as const) {
    const result = spawnSync(step, args, {
      stdio: ['ignore', 'ignore', 'inherit'],
      // Services that Debian would start by itself stay down: every test starts its own.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' },
    });
    if (result.status !== 0)
      throw new Error(`"${step} ${args.join(' ')}" failed. Mend what apt says above and run the tests again.`);
  }
  const still = missingSystemPackages();
  if (still.length > 0) throw new Error(`Still missing after the installation: ${still.join(', ')}.`);
}

function isThere(proof: string): boolean {
  if (proof.startsWith('/')) return existsSync(proof);
  return ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib'].some((folder) =>
    existsSync(`${folder}/${proof}`),
  );
}
