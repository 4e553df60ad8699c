/**
 * Owns the reading of Kamailio's sipdump files: what SIP passed the edge, as parsed messages.
 * Must never interpret what a message means; tests do that on method, status and headers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface SipTraceMessage {
  /** Epoch milliseconds (with microsecond fraction) when Kamailio read or wrote it. */
  readonly at: number;
  /** Seen from the edge. */
  readonly direction: 'in' | 'out';
  readonly transport: 'udp' | 'tcp' | 'tls' | 'ws' | 'wss';
  /** The other end, as address:port. */
  readonly peer: string;
  /** Of requests only. */
  readonly method?: string;
  readonly requestUri?: string;
  /** Of responses only. */
  readonly status?: number;
  readonly reason?: string;
  readonly callId: string;
  readonly cseq: { readonly number: number; readonly method: string };
  /** First value of a header, by its long name in any case (compact forms are known), or undefined. */
  header(name: string): string | undefined;
  /** All values of a header in order. */
  headers(name: string): readonly string[];
  readonly body: string;
  /** The whole message as on the wire. */
  readonly raw: string;
  /** One line for error messages. */
  readonly summary: string;
}

/** All SIP messages of all trace files in `folder`, oldest first. HTTP (the WebSocket handshake, RPC) is left out. */
export function readSipTrace(folder: string): SipTraceMessage[] {
  const messages: SipTraceMessage[] = [];
  for (const name of readdirSync(folder).sort()) {
    if (name.endsWith('.data')) messages.push(...parseSipDump(readFileSync(join(folder, name), 'utf8')));
  }
  // The sort is stable: messages of one microsecond keep the order of the file.
  return messages.sort((a, b) => a.at - b.at);
}

/** Parses the text of one sipdump file; a record that is still being written is left out. */
export function parseSipDump(text: string): SipTraceMessage[] {
  const messages: SipTraceMessage[] = [];
  const records = text.split('||||||||||||||||||||\n');
  records.pop();
  for (const record of records) {
    const start = record.indexOf('~~~~~~~~~~~~~~~~~~~~\n');
    if (start < 0) continue;
    const message = parseMessage(parseFields(record.slice(0, start)), record.slice(start + 21));
    if (message) messages.push(message);
  }
  return messages;
}

function parseFields(text: string): Map<string, string> {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(': ');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 2));
  }
  return fields;
}

/** RFC 3261 section 7.3.3 and the later registrations that our peers use. */
const compactForms: Record<string, string> = {
  v: 'via',
  f: 'from',
  t: 'to',
  m: 'contact',
  i: 'call-id',
  l: 'content-length',
  c: 'content-type',
  s: 'subject',
  k: 'supported',
  o: 'event',
  r: 'refer-to',
  b: 'referred-by',
  x: 'session-expires',
};

function parseMessage(fields: Map<string, string>, raw: string): SipTraceMessage | undefined {
  const end = raw.search(/\r?\n\r?\n/);
  const head = end < 0 ? raw : raw.slice(0, end);
  // A header may go on in the next line, which then starts with a blank (RFC 3261 section 7.3.1).
  const [first = '', ...lines] = head.replace(/\r?\n[ \t]+/g, ' ').split(/\r?\n/);
  const request = /^([A-Z]+) (\S+) SIP\/2\.0$/.exec(first);
  const response = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(first);
  if (!request && !response) return undefined;
  const all = new Map<string, string[]>();
  for (const line of lines) {
    const colon = line.indexOf(':');
    if (colon < 0) continue;
    const short = line.slice(0, colon).trim().toLowerCase();
    const name = compactForms[short] ?? short;
    const values = all.get(name) ?? [];
    values.push(line.slice(colon + 1).trim());
    all.set(name, values);
  }
  const headers = (name: string): readonly string[] => all.get(name.toLowerCase()) ?? [];
  const [cseqNumber = '0', cseqMethod = ''] = (headers('cseq')[0] ?? '').split(/\s+/);
  const direction = fields.get('tag') === 'rcv' ? 'in' : 'out';
  const side = direction === 'in' ? 'src' : 'dst';
  const peer = `${fields.get(`${side}ip`)}:${fields.get(`${side}port`)}`;
  const transport = (fields.get('proto') ?? '').split(' ')[0] as SipTraceMessage['transport'];
  const at = Number(fields.get('time')) * 1000;
  const what = request ? `${request[1]} ${request[2]}` : `${response?.[1]} ${response?.[2]} (${cseqMethod})`;
  const arrow = direction === 'in' ? '<-' : '->';
  return {
    at,
    direction,
    transport,
    peer,
    ...(request ? { method: request[1] ?? '', requestUri: request[2] ?? '' } : {}),
    ...(response ? { status: Number(response[1]), reason: response[2] ?? '' } : {}),
    callId: headers('call-id')[0] ?? '',
    cseq: { number: Number(cseqNumber), method: cseqMethod },
    header: (name) => headers(name)[0],
    headers,
    body: end < 0 ? '' : raw.slice(end).replace(/^\r?\n\r?\n/, ''),
    raw,
    summary: `${new Date(at).toISOString().slice(11, 23)} ${arrow} ${transport} ${peer} ${what}`,
  };
}
