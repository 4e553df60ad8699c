/**
 * Owns one linphonec as a plain SIP/UDP phone of the laboratory: PCMU, a tone as its voice, the wire as its ear. It knows Replaces
 * (RFC 3891): target of an attended transfer, transferee, peer of a reload by INVITE with Replaces. Its 180 carries no Contact.
 * Must never rely on linphonec's own recording, which is written late.
 */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type FarPhone, mediaPorts, type PhoneEventKind, PhoneEvents, toUri, voiceFile } from './far-phone.ts';
import { startLabProcess } from './lab-process.ts';
import type { LabNetwork } from './namespaces.ts';
import { startRtpEar } from './rtp-ear.ts';

export interface LinphoneOptions {
  user: string;
  /** One of lab.far.addresses, not used by another phone. */
  address: string;
  toneHz: number;
  /** Answers incoming calls at once. Default false. */
  autoAnswer?: boolean;
  /** What it offers and takes; the ear hears both. Default PCMU. */
  codecs?: readonly ('PCMU' | 'PCMA')[];
  /** Default patchcord.test. */
  domain?: string;
}

export interface Linphone extends FarPhone {
  /** Puts the current call on hold. linphonec then plays its tone as music: the held side goes on hearing it. */
  hold(): Promise<void>;
  /** Declines the call that rings (603). */
  refuse(): Promise<void>;
  /** How many calls it has at the moment, by its own list. */
  callCount(): Promise<number>;
  /** Attended transfer by linphonec itself: the far side of one of its calls is joined with that of the other. */
  transferToCall(transferred: number, target: number): Promise<void>;
}

/** What linphonec prints; each line becomes an event. The first group is its detail. */
const eventLines: [RegExp, PhoneEventKind][] = [
  [/moving from state \[\w+\] to \[LinphoneRegistrationOk\]/, 'registered'],
  [/^Establishing call id to (\S+),/, 'dialing'],
  [/Receiving new incoming call from (.*), assigned id/, 'incoming'],
  [/^Call \d+ to (.*) ringing/, 'ringing'],
  [/^Call \d+ with (.*) connected/, 'established'],
  [/^Call \d+ with (.*) (?:ended|error)/, 'closed'],
  [/Receiving tone (.) from/, 'dtmf'],
];

/** Starts the phone; resolves when it is registered at the edge. Throws with its last output otherwise. */
export async function startLinphone(lab: LabNetwork, options: LinphoneOptions): Promise<Linphone> {
  const { user, address, toneHz } = options;
  const domain = options.domain ?? 'patchcord.test';
  const name = `linphone ${user}`;
  const folder = mkdtempSync(join(lab.folder, 'linphone-'));
  writeConfiguration(folder, lab, { ...options, domain });

  const ear = await startRtpEar({ name, namespace: lab.far.namespace, ports: mediaPorts(lab, address) });
  const process = startLabProcess({
    namespace: lab.far.namespace,
    command: ['linphonec', '-d', '6', '-c', join(folder, 'linphonerc')],
    log: join(folder, 'linphone.log'),
    cwd: folder,
    // It keeps its databases under the home folder.
    env: { HOME: folder, XDG_CONFIG_HOME: '', XDG_DATA_HOME: '' },
  });
  const events = new PhoneEvents(name);
  process.onLine((text) => {
    const line = text.replace(/^(?:linphonec> ?)+/, '').trim();
    for (const [pattern, kind] of eventLines) {
      const found = pattern.exec(line);
      if (found) events.add(kind, found[1] ?? '');
    }
  });
  const stop = async () => {
    if (process.running()) process.writeLine('quit');
    await Promise.all([process.stop(1500), ear.stop()]);
    rmSync(folder, { recursive: true, force: true });
  };
  // Commands are read one by one, so the sound is set before any call can be.
  process.writeLine('soundcard use files');
  process.writeLine(`play ${voiceFile(lab, toneHz)}`);
  process.writeLine(`autoanswer ${options.autoAnswer ? 'enable' : 'disable'}`);
  try {
    await events.waitFor('registered');
  } catch (cause) {
    const output = process.tail(60);
    await stop();
    throw new Error(`${name} could not register at the edge.\n${output}`, { cause });
  }

  const command = async (line: string) => {
    if (!process.running()) throw new Error(`${name} is not running any more.\n${process.tail()}`);
    process.writeLine(line);
  };
  /** Gives a command and returns what is printed until `enough` fits one line. */
  const ask = (line: string, enough: RegExp): Promise<string[]> =>
    new Promise((resolve, reject) => {
      const lines: string[] = [];
      const timer = setTimeout(() => finish(() => reject(new Error(`${name} did not answer '${line}'.`))), 5000);
      const end = process.onLine((text) => {
        lines.push(text);
        if (enough.test(text)) finish(() => resolve(lines));
      });
      const finish = (how: () => void) => {
        clearTimeout(timer);
        end();
        how();
      };
      process.writeLine(line);
    });
  return {
    user,
    uri: `sip:${user}@${domain}`,
    address,
    toneHz,
    events: events.list,
    get dtmf() {
      return events.dtmf;
    },
    waitFor: (kind, withinMs) => events.waitFor(kind, withinMs),
    async dial(target) {
      const lines = await ask(
        `call ${toUri(target, domain)}`,
        /Establishing call id|on the current call first|Error from|Could not/,
      );
      const last = lines.at(-1) ?? '';
      if (!last.includes('Establishing'))
        throw new Error(`${name} refused to dial: ${last} (hold the first call before the second)`);
    },
    async answer() {
      const lines = await ask('answer', /Call \d+ with .* connected|no calls to answer|no call with id/);
      if (!lines.at(-1)?.includes('connected')) throw new Error(`${name} has no call to answer.`);
    },
    hangUp: () => command('terminate'),
    refuse: () => command('terminate'),
    async hold() {
      await ask('pause', /is now paused/);
    },
    async resume() {
      await ask('resume', /moving from state \w*Resuming to \w*StreamsRunning/);
    },
    // A line of digits is sent as DTMF.
    async sendDtmf(keys) {
      for (const key of keys) await command(key);
    },
    transfer: (target) => command(`transfer ${toUri(target, domain)}`),
    async callCount() {
      // An unknown command is answered at once and marks the end of the list.
      const lines = await ask('calls\nend-of-list', /end-of-list/);
      return lines.filter((line) => /^\s*\*?\s*\d+\s*\|/.test(line)).length;
    },
    transferToCall: (transferred, target) => command(`transfer ${transferred} --to-call ${target}`),
    ...ear,
    stop,
  };
}

function writeConfiguration(folder: string, lab: LabNetwork, options: LinphoneOptions & { domain: string }): void {
  for (const path of ['.config/linphone', '.local/share/linphone']) mkdirSync(join(folder, path), { recursive: true });
  const ports = mediaPorts(lab, options.address);
  const edge = `<sip:${lab.edge.address};transport=udp>`;
  const has = (codec: 'PCMU' | 'PCMA'): number => ((options.codecs ?? ['PCMU']).includes(codec) ? 1 : 0);
  // Codecs that are not named would be switched on.
  const codecs = [
    ['PCMU', 8000, 1, has('PCMU')],
    ['PCMA', 8000, 1, has('PCMA')],
    ['opus', 48000, 2, 0],
    ['speex', 8000, 1, 0],
    ['speex', 16000, 1, 0],
    ['SILK', 16000, 1, 0],
    ['G729', 8000, 1, 0],
  ] as const;
  const section = (title: string, values: Record<string, string | number>) =>
    [`[${title}]`, ...Object.entries(values).map(([key, value]) => `${key}=${value}`), ''].join('\n');
  writeFileSync(
    join(folder, 'linphonerc'),
    [
      section('sip', {
        sip_port: 5060,
        sip_tcp_port: 0,
        sip_tls_port: 0,
        bind_address: options.address,
        contact: `sip:${options.user}@${options.address}`,
        guess_hostname: 0,
        default_proxy: 0,
        use_ipv6: 0,
        inc_timeout: 120,
        in_call_timeout: 0,
        use_info: 0,
        use_rfc2833: 1,
        register_only_when_network_is_up: 0,
        media_encryption: 'none',
      }),
      section('proxy_0', {
        reg_proxy: edge,
        reg_route: edge,
        reg_identity: `sip:${options.user}@${options.domain}`,
        reg_expires: 300,
        reg_sendregister: 1,
        publish: 0,
        avpf: 0,
      }),
      section('rtp', { audio_rtp_port: `${ports.from}-${ports.to}`, video_rtp_port: 0, audio_jitt_comp: 60 }),
      section('sound', { echocancellation: 0, agc: 0, mic_gain_db: 0, playback_gain_db: 0 }),
      section('video', { enabled: 0, capture: 0, display: 0, automatically_initiate: 0, automatically_accept: 0 }),
      ...codecs.map(([mime, rate, channels, enabled], index) =>
        section(`audio_codec_${index}`, { mime, rate, channels, enabled }),
      ),
    ].join('\n'),
  );
}
