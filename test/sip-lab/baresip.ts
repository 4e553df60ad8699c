/**
 * Owns one baresip as a plain SIP/UDP phone of the laboratory: PCMU unless told otherwise, a tone as its voice, the wire as its ear.
 * Must never be the target of an INVITE with Replaces (baresip ignores the header); that is linphone.ts.
 */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { type FarPhone, mediaPorts, type PhoneEventKind, PhoneEvents, toUri, voiceFile } from './far-phone.ts';
import { startLabProcess, untilReady } from './lab-process.ts';
import type { LabNetwork } from './namespaces.ts';
import { startRtpEar } from './rtp-ear.ts';
import { readWav, type Sound } from './tone.ts';

export interface BaresipOptions {
  user: string;
  /** One of lab.far.addresses, not used by another phone. */
  address: string;
  toneHz: number;
  /** Answers incoming calls at once. Default false. */
  autoAnswer?: boolean;
  /** Default patchcord.test. */
  domain?: string;
  /** False: it stays unregistered and is reached by address, as a PBX would be. Default true. */
  register?: boolean;
  /** Where it registers and calls through, "address:port". Default: the edge, which believes it by its address. */
  registrar?: string;
  /** Best first; the ear hears the first two only. Default PCMU. */
  codecs?: readonly ('PCMU' | 'PCMA' | 'G722' | 'opus')[];
  /** For a registrar that wants one; the user name is `user`. */
  password?: string;
}

export interface Baresip extends FarPhone {
  /** Refuses the call that rings, as busy (486). */
  refuse(): Promise<void>;
  /** What baresip itself recorded of the far side, one sound per call so far, up to the first hold (then baresip stops recording). */
  ownRecordings(): Sound[];
  /** From now on this WAV file is its voice, from its beginning: of the codec's rate, and longer than the call lasts. */
  speak(path: string): Promise<void>;
  /** Opens the way of its commands anew: after the computer of the test changed its network, which took the old one's address away. */
  reconnect(): Promise<void>;
}

const controlPort = 4444;
const codecNames = { PCMU: 'PCMU/8000/1', PCMA: 'PCMA/8000/1', G722: 'G722/16000/1', opus: 'opus/48000/2' };

/** Starts the phone; resolves when it is registered at the edge. Throws with its last output otherwise. */
export async function startBaresip(lab: LabNetwork, options: BaresipOptions): Promise<Baresip> {
  const { user, address, toneHz } = options;
  const domain = options.domain ?? 'patchcord.test';
  const name = `baresip ${user}`;
  const folder = mkdtempSync(join(lab.folder, 'baresip-'));
  writeConfiguration(folder, lab, { ...options, domain });

  const ear = await startRtpEar({ name, namespace: lab.far.namespace, ports: mediaPorts(lab, address) });
  const process = startLabProcess({
    namespace: lab.far.namespace,
    command: ['baresip', '-4', '-f', folder],
    log: join(folder, 'baresip.log'),
    cwd: folder,
  });
  const events = new PhoneEvents(name);
  // The first registration is over before the control port can be opened, so it is read from the output.
  process.onLine((line) => {
    if (/ 200 OK \(.*\) \[\d+ binding/.test(line)) events.add('registered');
  });
  let control: Control | undefined;
  const stop = async () => {
    control?.close();
    await Promise.all([process.stop(1500), ear.stop()]);
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    control = await untilReady(`${name} opens no control port`, () => openControl(address, events), { process });
    if (options.register !== false) {
      await events.waitFor('registered').catch((cause) => {
        throw new Error(`${name} could not register at the edge.\n${process.tail()}`, { cause });
      });
    }
  } catch (error) {
    await stop();
    throw error;
  }

  const command = (verb: string, parameters?: string): Promise<void> => {
    if (!control) throw new Error(`${name} has been stopped.`);
    return control.command(verb, parameters);
  };
  return {
    user,
    uri: options.register === false ? `sip:${user}@${address}` : `sip:${user}@${domain}`,
    address,
    toneHz,
    events: events.list,
    get dtmf() {
      return events.dtmf;
    },
    waitFor: (kind, withinMs) => events.waitFor(kind, withinMs),
    dial: (target) => command('dial', toUri(target, domain)),
    answer: () => command('accept'),
    hangUp: () => command('hangup'),
    refuse: () => command('hangup'),
    hold: () => command('hold'),
    resume: () => command('resume'),
    async sendDtmf(keys) {
      for (const key of keys) await command('sndcode', key);
    },
    transfer: (target) => command('transfer', toUri(target, domain)),
    ...ear,
    ownRecordings: () =>
      readdirSync(folder)
        .filter((file) => file.endsWith('-dec.wav'))
        .sort()
        .map((file) => readWav(join(folder, file))),
    speak: (path) => command('ausrc', `aufile,${path}`),
    async reconnect() {
      control?.close();
      control = await untilReady(`${name} opens no control port`, () => openControl(address, events), { process });
    },
    stop,
  };
}

function writeConfiguration(folder: string, lab: LabNetwork, options: BaresipOptions & { domain: string }): void {
  const { user, address, domain } = options;
  const voice = voiceFile(lab, options.toneHz);
  const ports = mediaPorts(lab, address);
  const modules = ['g711', 'g722', 'opus', 'aufile', 'sndfile', 'ctrl_tcp'].map((module) => `module ${module}.so`);
  const applications = ['account', 'menu'].map((module) => `module_app ${module}.so`);
  writeFileSync(
    join(folder, 'config'),
    [
      'poll_method epoll',
      `sip_listen ${address}:5060`,
      // Also the address of its media; the namespace has five.
      `net_interface ${address}`,
      'call_local_timeout 120',
      'call_max_calls 4',
      `audio_source aufile,${voice}`,
      'audio_buffer 20-160',
      `rtp_ports ${ports.from}-${ports.to}`,
      'jitter_buffer_delay 1-5',
      `snd_path ${folder}`,
      `ctrl_tcp_listen ${address}:${controlPort}`,
      'menu_bell no',
      'ringback_disabled yes',
      'statmode_default off',
      'module_path /usr/lib/baresip/modules',
      ...modules,
      ...applications,
      '',
    ].join('\n'),
  );
  const account = [
    `<sip:${user}@${domain}>`,
    `outbound="sip:${options.registrar ?? `${lab.edge.address}:5060`};transport=udp"`,
    ...(options.password === undefined ? [] : [`auth_user=${user}`, `auth_pass=${options.password}`]),
    `regint=${options.register === false ? 0 : 60}`,
    `audio_codecs=${(options.codecs ?? ['PCMU']).map((codec) => codecNames[codec]).join(',')}`,
    `answermode=${options.autoAnswer ? 'auto' : 'manual'}`,
    'dtmfmode=rtpevent',
  ];
  writeFileSync(join(folder, 'accounts'), `${account.join(';')}\n`);
  writeFileSync(join(folder, 'contacts'), '');
}

interface Control {
  command(verb: string, parameters?: string): Promise<void>;
  close(): void;
}

/** What ctrl_tcp sends: events of calls, and answers to commands. */
interface ControlMessage {
  event?: boolean;
  type?: string;
  param?: string;
  peeruri?: string;
  response?: boolean;
  ok?: boolean;
  data?: string;
  token?: string;
}

const eventKinds: Record<string, PhoneEventKind> = {
  CALL_INCOMING: 'incoming',
  CALL_RINGING: 'ringing',
  CALL_PROGRESS: 'ringing',
  CALL_ESTABLISHED: 'established',
  CALL_CLOSED: 'closed',
  CALL_DTMF_START: 'dtmf',
  TRANSFER: 'transfer',
};

/** Opens the control port (netstrings with JSON); undefined while it does not listen yet. */
function openControl(address: string, events: PhoneEvents): Promise<Control | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port: controlPort });
    const pending = new Map<string, (message: ControlMessage) => void>();
    socket.on('error', () => resolve(undefined));
    socket.on('connect', () => resolve(controlOver(socket, pending)));
    let buffer = Buffer.alloc(0);
    socket.on('data', (data: Buffer) => {
      buffer = Buffer.concat([buffer, data]);
      for (;;) {
        const colon = buffer.indexOf(':');
        const length = Number(buffer.toString('latin1', 0, Math.max(0, colon)));
        if (colon < 0 || buffer.length < colon + length + 2) break;
        const message = JSON.parse(buffer.toString('utf8', colon + 1, colon + 1 + length)) as ControlMessage;
        buffer = buffer.subarray(colon + length + 2);
        if (message.response) pending.get(message.token ?? '')?.(message);
        const kind = message.event ? eventKinds[message.type ?? ''] : undefined;
        if (kind === 'dtmf' || kind === 'closed') events.add(kind, message.param ?? '');
        else if (kind) events.add(kind, message.peeruri ?? message.param ?? '');
      }
    });
  });
}

function controlOver(socket: Socket, pending: Map<string, (message: ControlMessage) => void>): Control {
  let last = 0;
  return {
    command(verb, parameters) {
      last += 1;
      const token = String(last);
      const text = JSON.stringify({ command: verb, ...(parameters ? { params: parameters } : {}), token });
      return new Promise((resolve, reject) => {
        const refuse = (why: string) => reject(new Error(`baresip refused '${verb} ${parameters ?? ''}': ${why}`));
        const timer = setTimeout(() => refuse('no answer within 5 s'), 5000);
        pending.set(token, (message) => {
          clearTimeout(timer);
          pending.delete(token);
          if (message.ok) resolve();
          else refuse(message.data ?? 'no reason given');
        });
        socket.write(`${Buffer.byteLength(text)}:${text},`);
      });
    },
    close: () => socket.destroy(),
  };
}
