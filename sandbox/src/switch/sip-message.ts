/**
 * SIP text: one WebSocket message in, one typed message out, and back (RFC 3261 section 7 and 25).
 * Framing is the socket's (RFC 7118), so this file never looks for message boundaries.
 * It must never know calls, sockets or credentials, and must never throw anything but `SipSyntaxError`.
 */

/** A header line: the name in its long, canonical form and the value unfolded. Order is kept. */
export type SipHeader = { readonly name: string; value: string };

export type SipRequest = { kind: 'request'; method: string; uri: string; headers: SipHeader[]; body: string };
export type SipResponse = { kind: 'response'; status: number; reason: string; headers: SipHeader[]; body: string };
export type SipMessage = SipRequest | SipResponse;

/** `sip:user@host:port;params?headers` taken apart; `user` and header values are percent-decoded. */
export type SipUri = {
  scheme: string;
  user: string;
  host: string;
  port: number | undefined;
  params: Map<string, string>;
  headers: Map<string, string>;
};

/** A name-addr or addr-spec with its header parameters (From, To, Contact, Route, Refer-To). */
export type NameAddress = { display: string; uri: string; params: Map<string, string> };

/** The text is not SIP. `received` carries whatever headers could be read, so that a 400 can still find its way. */
export class SipSyntaxError extends Error {
  readonly received: SipHeader[];
  readonly method: string | undefined;
  constructor(message: string, received: SipHeader[] = [], method?: string) {
    super(message);
    this.name = 'SipSyntaxError';
    this.received = received;
    this.method = method;
  }
}

const COMPACT: Record<string, string> = {
  a: 'Accept-Contact',
  b: 'Referred-By',
  c: 'Content-Type',
  d: 'Request-Disposition',
  e: 'Content-Encoding',
  f: 'From',
  i: 'Call-ID',
  j: 'Reject-Contact',
  k: 'Supported',
  l: 'Content-Length',
  m: 'Contact',
  o: 'Event',
  r: 'Refer-To',
  s: 'Subject',
  t: 'To',
  u: 'Allow-Events',
  v: 'Via',
  x: 'Session-Expires',
};

const IRREGULAR: Record<string, string> = {
  'call-id': 'Call-ID',
  cseq: 'CSeq',
  'min-se': 'Min-SE',
  rack: 'RAck',
  rseq: 'RSeq',
  'sip-etag': 'SIP-ETag',
  'www-authenticate': 'WWW-Authenticate',
};
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;

function canonicalName(name: string): string {
  const lower = name.toLowerCase();
  return (
    COMPACT[lower] ??
    IRREGULAR[lower] ??
    lower.replace(/(^|-)([a-z])/g, (_all, dash: string, letter: string) => dash + letter.toUpperCase())
  );
}

function parseHeaders(lines: string[]): { headers: SipHeader[]; fault: string | undefined } {
  const headers: SipHeader[] = [];
  let fault: string | undefined;
  for (const line of lines) {
    const last = headers.at(-1);
    if (/^[ \t]/.test(line)) {
      // A folded line continues the header above it (RFC 3261 section 7.3.1).
      if (last) last.value = `${last.value} ${line.trim()}`.trim();
      else fault ??= 'folded line without a header above it';
      continue;
    }
    const colon = line.indexOf(':');
    const name = colon < 0 ? '' : line.slice(0, colon).trim();
    if (!TOKEN.test(name)) {
      fault ??= 'header line without a name';
      continue;
    }
    headers.push({ name: canonicalName(name), value: line.slice(colon + 1).trim() });
  }
  return { headers, fault };
}

const SINGLE = ['From', 'To', 'Call-ID', 'CSeq'] as const;

/** Parses one SIP message. @throws SipSyntaxError when it is not one; its `received` holds the headers read so far. */
export function parseSip(text: string): SipMessage {
  // Leading empty lines are allowed before a start line (RFC 3261 section 7.5).
  const trimmed = text.replace(/^(\r?\n)+/, '');
  const end = /\r?\n\r?\n/.exec(trimmed);
  const head = end ? trimmed.slice(0, end.index) : trimmed;
  const rest = end ? trimmed.slice(end.index + end[0].length) : '';
  const [startLine = '', ...lines] = head.split(/\r?\n/);
  const { headers, fault } = parseHeaders(lines);

  const status = /^SIP\/2\.0 (\d{3}) ?(.*)$/i.exec(startLine);
  const request = /^(\S+) (\S+) SIP\/2\.0$/i.exec(startLine);
  const method = request?.[1];
  const fail = (why: string): never => {
    throw new SipSyntaxError(why, headers, method);
  };
  if (!status && (!request || !TOKEN.test(method ?? '')))
    return fail('start line is neither a SIP request nor a response');
  if (!end) return fail('no empty line after the headers');
  if (fault) return fail(fault);

  const carrier = { headers };
  if (!header(carrier, 'Via')) return fail('Via is missing');
  for (const name of SINGLE) {
    const found = headers.filter((entry) => entry.name === name);
    if (found.length === 0) return fail(`${name} is missing`);
    if (found.length > 1) return fail(`${name} appears more than once`);
    if (found[0]?.value === '') return fail(`${name} is empty`);
  }
  const sequence = /^(\d{1,10})\s+(\S+)$/.exec(header(carrier, 'CSeq') ?? '');
  if (!sequence || Number(sequence[1]) > 0xffff_ffff) return fail('CSeq is not a number and a method');
  if (request && sequence[2] !== method) return fail('CSeq names another method than the request line');
  for (const name of ['From', 'To'] as const) {
    try {
      parseNameAddress(header(carrier, name) ?? '');
    } catch (error) {
      return fail(`${name}: ${error instanceof Error ? error.message : 'unreadable'}`);
    }
  }

  let body = rest;
  const declared = header(carrier, 'Content-Length');
  if (declared !== undefined) {
    const bytes = Buffer.from(rest, 'utf8');
    if (!/^\d{1,8}$/.test(declared)) return fail('Content-Length is not a number');
    if (Number(declared) > bytes.length) return fail('body is shorter than Content-Length says');
    body = bytes.subarray(0, Number(declared)).toString('utf8');
  }
  if (status) return { kind: 'response', status: Number(status[1]), reason: status[2] ?? '', headers, body };
  return { kind: 'request', method: method ?? '', uri: request?.[2] ?? '', headers, body };
}

/** Text for the wire. Content-Length is computed here and any given one is ignored. */
export function serialiseSip(message: SipMessage): string {
  const start =
    message.kind === 'request'
      ? `${message.method} ${message.uri} SIP/2.0`
      : `SIP/2.0 ${message.status} ${message.reason}`;
  const lines = message.headers
    .filter((entry) => entry.name !== 'Content-Length')
    // A line break inside a value would start a header of the sender's choosing.
    .map((entry) => `${entry.name}: ${entry.value.replace(/[\r\n]+/g, ' ')}`);
  return `${start}\r\n${lines.join('\r\n')}\r\nContent-Length: ${Buffer.byteLength(message.body, 'utf8')}\r\n\r\n${message.body}`;
}

type Headed = { readonly headers: readonly SipHeader[] };

/** First value of a header (canonical name), or undefined. */
export function header(message: Headed, name: string): string | undefined {
  return message.headers.find((entry) => entry.name === name)?.value;
}

/** All values of a list header, several lines and comma-separated values alike, in order. */
export function headerList(message: Headed, name: string): string[] {
  return message.headers.filter((entry) => entry.name === name).flatMap((entry) => splitOutside(entry.value, ','));
}

/** True when a token list header (Supported, Require, Allow) names the token. */
export function hasToken(message: Headed, name: string, token: string): boolean {
  return headerList(message, name).some((value) => value.toLowerCase() === token.toLowerCase());
}

/** CSeq taken apart; the parser has already checked its form. */
export function sequence(message: Headed): { number: number; method: string } {
  const [number = '0', method = ''] = (header(message, 'CSeq') ?? '').split(/\s+/);
  return { number: Number(number), method };
}

/** Splits at a separator that is not inside quotes or angle brackets; empty pieces are dropped. */
export function splitOutside(value: string, separator: string): string[] {
  const pieces: string[] = [];
  let quoted = false;
  let depth = 0;
  let start = 0;
  for (let index = 0; index < value.length; index += 1) {
    const letter = value[index];
    if (quoted && letter === '\\') index += 1;
    else if (letter === '"') quoted = !quoted;
    else if (!quoted && letter === '<') depth += 1;
    else if (!quoted && letter === '>') depth -= 1;
    else if (!quoted && depth <= 0 && letter === separator) {
      pieces.push(value.slice(start, index));
      start = index + 1;
    }
  }
  pieces.push(value.slice(start));
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
}

/** `;name=value;flag` pieces as a map with lower-case names; quotes around values are removed. */
export function parseParams(pieces: string[]): Map<string, string> {
  const params = new Map<string, string>();
  for (const piece of pieces) {
    const equals = piece.indexOf('=');
    const name = (equals < 0 ? piece : piece.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? '' : piece.slice(equals + 1).trim();
    if (name !== '') params.set(name, unquote(value));
  }
  return params;
}

/** A display name, URI and parameters from a header value. @throws SipSyntaxError on unbalanced brackets or no URI. */
export function parseNameAddress(value: string): NameAddress {
  const bracket = /^((?:"(?:\\.|[^"\\])*"|[^"<])*)<([^>]*)>(.*)$/s.exec(value.trim());
  if (bracket) {
    const [, display = '', uri = '', tail = ''] = bracket;
    if (!uri.includes(':')) throw new SipSyntaxError('address without a URI');
    return { display: unquote(display.trim()), uri, params: parseParams(splitOutside(tail, ';')) };
  }
  // Without brackets every parameter belongs to the header, not to the URI (RFC 3261 section 20).
  const [uri = '', ...params] = splitOutside(value, ';');
  if (/[<>"]/.test(uri)) throw new SipSyntaxError('unbalanced brackets or quotes in an address');
  if (!uri.includes(':')) throw new SipSyntaxError('address without a URI');
  return { display: '', uri, params: parseParams(params) };
}

/** A SIP or tel URI taken apart. @throws SipSyntaxError when it is neither. */
export function parseUri(text: string): SipUri {
  const match = /^(sips?|tel):(?:([^@]*)@)?([^;?]*)((?:;[^?]*)?)(?:\?(.*))?$/i.exec(text.trim());
  if (!match) throw new SipSyntaxError('not a SIP or tel URI');
  const [, scheme = '', user = '', hostPort = '', params = '', query = ''] = match;
  if (scheme.toLowerCase() === 'tel') {
    return {
      scheme: 'tel',
      user: hostPort,
      host: '',
      port: undefined,
      params: parseParams(params.split(';')),
      headers: new Map(),
    };
  }
  const address = /^(\[[^\]]+\]|[^:]+)(?::(\d+))?$/.exec(hostPort);
  if (!address) throw new SipSyntaxError('URI without a host');
  const headers = new Map<string, string>();
  for (const pair of query.split('&').filter((piece) => piece !== '')) {
    const equals = pair.indexOf('=');
    const name = equals < 0 ? pair : pair.slice(0, equals);
    headers.set(decode(name).toLowerCase(), equals < 0 ? '' : decode(pair.slice(equals + 1)));
  }
  return {
    scheme: scheme.toLowerCase(),
    // A password after the user ("user:secret@") is never looked at.
    user: decode(user.split(':')[0] ?? ''),
    host: (address[1] ?? '').toLowerCase(),
    port: address[2] === undefined ? undefined : Number(address[2]),
    params: parseParams(params.split(';')),
    headers,
  };
}

/** A display name fit for a header: quoted, with quotes and backslashes escaped and line breaks gone. */
export function quote(text: string): string {
  return `"${text.replace(/[\r\n]+/g, ' ').replace(/(["\\])/g, '\\$1')}"`;
}

function unquote(text: string): string {
  return text.startsWith('"') && text.endsWith('"') && text.length > 1
    ? text.slice(1, -1).replace(/\\(.)/g, '$1')
    : text;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new SipSyntaxError('broken percent escape in a URI');
  }
}
