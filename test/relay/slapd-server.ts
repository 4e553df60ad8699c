/** An OpenLDAP server of the test's own: free loopback ports, with and without TLS, a private folder. Owns starting and stopping it. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from './redis-server.ts';

export const baseDn = 'dc=acme,dc=example';
export const bindDn = `cn=relay,${baseDn}`;
export const bindPassword = 'a-directory-secret-of-this-test';

export interface SlapdServer {
  /** Without encryption. */
  readonly url: string;
  readonly secureUrl: string;
  /** Certificate of the authority, PEM. */
  readonly ca: string;
  /** SIGSTOP: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** @param ldif Entries below `baseDn`; the relay's own account is there already */
export async function startSlapd(ldif: string): Promise<SlapdServer> {
  const folder = mkdtempSync(join(tmpdir(), 'patchcord-slapd-'));
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('data'));
  const [port, securePort] = [await freePort(), await freePort()];
  const run = (command: string, args: readonly string[]): void => {
    try {
      execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] });
    } catch (error) {
      rmSync(folder, { recursive: true, force: true });
      const missing = (error as { code?: string }).code === 'ENOENT';
      throw missing ? new Error(`${command} is not installed: run "npm test", which installs what tests need.`) : error;
    }
  };
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const keyed = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
  run('openssl', ['req', '-x509', ...keyed, ...subject, '-keyout', at('key.pem'), '-out', at('cert.pem')]);
  writeFileSync(
    at('slapd.conf'),
    `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${at('pid')}
TLSCertificateFile ${at('cert.pem')}
TLSCertificateKeyFile ${at('key.pem')}
database mdb
maxsize 10485760
suffix "${baseDn}"
rootdn "cn=nobody-else,${baseDn}"
directory ${at('data')}
access to attrs=userPassword by anonymous auth by * none
access to * by dn.exact="${bindDn}" read by * none
`,
  );
  writeFileSync(
    at('data.ldif'),
    `dn: ${baseDn}
objectClass: dcObject
objectClass: organization
o: Acme
dc: acme

dn: ${bindDn}
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: relay
userPassword: ${bindPassword}

${ldif}`,
  );
  run('/usr/sbin/slapadd', ['-f', at('slapd.conf'), '-l', at('data.ldif')]);
  const urls = `ldap://127.0.0.1:${port}/ ldaps://127.0.0.1:${securePort}/`;
  const child: ChildProcess = spawn('/usr/sbin/slapd', ['-h', urls, '-f', at('slapd.conf'), '-d', '0'], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const stop = async (): Promise<void> => {
    child.kill('SIGCONT');
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await listening(securePort, child);
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    url: `ldap://127.0.0.1:${port}`,
    secureUrl: `ldaps://127.0.0.1:${securePort}`,
    ca: readFileSync(at('cert.pem'), 'utf8'),
    freeze() {
      child.kill('SIGSTOP');
      // The signal is only sent: until it stands still it may answer one more question.
      const state = () => /^\d+ \(.*\) (\w)/.exec(readFileSync(`/proc/${child.pid}/stat`, 'utf8'))?.[1];
      while (state() !== 'T') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
    },
    thaw: () => void child.kill('SIGCONT'),
    stop,
  };
}

/** Resolves when a connection is taken. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`slapd ended with ${child.exitCode}`);
    const taken = await new Promise<boolean>((resolve) => {
      const socket = connect(port, '127.0.0.1');
      socket.once('connect', () => {
        socket.destroy();
        resolve(true);
      });
      socket.once('error', () => resolve(false));
    });
    if (taken) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
