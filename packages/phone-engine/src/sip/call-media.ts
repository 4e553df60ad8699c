/**
 * Owns the peer connection of one call: offers, answers, and what is heard. What is sent is `SentSound`'s, its way `SoundPath`'s.
 * Must never use an ICE server nobody configured, or accept media that is not DTLS-SRTP (the browser knows no other kind; SDES is refused).
 */
import { type CallId, PatchcordError } from '@patchcord/call-protocol';
import type { ClockPort, IceServer, SipAccount, SoundPort } from '../ports.ts';
import { type CandidatePolicy, enoughCandidates, forTheWire } from './candidate-policy.ts';
import { codecsInOrder } from './codecs.ts';
import type { Member } from './conference.ts';
import type { DigitSender, DigitSignalling } from './digit-sender.ts';
import { SentSound } from './sent-sound.ts';
import { inOrder, soundAlone, takesEvents, whyUnusable, withOpus } from './sound-description.ts';
import { SoundPath } from './sound-path.ts';

export interface CallMediaOptions {
  readonly call: CallId;
  readonly sound: SoundPort;
  readonly clock: ClockPort;
  readonly iceServers: readonly IceServer[];
  readonly newPeerConnection: (configuration: RTCConfiguration) => RTCPeerConnection;
  readonly newAudioContext: () => AudioContext;
  readonly policy: CandidatePolicy;
  readonly profile: Pick<SipAccount, 'codecs' | 'opus' | 'digits'>;
  /** The path to the far side broke; a fresh offer may mend it. */
  readonly onBroken: () => void;
}

export class CallMedia implements Member {
  readonly path: SoundPath;
  readonly #options: CallMediaOptions;
  #connection: RTCPeerConnection;
  #policy: CandidatePolicy;
  #transceiver: RTCRtpTransceiver | undefined;
  readonly #sent: SentSound;
  #digits: DigitSender | undefined;
  #farSound: MediaStream | undefined;
  #farVoice: MediaStreamTrack | undefined;
  #farTakesEvents = false;
  #silenced = false;
  #onChange: (() => void) | undefined;
  #closed = false;
  /** Chromium keeps a connection that is closed between a change of its state and the event of it; our listeners would keep the whole call with it. */
  #listening = new AbortController();
  /** The branch of a forked call whose early media is heard, by its ICE name. */
  #earlyBranch: string | undefined;
  #otherBranch = false;

  constructor(options: CallMediaOptions) {
    this.#options = options;
    this.#policy = options.policy;
    this.path = new SoundPath({
      clock: options.clock,
      connection: () => this.#connection,
      transceiver: () => this.#transceiver,
      closed: () => this.#closed,
      onBroken: options.onBroken,
    });
    this.#connection = this.#openConnection();
    this.#sent = new SentSound(options.call, options.sound, options.clock, () => this.#onChange?.());
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
    const { signal } = this.#listening;
    connection.addEventListener('track', (event) => this.#hear(event), { signal });
    connection.addEventListener(
      'connectionstatechange',
      () => {
        if (connection === this.#connection) this.path.look();
      },
      { signal },
    );
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
    return this.#sent.open();
  }

  /** Creates the offer and waits until it is usable. An offer that still waits for its answer is completed, not replaced. */
  async offer(): Promise<string> {
    const connection = this.#connection;
    if (connection.signalingState !== 'have-local-offer') {
      if (!this.#transceiver) this.#adopt(connection.addTransceiver('audio', { direction: 'sendrecv' }));
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
    const { codecs } = this.#options.profile;
    const unusable = whyUnusable(sdp, codecs);
    if (unusable !== null) throw new PatchcordError('media.failed', unusable);
    const seen = this.#forUs(sdp);
    try {
      await connection.setRemoteDescription({ type, sdp: type === 'offer' ? soundAlone(inOrder(seen, codecs)) : seen });
    } catch (error) {
      throw new PatchcordError('media.failed', 'The far side and this browser have no kind of sound in common.', {
        cause: error,
      });
    }
    this.#farTakesEvents = takesEvents(sdp);
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
    if (connection.signalingState === 'have-local-offer') {
      await connection.setLocalDescription({ type: 'rollback' });
      await this.#hearAsAgreed();
    }
    if (connection.signalingState === 'have-remote-offer') await connection.setRemoteDescription({ type: 'rollback' });
  }

  /**
   * Chromium plays by the last offer, also when that was rolled back: after a hold that failed nothing would be heard. An offer of what is agreed, rolled
   * back as well, puts that right without a word to anybody.
   */
  async #hearAsAgreed(): Promise<void> {
    const transceiver = this.#transceiver;
    const agreed = transceiver?.currentDirection;
    if (!transceiver || !agreed || agreed === 'stopped' || agreed === transceiver.direction) return;
    transceiver.direction = agreed;
    await this.#connection.setLocalDescription(await this.#connection.createOffer());
    await this.#connection.setLocalDescription({ type: 'rollback' });
    this.#applyDirection();
  }

  /** The next offer gathers afresh, with the TURN credentials of now, and finds a new path (ICE restart, RFC 8445 section 9). */
  restartPath(iceServers: readonly IceServer[]): void {
    if (this.#closed) return;
    this.#connection.setConfiguration({
      ...this.#connection.getConfiguration(),
      iceServers: iceServers.map((server) => ({ ...server, urls: [...server.urls] })),
    });
    this.#connection.restartIce();
  }

  /** An offer of ours waits for its answer. */
  get offered(): boolean {
    return this.#connection.signalingState === 'have-local-offer';
  }

  /** The key that encrypts the far side's end of the path: another one where another media server has taken its place. */
  get farKey(): string | undefined {
    return /^a=fingerprint:(.*)$/m.exec(this.#connection.currentRemoteDescription?.sdp ?? '')?.[1];
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
    this.#closeConnection();
    this.#listening = new AbortController();
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
    const done = this.#sent.hold(on);
    this.#applyDirection();
    this.#onChange?.();
    await done;
  }

  mute(muted: boolean): void {
    this.#sent.mute(muted);
  }

  /**
   * Sends digits in the profile's way, after those still waiting. Shortcoming 19: sip.js takes the first sender, whatever it carries.
   * Resolves with why not, or an empty text; never rejects. @param Sender is loaded on demand
   */
  sendDigits(Sender: typeof DigitSender, digits: string, signalling: DigitSignalling): Promise<string> {
    const { profile, clock, newAudioContext } = this.#options;
    this.#digits ??= new Sender({
      ...{ way: profile.digits, clock, newAudioContext },
      sound: {
        trouble: () => this.#digitTrouble(),
        events: () => {
          const dtmf = this.#transceiver?.sender.dtmf;
          return this.#farTakesEvents && dtmf?.canInsertDTMF ? dtmf : undefined;
        },
        leave: (ms) => this.#sent.keysLeave(ms),
        press: (track) => this.#sent.press(track),
      },
    });
    return this.#digits.send(digits, signalling);
  }

  get farVoice(): MediaStreamTrack | undefined {
    return this.#farVoice;
  }
  get microphone(): MediaStreamTrack | undefined {
    return this.#sent.microphone;
  }
  get held(): boolean {
    return this.#sent.held;
  }

  watch(changed: (() => void) | undefined): void {
    this.#onChange = changed;
  }

  mix(track: MediaStreamTrack | undefined): void {
    void this.#sent.mix(track).catch(() => {});
  }

  silence(on: boolean): void {
    if (this.#silenced === on) return;
    this.#silenced = on;
    if (on) this.#options.sound.silence(this.#options.call);
    else this.#play();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#onChange?.();
    this.path.close();
    this.#sent.close();
    this.#closeConnection();
    this.#options.sound.silence(this.#options.call);
  }

  #closeConnection(): void {
    this.#listening.abort();
    this.#connection.close();
  }

  async #usable(): Promise<string> {
    await enoughCandidates(this.#connection, this.#policy, this.#options.clock);
    const sdp = this.#connection.localDescription?.sdp;
    if (this.#closed || !sdp) throw new PatchcordError('media.failed', 'The call ended while it was being prepared.');
    const { fec, dtx } = this.#options.profile.opus;
    return withOpus(forTheWire(sdp), { useinbandfec: fec ? '1' : '0', usedtx: dtx ? '1' : '0' });
  }

  /** What the browser makes of our own sending it reads from the far side's description. */
  #forUs(sdp: string): string {
    const { fec, dtx } = this.#options.profile.opus;
    return withOpus(sdp, { ...(fec ? {} : { useinbandfec: '0' }), usedtx: dtx ? '1' : '0' });
  }

  #adopt(transceiver: RTCRtpTransceiver): void {
    this.#transceiver = transceiver;
    const capable = RTCRtpReceiver.getCapabilities('audio')?.codecs;
    if (capable) transceiver.setCodecPreferences([...codecsInOrder(capable, this.#options.profile.codecs)]);
    void this.#sent.through(transceiver.sender).catch(() => {});
  }

  #applyDirection(): void {
    const transceiver = this.#transceiver;
    if (transceiver && !this.#closed) transceiver.direction = this.#sent.held ? 'sendonly' : 'sendrecv';
  }

  /** The far side offered: its audio line becomes ours, other lines (video) are refused. */
  #adoptTransceiver(): void {
    for (const transceiver of this.#connection.getTransceivers()) {
      const isLive = transceiver.receiver.track.kind === 'audio' && transceiver.direction !== 'stopped';
      if (isLive && (this.#transceiver === undefined || this.#transceiver === transceiver)) {
        if (this.#transceiver === undefined) this.#adopt(transceiver);
      } else if (transceiver.direction !== 'stopped') transceiver.stop();
    }
  }

  #hear(event: RTCTrackEvent): void {
    if (event.track.kind !== 'audio' || this.#closed) return;
    // A PBX without msid lines gives no stream (RFC 8830); the track alone is enough.
    this.#farVoice = event.track;
    this.#farSound = event.streams[0] ?? new MediaStream([event.track]);
    this.#play();
    this.#onChange?.();
  }

  #play(): void {
    if (this.#farSound && !this.#silenced && !this.#closed)
      this.#options.sound.play(this.#options.call, this.#farSound);
  }

  async #digitTrouble(): Promise<string> {
    if (this.#sent.held) return 'The call is on hold; resume it before sending digits.';
    // A call that was answered a moment ago has no path yet; what is sent before would be lost without a word.
    if (!(await this.path.isUp())) return 'There is no sound path to the far side.';
    // Chromium takes digits before its sender has begun, and drops them.
    if (!(await this.path.packetsLeave())) return 'The microphone sends nothing, so no digits can be sent.';
    return '';
  }
}
