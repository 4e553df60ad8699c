/**
 * Owns one dialog of a scripted phone: its tags, route set and counters, and the session description that stands in it. Must never send: that is
 * wss-phone.ts.
 */
import { createHash, randomBytes } from 'node:crypto';
import { Inbox, type SipText } from './sip-text.ts';

/** One dialog or the request that may open one. */
export class Dialog {
  readonly callId: string;
  readonly localTag: string;
  remoteTag = '';
  readonly localUri: string;
  readonly remoteUri: string;
  target: string;
  routes: readonly string[] = [];
  cseq = 1;
  /** What stands in our Contact; '' for the phone's own. */
  contact = '';
  /** Responses to our initial request. */
  readonly answers: Inbox;
  /** Requests of the other end. */
  readonly requests: Inbox;

  constructor(what: string, callId: string, localUri: string, remoteUri: string, target: string, localTag: string) {
    this.callId = callId;
    this.localUri = localUri;
    this.remoteUri = remoteUri;
    this.target = target;
    this.localTag = localTag;
    this.answers = new Inbox(`${what}: a response`);
    this.requests = new Inbox(`${what}: a request`);
  }

  /** Learns where the other end is (RFC 3261 section 12.1). */
  learn(message: SipText, asCaller: boolean): void {
    const tag = /;tag=([^;\s]+)/.exec(message.header(asCaller ? 'to' : 'from'))?.[1];
    if (tag !== undefined) this.remoteTag = tag;
    const contact = /<([^>]+)>/.exec(message.header('contact'))?.[1];
    if (contact !== undefined) this.target = contact;
    const recorded = message.headers('record-route').flatMap((value) => value.split(/,\s*(?=<)/));
    if (recorded.length > 0) this.routes = asCaller ? recorded.reverse() : recorded;
  }
}

/** A session description as a browser writes one. Of an answer: to this offer. */
export function description(offer?: string): string {
  const fingerprint = (createHash('sha256').update(randomBytes(8)).digest('hex').match(/../g) ?? [])
    .join(':')
    .toUpperCase();
  const mid = /a=mid:(\S+)/.exec(offer ?? '')?.[1] ?? '0';
  return [
    'v=0',
    `o=- ${Date.now()} 1 IN IP4 0.0.0.0`,
    's=-',
    't=0 0',
    ...(offer === undefined || offer.includes('a=group:BUNDLE') ? [`a=group:BUNDLE ${mid}`] : []),
    'm=audio 50000 UDP/TLS/RTP/SAVPF 0 8 101',
    'c=IN IP4 10.77.0.10',
    'a=rtpmap:0 PCMU/8000',
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=rtcp-mux',
    `a=mid:${mid}`,
    `a=ice-ufrag:${randomBytes(3).toString('hex')}`,
    `a=ice-pwd:${randomBytes(12).toString('hex')}`,
    `a=fingerprint:sha-256 ${fingerprint}`,
    `a=setup:${offer === undefined ? 'actpass' : 'active'}`,
    'a=candidate:1 1 udp 2130706431 10.77.0.10 50000 typ host',
    'a=sendrecv',
    '',
  ].join('\r\n');
}
