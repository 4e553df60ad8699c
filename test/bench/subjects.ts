/**
 * The page of the SIP benchmarks: Patchcord's port, sip.js SimpleUser and JsSIP behind one small face, and marks taken at the same places for
 * all three. Owns the stopwatch; must not help or hinder one subject more than another.
 */
import type { CallId } from '@patchcord/call-protocol';
import { createSound } from '@patchcord/phone-engine/audio';
import { createSipPort } from '@patchcord/phone-engine/sip';
import JsSIP from 'jssip';
import { Inviter, Registerer, UserAgent, Web } from 'sip.js';

export interface Account {
  readonly server: string;
  readonly domain: string;
  readonly extension: string;
  readonly username: string;
  readonly password: string;
  readonly iceServers: readonly {
    readonly urls: readonly string[];
    readonly username?: string;
    readonly credential?: string;
  }[];
}

/** What every subject can do. */
interface Subject {
  /** Resolves when registered. */
  register(account: Account): Promise<void>;
  dial(target: string): void;
  /** Answers the next call that comes in, `delayMs` after it was seen; calls `answering` at that moment. */
  answerNext(delayMs: number, answering: () => void): void;
  hangUp(): void;
}

export type SubjectName = 'Patchcord' | 'sip.js UserAgent' | 'sip.js SimpleUser' | 'JsSIP';

/** Marks in ms of `performance.now()`; NaN for what did not happen. */
export interface Marks {
  readonly start: number;
  readonly invite: number;
  readonly ok: number;
  readonly sound: number;
}

const marks = { start: Number.NaN, invite: Number.NaN, ok: Number.NaN, sound: Number.NaN };
const connections: RTCPeerConnection[] = [];
/** When a 200 for a REGISTER came in, ms since 1970. */
const registrations: number[] = [];
watchWire();
watchRegistrations();
watchSound();

const subjects: Record<SubjectName, () => Subject> = {
  Patchcord: patchcord,
  'sip.js UserAgent': userAgent,
  'sip.js SimpleUser': simpleUser,
  JsSIP: jsSip,
};
let subject: Subject;

/** Called by the runner through the page. */
Object.assign(window, {
  bench: {
    async register(name: SubjectName, account: Account): Promise<void> {
      // Permission and device are warm for everybody: what is measured is signalling, not the first opening of a microphone.
      for (const track of (await navigator.mediaDevices.getUserMedia({ audio: true })).getTracks()) track.stop();
      subject = subjects[name]();
      await subject.register(account);
    },
    dial(target: string): void {
      marks.start = performance.now();
      subject.dial(target);
    },
    answerNext(delayMs: number): void {
      subject.answerNext(delayMs, () => {
        marks.start = performance.now();
      });
    },
    hangUp: () => subject.hangUp(),
    marks: (): Marks => ({ ...marks }),
    registrations: (): readonly number[] => registrations,
  },
});

function patchcord(): Subject {
  const port = createSipPort({ sound: createSound(window) });
  const call = crypto.randomUUID() as CallId;
  let live: CallId = call;
  return {
    register: (account) =>
      new Promise((resolve) => {
        port.onSignal((signal) => {
          if (signal.type === 'sip.registered') resolve();
        });
        port.start(
          {
            domain: account.domain,
            servers: [account.server],
            extension: account.extension,
            displayName: 'Bench',
            registerSeconds: 300,
            instance: crypto.randomUUID(),
            candidates: 'first-host',
            iceTransportPolicy: 'all',
            outboundProxy: null,
            failBackSeconds: 0,
            codecs: ['opus', 'G722', 'PCMU', 'PCMA'],
            opus: { fec: true, dtx: false },
            digits: 'rfc4733',
            followTransfers: false,
            callerIdIn: 'p-preferred-identity',
            sessionSeconds: 0,
            recovery: { way: 'auto', applications: [], known: [] },
          },
          { username: account.username, password: account.password, expiresAt: Date.now() + 600_000 },
          account.iceServers,
        );
      }),
    dial: (target) => port.dial(call, target),
    answerNext: (delayMs, answering) =>
      void port.onSignal((signal) => {
        if (signal.type !== 'sip.invited') return;
        live = signal.call;
        setTimeout(() => {
          answering();
          port.answer(live);
        }, delayMs);
      }),
    hangUp: () => port.hangUp(live),
  };
}

/** The library's own layer, as its guide begins; it calls only. */
function userAgent(): Subject {
  let agent: UserAgent;
  let inviter: Inviter | undefined;
  let domain = '';
  return {
    async register(account) {
      domain = account.domain;
      agent = new UserAgent({
        uri: UserAgent.makeURI(`sip:${account.extension}@${account.domain}`) ?? fail(),
        transportOptions: { server: account.server },
        authorizationUsername: account.username,
        authorizationPassword: account.password,
        logLevel: 'error',
        sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: account.iceServers } },
      });
      await agent.start();
      const registered = new Promise<void>((resolve) => {
        void new Registerer(agent).register({ requestDelegate: { onAccept: () => resolve() } });
      });
      await registered;
    },
    dial: (target) => {
      inviter = new Inviter(agent, UserAgent.makeURI(`sip:${target}@${domain}`) ?? fail());
      const { stateChange } = inviter;
      const session = inviter;
      stateChange.addListener((state) => {
        if (state === 'Established') play(connectionOf(session));
      });
      void inviter.invite().catch(() => undefined);
    },
    answerNext: () => fail(),
    hangUp: () => void inviter?.bye().catch(() => undefined),
  };
}

/** Nobody else plays what comes: without a sink it is silent for every listener in the page. */
function play(connection: RTCPeerConnection | undefined): void {
  const speaker = new Audio();
  speaker.srcObject = new MediaStream(connection?.getReceivers().map(({ track }) => track) ?? []);
  void speaker.play().catch(() => undefined);
}

function connectionOf(session: Inviter): RTCPeerConnection | undefined {
  const handler = session.sessionDescriptionHandler as { peerConnection?: RTCPeerConnection } | undefined;
  return handler?.peerConnection;
}

function fail(): never {
  throw new Error('The bench asks a subject for what it does not do here.');
}

function simpleUser(): Subject {
  let user: Web.SimpleUser;
  let domain = '';
  const speaker = new Audio();
  let incoming: () => void = () => undefined;
  return {
    async register(account) {
      domain = account.domain;
      user = new Web.SimpleUser(account.server, {
        aor: `sip:${account.extension}@${account.domain}`,
        media: { constraints: { audio: true, video: false }, remote: { audio: speaker } },
        userAgentOptions: {
          authorizationUsername: account.username,
          authorizationPassword: account.password,
          logLevel: 'error',
          sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: account.iceServers } },
        },
      });
      const registered = new Promise<void>((resolve) => {
        user.delegate = { onRegistered: resolve, onCallReceived: () => incoming() };
      });
      await user.connect();
      await user.register();
      await registered;
    },
    dial: (target) => void user.call(`sip:${target}@${domain}`).catch(() => undefined),
    answerNext(delayMs, answering) {
      incoming = () =>
        setTimeout(() => {
          answering();
          void user.answer().catch(() => undefined);
        }, delayMs);
    },
    hangUp: () => void user.hangup().catch(() => undefined),
  };
}

interface JsSipSession {
  answer(options: object): void;
  on(event: 'peerconnection', listener: (event: { peerconnection: RTCPeerConnection }) => void): void;
}

function jsSip(): Subject {
  let agent: JsSIP.UA;
  let pcConfig: RTCConfiguration = {};
  let domain = '';
  const media = { audio: true, video: false };
  const speaker = new Audio();
  return {
    register(account) {
      domain = account.domain;
      pcConfig = { iceServers: account.iceServers.map((server) => ({ ...server, urls: [...server.urls] })) };
      agent = new JsSIP.UA({
        sockets: [new JsSIP.WebSocketInterface(account.server)],
        uri: `sip:${account.extension}@${account.domain}`,
        authorization_user: account.username,
        password: account.password,
        session_timers: false,
      });
      const registered = new Promise<void>((resolve) => agent.once('registered', () => resolve()));
      agent.start();
      return registered;
    },
    dial(target) {
      const eventHandlers = { confirmed: () => play(connections.at(-1)) };
      agent.call(`sip:${target}@${domain}`, { mediaConstraints: media, pcConfig, eventHandlers });
    },
    answerNext(delayMs, answering) {
      agent.once('newRTCSession', (event: { session: JsSipSession }) => {
        // JsSIP leaves playing to its user: without a sink nothing would ever be played out.
        event.session.on('peerconnection', ({ peerconnection }) => {
          peerconnection.addEventListener('track', ({ streams }) => {
            speaker.srcObject = streams[0] ?? null;
            void speaker.play().catch(() => undefined);
          });
        });
        setTimeout(() => {
          answering();
          event.session.answer({ mediaConstraints: media, pcConfig });
        }, delayMs);
      });
    },
    hangUp: () => agent.terminateSessions(),
  };
}

/** The first INVITE and the first 200 to an INVITE that this page hands to its WebSocket after the start mark. */
function watchWire(): void {
  const send = WebSocket.prototype.send;
  WebSocket.prototype.send = function (data) {
    if (typeof data === 'string' && !Number.isNaN(marks.start)) {
      const now = performance.now();
      if (Number.isNaN(marks.invite) && data.startsWith('INVITE ')) marks.invite = now;
      if (Number.isNaN(marks.ok) && data.startsWith('SIP/2.0 200') && /^cseq:\s*\d+\s+invite/im.test(data))
        marks.ok = now;
    }
    send.call(this, data);
  };
}

function watchRegistrations(): void {
  const Native = WebSocket;
  window.WebSocket = class extends Native {
    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.addEventListener('message', ({ data }) => {
        if (typeof data === 'string' && data.startsWith('SIP/2.0 200') && /^cseq:\s*\d+\s+register/im.test(data))
          registrations.push(performance.timeOrigin + performance.now());
      });
    }
  };
}

/** The first packet that was played out (an entry among the synchronisation sources), polled every 2 ms. */
function watchSound(): void {
  const Native = RTCPeerConnection;
  window.RTCPeerConnection = class extends Native {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      connections.push(this);
    }
  };
  setInterval(() => {
    if (Number.isNaN(marks.start) || !Number.isNaN(marks.sound)) return;
    const played = connections.some((connection) =>
      connection.getReceivers().some((receiver) => receiver.getSynchronizationSources().length > 0),
    );
    if (played) marks.sound = performance.now();
  }, 2);
}
