/**
 * Runs in the browser: the real SIP and sound ports, with everything they signal kept for the test to read.
 * Owns nothing but the wiring; must never decide anything a test should see decided by the ports.
 */
import type { CallId } from '@patchcord/call-protocol';
import type { IceServer, KeptDialog, SipAccount, SipCredential, SipSignal, SoundPort } from '@patchcord/phone-engine';
import { createSound } from '@patchcord/phone-engine/audio';
import { createSipPort } from '@patchcord/phone-engine/sip';

export interface StampedSignal {
  readonly at: number;
  readonly signal: SipSignal;
}
export interface SentMessage {
  readonly at: number;
  readonly text: string;
}

/** What the test calls through the browser; arguments and results are plain JSON. */
export interface PhonePage {
  readonly signals: StampedSignal[];
  readonly sent: SentMessage[];
  /** What was told last of what a successor must know. */
  dialogs: readonly KeptDialog[];
  /** How often it was told. */
  dialogsTold: number;
  handOver(): Promise<readonly KeptDialog[]>;
  readonly logs: { readonly event: string; readonly detail: unknown }[];
  start(account: SipAccount, credential: SipCredential, iceServers: readonly IceServer[]): void;
  renew(credential: SipCredential, iceServers: readonly IceServer[]): void;
  stop(): Promise<void>;
  /** Dials now and tells when, on the clock of `signals` and `sent`. */
  dial(call: CallId, target: string): number;
  /** Answers now and tells when. */
  answer(call: CallId): number;
  command(
    name:
      | 'decline'
      | 'redirect'
      | 'hangUp'
      | 'hold'
      | 'mute'
      | 'mix'
      | 'sendDigits'
      | 'transfer'
      | 'transferAttended'
      | 'cancelTransfer'
      | 'pickUp'
      | 'sendCode'
      | 'watch'
      | 'takeUp'
      | 'dial',
    ...parameters: readonly unknown[]
  ): void;
  onSignal(listener: (signal: SipSignal) => void): void;
  onDialogs(listener: (dialogs: readonly KeptDialog[]) => void): void;
  sound: SoundPort;
  /** As if the server had sent this text. */
  receive(text: string): void;
  audioElements(): number;
  pageErrors(): readonly string[];
}

const now = () => performance.timeOrigin + performance.now();
const errors: string[] = [];
addEventListener('error', (event) => errors.push(event.message));
addEventListener('unhandledrejection', (event) => errors.push(`unhandled: ${String(event.reason)}`));

const sent: SentMessage[] = [];
let socket: WebSocket | undefined;
const nativeSend = WebSocket.prototype.send;
WebSocket.prototype.send = function (data) {
  sent.push({ at: now(), text: String(data) });
  socket = this;
  nativeSend.call(this, data);
};

const signals: StampedSignal[] = [];
const logs: { event: string; detail: unknown }[] = [];
const sound = createSound(window);
const port = createSipPort({ sound, log: (_level, event, detail) => logs.push({ event, detail }) });
port.onSignal((signal) => signals.push({ at: now(), signal }));

const page: PhonePage = {
  dialogs: [],
  dialogsTold: 0,
  handOver: () => port.handOver(),
  signals,
  sent,
  logs,
  start: (account, credential, iceServers) => port.start(account, credential, iceServers),
  renew: (credential, iceServers) => port.renew(credential, iceServers),
  stop: () => port.stop(),
  dial(call, target) {
    const at = now();
    port.dial(call, target);
    return at;
  },
  answer(call) {
    const at = now();
    port.answer(call);
    return at;
  },
  command(name, ...parameters) {
    (port[name] as (...all: readonly unknown[]) => void).apply(port, [...parameters]);
  },
  onSignal: (listener) => void port.onSignal(listener),
  onDialogs: (listener) => void port.onDialogs(listener),
  sound,
  receive: (text) => void socket?.dispatchEvent(new MessageEvent('message', { data: text })),
  audioElements: () => document.querySelectorAll('audio').length,
  pageErrors: () => errors,
};
port.onDialogs((dialogs) => {
  page.dialogs = dialogs;
  page.dialogsTold += 1;
});
Object.assign(window, { phonePage: page });
