/**
 * The far side of the fraud drills: what stands behind the edge and would charge for a call. A process of its own, since it runs in the far
 * namespace; answers every INVITE with 200 over UDP and prints a line of JSON for each INVITE, ACK and BYE. A number that ends in 0180 rings
 * until one that ends in 0181 is called; the first BYE of a call to one that ends in 0500 is refused. Owns counting; judges nothing.
 *
 *   node test/attack/s5-carrier.ts <address> <port>
 */
import { createSocket, type RemoteInfo } from 'node:dgram';

const [address = '', port = ''] = process.argv.slice(2);
const socket = createSocket('udp4');
const answered = new Set<string>();
const stubborn = new Set<string>();
const ringing: (() => void)[] = [];

socket.on('message', (data, from) => {
  const text = data.toString();
  const [first = ''] = text.split('\r\n');
  if (first.startsWith('SIP/2.0')) return;
  const [method = '', uri = ''] = first.split(' ');
  const callId = header(text, 'Call-ID');
  const say = (what: string): void => {
    process.stdout.write(
      `${JSON.stringify({ what, user: /^sips?:([^@]*)@/.exec(uri)?.[1] ?? uri, callId, at: Date.now() })}\n`,
    );
  };
  if (method === 'INVITE') {
    // A repeat of the same request is one call.
    if (!answered.has(callId)) say('INVITE');
    else if (uri.includes('0180@')) return;
    answered.add(callId);
    if (uri.includes('0500@')) stubborn.add(callId);
    if (uri.includes('0181@')) for (const pickUp of ringing.splice(0)) pickUp();
    if (uri.includes('0180@')) {
      answer(text, from, '180 Ringing', '');
      ringing.push(() => answer(text, from, '200 OK', sdp()));
    } else answer(text, from, '200 OK', sdp());
  } else if (method === 'ACK') say('ACK');
  else {
    if (method === 'BYE' || method === 'REFER') say(method);
    const refuses = method === 'BYE' && stubborn.delete(callId);
    answer(text, from, refuses ? '500 Later' : method === 'REFER' ? '202 Accepted' : '200 OK', '');
  }
});

function answer(request: string, to: RemoteInfo, status: string, body: string): void {
  const copied = request
    .split('\r\n\r\n')[0]
    ?.split('\r\n')
    .filter((line) => /^(?:Via|From|Call-ID|CSeq|Record-Route):/i.test(line));
  const called = header(request, 'To');
  const lines = [
    `SIP/2.0 ${status}`,
    ...(copied ?? []),
    `To: ${/;tag=/.test(called) ? called : `${called};tag=carrier`}`,
    `Contact: <sip:carrier@${address}:${port}>`,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    `Content-Length: ${Buffer.byteLength(body)}`,
    '',
    body,
  ];
  socket.send(lines.join('\r\n'), to.port, to.address);
}

function header(text: string, name: string): string {
  return new RegExp(`^${name}: ?(.*)$`, 'im').exec(text)?.[1]?.trim() ?? '';
}

function sdp(): string {
  const lines = [
    'v=0',
    `o=- 1 1 IN IP4 ${address}`,
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    'm=audio 40000 RTP/AVP 0',
    'a=sendrecv',
  ];
  return `${lines.join('\r\n')}\r\n`;
}

socket.bind(Number(port), address, () => process.stdout.write(`${JSON.stringify({ what: 'ready' })}\n`));
