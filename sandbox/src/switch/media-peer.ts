/**
 * One agent's sound: an encrypted peer connection (DTLS-SRTP, nothing else) that speaks PCMU or PCMA and understands
 * telephone events (RFC 4733). Gives and takes 20 ms frames; must never know SIP or what the frames mean.
 */
import { RTCPeerConnection, RTCRtpCodecParameters, type RTCRtpTransceiver, RtpHeader, RtpPacket } from 'werift';
import { decodeALaw, decodeMuLaw, encodeALaw, encodeMuLaw } from './g711.ts';
import {
  audioOnly,
  audioSection,
  type Direction,
  directionOf,
  fingerprintOf,
  firstKnown,
  mirrored,
  peerOf,
  restrictedTo,
  withDirection,
  withRefused,
  withVideo,
} from './sdp.ts';
import { FRAME_SAMPLES } from './sound.ts';

/** The other side's SDP cannot become an encrypted call in PCMU or PCMA; `message` says what is missing. */
export class MediaRefused extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'MediaRefused';
  }
}

/** Frames held back before playing, against jitter, and the most that may pile up before old sound is dropped. */
const PREFILL_SAMPLES = 3 * FRAME_SAMPLES;
const MOST_SAMPLES = 15 * FRAME_SAMPLES;
const KEYS = '0123456789*#ABCD';
/** What the switch can speak, by RTP payload type (RFC 3551). */
const CODECS = new Map([
  [0, { name: 'PCMU', encode: encodeMuLaw, decode: decodeMuLaw }],
  [8, { name: 'PCMA', encode: encodeALaw, decode: decodeALaw }],
]);

export class MediaPeer {
  /** Called once per key press. */
  onKey: ((key: string) => void) | undefined;

  readonly #addresses: readonly string[] | undefined;
  readonly #keepsHandshake: boolean;
  #connection: RTCPeerConnection | undefined;
  #transceiver: RTCRtpTransceiver | undefined;
  /** Certificate and session id of the other side's peer connection: either changes only with a new peer. */
  #remotePeer: string | undefined;
  #version = 1;
  #session: string | undefined;
  #localSdp = '';
  #received: number[] = [];
  #playing = false;
  #lastEvent: number | undefined;
  #sequence = Math.floor(Math.random() * 0x8000);
  #timestamp = Math.floor(Math.random() * 0x7fff_ffff);
  #pausedSending = true;
  /** What the agent's SDP asked for, seen from the agent. */
  remoteDirection: Direction = 'sendrecv';
  /** Counts the paths that the other side has offered for the sound: another one after each ICE restart of its own. */
  path = 0;
  #ufrag: string | undefined;
  /** RTP packets of sound received so far: proof of life for tests. */
  packetsReceived = 0;
  #payloadType: number | undefined;

  /**
   * @param addresses the only host addresses to offer; undefined = every interface, and loopback.
   * @param keepsHandshake a new peer behind an old dialog finds a path and never an encrypted one: its certificate is not looked at.
   */
  constructor(addresses: readonly string[] | undefined, keepsHandshake = false) {
    this.#addresses = addresses;
    this.#keepsHandshake = keepsHandshake;
  }

  /** The codec that was agreed on; undefined before that. */
  get codec(): string | undefined {
    return CODECS.get(this.#payloadType ?? -1)?.name;
  }

  /** Our offer, complete with candidates; with `video` it has a video section too, of which nothing is ever used. */
  async offer(video = false): Promise<string> {
    this.#discard();
    const connection = this.#open();
    connection.addTransceiver('audio', { direction: 'sendrecv' });
    withoutStun(connection);
    await connection.setLocalDescription(await connection.createOffer());
    const sdp = this.#publish(connection.localDescription?.sdp ?? '', 'sendrecv');
    return video ? withVideo(sdp) : sdp;
  }

  /** An offer for the connection as it stands, for a re-INVITE of ours. */
  async reoffer(direction: Direction = 'sendrecv'): Promise<string> {
    const connection = this.#connection;
    if (!connection) return this.offer();
    withoutStun(connection);
    await connection.setLocalDescription(await connection.createOffer());
    return this.#publish(connection.localDescription?.sdp ?? '', direction);
  }

  /** The other side's answer to our offer. @throws MediaRefused */
  async accept(answer: string): Promise<void> {
    demandSupported(answer);
    this.#remotePeer = peerOf(answer);
    this.remoteDirection = directionOf(answer);
    this.#notePath(answer);
    this.#payloadType = chosenIn(answer);
    // As with an offer, werift hears of no hold.
    const sdp = withDirection(digestible(answer, this.#payloadType), 'sendrecv');
    await this.#connection?.setRemoteDescription({ type: 'answer', sdp });
    this.#attach();
  }

  /**
   * Answers an offer: the first one, a change of direction (hold), an ICE restart, or a wholly new peer behind an old
   * dialog (a reloaded page brings a new certificate, and so gets a fresh connection). @throws MediaRefused
   */
  async answer(offer: string): Promise<string> {
    demandSupported(offer);
    const peer = peerOf(offer);
    const newcomer = this.#connection !== undefined && this.#remotePeer !== peer;
    if (newcomer) this.#discard();
    this.#remotePeer = peer;
    this.remoteDirection = directionOf(offer);
    this.#notePath(offer);
    const connection = this.#connection ?? this.#open();
    // The first codec of the offer that the switch can speak: it is the offerer's order that counts.
    this.#payloadType = chosenIn(offer);
    const digested = digestible(offer, this.#payloadType);
    // werift always hears "sendrecv": hold is a matter of which frames flow, and is written into the answer below.
    await connection.setRemoteDescription({ type: 'offer', sdp: withDirection(digested, 'sendrecv') });
    if (newcomer && this.#keepsHandshake) withoutHandshake(connection);
    for (const transceiver of connection.getTransceivers()) transceiver.setDirection('sendrecv');
    withoutStun(connection);
    await connection.setLocalDescription(await connection.createAnswer());
    this.#attach();
    return withRefused(this.#publish(connection.localDescription?.sdp ?? '', mirrored(this.remoteDirection)), offer);
  }

  /** The next 20 ms of the agent's voice, or undefined while nothing has arrived. */
  read(): Int16Array | undefined {
    if (!this.#playing && this.#received.length >= PREFILL_SAMPLES) this.#playing = true;
    if (!this.#playing) return undefined;
    if (this.#received.length < FRAME_SAMPLES) {
      this.#playing = false;
      return undefined;
    }
    return Int16Array.from(this.#received.splice(0, FRAME_SAMPLES));
  }

  /** 20 ms towards the agent; undefined sends nothing, but time goes on. */
  write(frame: Int16Array | undefined): void {
    this.#timestamp = (this.#timestamp + FRAME_SAMPLES) >>> 0;
    const sender = this.#transceiver?.sender;
    if (!frame || !sender || this.remoteDirection === 'sendonly' || this.remoteDirection === 'inactive') {
      this.#pausedSending = true;
      return;
    }
    const header = new RtpHeader();
    header.payloadType = this.#payloadType ?? 0;
    header.sequenceNumber = this.#sequence;
    header.timestamp = this.#timestamp;
    header.marker = this.#pausedSending;
    this.#pausedSending = false;
    this.#sequence = (this.#sequence + 1) & 0xffff;
    const encode = CODECS.get(header.payloadType)?.encode ?? encodeMuLaw;
    void sender.sendRtp(new RtpPacket(header, encode(frame))).catch(() => undefined);
  }

  /** Frees ports and timers. Safe to call twice. */
  close(): void {
    this.#discard();
    this.onKey = undefined;
  }

  #open(): RTCPeerConnection {
    const single = this.#addresses?.length === 1 ? this.#addresses[0] : undefined;
    const connection = new RTCPeerConnection({
      codecs: {
        audio: [
          ...[...CODECS].map(
            ([payloadType, { name }]) =>
              new RTCRtpCodecParameters({ mimeType: `audio/${name}`, clockRate: 8000, channels: 1, payloadType }),
          ),
          new RTCRtpCodecParameters({
            mimeType: 'audio/telephone-event',
            clockRate: 8000,
            channels: 1,
            payloadType: 101,
          }),
        ],
        video: [],
      },
      iceServers: [],
      iceUseIpv6: false,
      iceAdditionalHostAddresses: [...(this.#addresses ?? ['127.0.0.1'])],
      ...(single === undefined ? {} : { iceInterfaceAddresses: { udp4: single } }),
    });
    this.#connection = connection;
    this.#transceiver = undefined;
    this.#received = [];
    this.#playing = false;
    return connection;
  }

  #attach(): void {
    const transceiver = this.#connection?.getTransceivers().find((entry) => entry.kind === 'audio');
    if (!transceiver || transceiver === this.#transceiver) return;
    this.#transceiver = transceiver;
    transceiver.receiver.track.onReceiveRtp.subscribe((packet) => this.#receive(packet));
  }

  #notePath(sdp: string): void {
    const ufrag = /^a=ice-ufrag:(\S+)/m.exec(sdp)?.[1];
    if (ufrag !== this.#ufrag) this.path += 1;
    this.#ufrag = ufrag;
  }

  #receive(packet: RtpPacket): void {
    const codec = CODECS.get(packet.header.payloadType);
    if (!codec) {
      this.#receiveEvent(packet);
      return;
    }
    this.packetsReceived += 1;
    for (const sample of codec.decode(packet.payload)) this.#received.push(sample);
    if (this.#received.length > MOST_SAMPLES) this.#received.splice(0, this.#received.length - MOST_SAMPLES);
  }

  #receiveEvent(packet: RtpPacket): void {
    const eventType = /a=rtpmap:(\d+) telephone-event\/8000/i.exec(this.#localSdp)?.[1];
    if (packet.header.payloadType !== Number(eventType) || packet.payload.length < 4) return;
    // All packets of one press carry the timestamp of its beginning (RFC 4733 section 2.5.1.2).
    if (packet.header.timestamp === this.#lastEvent) return;
    this.#lastEvent = packet.header.timestamp;
    const key = KEYS[packet.payload[0] ?? 255];
    if (key !== undefined) this.onKey?.(key);
  }

  #publish(sdp: string, direction: Direction): string {
    const allowed = this.#addresses;
    const lines = sdp.split(/\r?\n/).filter((line) => {
      const address = /^a=candidate:\S+ \d+ \S+ \d+ (\S+)/.exec(line)?.[1];
      return address === undefined || allowed === undefined || allowed.includes(address);
    });
    this.#localSdp = withDirection(lines.join('\r\n'), direction).replace(
      // One session id for the whole call with a rising version (RFC 3264 section 8).
      /^o=(\S+) (\S+) \d+/m,
      (_all, user: string, id: string) => {
        this.#session ??= id;
        return `o=${user} ${this.#session} ${this.#version++}`;
      },
    );
    return this.#localSdp;
  }

  #discard(): void {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#transceiver = undefined;
    if (connection) void connection.close().catch(() => undefined);
  }
}

/** Without a server in its configuration werift asks one of its own on the internet, and waits five seconds where there is none. */
function withoutStun(connection: RTCPeerConnection): void {
  for (const transport of connection.iceTransports) delete transport.connection.stunServer;
}

/** ICE goes on as ever; what would encrypt the path stays silent. */
function withoutHandshake(connection: RTCPeerConnection): void {
  for (const transport of connection.dtlsTransports) transport.start = () => Promise.resolve();
}

function demandSupported(sdp: string): void {
  const audio = audioSection(sdp);
  if (audio === '' || /^m=audio 0 /.test(audio)) throw new MediaRefused('no audio in the session description');
  if (!fingerprintOf(sdp)) throw new MediaRefused('no DTLS fingerprint: sound is encrypted or refused');
  if (chosenIn(sdp) === undefined) throw new MediaRefused('neither PCMU nor PCMA is offered');
}

function chosenIn(sdp: string): number | undefined {
  return firstKnown(sdp, [...CODECS.keys()]);
}

function digestible(sdp: string, payloadType: number | undefined): string {
  const others = [...CODECS.keys()].filter((other) => other !== payloadType);
  return restrictedTo(audioOnly(sdp), others);
}
