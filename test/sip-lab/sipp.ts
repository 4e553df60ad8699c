/**
 * Owns SIPp as a far side that does exactly what a test wrote down: scenarios made of steps, run in the far namespace, with a verdict. For what no
 * real phone does on demand: refusals, redirections, reliable ringing, an UPDATE in a call, odd messages.
 * Must never be used where a phone is meant; its sound is an echo of what it hears.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startLabProcess, untilReady } from './lab-process.ts';
import type { LabNetwork } from './namespaces.ts';

/** One step of a scenario, as SIPp's XML. */
export type SippStep = string;

export interface SippOptions {
  /** One of lab.far.addresses, not used by a phone. */
  readonly address: string;
  readonly steps: readonly SippStep[];
  /** Where a calling scenario sends to, "address:port". Absent: it waits to be called. */
  readonly to?: string;
  /** The number that a calling scenario dials. */
  readonly service?: string;
  /** How many calls until it ends. Default 1. */
  readonly calls?: number;
  /** Port for SIP. Default 5060. */
  readonly port?: number;
}

export interface Sipp {
  /** What dials it, when it waits. */
  readonly uri: string;
  /** Resolves when all its calls went as written; throws with what SIPp objected to. */
  passed(withinMs?: number): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it; one that waits is ready to be called. */
export async function startSipp(lab: LabNetwork, options: SippOptions): Promise<Sipp> {
  const folder = mkdtempSync(join(lab.folder, 'sipp-'));
  const { address, port = 5060 } = options;
  writeFileSync(
    join(folder, 'scenario.xml'),
    `<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name="lab">\n${options.steps.join('\n')}\n</scenario>\n`,
  );
  const errors = join(folder, 'errors.log');
  const media = 16_000 + lab.far.addresses.indexOf(address) * 100;
  const process = startLabProcess({
    namespace: lab.far.namespace,
    command: [
      ...[
        'sipp',
        '-sf',
        join(folder, 'scenario.xml'),
        '-i',
        address,
        '-p',
        String(port),
        '-m',
        String(options.calls ?? 1),
      ],
      ...['-nostdin', '-trace_err', '-error_file', errors, '-rtp_echo', '-mi', address, '-mp', String(media)],
      ...['-cp', String(18_000 + lab.far.addresses.indexOf(address)), '-default_behaviors', 'all,-bye'],
      ...(options.service === undefined ? [] : ['-s', options.service]),
      ...(options.to === undefined ? [] : [options.to]),
    ],
    cwd: folder,
  });
  const ended = new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (process.running()) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
  if (options.to === undefined)
    await untilReady('SIPp does not listen', () => listens(process.pid, address, port) || undefined, { process });
  const objections = (): string => {
    try {
      return readFileSync(errors, 'utf8');
    } catch {
      return '';
    }
  };
  return {
    uri: `sip:${options.service ?? 'sipp'}@${address}:${port}`,
    async passed(withinMs = 8_000) {
      const late = setTimeout(() => void process.stop(200), withinMs);
      await ended;
      clearTimeout(late);
      const output = process.tail(60);
      // The last screen counts calls: "Successful call |  0 |  1", "Failed call | 0 | 0".
      const count = (what: string): number =>
        Number(new RegExp(`${what} call +\\| +\\d+ +\\| +(\\d+)`).exec(output)?.[1] ?? -1);
      if (count('Successful') === (options.calls ?? 1) && count('Failed') === 0) return;
      throw new Error(`SIPp's scenario did not go as written.\n${objections()}\n${output}`);
    },
    async stop() {
      await process.stop(500);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Whether somebody in the namespace of `pid` has bound the UDP port: SIPp says nothing before it ends. */
function listens(pid: number, address: string, port: number): boolean {
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0');
  // The kernel writes the address in the byte order of the machine, little endian.
  const host = address
    .split('.')
    .reverse()
    .map((byte) => hex(Number(byte), 2))
    .join('');
  return readFileSync(`/proc/${pid}/net/udp`, 'utf8').includes(`${host}:${hex(port, 4)} `);
}

const localTag = '[pid]SIPp[call_number]';

function message(lines: readonly string[], body: string): string {
  const content =
    body === '' ? ['Content-Length: 0', ''] : ['Content-Type: application/sdp', 'Content-Length: [len]', '', body];
  return `<![CDATA[\n${[...lines, ...content].join('\n')}\n]]>`;
}

const sdp = [
  'v=0',
  'o=sipp 1 1 IN IP[local_ip_type] [local_ip]',
  's=-',
  'c=IN IP[media_ip_type] [media_ip]',
  't=0 0',
  'm=audio [media_port] RTP/AVP 0 101',
  'a=rtpmap:0 PCMU/8000',
  'a=rtpmap:101 telephone-event/8000',
  'a=sendrecv',
].join('\n');

/** What of an INVITE a later response repeats: header, which of several, variable. Through the edge there are two of some. */
const kept = [
  ['Via', 1, 'via'],
  ['Via', 2, 'viaBefore'],
  ['From', 1, 'from'],
  ['To', 1, 'to'],
  ['CSeq', 1, 'cseqOfInvite'],
  ['Record-Route', 1, 'recorded'],
  ['Record-Route', 2, 'recordedBefore'],
] as const;
const lastHeaders = [
  '[last_Via:]',
  '[last_From:]',
  `[last_To:];tag=${localTag}`,
  '[last_Call-ID:]',
  '[last_CSeq:]',
  '[last_Record-Route:]',
];
const keptHeaders = [
  ...['Via:[$via]', 'Via:[$viaBefore]', 'From:[$from]', `To:[$to];tag=${localTag}`, 'Call-ID: [call_id]'],
  ...['CSeq:[$cseqOfInvite]', 'Record-Route:[$recorded]', 'Record-Route:[$recordedBefore]'],
];

/** The steps of a scenario. */
export const sippStep = {
  /** Waits for the INVITE that begins the call. */
  invited: (): SippStep =>
    `<recv request="INVITE" crlf="true" rrs="true"><action>${kept
      .map(
        ([header, which, variable]) =>
          `<ereg regexp=".*" search_in="hdr" header="${header}:" occurrence="${which}" assign_to="${variable}"/>`,
      )
      .join('')}</action></recv>\n<Reference variables="${kept.map(([, , variable]) => variable).join(',')}" />`,
  /** Waits for another request that begins something; `respond` answers it. */
  begun: (method: string): SippStep => `<recv request="${method}" crlf="true" />`,
  /** Waits for a request; an optional one may be missing. */
  asked: (method: string, optional = false): SippStep =>
    `<recv request="${method}" crlf="true"${optional ? ' optional="true"' : ''} />`,
  /** Waits for a response to its own request. */
  answered: (status: number, optional = false): SippStep =>
    `<recv response="${status}"${optional ? ' optional="true"' : ''} rrs="true" />`,
  /** Responds to the last request. `withSound`: with a session description; `later`: to the INVITE, though others came since, through the edge. */
  respond: (
    status: number,
    reason: string,
    options: { readonly headers?: readonly string[]; readonly withSound?: boolean; readonly later?: boolean } = {},
  ): SippStep =>
    `<send>${message(
      [
        `SIP/2.0 ${status} ${reason}`,
        ...(options.later ? keptHeaders : lastHeaders),
        'Contact: <sip:sipp@[local_ip]:[local_port]>',
        'Allow: INVITE, ACK, CANCEL, BYE, UPDATE, PRACK, INFO, NOTIFY, REFER, OPTIONS',
        ...(options.headers ?? []),
      ],
      options.withSound ? sdp : '',
    )}</send>`,
  /** Responds to a request within the call: its To has its tag already. */
  respondInCall: (status: number, reason: string, withSound = false): SippStep =>
    `<send>${message(
      [
        `SIP/2.0 ${status} ${reason}`,
        ...['[last_Via:]', '[last_From:]', '[last_To:]', '[last_Call-ID:]', '[last_CSeq:]', '[last_Record-Route:]'],
        'Contact: <sip:sipp@[local_ip]:[local_port]>',
      ],
      withSound ? sdp : '',
    )}</send>`,
  /** A request within a call that came in. */
  request: (method: string, headers: readonly string[] = [], withSound = false): SippStep =>
    `<send>${message(
      [
        `${method} [next_url] SIP/2.0`,
        'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
        '[routes]',
        'Max-Forwards: 70',
        `From:[$to];tag=${localTag}`,
        'To:[$from]',
        'Call-ID: [call_id]',
        `CSeq: [cseq] ${method}`,
        'Contact: <sip:sipp@[local_ip]:[local_port]>',
        ...headers,
      ],
      withSound ? sdp : '',
    )}</send>`,
  /** A request that begins something: PUBLISH, SUBSCRIBE, OPTIONS… from `from`, both users of `domain`. */
  begin: (
    method: string,
    options: {
      readonly domain: string;
      readonly from: string;
      readonly headers?: readonly string[];
      readonly body?: string;
      readonly type?: string;
    },
  ): SippStep =>
    `<send retrans="500"><![CDATA[\n${[
      `${method} sip:[service]@${options.domain} SIP/2.0`,
      'Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]',
      'Max-Forwards: 70',
      `From: <sip:${options.from}@${options.domain}>;tag=${localTag}`,
      `To: <sip:[service]@${options.domain}>`,
      'Call-ID: [call_id]',
      `CSeq: 1 ${method}`,
      'Contact: <sip:sipp@[local_ip]:[local_port]>',
      ...(options.headers ?? []),
      ...(options.body === undefined ? [] : [`Content-Type: ${options.type ?? 'application/sdp'}`]),
      'Content-Length: [len]',
      '',
      options.body ?? '',
    ].join('\n')}\n]]></send>`,
  wait: (ms: number): SippStep => `<pause milliseconds="${ms}" />`,
};

/** How many messages wait in a mailbox of `domain`, as a voicemail server publishes it at the edge (RFC 3842, RFC 3903). */
export function publishMessages(
  lab: LabNetwork,
  options: {
    readonly address: string;
    readonly edge: { readonly sipAddress: string; readonly domain: string };
    readonly extension: string;
    readonly fresh: number;
    readonly old: number;
    readonly port?: number;
  },
): Promise<Sipp> {
  const { extension, fresh, old, edge } = options;
  const body = [
    `Messages-Waiting: ${fresh > 0 ? 'yes' : 'no'}`,
    `Message-Account: sip:${extension}@${edge.domain}`,
    `Voice-Message: ${fresh}/${old} (0/0)`,
  ].join('\n');
  return startSipp(lab, {
    address: options.address,
    ...(options.port === undefined ? {} : { port: options.port }),
    to: edge.sipAddress,
    service: extension,
    steps: [
      sippStep.begin('PUBLISH', {
        domain: edge.domain,
        from: extension,
        headers: ['Event: message-summary', 'Expires: 600'],
        type: 'application/simple-message-summary',
        body,
      }),
      sippStep.answered(200),
    ],
  });
}
