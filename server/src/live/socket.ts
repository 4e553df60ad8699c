/**
 * The live socket `/v1/live`: publishing with acknowledgement, the line of the agent, and what its frames say to each other. Owns what is said
 * over one connection and its limits; what an event means is the recorder's business. Must never write to a socket that does not drain, nor
 * wait for one.
 */
import type { Duplex } from 'node:stream';
import { errorCode, PanelMessageSchema, PatchcordError } from '@patchcord/call-protocol';
import * as v from 'valibot';
import type { RawData, WebSocket } from 'ws';
import type { EventRecorder } from '../call-log/record-events.ts';
import { deviceLabel } from '../http/device-label.ts';
import type { SessionOwner } from '../identity/sessions.ts';
import type { Limits } from '../limits.ts';
import type { LineLeases, LineSeat } from '../line-lease/line-leases.ts';
import type { Log } from '../logging.ts';
import { toAgent } from '../tenants.ts';
import type { LiveHub, LiveReader } from './hub.ts';
import type { OpenPhones } from './open-phones.ts';
import { SignedSocket, type SignedSocketParts, socketTiming } from './signed-socket.ts';
import type { SocketDoor } from './socket-doors.ts';

export interface LiveSocketParts extends SignedSocketParts {
  readonly recorder: EventRecorder;
  readonly hub: LiveHub;
  readonly openPhones: OpenPhones;
  readonly lines: LineLeases;
  readonly limits: Limits;
  readonly log: Log;
  readonly timing?: Partial<typeof socketTiming>;
}

const largestMessage = 65_536;
/** What a signed-in device keeps for the next one, or says to the others: 48,000 characters in whatever script. */
const largestOfLine = 163_840;
/** What devices say to each other is counted in pieces of this many characters. */
const pieceLength = 4_096;
/** What may wait for a browser that does not read. */
const largestBacklog = 1_048_576;
/** Messages of one socket that may wait for the store. */
const longestQueue = 64;

/** What the sockets of one relay share. */
interface Work {
  /** Messages that were begun; they need the store. */
  readonly begun: Set<Promise<void>>;
  stopping: boolean;
}

/** The door `/v1/live`. What was not taken when it finishes is not acknowledged, so a panel sends it again. */
export function createLiveDoor(parts: LiveSocketParts): SocketDoor {
  const timing = { ...socketTiming, ...parts.timing };
  const work: Work = { begun: new Set(), stopping: false };
  return {
    path: '/v1/live',
    largestMessage: largestOfLine,
    serve: (socket, stream, request) =>
      serve(socket, stream, parts, timing, work, deviceLabel(request.headers['user-agent'])),
    finish: async (withinMs) => {
      work.stopping = true;
      let timer: NodeJS.Timeout | undefined;
      const deadline = new Promise<void>((resolve) => {
        timer = setTimeout(resolve, withinMs);
      });
      await Promise.race([Promise.allSettled(work.begun), deadline]);
      clearTimeout(timer);
    },
  };
}

function serve(
  socket: WebSocket,
  stream: Duplex,
  parts: LiveSocketParts,
  timing: typeof socketTiming,
  work: Work,
  /** Browser and system, for the agent. */
  place: string,
): void {
  const signed = new SignedSocket(socket, parts, {
    path: '/v1/live',
    timing,
    largestBacklog,
    isStopping: () => work.stopping,
  });
  let reader: LiveReader | null = null;
  let queued = 0;
  let queue: Promise<void> = Promise.resolve();
  let leave = (): void => {};
  let leavePhones: (() => void) | null = null;
  let line: LineSeat | null = null;

  const send = signed.send.bind(signed);
  const end = signed.end.bind(signed);
  const fail = signed.fail.bind(signed);
  /** How the hub reaches this socket. Whole frames go straight to the stream: ws writes its own whole, too, since nothing is compressed. */
  const readerOf = (session: SessionOwner): LiveReader => ({
    device: session.device,
    watchesTenant: session.role !== 'agent',
    tell: (told) => {
      if (signed.takesMore()) stream.write(told.frame);
    },
    close: end,
  });

  /** From now on the calls of this socket's device have somebody who tells of them, and a wish to call somebody who can. */
  const holdsCalls = (session: SessionOwner, own: LiveReader): void => {
    if (!signed.isOpen || leavePhones !== null) return;
    const leaves = [parts.openPhones.add(session), parts.hub.addPhone(session.tenant, session.agent, own)];
    leavePhones = () => {
      for (const gone of leaves) gone();
    };
  };

  const authenticate = (token: string, proof: string | undefined, mirror: boolean): Promise<void> =>
    signed.signIn({ token, proof }, (session, { tenant, agent }) => {
      const own = readerOf(session);
      reader = own;
      // A mirror stays open when the window with the calls is gone.
      if (!mirror) holdsCalls(session, own);
      const gone = parts.hub.add(session.tenant, session.agent, own);
      parts.metrics.sockets.inc();
      leave = () => {
        gone();
        parts.metrics.sockets.dec();
      };
      send({ type: 'authenticated', agent: toAgent(tenant.config, agent) });
    });

  /** The line of the agent, and what its devices say to each other. */
  const ofLine = async (
    session: SessionOwner,
    message: Exclude<v.InferOutput<typeof PanelMessageSchema>, { readonly type: 'authenticate' | 'publish' }>,
  ): Promise<void> => {
    const says = message.type === 'frames.say';
    // Whoever is granted the line may be given what its calls can be taken with.
    if (!(await signed.recheck(message.type === 'line.ask' && message.epoch === null ? 0 : timing.recheckMs))) return;
    const points = says ? 1 + Math.floor(message.body.length / pieceLength) : 1;
    if (!(await parts.limits.take(says ? 'frames' : 'lines', `${session.tenant} ${session.agent}`, points))) {
      parts.metrics.refused.inc({ why: says ? 'frames' : 'lines' });
      const slower = 'Too much at once about the line. Nothing of this message was taken; try again in a minute.';
      return send({ type: 'error', code: 'request.too-many', message: slower });
    }
    if (!signed.isOpen) return;
    line ??= parts.lines.join({ tenant: session.tenant, agent: session.agent, device: session.device, place, send });
    try {
      if (message.type === 'line.ask') await line.ask(message);
      else if (message.type === 'line.leave') await line.leave(message.epoch);
      else if (message.type === 'line.keep') await line.keep(message.epoch, message.kept);
      else line.say(message.body);
    } catch (error) {
      // Never what was sent: it may hold what a call can be taken with.
      parts.log.error({ err: error, tenant: session.tenant, agent: session.agent }, 'a line could not be seen to');
      const code = errorCode(error);
      const away = code === 'internal' ? 'The relay failed. Ask again.' : (error as Error).message;
      send({ type: 'error', code, message: away });
    }
  };

  const handle = async (raw: RawData): Promise<void> => {
    const message = readMessage(raw);
    const { owner } = signed;
    const mayBeLarge = owner !== null && (message?.type === 'line.keep' || message?.type === 'frames.say');
    if (lengthOf(raw) > largestMessage && !mayBeLarge) return end(1009, 'message too large');
    if (message === null) {
      return fail(
        4400,
        new PatchcordError('request.invalid', 'The message is not one of this protocol. Update the phone.'),
      );
    }
    if (owner === null) {
      if (message.type !== 'authenticate') {
        return fail(4401, new PatchcordError('identity.required', 'The first message must authenticate.'));
      }
      return authenticate(message.token, message.proof, message.mirror === true);
    }
    if (message.type === 'authenticate') return;
    if (message.type !== 'publish') return ofLine(owner, message);
    if (reader !== null) holdsCalls(owner, reader);
    if (!(await signed.recheck(timing.recheckMs))) return;
    if (!(await parts.limits.take('events', `${owner.tenant} ${owner.agent}`, Math.max(1, message.events.length)))) {
      const slower = 'Too many events at once. Nothing of this message was taken; send it again in a minute.';
      return send({ type: 'error', code: 'request.too-many', message: slower });
    }
    try {
      const result = await parts.recorder.publish(owner, message.events);
      if (result.acknowledged.length > 0) send({ type: 'acknowledged', ids: [...result.acknowledged] });
      for (const { id, message: why } of result.refused) send({ type: 'refused', id, message: why });
    } catch (error) {
      parts.log.error({ err: error, tenant: owner.tenant, agent: owner.agent }, 'events could not be stored');
      const code = errorCode(error);
      send({
        type: 'error',
        code,
        message:
          code === 'internal'
            ? 'The relay failed. The events were not taken; send them again.'
            : (error as Error).message,
      });
    }
  };

  const begin = async (raw: RawData): Promise<void> => {
    if (work.stopping) return;
    const handling = handle(raw);
    work.begun.add(handling);
    await handling.finally(() => work.begun.delete(handling));
  };

  socket.on('message', (raw: RawData) => {
    signed.heard();
    if (queued >= longestQueue) {
      parts.metrics.refused.inc({ why: 'socket-queue' });
      return fail(4429, new PatchcordError('request.too-many', 'Wait for acknowledgements before sending more.'));
    }
    queued += 1;
    // One after the other: an acknowledgement never overtakes the one before it.
    queue = queue
      .then(() => begin(raw))
      .catch((error: unknown) => {
        parts.log.error({ err: error }, 'a socket message failed');
        socket.terminate();
      })
      .then(() => {
        queued -= 1;
      });
  });
  socket.on('close', () => {
    leave();
    leave = () => {};
    leavePhones?.();
    line?.close();
  });
}

function lengthOf(raw: RawData): number {
  return Array.isArray(raw) ? raw.reduce((sum, part) => sum + part.byteLength, 0) : raw.byteLength;
}

function readMessage(raw: RawData): v.InferOutput<typeof PanelMessageSchema> | null {
  try {
    const parsed = v.safeParse(PanelMessageSchema, JSON.parse(raw.toString()));
    return parsed.success ? parsed.output : null;
  } catch {
    return null;
  }
}
