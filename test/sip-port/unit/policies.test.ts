/** The pure parts of the SIP port: waiting times, digits, candidates, parties, addresses, mended messages, transfer bodies. */
import { describe, expect, it } from 'vitest';
import { backOffMs, refreshAfterMs } from '../../../packages/phone-engine/src/sip/back-off.ts';
import {
  type CandidatePolicy,
  enoughCandidates,
  forTheWire,
  type Gatherer,
  judge,
  readCandidates,
} from '../../../packages/phone-engine/src/sip/candidate-policy.ts';
import { parseDigits } from '../../../packages/phone-engine/src/sip/digits.ts';
import { mendIncoming } from '../../../packages/phone-engine/src/sip/message-mending.ts';
import { callerOf, wantsPrivacy } from '../../../packages/phone-engine/src/sip/party.ts';
import { audioDirection } from '../../../packages/phone-engine/src/sip/sound-description.ts';
import { readSipfrag, referToReplacing } from '../../../packages/phone-engine/src/sip/transfer.ts';
import { mayCarrySip } from '../../../packages/phone-engine/src/sip/transport-rule.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';

describe('back-off', () => {
  it('tries at once, then doubles up to 30 seconds, and never beyond', () => {
    expect(backOffMs(0, 60_000, 0.99)).toBe(0);
    expect([0, 2, 15, 60, 300, 86_400].map((seconds) => backOffMs(1, seconds * 1_000, 0.5))).toEqual([
      700, 700, 700, 2_400, 12_000, 15_000,
    ]);
    expect(backOffMs(20, 15_000, 0)).toBe(595);
    expect(backOffMs(20, 15_000, 0.999)).toBeLessThanOrEqual(805);
  });
  it('refreshes a registration well before it runs out', () => {
    expect(refreshAfterMs(100, 0)).toBe(70_000);
    expect(refreshAfterMs(100, 0.999)).toBeLessThan(80_000);
    expect(refreshAfterMs(0, 0.5)).toBe(1_000);
    expect(refreshAfterMs(4_000_000, 0.5)).toBe(6 * 3_600_000);
  });
});

describe('digits', () => {
  it('takes what RFC 4733 has events for, and a pause', () => {
    expect(parseDigits('12*#,aD')).toBe('12*#,AD');
    for (const bad of ['', 'E', '1 2', '+49', '1'.repeat(129)]) expect(parseDigits(bad)).toBeNull();
  });
});

const policy = (changes: Partial<CandidatePolicy> = {}): CandidatePolicy => ({
  candidates: 'first-host',
  iceTransportPolicy: 'all',
  expectsRelay: false,
  ...changes,
});
const line = (transport: string, address: string, kind: string) =>
  `a=candidate:1 1 ${transport} 1 ${address} 9 typ ${kind}`;
const host4 = line('udp', '192.168.1.2', 'host');
const host6 = line('udp', '2001:db8::1', 'host');
const masked = line('udp', 'a1b2.local', 'host');
const tcp = line('tcp', '192.168.1.2', 'host');
const reflexive = line('udp', '203.0.113.5', 'srflx');
const relay = line('udp', '203.0.113.9', 'relay');
const read = (...lines: string[]) => readCandidates(`v=0\r\n${lines.join('\r\n')}\r\n`);

describe('candidates', () => {
  it('takes the first UDP host candidate with an IPv4 address, and gives others a moment', () => {
    expect(judge(read(), policy())).toBe('none');
    expect(judge(read(tcp), policy())).toBe('none');
    expect(judge(read(host4), policy())).toBe('enough');
    expect(judge(read(host6), policy())).toEqual({ waitMs: 50 });
    expect(judge(read(masked), policy())).toEqual({ waitMs: 50 });
  });
  it('waits for more where the PBX wants everything', () => {
    const full = policy({ candidates: 'full' });
    expect(judge(read(host4), full)).toBe('none');
    expect(judge(read(host4, reflexive), full)).toBe('enough');
    expect(judge(read(host4, reflexive), { ...full, expectsRelay: true })).toEqual({ waitMs: 300 });
    expect(judge(read(host4, relay), { ...full, expectsRelay: true })).toBe('enough');
  });
  it('takes nothing but a relay candidate where TURN is prescribed', () => {
    const only = policy({ iceTransportPolicy: 'relay' });
    expect(judge(read(host4, reflexive), only)).toBe('none');
    expect(judge(read(relay), only)).toBe('enough');
  });

  class FakeGatherer implements Gatherer {
    iceGatheringState: RTCIceGatheringState = 'new';
    localDescription: { sdp: string } | null = { sdp: '' };
    readonly #listeners = new Set<() => void>();
    addEventListener(_type: string, listener: () => void): void {
      this.#listeners.add(listener);
    }
    removeEventListener(_type: string, listener: () => void): void {
      this.#listeners.delete(listener);
    }
    gather(state: RTCIceGatheringState, ...lines: string[]): void {
      this.iceGatheringState = state;
      this.localDescription = { sdp: lines.join('\r\n') };
      for (const listener of [...this.#listeners]) listener();
    }
    get listeners(): number {
      return this.#listeners.size;
    }
  }

  it('does not wait for a server that never answers', async () => {
    const clock = new FakeClock();
    const gatherer = new FakeGatherer();
    const done = enoughCandidates(gatherer, policy(), clock);
    gatherer.gather('gathering', host4);
    await done;
    expect(gatherer.listeners).toBe(0);
    expect(clock.pending).toBe(0);
  });
  it('leaves after two seconds with what there is', async () => {
    const clock = new FakeClock();
    const gatherer = new FakeGatherer();
    const done = enoughCandidates(gatherer, policy({ candidates: 'full' }), clock);
    gatherer.gather('gathering', host4);
    clock.advance(2_000);
    await done;
  });
  it('does not take the end of an earlier gathering for the end of this one', async () => {
    const clock = new FakeClock();
    const gatherer = new FakeGatherer();
    gatherer.gather('complete');
    const done = enoughCandidates(gatherer, policy(), clock);
    gatherer.gather('gathering', host4);
    await done;
  });
  it('says what is wrong when there is no address at all, or no TURN', async () => {
    const clock = new FakeClock();
    const none = enoughCandidates(new FakeGatherer(), policy(), clock);
    clock.advance(2_000);
    await expect(none).rejects.toMatchObject({ code: 'media.failed' });
    const turn = new FakeGatherer();
    const relayed = enoughCandidates(turn, policy({ iceTransportPolicy: 'relay' }), clock);
    turn.gather('complete', host4);
    await expect(relayed).rejects.toThrow(/TURN/);
  });

  it('puts neither TCP candidates nor a promise to trickle on the wire', () => {
    const sdp = ['m=audio 9', host4, tcp, 'a=ice-options:trickle', 'a=end-of-candidates', 'a=mid:0', ''].join('\r\n');
    expect(forTheWire(sdp)).toBe(['m=audio 9', host4, 'a=mid:0', ''].join('\r\n'));
    expect(forTheWire('a=ice-options:trickle ice2\r\n')).toBe('a=ice-options: ice2\r\n');
  });
});

describe('direction', () => {
  it.each([
    ['m=audio 1\r\na=sendonly\r\n', 'sendonly'],
    ['a=inactive\r\nm=audio 1\r\n', 'inactive'],
    ['a=sendonly\r\nm=audio 1\r\na=sendrecv\r\n', 'sendrecv'],
    ['m=video 1\r\na=sendonly\r\nm=audio 1\r\n', 'sendrecv'],
    ['m=audio 1\r\nc=IN IP4 0.0.0.0\r\n', 'inactive'],
  ])('is read from the audio line, then from the session: %#', (sdp, direction) => {
    expect(audioDirection(`v=0\r\n${sdp}`)).toBe(direction);
  });
});

describe('the caller', () => {
  const from = { displayName: 'Ada', user: '2001', host: 'pbx.example' };
  it('is who the network vouches for, else who says so', () => {
    expect(callerOf({ displayName: undefined, user: '+14155550101', host: 'x' }, from, false)).toEqual({
      number: '+14155550101',
    });
    expect(callerOf(undefined, from, false)).toEqual({ number: '2001', name: 'Ada' });
    expect(callerOf({ displayName: '', user: 'anonymous', host: 'anonymous.invalid' }, from, false).number).toBe(
      '2001',
    );
  });
  it('is nobody when withheld', () => {
    expect(callerOf(undefined, from, true)).toEqual({ number: '' });
    expect(callerOf(undefined, { ...from, user: 'anonymous' }, false)).toEqual({ number: '' });
    expect(wantsPrivacy('id')).toBe(true);
    expect(wantsPrivacy('critical; header')).toBe(true);
    expect(wantsPrivacy('none')).toBe(false);
    expect(wantsPrivacy(undefined)).toBe(false);
  });
  it('cannot disguise a name, and its number loses notation', () => {
    expect(
      callerOf(undefined, { ...from, displayName: 'Bank\u202Egro.live\u0000', user: '%2B491;phone-context=x' }, false),
    ).toEqual({
      number: '+491',
      name: 'Bankgro.live',
    });
    expect(callerOf(undefined, { ...from, user: '%ZZ' }, false).number).toBe('%ZZ');
    expect(callerOf(undefined, { ...from, displayName: 'x'.repeat(999) }, false).name).toHaveLength(255);
  });
});

describe('server addresses', () => {
  it.each(['wss://pbx.example:7443', 'ws://localhost:1', 'ws://127.0.0.1', 'ws://[::1]:80'])(
    'may carry SIP: %s',
    (url) => {
      expect(mayCarrySip(url)).toBe(true);
    },
  );
  it.each(['ws://pbx.example', 'ws://10.0.0.1', 'http://localhost', 'ws://127.0.0.1.evil.example', 'nonsense', ''])(
    'may not: %s',
    (url) => expect(mayCarrySip(url)).toBe(false),
  );
});

describe('mended messages', () => {
  const ringing = (...headers: string[]) => ['SIP/2.0 180 Ringing', 'CSeq: 2 INVITE', ...headers, '', ''].join('\r\n');
  it('gives a 180 what sip.js cannot do without', () => {
    expect(mendIncoming(ringing('To: <sip:2@x>'))).toBe(ringing('To: <sip:2@x>;tag=unstated', 'Contact: <sip:2@x>'));
    expect(mendIncoming(ringing('t: "A" <sip:2@x;p=1>;tag=9', 'm: <sip:3@y>'))).toBe(
      ringing('t: "A" <sip:2@x;p=1>;tag=9', 'm: <sip:3@y>'),
    );
  });
  it('leaves everything else as it is', () => {
    for (const message of [
      'INVITE sip:1@x SIP/2.0\r\nTo: <sip:1@x>\r\n\r\n',
      'SIP/2.0 100 Trying\r\nCSeq: 1 INVITE\r\nTo: <sip:1@x>\r\n\r\n',
      'SIP/2.0 180 Ringing\r\nCSeq: 1 INVITE\r\n\r\n',
      'SIP/2.0 183 x\r\nCSeq: 1 OPTIONS\r\nTo: <sip:1@x>\r\n\r\n',
      'SIP/2.0 ',
      '\u0000',
    ])
      expect(mendIncoming(message)).toBe(message);
  });
  it('names a body that nobody named: sip.js throws at those, where nobody catches', () => {
    const invite = (type: string, body: string) => `INVITE sip:1@x SIP/2.0\r\nTo: <sip:1@x>${type}\r\n\r\n${body}`;
    const named = (type: string) => `\r\nContent-Type: ${type}`;
    expect(mendIncoming(invite('', 'v=0\r\n'))).toBe(invite(named('application/sdp'), 'v=0\r\n'));
    expect(mendIncoming(invite('', 'x'))).toBe(invite(named('application/octet-stream'), 'x'));
    for (const type of [named('text/plain'), '\r\nc: text/plain', '\r\ncontent-type : a/b'])
      expect(mendIncoming(invite(type, 'v=0\r\n'))).toBe(invite(type, 'v=0\r\n'));
  });
  it('writes the type of a description the one way sip.js knows', () => {
    const invite = (type: string) => `INVITE sip:1@x SIP/2.0\r\n${type}\r\nTo: <sip:1@x>\r\n\r\nv=0\r\n`;
    for (const value of ['Application/SDP', 'application/sdp;charset=utf-8', 'APPLICATION/SDP ; a="b"'])
      expect(mendIncoming(invite(`c : ${value}`))).toBe(invite('c : application/sdp'));
    for (const value of ['application/sdpfrag', 'application/sdp;a=b;\r\n c=d', 'application/sdp x', 'multipart/mixed'])
      expect(mendIncoming(invite(`Content-Type: ${value}`))).toBe(invite(`Content-Type: ${value}`));
  });
  it('keeps a body untouched', () => {
    const body = 'v=0\r\nTo: not a header\r\n';
    const mended = mendIncoming(`SIP/2.0 183 x\r\nCSeq: 1 INVITE\r\nTo: <sip:1@x>;tag=1\r\n\r\n${body}`);
    expect(mended.endsWith(`Contact: <sip:1@x>\r\n\r\n${body}`)).toBe(true);
  });
});

describe('transfers', () => {
  it('reads the status line of a report', () => {
    expect(readSipfrag('SIP/2.0 486 Busy Here\r\n')).toEqual({ code: 486, phrase: 'Busy Here' });
    expect(readSipfrag('sip/2.0 200')).toEqual({ code: 200, phrase: '' });
    for (const bad of ['', 'HTTP/1.1 200 OK', 'SIP/2.0 999 x']) expect(readSipfrag(bad)).toBeNull();
  });
  it("names the dialog to be replaced from the target's side, escaped", () => {
    const dialog = {
      remoteTarget: { toString: () => 'sip:bob@10.0.0.1;ob' },
      callId: 'a@b;c',
      remoteTag: 'their',
      localTag: 'our',
    } as unknown as Parameters<typeof referToReplacing>[0];
    expect(referToReplacing(dialog)).toBe('<sip:bob@10.0.0.1;ob?Replaces=a%40b%3Bc%3Bto-tag%3Dtheir%3Bfrom-tag%3Dour>');
  });
});
