/** Messages after the ideas of RFC 4475, for a user agent: what the grammar allows and hardly anybody writes, and what it does not. The texts are made here. */

/** One message for each idea; always the same for the same scene. */
export function rfc4475(scene: {
  readonly domain: string;
  readonly contact: string;
  readonly offer: string;
}): readonly string[] {
  const { domain, contact, offer } = scene;
  let made = 0;
  const message = (start: string, headers: readonly string[], body = ''): string =>
    [start, ...headers, '', body].join('\r\n');
  const usual = (method: string, change: Readonly<Record<string, string | null>>, body: string): string[] => {
    made += 1;
    const headers: Record<string, string | null> = {
      Via: `SIP/2.0/WS torture.invalid;branch=z9hG4bKclassic${made}`,
      'Max-Forwards': '70',
      From: `<sip:2001@${domain}>;tag=classic${made}`,
      To: `<${contact}>`,
      'Call-ID': `classic-${made}`,
      CSeq: `1 ${method}`,
      Contact: '<sip:2001@torture.invalid;transport=ws>',
      ...(body === '' ? {} : { 'Content-Type': 'application/sdp' }),
      'Content-Length': String(new TextEncoder().encode(body).length),
      ...change,
    };
    return Object.entries(headers).flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]));
  };
  const request = (
    method: string,
    change: Readonly<Record<string, string | null>> = {},
    body = '',
    uri = contact,
  ): string => message(`${method} ${uri} SIP/2.0`, usual(method, change, body), body);
  const answer = (status: string, change: Readonly<Record<string, string | null>> = {}): string =>
    message(`SIP/2.0 ${status}`, usual('INVITE', change, ''));
  return [
    // section 3.1.1: valid
    message(`INVITE ${contact} SIP/2.0`, [
      `TO :\r\n <${contact}> ;   unknown    = a`,
      `from   : "J Rosenberg \\\\\\""       <sip:2001@${domain}>\r\n  ;\r\n  tag = short1`,
      'MaX-fOrWaRdS: 0068',
      'Call-ID: short.1',
      'Content-Length   : 0',
      'cseq: 0009\r\n  INVITE',
      'v  : SIP  / 2.0\r\n  / WS     torture.invalid ;branch  = z9hG4bKshort1,\r\n SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKshort2',
      'Subject :',
      'NewFangledHeader:   newfangled value\r\n continued newfangled value',
      'UnknownHeaderWithUnusualValue: ;;,,;;,;',
      'Route:\r\n <sip:services.example.com;lr;unknownwith=value;unknown-no-value>',
      'm:"Quoted string \\"\\"" <sip:2001@torture.invalid> ; newparam =\r\n      newvalue ;\r\n  secondparam ; q = 0.33',
    ]),
    request("!interesting-Method0123456789_*+`.%indeed'~", {
      'Call-ID': 'intmeth.word%ZK-!.*_+\'@word`~)(><:\\/"][?}{',
      From: `"BEL:\\\u0007 NUL:\\\u0000 DEL:\\\u007f" <sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com>;tag=_token~1'+\`*%!-.`,
    }),
    request('INVITE', { From: '<sip:I%20have%20spaces@example.net>;tag=938', To: '<sip:%75se%72@example.com>' }, offer),
    request('OPTIONS', {
      To: '<sip:null-%00-null@example.com>',
      Contact: '<sip:%00@host5.example.com>, <sip:%00%00@host5.example.com>',
    }),
    request('RE%47IST%45R', { CSeq: '1 RE%47IST%45R', Contact: '"Name%41" <sip:alias1@host1.example.com>' }),
    request('OPTIONS', { From: `caller<sip:caller@${domain}>;tag=323` }),
    request('INVITE', {
      From: `"${'I have a long name. '.repeat(60)}" <sip:${'amazinglylongcallername'.repeat(20)}@${domain}>;tag=${'12982982982'.repeat(40)};unknown${'long'.repeat(40)}=value`,
      'Call-ID': `${'longreq.onereally'.repeat(40)}@h`,
      'Unknown-Long-Value': 'value'.repeat(3_000),
      Via: Array.from({ length: 40 }, (_, hop) => `SIP/2.0/WS sip${hop}.example.com;branch=z9hG4bKlong${hop}`).join(
        ', ',
      ),
    }),
    request('OPTIONS') + request('INVITE', {}, offer),
    request('OPTIONS', {}, '', 'sip:user;par=u%40example.net@example.com'),
    request('OPTIONS', {
      Via: 'SIP/2.0/UDP t1.example.com;branch=z9hG4bKtr1, SIP/2.0/SCTP t2.example.com;branch=z9hG4bKtr2, SIP/2.0/TLS t3.example.com;branch=z9hG4bKtr3, SIP/2.0/UNKNOWN t4.example.com;branch=z9hG4bKtr4',
    }),
    request(
      'INVITE',
      { 'Content-Type': 'multipart/mixed;boundary=7a9cbec02ceef655', 'Content-Length': null },
      `--7a9cbec02ceef655\r\nContent-Type: application/sdp\r\n\r\n${offer}\r\n--7a9cbec02ceef655\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\u0000\u0001\u0002\r\n--7a9cbec02ceef655--`,
    ),
    answer(
      '200 = 2**3 * 5**2 \u043d\u043e \u0441\u0442\u043e \u0434\u0435\u0432\u044f\u043d\u043e\u0441\u0442\u043e \u0434\u0435\u0432\u044f\u0442\u044c',
    ),
    answer('100 '),
    // section 3.1.2: invalid
    request('INVITE', { Via: 'SIP/2.0/WS torture.invalid;;,;,,', Contact: '"Joe" <sip:joe@example.org>;;;;' }, offer),
    request('INVITE', { 'Content-Length': '9999' }, offer),
    request('INVITE', { 'Content-Length': '-999' }, offer),
    request('OPTIONS', {
      CSeq: '36893488147419103232 OPTIONS',
      'Max-Forwards': '300',
      Expires: '10000000000000000000000000000',
      Contact: '<sip:user@host129.example.com>;expires=280297596632815',
    }),
    answer('503 Service Unavailable', {
      CSeq: '9292394834772304023312 OPTIONS',
      'Retry-After': '949302838503028349304023988',
      Warning: '1812 overture "In Progress"',
    }),
    request('INVITE', { To: `"Mr. J. User <${contact}>` }, offer),
    request('INVITE', {}, offer, `<${contact}>`),
    request('INVITE', {}, offer, `${contact}; lr`),
    message(`INVITE  ${contact}  SIP/2.0`, usual('INVITE', {}, '')),
    message(`OPTIONS ${contact} SIP/2.0  `, usual('OPTIONS', {}, '')),
    request('INVITE', {}, offer, `${contact}?Route=%3Csip:example.com%3E`),
    request('INVITE', { Date: 'Fri, 01 Jan 2010 16:00:00 EST' }, offer),
    request('REGISTER', { Contact: 'sip:user@example.com?Route=%3Csip:sip.example.com%3E' }),
    request('OPTIONS', { To: `"Watson, Thomas" < ${contact} >` }),
    request('OPTIONS', { From: `Bell, Alexander <sip:a.g.bell@${domain}>;tag=43` }),
    message(
      `OPTIONS ${contact} SIP/7.0`,
      usual('OPTIONS', { Via: 'SIP/7.0/WS torture.invalid;branch=z9hG4bKversion' }, ''),
    ),
    request('OPTIONS', { CSeq: '8 INVITE' }),
    request('NEWMETHOD', { CSeq: '8 INVITE' }),
    answer('4294967301 better not break the receiver'),
    // section 3.2: transactions
    request('OPTIONS', { Via: 'SIP/2.0/WS torture.invalid;branch=z9hG4bK' }),
    request('OPTIONS', { Via: 'SIP/2.0/WS torture.invalid' }),
    // section 3.3: the application
    request('INVITE', { From: null, To: null, 'Call-ID': null }, offer),
    request('OPTIONS', {}, '', 'nobodyKnowsThisScheme:totallyopaquecontent'),
    request('OPTIONS', {}, '', 'soap.beep://192.0.2.103:3002'),
    request('REGISTER', {
      To: 'isbn:2983792873',
      From: '<http://www.example.com>;tag=3234233',
      Contact: '<name:John_Smith>',
    }),
    request('OPTIONS', {
      Require: 'nothingSupportsThis, nothingSupportsThisEither',
      'Proxy-Require': 'noProxiesSupportThis',
    }),
    request('INVITE', { 'Content-Type': 'application/unknownformat' }, '<audio>\r\n <pcmu port="443"/>\r\n</audio>'),
    answer('401 Unauthorized', { 'WWW-Authenticate': 'NoOneKnowsThisScheme opaque-data=here' }),
    request('INVITE', {
      CSeq: '5 INVITE\r\nCSeq: 59 INVITE',
      'Call-ID': 'multi01.1\r\nCall-ID: multi01.2',
      'Max-Forwards': '70\r\nMax-Forwards: 5',
      From: `sip:2001@${domain};tag=3413415\r\nFrom: sip:2002@${domain};tag=2923420123\r\nFrom: sip:2003@${domain};tag=192423`,
      To: `${contact}\r\nTo: sip:other@example.net`,
    }),
    request(
      'OPTIONS',
      { 'Content-Length': '13\r\nContent-Length: 5' },
      'There is no way to know how many octets are supposed to be here.',
    ),
    answer('200 OK', {
      Via: 'SIP/2.0/WS 192.0.2.198;branch=z9hG4bK1324923, SIP/2.0/UDP 255.255.255.255;branch=z9hG4bK1saber23',
    }),
    request('OPTIONS', { 'Max-Forwards': '0' }),
    request('REGISTER', { Contact: 'sip:+19725552222@gw1.example.net;unknownparam' }),
    request('REGISTER', { Contact: '<sip:+19725552222@gw1.example.net;unknownparam>' }),
    request('REGISTER', { Contact: '<sip:user@example.com?Route=%3Csip:sip.example.com%3E>' }),
    request('INVITE', { Accept: 'text/nobodyKnowsThis' }),
    // section 3.4: phones before RFC 3261
    message(`INVITE ${contact} SIP/2.0`, [
      'Via: SIP/2.0/UDP iftgw.example.com',
      'From: <sip:+13035551111@ift.client.example.net;user=phone>',
      `To: ${contact}`,
      'Call-ID: inv2543.1717@ift.client.example.com',
      'CSeq: 56 INVITE',
      'Content-Type: application/sdp',
      '',
      'v=0\r\no=mhandley 29739 7272939 IN IP4 192.0.2.5\r\ns=-\r\nc=IN IP4 192.0.2.5\r\nt=0 0\r\nm=audio 49217 RTP/AVP 0',
    ]),
  ];
}
