/**
 * The sound socket `/v1/sound`: one call's sound from a page, beside the live socket so that no frame stands before an acknowledgement. Owns what is
 * said over one connection and its limits; what becomes of the sound is `call-sounds.ts`. Always reads: what can't be used is dropped, never waited
 * for. Close codes of its own: `sound-wire.ts`.
 */
import {
  type CallId,
  errorCode,
  PatchcordError,
  readSoundFrame,
  type SoundMessage,
  SoundMessageSchema,
} from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { RawData, WebSocket } from 'ws';
import type { LiveHub } from '../live/hub.ts';
import { SignedSocket, type SignedSocketParts, socketTiming } from '../live/signed-socket.ts';
import type { SocketDoor } from '../live/socket-doors.ts';
import type { Log } from '../logging.ts';
import type { CallSounds, SoundSeat } from './call-sounds.ts';
import { Allowance } from './sound-allowance.ts';

export interface SoundSocketParts extends SignedSocketParts {
  readonly sounds: CallSounds;
  readonly hub: LiveHub;
  readonly log: Log;
  readonly timing?: Partial<typeof socketTiming>;
}

/** A second of two channels, and its header. */
const largestMessage = 65_536;
/** Words of ours for a page that does not read: a few hundred. */
const largestBacklog = 65_536;
/** Frames that may come at once, two minutes of the shortest that a phone sends (20 ms) and some more, and each second. */
const framesAtOnce = 7_000;
const framesPerMs = 0.06;
/** Other messages of one socket, at once and each second. */
const wordsAtOnce = 20;
const wordsPerMs = 0.002;

/** The door `/v1/sound`. */
export function createSoundDoor(parts: SoundSocketParts): SocketDoor {
  const timing = { ...socketTiming, ...parts.timing };
  const open = new Set<SignedSocket>();
  let stopping = false;
  parts.hub.onEnded((tenant, agent, device, _at, code, reason) => {
    parts.sounds.endOf(tenant, agent, device);
    for (const signed of open) {
      const { owner } = signed;
      if (owner?.tenant === tenant && owner.agent === agent && (device === null || owner.device === device))
        signed.end(code, reason);
    }
  });
  return {
    path: '/v1/sound',
    largestMessage,
    serve: (socket) => {
      const signed = new SignedSocket(socket, parts, {
        path: '/v1/sound',
        timing,
        largestBacklog,
        isStopping: () => stopping,
      });
      open.add(signed);
      socket.once('close', () => open.delete(signed));
      serve(socket, signed, parts, timing);
    },
    finish: (withinMs) => {
      stopping = true;
      return parts.sounds.stop(withinMs);
    },
  };
}

function serve(socket: WebSocket, signed: SignedSocket, parts: SoundSocketParts, timing: typeof socketTiming): void {
  let seat: SoundSeat | null = null;
  /** Said once: authenticate, then call. What comes before the answer to them is not waited with. */
  let step: 'nobody' | 'signed' | 'opening' | 'open' | 'over' = 'nobody';
  let signing: Promise<void> | null = null;
  let call: CallId | null = null;
  const frames = new Allowance(framesAtOnce, framesPerMs, parts.now());
  const words = new Allowance(wordsAtOnce, wordsPerMs, parts.now());

  const isOver = (): boolean => step === 'over';
  const refuse = (code: number, error: PatchcordError): void => {
    step = 'over';
    parts.metrics.refused.inc({ why: 'sound' });
    seat?.leave();
    signed.fail(code, error);
  };
  const stranger = (): void =>
    refuse(4401, new PatchcordError('identity.required', 'The first message must authenticate.'));
  const malformed = (): void =>
    refuse(4400, new PatchcordError('request.invalid', 'This is nothing of this protocol. Update the phone.'));
  const tooMuch = (): void =>
    refuse(4429, new PatchcordError('request.too-many', 'More sound than a call has. Nothing more of it is taken.'));

  const hear = (data: RawData) => {
    if (signing === null) return stranger();
    const frame = readSoundFrame(bytesOf(data));
    if (frame === null) return malformed();
    if (!frames.take(1, parts.now())) return tooMuch();
    // Sent before the answer that says from where on: sent again after it.
    if (seat === null || step !== 'open') return;
    const result = seat.take(frame);
    if (result === 'too-much') tooMuch();
    else if (result === 'malformed') malformed();
  };

  const open = async (named: CallId): Promise<void> => {
    const { owner } = signed;
    step = 'opening';
    if (owner === null || !(await signed.recheck(timing.recheckMs))) return;
    try {
      const own = await parts.sounds.open(owner, named, {
        send: (answer) => signed.send(answer),
        close: (code, error) => {
          step = 'over';
          signed.fail(code, error);
        },
      });
      if (!signed.isOpen || isOver()) return own.leave();
      seat = own;
      step = 'open';
      signed.send({ type: 'listening', next: own.next });
    } catch (error) {
      const code = errorCode(error);
      if (code === 'internal') parts.log.error({ err: error, tenant: owner.tenant }, 'a stream could not be opened');
      const told = code === 'internal' ? new PatchcordError('internal', 'The relay failed. Try again.') : error;
      refuse(code === 'call.unknown' ? 4404 : code === 'request.too-many' ? 4429 : 1013, told as PatchcordError);
    }
  };

  const end = async (own: SoundSeat): Promise<void> => {
    step = 'over';
    await own.end();
    signed.end(1000, 'ended');
  };

  const say = (data: RawData) => {
    const message = readMessage(data);
    if (message === null) return malformed();
    if (!words.take(1, parts.now())) return tooMuch();
    if (signing === null) {
      if (message.type !== 'authenticate') return stranger();
      signing = signed.signIn(message, () => {
        step = 'signed';
        signed.send({ type: 'authenticated' });
      });
    } else if (message.type === 'call' && call === null) {
      call = message.call;
      void signing.then(() => (step === 'signed' ? open(message.call) : undefined));
    } else if (message.type === 'pause' && seat !== null) seat.pause(message.atMs);
    else if (message.type === 'record' && seat !== null) seat.record(message.fromMs);
    else if (message.type === 'record-end' && seat !== null) seat.endRecord(message.atMs);
    else if (message.type === 'end' && seat !== null && step === 'open') void end(seat);
    else if (message.type !== 'authenticate' && message.type !== 'call') return;
    else malformed();
  };

  socket.on('message', (data: RawData, isBinary: boolean) => {
    signed.heard();
    if (step === 'over') return;
    if (isBinary) hear(data);
    else say(data);
  });
  socket.on('close', () => seat?.leave());
}

/** A message that came in one piece, as nearly all do, is not copied. */
function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}

function readMessage(raw: RawData): SoundMessage | null {
  try {
    const parsed = v.safeParse(SoundMessageSchema, JSON.parse(raw.toString()));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
