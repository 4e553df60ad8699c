/**
 * Owns a real Asterisk 22 of the laboratory: the files of deploy/asterisk, run from the root that scripts/asterisk-root.ts keeps, in the far
 * namespace, as a PBX that browsers reach by WSS, phones by UDP, the relay by ARI and the edge by PBX_URI.
 * Must never write into that root, nor leave a mount or a process behind: everything that changes lies in a folder of its own, which is
 * mounted over it in a mount namespace that ends with the process.
 */
import { execFile, execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { makeAsteriskRoot } from '../../scripts/asterisk-root.ts';
import { type LabProcess, startLabProcess, untilReady } from './lab-process.ts';
import type { LabNetwork } from './namespaces.ts';
import { writeToneWav } from './tone.ts';

export interface AsteriskOptions {
  /** SIP domain and Digest realm. Default patchcord.test. */
  readonly domain?: string;
  /** One of lab.far.addresses that no phone uses. Default the last. */
  readonly address?: string;
  /** The relay's tenant whose browsers share the pick-up group of the desk phones. Default lab. */
  readonly tenant?: string;
  /** What is heard on hold, in a slot and in the queue, as a tone. Default: silence. */
  readonly musicHz?: number;
  /**
   * Text put behind a file of deploy/asterisk, or a file of its own: name in /etc/asterisk → text. For more desk phones, dialplan, modules.
   */
  readonly more?: Readonly<Record<string, string>>;
}

export interface Asterisk {
  /** For SIP over WebSocket; the certificate is self-signed. */
  readonly wssUrl: string;
  readonly domain: string;
  /** Plain SIP over UDP, port 5060, is here too. */
  readonly address: string;
  /** Where the relay's driver finds it, for `sip.credential`. */
  readonly ari: { readonly url: string; readonly username: string; readonly password: string };
  /** The static phone of the recipe. */
  readonly desk: { readonly user: string; readonly password: string };
  /** The file of its log, removed by stop(). */
  readonly log: string;
  /** What `asterisk -rx` prints. */
  cli(command: string): Promise<string>;
  /** Ends and starts it: everything that was pushed is forgotten. A crash lets it clear nothing away. */
  restart(how?: 'orderly' | 'crash'): Promise<void>;
  stop(): Promise<void>;
}

const recipeFolder = fileURLToPath(new URL('../../deploy/asterisk/', import.meta.url));
const recipePath = '/etc/patchcord-asterisk';
/** Exists in every root and is empty there. */
const mountPoint = '/mnt';
const port = { wss: 8089, ari: 8088 };
/** Names are asked of nobody: in the laboratory there is no server for them, and Asterisk would wait for one. */
const mountAndRun = `
  folder="$1" root="$2"; shift 2
  mount --bind "$folder" "$root${mountPoint}"
  mount -t proc proc "$root/proc"
  mount --bind "$folder/etc/resolv.conf" "$root/etc/resolv.conf"
  exec chroot "$root" "$@"`;

/** The phone of a browser, 3001 with the password "agent", beside the recipe. @param endpoint, aor further lines of its two objects */
export function browserEndpoint({ endpoint = '', aor = 'max_contacts=2' } = {}): string {
  return `
[3001]
type=endpoint
transport=transport-wss
context=from-internal
webrtc=yes
disallow=all
allow=ulaw
auth=3001
aors=3001
callerid=Agent <3001>
${endpoint}
[3001]
type=auth
auth_type=digest
username=3001
password=agent
[3001]
type=aor
${aor}
`;
}

/** Starts it; resolves when it has really answered. Throws with its last output otherwise. */
export async function startAsterisk(lab: LabNetwork, options: AsteriskOptions = {}): Promise<Asterisk> {
  const root = makeAsteriskRoot(console.error);
  const address = options.address ?? lab.far.addresses.at(-1) ?? '';
  const domain = options.domain ?? 'patchcord.test';
  const folder = mkdtempSync(join(lab.folder, 'asterisk-'));
  const ari = {
    url: `http://${address}:${port.ari}/ari`,
    username: 'patchcord',
    password: randomBytes(24).toString('base64url'),
  };
  const desk = { user: '1001', password: randomBytes(12).toString('hex') };
  const log = join(folder, 'asterisk.log');
  writeConfiguration(folder, root, {
    address,
    domain,
    ariPassword: ari.password,
    deskPassword: desk.password,
    tenant: options.tenant ?? 'lab',
    musicHz: options.musicHz,
    more: options.more ?? {},
  });

  let process: LabProcess;
  const start = async () => {
    const inside = ['/usr/sbin/asterisk', '-f', '-n', '-vvv', '-C', `${mountPoint}/etc/asterisk.conf`];
    process = startLabProcess({
      namespace: lab.far.namespace,
      // Each program replaces itself by the next, so the number of the process is Asterisk's.
      command: [
        ...['unshare', '--mount', '--propagation', 'private', 'sh', '-ec'],
        mountAndRun,
        ...['sh', folder, root, ...inside],
      ],
      log,
    });
    await untilReady(
      'Asterisk does not answer over ARI',
      async () => {
        const answer = await fetch(`${ari.url}/asterisk/ping`, { headers: { authorization: basic(ari) } });
        return answer.ok && (await cli('core waitfullybooted')).includes('fully booted') ? true : undefined;
      },
      { process, withinMs: 20_000 },
    );
  };
  const run = promisify(execFile);
  const cli = async (command: string): Promise<string> => {
    const inside = ['/usr/sbin/asterisk', '-C', `${mountPoint}/etc/asterisk.conf`, '-rx', command];
    const { stdout } = await run('nsenter', ['--target', String(process.pid), '--mount', 'chroot', root, ...inside]);
    return stdout;
  };
  const stop = async () => {
    await process.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  return {
    wssUrl: `wss://${address}:${port.wss}/ws`,
    domain,
    address,
    ari,
    desk,
    log,
    cli,
    async restart(how = 'orderly') {
      await (how === 'crash' ? process.crash() : process.stop());
      await start();
    },
    stop,
  };
}

function basic({ username, password }: { readonly username: string; readonly password: string }): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
}

function writeConfiguration(
  folder: string,
  root: string,
  values: {
    readonly address: string;
    readonly domain: string;
    readonly ariPassword: string;
    readonly deskPassword: string;
    readonly tenant: string;
    readonly musicHz: number | undefined;
    readonly more: Readonly<Record<string, string>>;
  },
): void {
  const etc = join(folder, 'etc');
  for (const name of ['etc', 'lib', 'lib/keys', 'music', 'spool', 'run', 'log']) mkdirSync(join(folder, name));
  if (values.musicHz !== undefined)
    writeToneWav(join(folder, 'music/tone.wav'), { hz: values.musicHz, seconds: 60, rate: 8000 });
  const more = { ...values.more };
  for (const name of readdirSync(recipeFolder).filter((file) => file.endsWith('.conf'))) {
    const text = readFileSync(join(recipeFolder, name), 'utf8')
      .replaceAll('127.0.0.1', values.address)
      .replaceAll(recipePath, `${mountPoint}/etc`)
      .replaceAll('SIP_DOMAIN', values.domain)
      .replaceAll('ARI_PASSWORD', values.ariPassword)
      .replaceAll('DESK_PASSWORD', values.deskPassword)
      .replaceAll('MAILBOX_PIN', '4711')
      .replace(/(named_(?:call|pickup)_group)=TENANT/g, `$1=${values.tenant}`)
      .replaceAll('/var/lib/asterisk/moh', `${mountPoint}/music`);
    writeFileSync(join(etc, name), `${text}\n${more[name] ?? ''}\n`);
    delete more[name];
  }
  for (const [name, text] of Object.entries(more)) writeFileSync(join(etc, name), text);
  const modules = `/usr/lib/${readdirSync(join(root, 'usr/lib')).find((name) => name.endsWith('-linux-gnu'))}/asterisk/modules`;
  const places = {
    ...{ astetcdir: 'etc', astvarlibdir: 'lib', astdbdir: 'lib', astkeydir: 'lib' },
    ...{ astspooldir: 'spool', astrundir: 'run', astlogdir: 'log' },
  };
  writeFileSync(
    join(etc, 'asterisk.conf'),
    [
      '[directories]',
      `astmoddir => ${modules}`,
      'astdatadir => /usr/share/asterisk',
      ...Object.entries(places).map(([name, place]) => `${name} => ${mountPoint}/${place}`),
      '',
    ].join('\n'),
  );
  writeFileSync(join(etc, 'resolv.conf'), 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n');
  writeFileSync(join(etc, 'logger.conf'), '[general]\n[logfiles]\nconsole => notice,warning,error,verbose\n');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-keyout', join(etc, 'tls.key'), '-out', join(etc, 'tls.crt'), '-subj', `/CN=${values.domain}`],
      ...['-addext', `subjectAltName=DNS:${values.domain},IP:${values.address}`],
    ],
    { stdio: 'pipe' },
  );
}
