/**
 * The other end of a stream, as a process of its own: `service` speaks Deepgram's protocol and says of each second's last frame which one it was;
 * `echo` is a bare ws server that says the same at once. Owns nothing else: what costs time must be the relay.
 */
import type { AddressInfo } from 'node:net';
import { type RawData, WebSocketServer } from 'ws';

/** Frames between two words: somebody speaks all the time. */
const framesAWord = 10;

const part = process.argv[2] ?? '';
// Never without whoever measures.
process.once('disconnect', () => process.exit(0));
const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false });
server.on('listening', () => process.send?.({ port: (server.address() as AddressInfo).port, pid: process.pid }));
server.on('connection', (socket) => {
  let count = 0;
  let saidMs = 0;
  let heardMs = 0;
  socket.on('error', () => {});
  socket.on('message', (raw: RawData, isBinary) => {
    if (!isBinary) {
      if (raw.toString().includes('CloseStream')) socket.close(1000);
      return;
    }
    const bytes = raw as Buffer;
    count += 1;
    if (part === 'echo') {
      if (count % framesAWord === 0) socket.send(wordOf(bytes.readInt16LE(12)));
      return;
    }
    heardMs += bytes.byteLength / 32;
    if (count % framesAWord !== 0) return;
    const [start, end] = [saidMs / 1_000, heardMs / 1_000];
    saidMs = heardMs;
    const word = wordOf(bytes.readInt16LE(0));
    const said = { transcript: word, confidence: 0.9, words: [{ word, start, end, confidence: 0.9 }] };
    const results = { type: 'Results', start, duration: end - start, is_final: true, speech_final: true };
    socket.send(JSON.stringify({ ...results, channel: { alternatives: [said] } }));
  });
});

/** A number that is no number: digits at the end of a line would be held back. */
function wordOf(number: number): string {
  return number.toString(16).replace(/./g, (digit) => 'ghijklmnopqrstuv'[Number.parseInt(digit, 16)] ?? '');
}
