/**
 * The page under the browser test: a bare sip.js phone with an ear. Runs in Chromium, bundled by the test.
 * Owns no assertion; it only does what it is told and says what it hears.
 */
import {
  type Invitation,
  Inviter,
  Registerer,
  type Session,
  SessionState,
  UserAgent,
  type UserAgentOptions,
  type Web,
} from 'sip.js';

type Account = { url: string; domain: string; extension: string; username: string; password: string };

let agent: UserAgent | undefined;
let registerer: Registerer | undefined;
let domain = '';
const calls: { session: Session; notified: string[]; incomingFrom?: string; reason?: string; status?: number }[] = [];
const context = new AudioContext();
const analysers = new Map<Session, AnalyserNode>();

const connectionOf = (session: Session): RTCPeerConnection => {
  const connection = (session.sessionDescriptionHandler as Web.SessionDescriptionHandler | undefined)?.peerConnection;
  if (!connection) throw new Error('the call has no peer connection');
  return connection;
};

function listen(session: Session): void {
  const receiver = connectionOf(session).getReceivers()[0];
  if (!receiver) throw new Error('the call has no receiver');
  const stream = new MediaStream([receiver.track]);
  // Chromium feeds a remote stream into Web Audio only while an element plays it.
  const element = new Audio();
  element.srcObject = stream;
  element.muted = true;
  void element.play();
  const analyser = context.createAnalyser();
  analyser.fftSize = 16384;
  context.createMediaStreamSource(stream).connect(analyser);
  analysers.set(session, analyser);
}

function adopt(session: Session): number {
  const entry: (typeof calls)[number] = { session, notified: [] };
  calls.push(entry);
  session.stateChange.addListener((state) => {
    if (state === SessionState.Established) listen(session);
  });
  session.delegate = {
    onNotify: (notification) => {
      void notification.accept();
      entry.notified.push(notification.request.body.trim());
    },
  };
  return calls.length - 1;
}

const at = (index: number): (typeof calls)[number] => {
  const entry = calls[index];
  if (!entry) throw new Error(`no call ${index}`);
  return entry;
};

/** An offer that leaves early, before gathering is over: the first few candidates and no end mark. */
function keepCandidates(count: number): (description: RTCSessionDescriptionInit) => Promise<RTCSessionDescriptionInit> {
  return (description) => {
    let seen = 0;
    const lines = (description.sdp ?? '').split('\r\n').filter((line) => {
      if (line === 'a=end-of-candidates') return false;
      if (!line.startsWith('a=candidate:')) return true;
      seen += 1;
      return seen <= count;
    });
    return Promise.resolve({ type: description.type, sdp: lines.join('\r\n') });
  };
}

const phone = {
  async register(account: Account): Promise<void> {
    await context.resume();
    domain = account.domain;
    const uri = UserAgent.makeURI(`sip:${account.extension}@${account.domain}`);
    if (!uri) throw new Error('bad account');
    const options: UserAgentOptions = {
      uri,
      authorizationUsername: account.username,
      authorizationPassword: account.password,
      transportOptions: { server: account.url },
      logLevel: 'warn',
      sessionDescriptionHandlerFactoryOptions: { peerConnectionConfiguration: { iceServers: [] } },
      delegate: {
        onInvite: (invitation: Invitation) => {
          const entry = calls[adopt(invitation)];
          if (entry)
            entry.incomingFrom = `${invitation.remoteIdentity.displayName} ${invitation.remoteIdentity.uri.user}`;
          invitation.delegate = {
            ...invitation.delegate,
            onCancel: (cancel) => {
              const text = cancel.request.getHeader('Reason');
              if (entry && text !== undefined) entry.reason = text;
            },
          };
        },
      },
    };
    agent = new UserAgent(options);
    await agent.start();
    registerer = new Registerer(agent);
    const registered = new Promise<void>((resolve, reject) => {
      registerer?.stateChange.addListener((state) => state === 'Registered' && resolve());
      setTimeout(() => reject(new Error('not registered after 5 s')), 5000);
    });
    await registerer.register();
    await registered;
  },

  /** @param candidates how many of the gathered candidates the offer may keep; absent: all, and the end mark. */
  async call(number: string, candidates?: number): Promise<{ index: number; status: number }> {
    const target = UserAgent.makeURI(`sip:${number}@${domain}`);
    if (!agent || !target) throw new Error('not registered or bad number');
    const inviter = new Inviter(agent, target, {
      sessionDescriptionHandlerModifiers: candidates === undefined ? [] : [keepCandidates(candidates)],
      sessionDescriptionHandlerOptions: {
        constraints: {
          audio: { echoCancellation: false, noiseSuppression: false, autoGainControl: false },
          video: false,
        },
      },
    });
    const index = adopt(inviter);
    const status = await new Promise<number>((resolve, reject) => {
      inviter
        .invite({
          requestDelegate: {
            onAccept: (response) => resolve(response.message.statusCode ?? 0),
            onReject: (response) => resolve(response.message.statusCode ?? 0),
          },
        })
        .catch(reject);
    });
    if (status === 200) await phone.until(index, SessionState.Established);
    return { index, status };
  },

  incoming: (): { index: number; from: string }[] =>
    calls.flatMap((entry, index) =>
      entry.session.state === SessionState.Initial && entry.incomingFrom !== undefined
        ? [{ index, from: entry.incomingFrom }]
        : [],
    ),

  async answer(index: number): Promise<void> {
    await (at(index).session as Invitation).accept();
    await phone.until(index, SessionState.Established);
  },

  async reject(index: number, statusCode: number): Promise<void> {
    await (at(index).session as Invitation).reject({ statusCode });
  },

  async hold(index: number, hold: boolean): Promise<void> {
    const { session } = at(index);
    session.sessionDescriptionHandlerOptionsReInvite = { hold } as Web.SessionDescriptionHandlerOptions;
    await phone.reinvite(session);
  },

  async restartIce(index: number): Promise<void> {
    const { session } = at(index);
    session.sessionDescriptionHandlerOptionsReInvite = {
      offerOptions: { iceRestart: true },
    } as Web.SessionDescriptionHandlerOptions;
    await phone.reinvite(session);
  },

  reinvite: (session: Session): Promise<void> =>
    new Promise((resolve, reject) => {
      session
        .invite({
          requestDelegate: {
            onAccept: () => resolve(),
            onReject: (response) => reject(new Error(`re-INVITE ${response.message.statusCode}`)),
          },
        })
        .catch(reject);
    }),

  press(index: number, keys: string): void {
    const sender = connectionOf(at(index).session).getSenders()[0];
    sender?.dtmf?.insertDTMF(keys, 120, 60);
  },

  async transferBlind(index: number, number: string): Promise<void> {
    const target = UserAgent.makeURI(`sip:${number}@${domain}`);
    const entry = at(index);
    if (!target) throw new Error('bad number');
    await entry.session.refer(target, {
      onNotify: (notification) => {
        void notification.accept();
        entry.notified.push(notification.request.body.trim());
      },
    });
  },

  async transferAttended(index: number, consult: number): Promise<void> {
    const entry = at(index);
    await entry.session.refer(at(consult).session, {
      onNotify: (notification) => {
        void notification.accept();
        entry.notified.push(notification.request.body.trim());
      },
    });
  },

  bye: (index: number): Promise<unknown> => at(index).session.bye(),
  state: (index: number): string => at(index).session.state,
  notified: (index: number): string[] => at(index).notified,
  reason: (index: number): string | undefined => at(index).reason,

  until: (index: number, wanted: string): Promise<void> =>
    new Promise((resolve) => {
      const { session } = at(index);
      if (session.state === wanted) resolve();
      else session.stateChange.addListener((state) => state === wanted && resolve());
    }),

  /** Amplitude of one frequency in the last third of a second heard in this call (Goertzel), 0 to 1. */
  level(index: number, hz: number): number {
    const analyser = analysers.get(at(index).session);
    if (!analyser) return 0;
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    const coefficient = 2 * Math.cos((2 * Math.PI * hz) / context.sampleRate);
    let previous = 0;
    let before = 0;
    for (const sample of samples) {
      const current = sample + coefficient * previous - before;
      before = previous;
      previous = current;
    }
    return (2 * Math.sqrt(Math.max(0, previous ** 2 + before ** 2 - coefficient * previous * before))) / samples.length;
  },
};

export type BrowserPhone = typeof phone;
(globalThis as unknown as { phone: BrowserPhone }).phone = phone;
