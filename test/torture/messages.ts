/**
 * Every kind of message that a phone gets, with the ids it knows, whole or broken. Owns the texts and how they are broken; the same seed gives the
 * same message for the same scene. Must never end the call that has to keep its sound: that one gets what cannot end a call by rights.
 */
import { type SipHeader, type SipRequest, serialiseSip } from '../../sandbox/src/switch/sip-message.ts';
import { Mutations } from '../attack/mutations.ts';
import type { FarCall } from '../sip-port/scripted-pbx.ts';
import { rfc4475 } from './rfc4475.ts';

/** What the phone is doing while it is tortured. */
export interface Scene {
  readonly domain: string;
  /** Where the phone is reached: a SIP URI. */
  readonly contact: string;
  /** A description that the phone could accept. */
  readonly offer: string;
  /** Has sound, and must keep it. */
  readonly steady: FarCall;
  /** May end at any moment. */
  readonly victim: FarCall;
  /** The phone's own last requests, by method. */
  readonly asked: ReadonlyMap<string, string>;
}

export interface Torture {
  readonly kind: string;
  readonly message: string | Uint8Array;
}

/** A number of the case; the first ones are those of RFC 4475. */
export type CaseNumber = number;

const sdpType: SipHeader = { name: 'Content-Type', value: 'application/sdp' };
const sipfrag = 'SIP/2.0 180 Ringing\r\n';
const dialogInfo = (state: string): string =>
  `<?xml version="1.0"?><dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" version="1" state="full" entity="sip:1002@a.b"><dialog id="1" call-id="c" direction="initiator"><state>${state}</state></dialog></dialog-info>`;
const waiting = 'Messages-Waiting: yes\r\nMessage-Account: sip:1001@a.b\r\nVoice-Message: 2/8 (0/2)\r\n';

/** The message of a case. */
export function tortureCase(scene: Scene, seed: number, number: CaseNumber): Torture {
  const classics = rfc4475(scene);
  const classic = classics[number];
  if (classic) return { kind: 'rfc4475', message: classic };
  const mutations = new Mutations((Math.imul(seed, 0x9e3779b1) ^ Math.imul(number, 0x85ebca6b)) >>> 0);
  const [kind, make] = kinds[mutations.below(kinds.length)] ?? keepAlive;
  return { kind, message: make({ scene, mutations, mark: `${number}` }) };
}

interface Making {
  readonly scene: Scene;
  readonly mutations: Mutations;
  /** Tells this message from all others. */
  readonly mark: string;
}
type Kind = readonly [name: string, make: (making: Making) => string | Uint8Array];

const inVictim: Kind = ['request in a call', (making) => broken(inside(making, making.scene.victim), making.mutations)];

const inSteady: Kind = [
  'request in the call with sound',
  (making) => {
    const text = inside(making, making.scene.steady, harmless);
    const end = text.indexOf('\r\n\r\n');
    const cracked = broken(text.slice(0, end), making.mutations) + text.slice(end);
    return sparesTheCall(cracked, text) ? cracked : text;
  },
];

const outside: Kind = [
  'request outside of a call',
  (making) => {
    const { mutations } = making;
    const method = mutations.pick([
      ...['INVITE', 'INVITE', 'INVITE', 'OPTIONS', 'NOTIFY', 'NOTIFY', 'SUBSCRIBE', 'MESSAGE', 'INFO', 'BYE'],
      ...['CANCEL', 'ACK', 'REFER', 'PUBLISH', 'UPDATE', 'PRACK', 'REGISTER', 'WHATEVER'],
    ]);
    return broken(fresh(making, method, ...contentOf(making, method)), mutations);
  },
];

const responses: Kind = ['response to a request of the phone', (making) => broken(response(making), making.mutations)];

const descriptions: Kind = [
  'description',
  (making) => {
    const { scene, mutations } = making;
    const body = brokenDescription(scene.offer, mutations);
    if (mutations.below(3) === 0) return response(making, body);
    const invite = mutations.below(2) === 0;
    return invite
      ? fresh(making, 'INVITE', [sdpType], body)
      : written(scene.victim.dialog?.request('INVITE', [scene.victim.contact, sdpType], body), making);
  },
];

const keepAlive: Kind = [
  'keep-alive',
  ({ mutations }) =>
    mutations.pick(['\r\n', '\r\n\r\n', '\r\n'.repeat(mutations.below(2_000)), '\n', '\r', '\n\n', ' \r\n']),
];

const binary: Kind = [
  'binary',
  (making) => {
    const { mutations } = making;
    if (mutations.below(2) === 0) return new TextEncoder().encode(broken(fresh(making, 'OPTIONS'), mutations));
    return Uint8Array.from({ length: mutations.below(3_000) }, () => mutations.below(256));
  },
];

const huge: Kind = [
  'huge',
  (making) => {
    const { mutations } = making;
    const much = mutations
      .pick(['a', ',', ';', ' ', '\r\n ', '"', '<', 'a,', ';a=b', '%20', '\u00e9'])
      .repeat(20_000 + mutations.below(60_000));
    const name = mutations.pick([
      'X-Long',
      'Contact',
      'Via',
      'From',
      'To',
      'Subject',
      'Call-ID',
      'Record-Route',
      'Require',
      'Supported',
      'Reason',
    ]);
    const method = mutations.pick(['OPTIONS', 'INVITE', 'NOTIFY', 'MESSAGE']);
    if (mutations.below(3) === 0) return fresh(making, method, [{ name: 'Content-Type', value: 'text/plain' }], much);
    return fresh(making, method, [{ name, value: mutations.below(2) === 0 ? much : `<sip:a@b.c>${much}` }]);
  },
];

const weighted: readonly Kind[] = [
  ...Array<Kind>(6).fill(inVictim),
  ...Array<Kind>(6).fill(inSteady),
  ...Array<Kind>(6).fill(outside),
  ...Array<Kind>(6).fill(responses),
  ...Array<Kind>(4).fill(descriptions),
  keepAlive,
  binary,
];
/** One in sixty: they take long to carry, not to refuse. */
const kinds: readonly Kind[] = [...weighted, ...weighted, huge];

const harmless = [
  'INVITE',
  'UPDATE',
  'INFO',
  'OPTIONS',
  'NOTIFY',
  'MESSAGE',
  'REFER',
  'PRACK',
  'ACK',
  'CANCEL',
  'SUBSCRIBE',
];

/** A request of that call's far end. */
function inside(making: Making, call: FarCall, methods: readonly string[] = [...harmless, 'BYE']): string {
  const { mutations, scene } = making;
  const method = mutations.pick(methods);
  const offers = method === 'INVITE' || (method === 'UPDATE' && mutations.below(2) === 0);
  const [headers, body] = offers
    ? [[sdpType], call.sdp.replace(/^a=setup:\w+/m, 'a=setup:actpass')]
    : contentOf(making, method);
  const extra: SipHeader[] = [];
  if (mutations.below(4) === 0)
    extra.push(
      mutations.pick<SipHeader>([
        { name: 'Require', value: 'timer' },
        { name: 'Require', value: 'nobody-has-this' },
        { name: 'Session-Expires', value: '1800;refresher=uac' },
        { name: 'Reason', value: 'Q.850;cause=16;text="Normal"' },
        { name: 'Replaces', value: scene.victim.asReplaces() },
        { name: 'P-Asserted-Identity', value: '<tel:+14155550101>' },
        { name: 'Diversion', value: '<sip:1003@a.b>;reason=no-answer' },
        { name: 'Supported', value: '100rel, timer, replaces' },
      ]),
    );
  return written(call.dialog?.request(method, [call.contact, ...headers, ...extra], body), making);
}

/** What a request of that method carries. */
function contentOf({ scene, mutations }: Making, method: string): [SipHeader[], string] {
  switch (method) {
    case 'INVITE':
      return [[sdpType], mutations.below(5) === 0 ? '' : scene.offer];
    case 'INFO':
      return [[{ name: 'Content-Type', value: 'application/dtmf-relay' }], 'Signal=5\r\nDuration=160\r\n'];
    case 'MESSAGE':
      return [[{ name: 'Content-Type', value: 'text/plain;charset=utf-8' }], 'Gr\u00fc\u00dfe \u4e16'];
    case 'REFER':
      return [
        [
          {
            name: 'Refer-To',
            value: mutations.pick(['<sip:2002@a.b?Replaces=a%3Bto-tag%3Db%3Bfrom-tag%3Dc>', 'sip:1@b.c', '<tel:+1>']),
          },
        ],
        '',
      ];
    case 'SUBSCRIBE':
      return [
        [
          { name: 'Event', value: 'dialog' },
          { name: 'Expires', value: '60' },
        ],
        '',
      ];
    case 'PRACK':
      return [[{ name: 'RAck', value: '1 1 INVITE' }], ''];
    case 'NOTIFY': {
      const [event, type, body] = mutations.pick<readonly [string, string, string]>([
        ['refer', 'message/sipfrag;version=2.0', sipfrag],
        ['message-summary', 'application/simple-message-summary', waiting],
        ['dialog', 'application/dialog-info+xml', dialogInfo('confirmed')],
        ['talk', 'text/plain', ''],
      ]);
      const state = mutations.pick([
        'active;expires=60',
        'pending',
        'terminated;reason=noresource',
        'terminated;reason=timeout;retry-after=0',
      ]);
      return [
        [
          { name: 'Event', value: event },
          { name: 'Subscription-State', value: state },
          { name: 'Content-Type', value: type },
        ],
        body,
      ];
    }
    default:
      return [[], ''];
  }
}

/** A request that begins something of its own. */
export function fresh(
  { scene, mark }: Pick<Making, 'scene' | 'mark'>,
  method: string,
  headers: readonly SipHeader[] = [],
  body = '',
): string {
  return written(
    {
      kind: 'request',
      method,
      uri: scene.contact,
      headers: [
        { name: 'From', value: `"Far" <sip:2001@${scene.domain}>;tag=t${mark}` },
        { name: 'To', value: `<${scene.contact}>` },
        { name: 'Call-ID', value: `torture-${mark}` },
        { name: 'CSeq', value: `1 ${method}` },
        { name: 'Contact', value: '<sip:2001@torture.invalid;transport=ws>' },
        ...headers,
      ],
      body,
    },
    { mark },
  );
}

function written(request: SipRequest | undefined, { mark }: { readonly mark: string }): string {
  if (!request) return '\r\n';
  const via = { name: 'Via', value: `SIP/2.0/WS torture.invalid;branch=z9hG4bKtorture${mark}` };
  return serialiseSip({ ...request, headers: [via, { name: 'Max-Forwards', value: '70' }, ...request.headers] });
}

/** An answer to something that the phone asked, most often to its INVITE. */
function response(making: Making, description?: string): string {
  const { scene, mutations } = making;
  const method = mutations.pick(['INVITE', 'INVITE', 'INVITE', 'OPTIONS', 'BYE', 'ACK', 'INFO', 'CANCEL']);
  const asked = scene.asked.get(method) ?? scene.asked.get('INVITE') ?? '';
  const status = mutations.pick([
    ...[
      100, 180, 180, 181, 183, 183, 199, 200, 200, 202, 300, 302, 305, 380, 400, 401, 401, 403, 404, 407, 407, 408, 410,
      415,
    ],
    ...[
      420, 421, 422, 423, 433, 480, 481, 482, 484, 486, 487, 488, 491, 494, 500, 501, 503, 504, 513, 580, 600, 603, 606,
      699,
    ],
  ]);
  const copied = asked.split('\r\n').filter((line) => /^(via|from|call-id|cseq):/i.test(line));
  const to = /^to:.*/im.exec(asked)?.[0] ?? 'To: <sip:a@b.c>';
  const lines = [
    `SIP/2.0 ${status} Some reason`,
    ...copied,
    /;tag=/.test(to) || status === 100 ? to : `${to};tag=torture`,
  ];
  const body =
    description ??
    ((status === 183 || status === 200) && mutations.below(3) > 0
      ? scene.offer.replace(/^a=setup:\w+/m, 'a=setup:active')
      : '');
  lines.push(...extrasOf(status, mutations), `Contact: <sip:2002@torture.invalid;transport=ws>`);
  if (body !== '') lines.push('Content-Type: application/sdp');
  return [...lines, `Content-Length: ${new TextEncoder().encode(body).length}`, '', body].join('\r\n');
}

function extrasOf(status: number, mutations: Mutations): string[] {
  if (status === 401 || status === 407) {
    const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate';
    return [
      `${name}: Digest realm="a.b", nonce="n", qop="auth", algorithm=${mutations.pick(['MD5', 'SHA-256', 'SHA-512-256', 'MD5-sess', 'X'])}`,
    ];
  }
  if (status === 503 || status === 480) return ['Retry-After: 1 (busy);duration=1'];
  if (status === 422) return ['Min-SE: 90'];
  if (status === 420) return ['Unsupported: replaces'];
  if (status < 200 && mutations.below(2) === 0) return ['Require: 100rel', `RSeq: ${mutations.below(5)}`];
  return mutations.below(4) === 0 ? ['Record-Route: <sip:proxy.invalid;lr>, <sip:other.invalid;lr=on>'] : [];
}

function brokenDescription(description: string, mutations: Mutations): string {
  const lines = description.split('\r\n');
  const at = mutations.below(lines.length);
  switch (mutations.below(8)) {
    case 0:
      lines.splice(at, 1);
      break;
    case 1:
      lines.splice(at, 0, lines[mutations.below(lines.length)] ?? '');
      break;
    case 2:
      return lines.slice(0, at).join('\r\n');
    case 3:
      lines[at] = `${(lines[at] ?? '').slice(0, 2)}${mutations.text()}`;
      break;
    case 4:
      return description.replace(/^m=audio.*/m, (line) => `${line}\r\n${`${line}\r\n`.repeat(mutations.below(40))}`);
    case 5:
      return description.replaceAll('\r\n', '\n');
    case 6:
      return description.replace(
        /^m=audio \d+/m,
        mutations.pick(['m=video 9', 'm=audio 0', 'm=audio 99999', 'm=image 9', 'm=application 9']),
      );
    default:
      return mutations.string(description);
  }
  return lines.join('\r\n');
}

/** A SIP text with something wrong; one in twelve is left whole. */
function broken(text: string, mutations: Mutations): string {
  const end = text.indexOf('\r\n\r\n');
  const lines = (end < 0 ? text : text.slice(0, end)).split('\r\n');
  const rest = end < 0 ? '' : text.slice(end);
  const at = 1 + mutations.below(Math.max(1, lines.length - 1));
  const line = lines[at] ?? '';
  switch (mutations.below(12)) {
    case 0:
      return text;
    case 1:
      lines.splice(at, 1);
      break;
    case 2:
      lines.splice(at, 0, line);
      break;
    case 3:
      lines[at] = line.replace(/:.*/, () => `: ${mutations.text()}`);
      break;
    case 4:
      lines[at] = line.replaceAll(' ', '\r\n  ');
      break;
    case 5:
      lines[at] = `${line}, ${line.replace(/^[^:]*:\s*/, '')}`;
      break;
    case 6:
      return text.replaceAll('\r\n', mutations.pick(['\n', '\r', '\r\n\r\n', '\u2028']));
    case 7:
      return text.slice(0, mutations.below(text.length));
    case 8:
      return text.replace(
        /^(content-length:\s*)\d+/im,
        `$1${mutations.pick(['0', '1', '99999', '-1', '1e3', '18446744073709551616', ' ', '5, 6'])}`,
      );
    case 9:
      lines[0] = mutations.string(lines[0] ?? '');
      break;
    default:
      return mutations.string(text);
  }
  return lines.join('\r\n') + rest;
}

/** False for what would end or turn the call by rights: a BYE, a description cut short, or a number that all later requests would be too old for. */
function sparesTheCall(text: string, original: string): boolean {
  const number = (of: string) => Number(/^cseq\s*:\s*(\d+)/im.exec(of)?.[1] ?? 0);
  const lengths = (of: string) => of.match(/^(?:content-length|l)\s*:.*/gim)?.join() ?? '';
  const offers = /^application\/sdp/m.test(original.split(/^content-type:\s*/im)[1] ?? '');
  return (
    !/\bBYE\b/i.test(text) &&
    number(text) <= number(original) + 5 &&
    !(offers && lengths(text) !== '' && lengths(text) !== lengths(original))
  );
}
