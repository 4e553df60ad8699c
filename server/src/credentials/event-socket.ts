/**
 * FreeSWITCH's event socket (mod_event_socket, inbound): signs in, sends api commands one after the other, leaves. Owns its framing: headers,
 * an empty line, as many bytes of body as Content-Length says. Never waits in a way that would stop this process: FreeSWITCH may ask us for its
 * directory while it works on what we told it. Must never log the password.
 */
import { connect } from 'node:net';
import { PatchcordError } from '@patchcord/call-protocol';

interface EventSocketOptions {
  readonly host: string;
  readonly port: number;
  readonly password: string;
}

const timeoutMs = 5_000;
const longestAnswer = 16 * 1024 * 1024;

interface Message {
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

/**
 * Connects, runs `work` with a function that sends one api command and resolves with its answer, disconnects.
 * @throws PatchcordError `sip.unreachable`, `sip.refused`, both retryable
 */
export async function withEventSocket<T>(
  options: EventSocketOptions,
  work: (api: (command: string) => Promise<string>) => Promise<T>,
): Promise<T> {
  const socket = connect({ host: options.host, port: options.port });
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error('no answer in time')));
  const waiting: Message[] = [];
  let wanted: { readonly resolve: (message: Message) => void; readonly reject: (error: Error) => void } | null = null;
  let failure: Error | null = null;
  let buffer = Buffer.alloc(0);

  const fail = (cause: unknown): void => {
    failure ??= new PatchcordError(
      'sip.unreachable',
      'The event socket of FreeSWITCH did not answer. Check sip.credential.eventSocket and that mod_event_socket lets this address in.',
      { retryable: true, cause },
    );
    wanted?.reject(failure);
    wanted = null;
  };
  socket.on('error', fail);
  socket.on('close', () => fail(new Error('closed')));
  socket.on('data', (data: Buffer) => {
    buffer = Buffer.concat([buffer, data]);
    for (;;) {
      const end = buffer.indexOf('\n\n');
      if (end < 0) break;
      const headers = new Map<string, string>();
      for (const line of buffer.toString('utf8', 0, end).split('\n')) {
        const colon = line.indexOf(':');
        if (colon > 0) headers.set(line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim());
      }
      const length = Number(headers.get('content-length') ?? 0);
      if (!(length >= 0 && length <= longestAnswer)) {
        socket.destroy(new Error('an answer of no sensible length'));
        return;
      }
      if (buffer.length < end + 2 + length) break;
      const message = { headers, body: buffer.toString('utf8', end + 2, end + 2 + length) };
      buffer = buffer.subarray(end + 2 + length);
      if (wanted === null) waiting.push(message);
      else {
        wanted.resolve(message);
        wanted = null;
      }
    }
    if (buffer.length > longestAnswer) socket.destroy(new Error('an answer of no sensible length'));
  });

  const receive = (type: string): Promise<Message> =>
    new Promise<Message>((resolve, reject) => {
      const message = waiting.shift();
      if (message !== undefined) resolve(message);
      else if (failure !== null) reject(failure);
      else wanted = { resolve, reject };
    }).then((message) => {
      const contentType = message.headers.get('content-type');
      if (contentType === type) return message;
      if (contentType === 'text/rude-rejection') throw refused('this address may not use it');
      // A notice that somebody disconnects us, or an event nobody asked for.
      return receive(type);
    });

  try {
    await receive('auth/request');
    socket.write(`auth ${oneLine(options.password)}\n\n`);
    const answer = await receive('command/reply');
    if (!answer.headers.get('reply-text')?.startsWith('+OK')) throw refused('it did not take the password');
    return await work(async (command) => {
      socket.write(`api ${oneLine(command)}\n\n`);
      const { body } = await receive('api/response');
      if (body.startsWith('-ERR') && !/no such channel/i.test(body))
        throw refused(`it answered "${command.split(' ')[0]}" with an error`);
      return body;
    });
  } finally {
    socket.end();
    socket.destroy();
  }
}

/** A line break would begin a second command. */
function oneLine(text: string): string {
  if (/[\r\n\0]/.test(text)) throw refused('a command would have had two lines');
  return text;
}

function refused(why: string): PatchcordError {
  return new PatchcordError(
    'sip.refused',
    `The event socket of FreeSWITCH refused: ${why}. Check sip.credential.eventSocket.`,
    {
      retryable: true,
    },
  );
}
