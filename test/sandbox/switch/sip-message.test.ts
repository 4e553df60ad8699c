import { describe, expect, it } from 'vitest';
import {
  hasToken,
  header,
  headerList,
  parseNameAddress,
  parseSip,
  parseUri,
  quote,
  SipSyntaxError,
  serialiseSip,
  splitOutside,
} from '../../../sandbox/src/switch/sip-message.ts';

const text = (...lines: string[]): string => lines.join('\r\n');

const minimal = (...extra: string[]): string =>
  text(
    'OPTIONS sip:switch.example SIP/2.0',
    'Via: SIP/2.0/WS a.invalid;branch=z9hG4bKone',
    'From: <sip:1001@switch.example>;tag=a',
    'To: <sip:1001@switch.example>',
    'Call-ID: one',
    'CSeq: 1 OPTIONS',
    ...extra,
    '',
    '',
  );

describe('reading SIP text', () => {
  it('reads a request with its body and cuts the body at Content-Length bytes', () => {
    const message = parseSip(`${minimal('Content-Length: 3').trimEnd()}\r\n\r\näbcdef`);
    expect(message).toMatchObject({ kind: 'request', method: 'OPTIONS', uri: 'sip:switch.example', body: 'äb' });
  });

  it('reads a response whose reason is empty or has several words', () => {
    const rest = minimal().split('\r\n').slice(1).join('\r\n');
    expect(parseSip(`SIP/2.0 200 \r\n${rest}`)).toMatchObject({ kind: 'response', status: 200, reason: '' });
    expect(parseSip(`SIP/2.0 486 Busy Here\r\n${rest}`)).toMatchObject({ status: 486, reason: 'Busy Here' });
  });

  it('understands compact names, any case, spaces before the colon, and folded lines', () => {
    const message = parseSip(
      text(
        'INVITE sip:1002@switch.example SIP/2.0',
        'v: SIP/2.0/WS a.invalid;branch=z9hG4bKtwo',
        'f : "Ann" <sip:1001@switch.example>',
        '\t;tag=folded',
        't: <sip:1002@switch.example>',
        'i: two',
        'CSEQ: 7 INVITE',
        'k: replaces,',
        '  outbound',
        'm: <sip:x@a.invalid;transport=ws>',
        'x-made-up: kept',
        '',
        '',
      ),
    );
    expect(header(message, 'From')).toBe('"Ann" <sip:1001@switch.example> ;tag=folded');
    expect(parseNameAddress(header(message, 'From') ?? '').params.get('tag')).toBe('folded');
    expect(hasToken(message, 'Supported', 'OUTBOUND')).toBe(true);
    expect(header(message, 'Contact')).toBe('<sip:x@a.invalid;transport=ws>');
    expect(header(message, 'X-Made-Up')).toBe('kept');
  });

  it('keeps commas inside quotes and brackets when it splits Contact and Route', () => {
    const message = parseSip(
      minimal(
        'Contact: "Doe, Jane" <sip:jane@a.example;x="1,2">;expires=60, <sip:b@a.example?Subject=a,b>',
        'Route: <sip:one;lr>,<sip:two;lr>',
        'Route: <sip:three;lr>',
      ),
    );
    expect(headerList(message, 'Contact')).toEqual([
      '"Doe, Jane" <sip:jane@a.example;x="1,2">;expires=60',
      '<sip:b@a.example?Subject=a,b>',
    ]);
    expect(headerList(message, 'Route')).toEqual(['<sip:one;lr>', '<sip:two;lr>', '<sip:three;lr>']);
  });

  it('reads quoted display names with escapes, and addresses without brackets', () => {
    expect(parseNameAddress('"Say \\"hi\\", \\\\ <friend>" <sip:a@b>;tag=1')).toMatchObject({
      display: 'Say "hi", \\ <friend>',
      uri: 'sip:a@b',
    });
    const bare = parseNameAddress('sip:a@b;tag=2;+sip.instance="<urn:uuid:1>"');
    expect(bare.uri).toBe('sip:a@b');
    expect(bare.params.get('+sip.instance')).toBe('<urn:uuid:1>');
  });

  it('takes a URI apart and decodes user and headers', () => {
    const uri = parseUri('sip:%2B4930:secret@Switch.Example:5062;transport=ws?Replaces=a%3Bto-tag%3Db');
    expect(uri).toMatchObject({ scheme: 'sip', user: '+4930', host: 'switch.example', port: 5062 });
    expect(uri.params.get('transport')).toBe('ws');
    expect(uri.headers.get('replaces')).toBe('a;to-tag=b');
    expect(parseUri('tel:+4930123').user).toBe('+4930123');
    expect(parseUri('sip:[::1]:5060').host).toBe('[::1]');
  });
});

describe('refusing what is not SIP', () => {
  const without = (name: string): string =>
    minimal()
      .split('\r\n')
      .filter((line) => !line.startsWith(name))
      .join('\r\n');

  it.each([
    ['nothing at all', ''],
    ['prose', 'hello there\r\n\r\n'],
    ['another protocol', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
    ['a status out of form', 'SIP/2.0 20 OK\r\n\r\n'],
    ['no empty line', minimal().trimEnd()],
    ['a header without a colon', minimal('garbage line')],
    ['a folded line first', text('OPTIONS sip:a SIP/2.0', ' folded', '', '')],
    ['no Via', without('Via')],
    ['no From', without('From')],
    ['no To', without('To')],
    ['no Call-ID', without('Call-ID')],
    ['no CSeq', without('CSeq')],
    ['two Call-IDs', minimal('Call-ID: again')],
    ['a CSeq of another method', minimal().replace('1 OPTIONS', '1 INVITE')],
    ['a CSeq beyond 32 bits', minimal().replace('1 OPTIONS', '99999999999 OPTIONS')],
    ['an unbalanced From', minimal().replace('<sip:1001@switch.example>;tag=a', '"Ann <sip:a@b>')],
    ['a Content-Length that lies', minimal('Content-Length: 5')],
    ['a Content-Length that is no number', minimal('Content-Length: -1')],
  ])('%s', (_name, raw) => {
    expect(() => parseSip(raw)).toThrow(SipSyntaxError);
  });

  it('keeps what could be read, so that a 400 finds its way back', () => {
    let error: unknown;
    try {
      parseSip(minimal().replace('1 OPTIONS', 'x'));
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(SipSyntaxError);
    expect((error as SipSyntaxError).method).toBe('OPTIONS');
    expect((error as SipSyntaxError).received.find((entry) => entry.name === 'Call-ID')?.value).toBe('one');
  });

  it.each(['sip:', 'http://a', 'sip:a@b:x', 'sip:%zz@b', 'just text'])('no URI: %s', (raw) => {
    expect(() => parseUri(raw)).toThrow(SipSyntaxError);
  });
});

describe('writing SIP text', () => {
  it('reads back what it writes, with the length in bytes', () => {
    const message = parseSip(`${minimal('Content-Type: text/plain', 'Content-Length: 5').trimEnd()}\r\n\r\ngrüß`);
    const written = serialiseSip({ ...message, body: 'grüßen' });
    expect(written).toContain('Content-Length: 8\r\n\r\ngrüßen');
    expect(parseSip(written)).toMatchObject({ body: 'grüßen' });
  });

  it('never lets a value start a header of its own', () => {
    const message = parseSip(minimal());
    message.headers.push({ name: 'Subject', value: 'x\r\nX-Injected: yes' });
    expect(header(parseSip(serialiseSip(message)), 'X-Injected')).toBeUndefined();
    expect(quote('a"b\\c\r\nd')).toBe('"a\\"b\\\\c d"');
  });

  it('splits lists and drops empty pieces', () => {
    expect(splitOutside('a, ,"b,c",<d,e>,', ',')).toEqual(['a', '"b,c"', '<d,e>']);
  });
});
