/**
 * What rtpengine wrote down of a call it recorded (`recording-method = pcap`): whose voice comes to which port, how it is coded, which call it is, when it
 * was answered. Owns that form alone, as `kamailio.cfg` has it written: every SDP under the label of who sent it.
 */

export type Side = 'caller' | 'callee';
export type Codec = 'pcmu' | 'pcma' | 'opus' | 'keys' | 'other';

/** How one end's packets are to be read. */
export interface Incoming {
  /** Ports of rtpengine that this end sends to. */
  readonly ports: ReadonlySet<number>;
  /** RTP payload type → what is in it. */
  readonly codecs: ReadonlyMap<number, Codec>;
}

export interface RecordedCall {
  readonly pcap: string;
  /** Null where nobody answered. */
  readonly answered: { readonly sipCallId: string; readonly atMs: number } | null;
  readonly from: Readonly<Record<Side, Incoming>>;
}

/** RFC 3551, table 4; 13 is comfort noise. */
const fixed: readonly (readonly [number, Codec])[] = [
  [0, 'pcmu'],
  [8, 'pcma'],
];
const named: Readonly<Record<string, Codec>> = {
  'pcmu/8000': 'pcmu',
  'pcma/8000': 'pcma',
  'opus/48000': 'opus',
};

/**
 * Reads a metadata file.
 * @throws Error in words for an operator where it is not of this form
 */
export function readRecordedCall(text: string): RecordedCall {
  const [pcap = ''] = text.split('\n', 1);
  if (!pcap.endsWith('.pcap')) throw new Error('its first line names no pcap file');
  const mark = /^patchcord:([0-9a-f]+):(\d+\.\d+)$/im.exec(text);
  const [, hex = '', seconds = ''] = mark ?? [];
  const sides = { caller: emptySide(), callee: emptySide() };
  for (const block of text.split(/^(?=Label: )/m).slice(1)) {
    const sender = /^Label: (caller|callee)$/m.exec(block)?.[1] as Side | undefined;
    // What one end sent was given to the other: that one answers to the ports in it.
    if (sender !== undefined) addSdp(sides[sender === 'caller' ? 'callee' : 'caller'], block);
  }
  return {
    pcap,
    answered:
      mark === null
        ? null
        : { sipCallId: Buffer.from(hex, 'hex').toString('utf8'), atMs: Math.round(Number(seconds) * 1_000) },
    from: sides,
  };
}

function emptySide(): { readonly ports: Set<number>; readonly codecs: Map<number, Codec> } {
  return { ports: new Set(), codecs: new Map(fixed) };
}

/** The sound of an SDP (RFC 8866): each section begins with `m=`. */
function addSdp(
  { ports, codecs }: { readonly ports: Set<number>; readonly codecs: Map<number, Codec> },
  sdp: string,
): void {
  for (const section of sdp.split(/^m=/m).slice(1)) {
    const [, port] = /^audio (\d+)/.exec(section) ?? [];
    if (port === undefined || port === '0') continue;
    ports.add(Number(port));
    for (const [, type, name = ''] of section.matchAll(/^a=rtpmap:(\d+) ([^\s/]+\/\d+)/gm))
      codecs.set(Number(type), codecOf(name));
  }
}

function codecOf(name: string): Codec {
  const lower = name.toLowerCase();
  return lower.startsWith('telephone-event/') ? 'keys' : (named[lower] ?? 'other');
}
