/**
 * SIP's header grammar in the place of the one that sip.js generates, whose tables would be a twelfth of the panel. Owns which rules there are and
 * what each gives: the same as sip.js for whatever both accept. Must never read a text in more than one pass, nor one that is too long.
 */
import type { NameAddrHeader } from 'sip.js/lib/grammar/name-addr-header.js';
import { nameAddress, uri } from './addresses.ts';
import { challenge } from './challenges.ts';
import { at, blank, blanks, GrammarError, host, port, quoted, Scanner, token } from './scanner.ts';

export { GrammarError as SyntaxError } from './scanner.ts';

/** No header field that a server means seriously is longer. */
const longest = 65_536;

const statusLine = at('(SIP/\\d+\\.\\d+) ([1-6]\\d\\d)(?: ([^\\x00-\\x08\\n-\\x1f\\x7f]*))?$');
const method = `(${token})`;
const requestStart = at(`${method} `);
const requestEnd = at(' (SIP/\\d+\\.\\d+)');
const viaStart = at(
  `(${token})${blanks}/${blanks}${token}${blanks}/${blanks}(${token})${blank}${host}(?:${blanks}:${blanks}${port})?`,
);
const word = '[\\w.!%*+`\'~()<>:\\\\"/[\\]?{}-]+';
const callId = at(`${word}(?:@${word})?`);
const cseq = at(`(\\d+)${blank}${method}`);
const digits = at('\\d+');
const mediaType = at(
  `${token}${blanks}/${blanks}${token}(?:${blanks};${blanks}${token}${blanks}=${blanks}(?:${token}|${quoted}))*`,
);
const oneToken = at(token);
const uuid = at('[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}');

const whole = (pattern: RegExp) => (scanner: Scanner) => scanner.need(pattern)[0];
const count = (scanner: Scanner) => Number(scanner.need(digits)[0]);
const one = (scanner: Scanner) => nameAddress(scanner);
/** Several in one line (RFC 3261 section 7.3.1), each with the place where it stands. */
const several = (bare: boolean) => (scanner: Scanner) =>
  scanner.list(() => {
    const position = scanner.at;
    const parsed: NameAddrHeader = nameAddress(scanner, 'sip', bare);
    return { position, offset: scanner.at, parsed };
  });
const seconds = (text: string | undefined) => (/^\d+$/.test(text ?? '') ? Number(text) : undefined);
const tokenWithParameters = (scanner: Scanner) => ({
  value: (scanner.need(oneToken)[0] ?? '').toLowerCase(),
  params: scanner.parameters(),
});

/** What is read of each first line and header field; the names are sip.js'. */
const rules: Readonly<Record<string, (scanner: Scanner) => unknown>> = {
  Request_Response(scanner) {
    const status = scanner.take(statusLine);
    if (status) return { sip_version: status[1], status_code: Number(status[2]), reason_phrase: status[3] ?? '' };
    const [, method] = scanner.need(requestStart);
    return { method, uri: uri(scanner, 'any'), sip_version: scanner.need(requestEnd)[1] };
  },
  Via(scanner) {
    // The first is the one that counts: whoever sent this expects the answer there.
    const [first] = scanner.list(() => {
      const [, protocol, transport, name, at] = scanner.need(viaStart);
      return {
        ...scanner.parameters(),
        protocol,
        transport,
        host: scanner.host(name),
        port: at ? Number(at) : undefined,
      };
    });
    return first;
  },
  From: one,
  To: one,
  Refer_To: one,
  /** P-Asserted-Identity and what else is one address; of several the first. */
  Name_Addr_Header: (scanner) => scanner.list(() => nameAddress(scanner))[0],
  Contact: several(true),
  Record_Route: several(false),
  SIP_URI: (scanner) => uri(scanner, 'sip'),
  Call_ID: whole(callId),
  CSeq(scanner) {
    const [, value, method] = scanner.need(cseq);
    // RFC 3261 section 8.1.1.5: 32 bits. A larger one would be counted on wrongly.
    return Number(value) < 2 ** 32 ? { value: Number(value), method } : scanner.fail();
  },
  Content_Length: count,
  Max_Forwards: count,
  Content_Type: whole(mediaType),
  Content_Disposition(scanner) {
    const { value: type, params } = tokenWithParameters(scanner);
    return { type, params };
  },
  Event(scanner) {
    const { value: event, params } = tokenWithParameters(scanner);
    return { event, params };
  },
  Subscription_State(scanner) {
    const { value: state, params } = tokenWithParameters(scanner);
    return {
      state,
      reason: params.reason,
      expires: seconds(params.expires),
      retry_after: seconds(params['retry-after']),
      params,
    };
  },
  Session_Expires(scanner) {
    const deltaSeconds = count(scanner);
    return { deltaSeconds, refresher: scanner.parameters().refresher };
  },
  Min_SE(scanner) {
    const deltaSeconds = count(scanner);
    scanner.parameters();
    return deltaSeconds;
  },
  Replaces(scanner) {
    const call_id = whole(callId)(scanner);
    const params = scanner.parameters();
    const { 'from-tag': replaces_from_tag, 'to-tag': replaces_to_tag } = params;
    if (!replaces_from_tag || !replaces_to_tag) scanner.fail();
    return { call_id, replaces_from_tag, replaces_to_tag, early_only: 'early-only' in params || undefined };
  },
  WWW_Authenticate: challenge,
  Proxy_Authenticate: challenge,
  uuid: whole(uuid),
};

/**
 * Reads a text by a rule and leaves what it says in `options.data`, as sip.js asks for it.
 * @throws SyntaxError (ours) when the text is not whole by that rule, or there is no such rule.
 */
export function parse(input: string, options: { startRule: string; data?: unknown }): void {
  const rule = Object.hasOwn(rules, options.startRule) ? rules[options.startRule] : undefined;
  if (!rule || input.length > longest) throw new GrammarError('There is no rule for this, or it is too long.');
  const scanner = new Scanner(input);
  options.data = rule(scanner);
  if (scanner.at < input.length) scanner.fail();
}
