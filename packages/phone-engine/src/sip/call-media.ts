/**
 * Owns the media of one call: its peer connection, the microphone track on it, hold, mute, digits and what is heard.
 * Must never use an ICE server nobody configured, or accept media that is not DTLS-SRTP (the browser knows no other kind; SDES is refused).
 */
import { type CallId, PatchcordError } from '@patchcord/call-protocol';
import type { ClockPort, IceServer, SoundPort } from '../ports.ts';
import { type CandidatePolicy, enoughCandidates, forTheWire } from './candidate-policy.ts';

export interface CallMediaOptions {
  readonly call: CallId;
  readonly sound: SoundPort;
  readonly clock: ClockPort;
  readonly iceServers: readonly IceServer[];
  readonly newPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  readonly policy: CandidatePolicy;
  /** The path to the far side broke; a fresh offer may mend it. */
  readonly onBroken: () => void;
}

/** A microphone prompt that nobody answers ends the call instead of holding it for ever. */
const microphoneMs = 60_000;
/** `disconnected` often mends itself within this time. */
const brokenAfterMs = 2_000;
const soundPollMs = 60;
const pathWithinMs = 5_000;

/** What the far side's description says about the direction of its audio, seen from there (RFC 3264 section 5.1). */
export type RemoteDirection = 'sendrecv' | 'sendonly' | 'recvonly' | 'inactive';

export class CallMedia {
  readonly #options: CallMediaOptions;
  #connection: RTCPeerConnection;
  #policy: CandidatePolicy;
  #transceiver: RTCRtpTransceiver | undefined;
  #microphone: MediaStreamTrack | undefined;
  #microphoneReady: Promise<void> | undefined;
  #forgetMicrophone: () => void;
  #held = false;
  #muted = false;
  #closed = false;
  #brokenTimer: unknown;
  /** The branch of a forked call whose early media is heard, by its ICE name. */
  #earlyBranch: string | undefined;
  #otherBranch = false;

  constructor(options: CallMediaOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.#connection = this.#openConnection();
    this.#forgetMicrophone = options.sound.onMicrophoneChanged(() => void this.#changeMicrophone());
  }

  #openConnection(): RTCPeerConnection {
    const options = this.#options;
    const connection = options.newPeerConnection({
      // With one audio line there is nothing to bundle, and max-bundle would refuse the answers of phones that leave out a=group (RFC 9143):
      // baresip behind rtpengine does.
      bundlePolicy: 'balanced',
      rtcpMuxPolicy: 'require',
      iceServers: options.iceServers.map((server) => ({ ...server, urls: [...server.urls] })),
      iceTransportPolicy: options.policy.iceTransportPolicy,
    });
    connection.addEventListener('track', (event) => this.#hear(event));
    connection.addEventListener('connectionstatechange', () => {
      if (connection === this.#connection) this.#watchPath();
    });
    return connection;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /**
   * Asks for the microphone. Idempotent; awaited before anything is sent, so that nobody is rung by an agent who cannot speak.
   * @throws PatchcordError of the sound port, or `media.denied` when the prompt stays unanswered.
   */
  openMicrophone(): Promise<void> {
    this.#microphoneReady ??= this.#takeMicrophone();
    return this.#microphoneReady;
  }

  /** Creates the offer and waits until it is usable. An offer that still waits for its answer is completed, not replaced. */
  async offer(): Promise<string> {
    const connection = this.#connection;
    if (connection.signalingState !== 'have-local-offer') {
      this.#transceiver ??= connection.addTransceiver(this.#microphone ?? 'audio', { direction: 'sendrecv' });
      this.#applyDirection();
      await connection.setLocalDescription(await connection.createOffer());
    }
    return this.#usable();
  }

  /** Answers the offer that was set. */
  async answer(): Promise<string> {
    await this.openMicrophone();
    this.#applyDirection();
    await this.#connection.setLocalDescription(await this.#connection.createAnswer());
    return this.#usable();
  }

  /** Takes the far side's description: an answer when we offered, otherwise an offer. Returns what it says about direction. */
  async takeRemote(sdp: string, provisional = false): Promise<{ readonly kind: 'offer' | 'answer' }> {
    const connection = this.#connection;
    const waiting =
      connection.signalingState === 'have-local-offer' || connection.signalingState === 'have-remote-pranswer';
    const type = waiting ? (provisional ? 'pranswer' : 'answer') : 'offer';
    try {
      await connection.setRemoteDescription({ type, sdp });
    } catch (error) {
      throw new PatchcordError('media.failed', refusedDescription(sdp), { cause: error });
    }
    if (type === 'offer') this.#adoptTransceiver();
    const branch = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1];
    if (type === 'pranswer') this.#earlyBranch = branch;
    else if (type === 'answer') {
      this.#otherBranch = this.#earlyBranch !== undefined && this.#earlyBranch !== branch;
      this.#earlyBranch = undefined;
    }
    return { kind: waiting ? 'answer' : 'offer' };
  }

  /** Goes back to what was agreed before the offer that failed. */
  async rollBack(): Promise<void> {
    const connection = this.#connection;
    if (connection.signalingState === 'have-local-offer') await connection.setLocalDescription({ type: 'rollback' });
    if (connection.signalingState === 'have-remote-offer') await connection.setRemoteDescription({ type: 'rollback' });
  }

  /** The next offer gathers afresh and finds a new path (ICE restart, RFC 8445 section 9). */
  restartPath(): void {
    if (!this.#closed) this.#connection.restartIce();
  }

  /**
   * True once after an answer from another branch of a forked call than the one that was heard ringing. Its media never starts on a connection
   * that already is encrypted towards the first branch: Chromium begins a new DTLS handshake only for another fingerprint, and branches behind
   * one media relay share theirs.
   */
  takeOtherBranch(): boolean {
    const other = this.#otherBranch;
    this.#otherBranch = false;
    return other;
  }

  /** The next offer is made by a new peer connection, with a new path and a new key; the microphone moves over. */
  startAfresh(): void {
    if (this.#closed) return;
    this.#connection.close();
    this.#transceiver = undefined;
    this.#connection = this.#openConnection();
  }

  /** From here on offers wait for reflexive and relay candidates. */
  gatherFully(): void {
    this.#policy = { ...this.#policy, candidates: 'full' };
  }

  /**
   * Shortcoming 15: sip.js's hold leaves the microphone flowing. Here it leaves the sender at once, before the far side is even told, and comes back
   * only when the hold is lifted (or was refused).
   */
  async hold(on: boolean): Promise<void> {
    this.#held = on;
    this.#applyDirection();
    await this.#transceiver?.sender.replaceTrack(on ? null : (this.#microphone ?? null));
  }

  mute(muted: boolean): void {
    this.#muted = muted;
    if (this.#microphone) this.#microphone.enabled = !muted;
  }

  /**
   * Sends RFC 4733 events after those still waiting. Shortcoming 19: sip.js takes the first sender, whatever it carries.
   * A call that was answered a moment ago has no path yet; what is sent before would be lost without a word.
   * Resolves with why not, or an empty text; never rejects.
   */
  async sendDigits(digits: string): Promise<string> {
    if (this.#held) return 'The call is on hold; resume it before sending digits.';
    if (!(await this.#pathReady())) return 'There is no sound path to the far side.';
    // Chromium takes digits before its sender has begun, and drops them.
    if (!(await this.#packetsLeft())) return 'The microphone sends nothing, so no digits can be sent.';
    const dtmf = this.#transceiver?.sender.dtmf;
    if (!dtmf?.canInsertDTMF) return 'The far side takes no digits on this call right now.';
    try {
      dtmf.insertDTMF(dtmf.toneBuffer + digits, 100, 70);
      return '';
    } catch {
      return 'The browser could not send these digits.';
    }
  }

  /** Resolves true when the first sound packet from the far side came, false when the call or the interest in it is over before. */
  async soundArrives(noMatter: () => boolean): Promise<boolean> {
    while (!this.#closed && !noMatter()) {
      if (await this.#packetsCame()) return true;
      await new Promise<void>((resolve) => this.#options.clock.setTimeout(resolve, soundPollMs));
    }
    return false;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#forgetMicrophone();
    this.#options.clock.clearTimeout(this.#brokenTimer);
    this.#microphone?.stop();
    this.#connection.close();
    this.#options.sound.silence(this.#options.call);
  }

  async #usable(): Promise<string> {
    await enoughCandidates(this.#connection, this.#policy, this.#options.clock);
    const sdp = this.#connection.localDescription?.sdp;
    if (this.#closed || !sdp) throw new PatchcordError('media.failed', 'The call ended while it was being prepared.');
    return forTheWire(sdp);
  }

  #applyDirection(): void {
    const transceiver = this.#transceiver;
    if (transceiver && !this.#closed) transceiver.direction = this.#held ? 'sendonly' : 'sendrecv';
  }

  /** The far side offered: its audio line becomes ours, other lines (video) are refused. */
  #adoptTransceiver(): void {
    for (const transceiver of this.#connection.getTransceivers()) {
      const isAudio = transceiver.receiver.track.kind === 'audio';
      if (isAudio && (this.#transceiver === undefined || this.#transceiver === transceiver)) {
        if (this.#transceiver === undefined) {
          this.#transceiver = transceiver;
          if (this.#microphone && !this.#held) void transceiver.sender.replaceTrack(this.#microphone).catch(() => {});
        }
      } else if (transceiver.direction !== 'stopped') transceiver.stop();
    }
  }

  async #takeMicrophone(): Promise<void> {
    const { sound, clock } = this.#options;
    let deadline: unknown;
    const unanswered = new Promise<never>((_, reject) => {
      deadline = clock.setTimeout(
        () =>
          reject(
            new PatchcordError(
              'media.denied',
              'The browser is still asking for the microphone. Allow it and call again.',
              { retryable: true },
            ),
          ),
        microphoneMs,
      );
    });
    const asked = sound.microphone();
    try {
      const track = await Promise.race([asked, unanswered]);
      await this.#useMicrophone(track);
    } catch (error) {
      // A late answer to the prompt must not leave the microphone open.
      asked.then(
        (track) => track.stop(),
        () => {},
      );
      throw error;
    } finally {
      clock.clearTimeout(deadline);
    }
  }

  async #useMicrophone(track: MediaStreamTrack): Promise<void> {
    if (this.#closed) return track.stop();
    const old = this.#microphone;
    this.#microphone = track;
    track.enabled = !this.#muted;
    if (this.#transceiver && !this.#held) await this.#transceiver.sender.replaceTrack(track);
    old?.stop();
  }

  async #changeMicrophone(): Promise<void> {
    if (this.#microphone === undefined || this.#closed) return;
    try {
      await this.#useMicrophone(await this.#options.sound.microphone());
    } catch {
      // The old track stays; the sound port has told the agent what is wrong with the new device.
    }
  }

  #hear(event: RTCTrackEvent): void {
    if (event.track.kind !== 'audio' || this.#closed) return;
    // A PBX without msid lines gives no stream (RFC 8830); the track alone is enough.
    this.#options.sound.play(this.#options.call, event.streams[0] ?? new MediaStream([event.track]));
  }

  #watchPath(): void {
    const { clock } = this.#options;
    clock.clearTimeout(this.#brokenTimer);
    const state = this.#connection.connectionState;
    if (this.#closed || (state !== 'disconnected' && state !== 'failed')) return;
    this.#brokenTimer = clock.setTimeout(
      () => {
        if (!this.#closed && this.#connection.connectionState !== 'connected') this.#options.onBroken();
      },
      state === 'failed' ? 0 : brokenAfterMs,
    );
  }

  #pathReady(): Promise<boolean> {
    const connection = this.#connection;
    const { clock } = this.#options;
    const connected = () => !this.#closed && connection.connectionState === 'connected';
    if (connected()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = () => {
        clock.clearTimeout(deadline);
        connection.removeEventListener('connectionstatechange', look);
        resolve(connected());
      };
      const look = () => {
        if (connected()) settle();
      };
      const deadline = clock.setTimeout(settle, pathWithinMs);
      connection.addEventListener('connectionstatechange', look);
    });
  }

  async #packetsCame(): Promise<boolean> {
    const receiver = this.#transceiver?.receiver;
    if (!receiver || this.#closed) return false;
    return counts(await receiver.getStats(), 'inbound-rtp', 'packetsReceived');
  }

  /** Resolves true once the microphone's first packet is out, false when none is after `pathWithinMs`. */
  async #packetsLeft(): Promise<boolean> {
    const { clock } = this.#options;
    const deadline = clock.now() + pathWithinMs;
    for (;;) {
      const sender = this.#transceiver?.sender;
      if (!sender || this.#closed) return false;
      if (counts(await sender.getStats(), 'outbound-rtp', 'packetsSent')) return true;
      if (clock.now() > deadline) return false;
      await new Promise<void>((resolve) => clock.setTimeout(resolve, soundPollMs));
    }
  }
}

/** Whether a counter of the first stream of this kind has moved at all. */
function counts(stats: RTCStatsReport, type: RTCStatsType, counter: string): boolean {
  for (const report of stats.values()) if (report.type === type && Number(report[counter]) > 0) return true;
  return false;
}

function refusedDescription(sdp: string): string {
  return /^a=fingerprint:/m.test(sdp)
    ? 'The far side and this browser have no way of sending sound in common.'
    : 'The far side does not encrypt its sound (DTLS-SRTP), and unencrypted calls are refused. Ask your administrator to switch it on at the PBX.';
}

/** The direction of the first audio line in a description, seen from its sender; `c=0.0.0.0` is hold too (RFC 3264 section 8.4). */
export function audioDirection(sdp: string): RemoteDirection {
  const [session = '', ...sections] = sdp.split(/^m=/m);
  const audio = sections.find((section) => section.startsWith('audio')) ?? '';
  if (/^c=IN IP4 0\.0\.0\.0\s*$/m.test(audio) && !/^a=candidate:/m.test(audio)) return 'inactive';
  const stated =
    /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(audio) ??
    /^a=(sendrecv|sendonly|recvonly|inactive)\s*$/m.exec(session);
  return (stated?.[1] as RemoteDirection | undefined) ?? 'sendrecv';
}
