/**
 * Owns the laboratory's WSS edge: Kamailio, rtpengine and coturn with the configuration of deploy/kamailio, in the edge namespace.
 * Must never change that configuration's rules: only its named settings (addresses, secrets, limits) are given here.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from 'node:tls';
import { fileURLToPath } from 'node:url';
import { type LabProcess, startLabProcess, untilReady } from './lab-process.ts';
import type { LabNetwork } from './namespaces.ts';
import { readSipTrace, type SipTraceMessage } from './sip-trace.ts';

export interface EdgeOptions {
  /** Shared with the relay: HMAC key of SIP credentials (SHA-256). */
  credentialSecret: string;
  /** A second secret that is still accepted, for rotation. */
  previousCredentialSecret?: string;
  /**
   * Key of the mark that dialogs carry. Default: random, which also outlives restartKamailio(); give one when calls have to go on
   * over stop() and another startEdge().
   */
  dialogSecret?: string;
  /** Shared with the relay: HMAC key of TURN credentials (SHA-1). */
  turnSecret: string;
  /** A second address, IPv6, from which the TURN server relays; it must be one of the edge's. */
  turnRelay6?: string;
  /** SIP domain and Digest realm. Default patchcord.test. */
  domain?: string;
  /** Refused credentials per source address before it gets no answer; 0 (default) = never. */
  failedCredentialLimit?: number;
  /** Where calls to unregistered numbers go, as a SIP URI such as sip:10.77.0.24:5060. Default: nowhere, 404. */
  pbxUri?: string;
  /** When given, the control port wants the header "Authorization: Bearer <token>". */
  rpcToken?: string;
  /** Where the edge reports calls, and the secret it shows there. Default: nowhere. */
  callRecords?: { readonly url: string; readonly secret: string };
  /** Takes credentials that are pushed over the control port, too. Default true. */
  pushedCredentials?: boolean;
  /** Lamps, waiting messages and presence kept by the edge itself. Default false. */
  presence?: boolean;
  /** rtpengine records every call into this folder, which it makes. Default: none. */
  recordCalls?: string;
  /** Another edge of the laboratory, by its `portsFrom`, whose dialogs may go on here. It needs the same `dialogSecret`. */
  siblingPortsFrom?: number;
  /** Added to every port, so that a second edge runs beside the first: 100, 200… Default 0. */
  portsFrom?: number;
}

export interface Edge {
  /** For SIP over WebSocket; the certificate is self-signed. */
  readonly wssUrl: string;
  readonly domain: string;
  /** For plain SIP, "address:port". */
  readonly sipAddress: string;
  /** "turn:address:port" without transport; UDP and TCP both answer. */
  readonly turnUrl: string;
  readonly stunUrl: string;
  /** Kamailio's JSON-RPC over HTTP, reachable from the agent namespace. */
  readonly rpcUrl: string;
  /** PEM file of the self-signed certificate. */
  readonly certificate: string;
  /** Folder with logs of the three servers; removed by stop(). */
  readonly folder: string;
  /** Everything Kamailio has received and sent since the start or the last forgetSip(), oldest first. */
  sipTrace(): SipTraceMessage[];
  /** Begins a new trace: what passed before is not seen any more by sipTrace and waitForSip. */
  forgetSip(): void;
  /** Resolves with the first message, old or new, that fits. Throws after `withinMs` (default 5000). */
  waitForSip(fits: (message: SipTraceMessage) => boolean, withinMs?: number): Promise<SipTraceMessage>;
  /** Calls Kamailio's JSON-RPC; throws with its message when it refuses. */
  rpc(method: string, ...params: (string | number)[]): Promise<unknown>;
  stopKamailio(): Promise<void>;
  /** Starts Kamailio again; resolves when it answers. Registrations are forgotten. */
  startKamailio(): Promise<void>;
  restartKamailio(): Promise<void>;
  /** Kills rtpengine as a crash would. */
  crashRtpengine(): Promise<void>;
  startRtpengine(): Promise<void>;
  stop(): Promise<void>;
}

const recipeFolder = fileURLToPath(new URL('../../deploy/kamailio/', import.meta.url));
const recipePath = '/etc/patchcord-edge';
type Ports = Readonly<Record<'wss' | 'sip' | 'rpc' | 'rtpengine' | 'turn' | 'presence', number>>;
const usualPorts: Ports = { wss: 8443, sip: 5060, rpc: 8090, rtpengine: 2223, turn: 3478, presence: 5080 };
/** The ranges of media of two edges must not meet. */
const mediaStep = 2_000;

function portsOf({ portsFrom = 0 }: Pick<EdgeOptions, 'portsFrom'>): Ports {
  const moved = Object.entries(usualPorts).map(([name, port]) => [name, port + portsFrom]);
  return Object.fromEntries(moved) as Record<keyof Ports, number>;
}

/** Starts the whole edge; resolves when every part has really answered. Throws with the part's last output otherwise. */
export async function startEdge(lab: LabNetwork, options: EdgeOptions): Promise<Edge> {
  const folder = mkdtempSync(join(lab.folder, 'edge-'));
  const address = lab.edge.address;
  const domain = options.domain ?? 'patchcord.test';
  const port = portsOf(options);
  const rpcUrl = `http://${address}:${port.rpc}/RPC`;
  const traceFolder = join(folder, 'sip');
  const certificate = join(folder, 'tls.crt');
  mkdirSync(traceFolder);
  writeConfiguration(folder, lab, { ...options, domain });

  const start = (name: string, command: string[]) =>
    startLabProcess({ namespace: lab.edge.namespace, command, log: join(folder, `${name}.log`), cwd: folder });

  const rpc = async (method: string, ...params: (string | number)[]): Promise<unknown> => {
    const response = await fetch(rpcUrl, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        ...(options.rpcToken ? { authorization: `Bearer ${options.rpcToken}` } : {}),
      },
      body: JSON.stringify({ jsonrpc: '2.0', method, params, id: 1 }),
    });
    const text = await response.text();
    if (!text.startsWith('{')) throw new Error(`The control port answered ${response.status}: ${text.trim()}`);
    const answer = JSON.parse(text) as { result?: unknown; error?: { code: number; message: string } };
    if (answer.error) throw new Error(`${method}: ${answer.error.code} ${answer.error.message}`);
    return answer.result;
  };

  let kamailio: LabProcess;
  let rtpengine: LabProcess;
  const startKamailio = async () => {
    const process = start('kamailio', ['kamailio', '-DD', '-E', '-f', join(folder, 'kamailio.cfg'), '-Y', folder]);
    kamailio = process;
    await untilReady('Kamailio does not answer', async () => (await rpc('core.uptime')) ?? undefined, { process });
    await untilReady('Kamailio takes no TLS connection', () => tlsAnswers(address, port.wss), { process });
  };
  const startRtpengine = async () => {
    const process = start('rtpengine', [
      'rtpengine',
      '--foreground',
      '--log-stderr',
      `--config-file=${join(folder, 'rtpengine.conf')}`,
      `--pidfile=${join(folder, 'rtpengine.pid')}`,
    ]);
    rtpengine = process;
    const ping = Buffer.from('1_1 d7:command4:pinge');
    const pong = (answer: Buffer) => answer.includes('pong');
    await untilReady('rtpengine does not answer', () => udpAnswers(address, port.rtpengine, ping, pong), { process });
  };
  const turn = start('turnserver', ['turnserver', '-c', join(folder, 'turnserver.conf')]);
  const startTurn = () => {
    // A STUN Binding request (RFC 8489 section 5): type 0x0001, no attributes, magic cookie, transaction id.
    const binding = Buffer.concat([Buffer.from('000100002112a442', 'hex'), randomBytes(12)]);
    const success = (answer: Buffer) => answer.readUInt16BE(0) === 0x0101;
    return untilReady('coturn does not answer', () => udpAnswers(address, port.turn, binding, success), {
      process: turn,
    });
  };

  const stopAll = async () => {
    await Promise.all([kamailio, rtpengine, turn].map((process) => process?.stop()));
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    const outcomes = await Promise.allSettled([startKamailio(), startRtpengine(), startTurn()]);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  } catch (error) {
    await stopAll();
    throw error;
  }

  let traceFrom = 0;
  const sipTrace = () => readSipTrace(traceFolder).filter((message) => message.at >= traceFrom);
  return {
    wssUrl: `wss://${address}:${port.wss}`,
    domain,
    sipAddress: `${address}:${port.sip}`,
    turnUrl: `turn:${address}:${port.turn}`,
    stunUrl: `stun:${address}:${port.turn}`,
    rpcUrl,
    certificate,
    folder,
    sipTrace,
    forgetSip() {
      traceFrom = Date.now();
    },
    async waitForSip(fits, withinMs = 5000) {
      try {
        return await untilReady('No such SIP message', () => sipTrace().find(fits), { withinMs, everyMs: 30 });
      } catch (cause) {
        const seen = sipTrace()
          .slice(-25)
          .map((message) => message.summary)
          .join('\n');
        throw new Error(`No such SIP message passed the edge within ${withinMs} ms. Seen last:\n${seen}`, { cause });
      }
    },
    rpc,
    stopKamailio: () => kamailio.stop(),
    startKamailio,
    async restartKamailio() {
      await kamailio.stop();
      await startKamailio();
    },
    crashRtpengine: () => rtpengine.crash(),
    startRtpengine,
    stop: stopAll,
  };
}

/** How another edge is called in a Route header. */
function siblings(address: string, portsFrom: number): string {
  const { wss, sip } = portsOf({ portsFrom });
  return `${address}:${wss} ${address}:${sip}`;
}

function writeConfiguration(folder: string, lab: LabNetwork, options: EdgeOptions & { domain: string }): void {
  const { address } = lab.edge;
  const port = portsOf(options);
  const media = ((options.portsFrom ?? 0) / 100) * mediaStep;
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-keyout', join(folder, 'tls.key'), '-out', join(folder, 'tls.crt'), '-subj', `/CN=${options.domain}`],
      ...['-addext', `subjectAltName=DNS:${options.domain},IP:${address}`],
    ],
    { stdio: 'pipe' },
  );
  const settings: Record<string, string | number | null> = {
    DOMAIN: quoted(options.domain),
    LISTEN_WSS: `tls:${address}:${port.wss}`,
    LISTEN_UDP: `udp:${address}:${port.sip}`,
    LISTEN_TCP: `tcp:${address}:${port.sip}`,
    LISTEN_RPC: `tcp:${address}:${port.rpc}`,
    RPC_PORT: port.rpc,
    RPC_FROM: quoted(`${lab.agent.address}/32`),
    FAR_NETS: quoted(lab.farSubnet),
    ORIGINS: quoted('^https?://(localhost|127.0.0.1)(:[0-9]+)?$'),
    RTPENGINE_SOCK: quoted(`udp:${address}:${port.rtpengine}`),
    TLS_CONFIG: quoted(join(folder, 'tls.cfg')),
    CTL_SOCKET: quoted(`unix:${join(folder, 'ctl')}`),
    SIP_TRACE_FOLDER: quoted(join(folder, 'sip')),
    FAIL_LIMIT: options.failedCredentialLimit ?? 0,
    MIN_EXPIRES: 5,
    WORKERS: 2,
    // The far phones of the laboratory have no PBX: they register at the edge.
    WITH_PLAIN_REGISTER: null,
    EPH_SECRET: quoted(options.credentialSecret),
    DIALOG_SECRET: quoted(options.dialogSecret ?? randomBytes(32).toString('hex')),
    ...(options.previousCredentialSecret ? { EPH_SECRET_PREVIOUS: quoted(options.previousCredentialSecret) } : {}),
    ...(options.pbxUri ? { PBX_URI: quoted(options.pbxUri) } : {}),
    ...(options.siblingPortsFrom === undefined ? {} : { SIBLINGS: siblings(address, options.siblingPortsFrom) }),
    ...(options.presence
      ? {
          WITH_PRESENCE: null,
          LISTEN_PRESENCE: `udp:127.0.0.1:${port.presence}`,
          PRESENCE_PORT: port.presence,
          PRESENCE_URI: quoted(`sip:presence@127.0.0.1:${port.presence}`),
        }
      : {}),
    ...(options.pushedCredentials === false ? {} : { WITH_PUSHED_CREDENTIALS: null }),
    ...(options.callRecords
      ? {
          CALL_RECORDS_URL: quoted(options.callRecords.url),
          CALL_RECORDS_SECRET: quoted(options.callRecords.secret),
        }
      : {}),
    ...(options.recordCalls === undefined ? {} : { RECORD_CALLS: null }),
    ...(options.rpcToken ? { RPC_TOKEN: quoted(`Bearer ${options.rpcToken}`) } : {}),
  };
  const lines = Object.entries(settings).map(([name, value]) => `#!define ${name}${value === null ? '' : ` ${value}`}`);
  writeFileSync(join(folder, 'local.cfg'), `${lines.join('\n')}\n`, { mode: 0o600 });
  copyFileSync(join(recipeFolder, 'kamailio.cfg'), join(folder, 'kamailio.cfg'));

  const recipe = (name: string) => readFileSync(join(recipeFolder, name), 'utf8');
  writeFileSync(join(folder, 'tls.cfg'), recipe('tls.cfg').replaceAll(recipePath, folder));
  writeFileSync(
    join(folder, 'rtpengine.conf'),
    recipe('rtpengine.conf')
      .replaceAll('127.0.0.1', address)
      .replace('2223', String(port.rtpengine))
      .replace('port-min = 30000', `port-min = ${30_000 + media}`)
      .replace('port-max = 39999', `port-max = ${31_999 + media}`)
      .replace('log-level = 4', 'log-level = 6')
      .replaceAll(/^# (recording-.*)$/gm, options.recordCalls === undefined ? '# $1' : '$1')
      .replace(/^recording-dir = .*$/m, `recording-dir = ${options.recordCalls}`),
  );
  writeFileSync(
    join(folder, 'turnserver.conf'),
    [
      recipe('turnserver.conf'),
      `listening-ip=${address}`,
      `listening-port=${port.turn}`,
      `relay-ip=${address}`,
      ...(options.turnRelay6 === undefined ? [] : [`relay-ip=${options.turnRelay6}`]),
      `realm=${options.domain}`,
      `static-auth-secret=${options.turnSecret}`,
      `allowed-peer-ip=${address}`,
      'no-tls',
      'no-dtls',
      `pidfile=${join(folder, 'turnserver.pid')}`,
      `userdb=${join(folder, 'turnserver.db')}`,
      'log-file=stdout',
      '',
    ].join('\n'),
    { mode: 0o600 },
  );
}

function quoted(text: string): string {
  if (/["\n]/.test(text)) throw new Error('A Kamailio setting may hold neither quotation marks nor line breaks.');
  return `"${text}"`;
}

function udpAnswers(
  address: string,
  toPort: number,
  question: Buffer,
  good: (answer: Buffer) => boolean,
): Promise<true | undefined> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const finish = (answer: true | undefined) => {
      clearTimeout(timer);
      socket.close();
      resolve(answer);
    };
    const timer = setTimeout(() => finish(undefined), 250);
    socket.on('error', () => finish(undefined));
    socket.on('message', (answer) => finish(good(answer) ? true : undefined));
    socket.send(question, toPort, address);
  });
}

function tlsAnswers(address: string, toPort: number): Promise<true | undefined> {
  return new Promise((resolve) => {
    let answer: true | undefined;
    const socket = connect({ host: address, port: toPort, rejectUnauthorized: false }, () => {
      answer = true;
      socket.end();
    });
    socket.on('close', () => resolve(answer));
    socket.on('error', () => socket.destroy());
    socket.setTimeout(1000, () => socket.destroy());
    socket.resume();
  });
}
