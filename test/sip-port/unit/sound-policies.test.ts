/** The pure parts of a call's sound: what a description says, codecs in order, key tones, and the ways digits take. */
import { describe, expect, it } from 'vitest';
import { codecsInOrder } from '../../../packages/phone-engine/src/sip/codecs.ts';
import { DigitSender, type DigitSignalling } from '../../../packages/phone-engine/src/sip/digit-sender.ts';
import { frequenciesOf } from '../../../packages/phone-engine/src/sip/key-tones.ts';
import {
  inOrder,
  soundAlone,
  takesEvents,
  whyUnusable,
  withOpus,
} from '../../../packages/phone-engine/src/sip/sound-description.ts';
import { FakeClock } from '../../../packages/phone-engine/src/testing/fake-clock.ts';

const text = (...lines: string[]) => `${lines.join('\r\n')}\r\n`;
const session = ['v=0', 'o=- 1 1 IN IP4 127.0.0.1', 's=-', 'c=IN IP4 127.0.0.1', 't=0 0', 'a=group:BUNDLE v a'];
const video = ['m=video 4002 UDP/TLS/RTP/SAVPF 96', 'a=mid:v', 'a=candidate:1 1 udp 1 192.0.2.1 4002 typ host'];
const audio = (formats = '111 0 8 101') => [
  `m=audio 4000 UDP/TLS/RTP/SAVPF ${formats}`,
  'a=mid:a',
  'a=fingerprint:sha-256 AA',
  'a=rtpmap:111 opus/48000/2',
  'a=fmtp:111 minptime=10;useinbandfec=1',
  'a=rtcp-fb:111 nack',
  'a=rtpmap:101 telephone-event/8000',
];

describe('what a description offers', () => {
  it('is unusable without sound, without DTLS, or without a common codec, and says which', () => {
    expect(whyUnusable(text(...session, ...audio()), ['PCMA'])).toBeNull();
    // Static payload types need no rtpmap line.
    expect(whyUnusable(text(...session, ...audio('8')), ['PCMA'])).toBeNull();
    expect(whyUnusable(text(...session, ...audio('0')), ['PCMA'])).toMatch(/codec in common.*PCMA/);
    expect(whyUnusable(text(...session, ...video), [])).toMatch(/no sound/);
    expect(whyUnusable(text(...session, ...audio()).replace('4000', '0'), [])).toMatch(/no sound/);
    expect(whyUnusable(text(...session, ...audio().filter((line) => !line.includes('finger'))), [])).toMatch(/DTLS/);
    // A key that belongs to the video does not encrypt the sound.
    const elsewhere = [...audio().filter((line) => !line.includes('finger')), ...video, 'a=fingerprint:sha-256 AA'];
    expect(whyUnusable(text(...session, ...elsewhere), [])).toMatch(/DTLS/);
    for (const rubbish of ['', 'm=audio', 'm=audio x y z', '\r\n\r\n', 'm=audio 4000 RTP/AVP (((', 'a=fingerprint:x'])
      expect(typeof whyUnusable(rubbish, ['opus'])).toBe('string');
  });

  it('keeps the codecs of the profile in its order, with telephone events, and drops what belongs to the others', () => {
    const kept = inOrder(text(...session, ...audio()), ['PCMA', 'G722', 'PCMU']);
    expect(kept).toMatch(/^m=audio 4000 UDP\/TLS\/RTP\/SAVPF 8 0 101\r$/m);
    expect(kept).not.toMatch(/^a=(rtpmap|fmtp|rtcp-fb):111/m);
    expect(inOrder(text(...session, ...audio()), [])).toBe(text(...session, ...audio()));
    expect(takesEvents(kept)).toBe(true);
    expect(takesEvents(text(...session, ...audio('0 8')))).toBe(false);
  });

  it('is reduced to its first sound, with the candidates that stood under another line', () => {
    const alone = soundAlone(text(...session, ...video, ...audio(), 'm=audio 4004 UDP/TLS/RTP/SAVPF 0'));
    expect(alone).toMatch(/^a=group:BUNDLE a\r$/m);
    expect(alone).toMatch(/^m=video 0 /m);
    expect(alone).toMatch(/^m=audio 4000 [\s\S]*^a=candidate:1 1 udp[\s\S]*^m=audio 0 /m);
    expect(soundAlone(text(...session, ...audio()))).toBe(text(...session, ...audio()));
  });

  it('gets the parameters of opus, and keeps the others', () => {
    const sdp = withOpus(text(...session, ...audio()), { useinbandfec: '0', usedtx: '1' });
    expect(sdp).toMatch(/^a=fmtp:111 minptime=10;useinbandfec=0;usedtx=1\r$/m);
    const bare = text(...session, ...audio().filter((line) => !line.startsWith('a=fmtp')));
    expect(withOpus(bare, { usedtx: '1' })).toMatch(/^a=rtpmap:111 opus\/48000\/2\r\na=fmtp:111 usedtx=1\r$/m);
    expect(withOpus(text(...session, ...audio('0')), { usedtx: '1' })).toBe(text(...session, ...audio('0')));
  });
});

describe('codecs', () => {
  const of = (name: string, clockRate: number): RTCRtpCodec => ({ mimeType: `audio/${name}`, clockRate });
  const capable = [
    of('opus', 48_000),
    of('red', 48_000),
    of('G722', 8_000),
    of('PCMU', 8_000),
    of('PCMA', 8_000),
    of('CN', 8_000),
    of('telephone-event', 48_000),
    of('telephone-event', 8_000),
  ];
  const names = (codecs: Parameters<typeof codecsInOrder>[1]) =>
    codecsInOrder(capable, codecs).map(({ mimeType, clockRate }) => `${mimeType.slice(6)}/${clockRate / 1_000}`);

  it('stand in the profile order, with events at their clock rates, and nothing else', () => {
    expect(names(['PCMU'])).toEqual(['PCMU/8', 'telephone-event/8', 'CN/8']);
    expect(names(['G722', 'opus'])).toEqual(['G722/8', 'opus/48', 'telephone-event/48', 'telephone-event/8', 'CN/8']);
    expect(names([])).toHaveLength(capable.length);
    expect(() => codecsInOrder(capable.slice(0, 1), ['PCMU'])).toThrow(/none of the codecs.*PCMU/);
  });
});

describe('digits', () => {
  it('have the two frequencies of their row and column', () => {
    expect(frequenciesOf('1')).toEqual([697, 1209]);
    expect(frequenciesOf('5')).toEqual([770, 1336]);
    expect(frequenciesOf('#')).toEqual([941, 1477]);
    expect(frequenciesOf('D')).toEqual([941, 1633]);
    for (const none of [',', '', 'E', '12']) expect(frequenciesOf(none)).toBeUndefined();
  });

  /** A sender without a browser: what reached which way, in order. */
  function senderFor(
    way: 'rfc4733' | 'info',
    far: { readonly events: boolean; readonly takesInfo?: boolean; readonly status?: number },
  ) {
    const clock = new FakeClock();
    const sent: string[] = [];
    const events = {
      toneBuffer: '',
      insertDTMF: (tones: string) => sent.push(`events ${tones}`),
    } as unknown as RTCDTMFSender;
    const signalling: DigitSignalling = {
      takesInfo: () => far.takesInfo,
      info: (body) => {
        sent.push(`info ${/Signal=(\S)/.exec(body)?.[1]}`);
        return Promise.resolve(far.status ?? 200);
      },
    };
    const sender = new DigitSender({
      way,
      clock,
      sound: {
        trouble: () => Promise.resolve(''),
        events: () => (far.events ? events : undefined),
        leave: () => undefined,
        press: () => Promise.resolve(),
      },
      newAudioContext: () => {
        sent.push('in-band');
        throw new Error('no sound here');
      },
    });
    const send = async (digits: string) => {
      let outcome: string | undefined;
      void sender.send(digits, signalling).then((why) => {
        outcome = why;
      });
      for (let step = 0; step < 200 && outcome === undefined; step += 1) {
        await new Promise((resolve) => setImmediate(resolve));
        clock.advance(100);
      }
      return outcome;
    };
    return { send, sent };
  }

  it.each([
    ['rfc4733', { events: true, takesInfo: true }, ['events 12']],
    ['rfc4733', { events: false, takesInfo: true }, ['info 1', 'info 2']],
    // Who did not name INFO is not trusted to understand it.
    ['rfc4733', { events: false }, ['in-band']],
    ['rfc4733', { events: false, takesInfo: false }, ['in-band']],
    ['info', { events: true }, ['info 1', 'info 2']],
    ['info', { events: true, takesInfo: false }, ['events 12']],
    ['info', { events: true, status: 415 }, ['info 1', 'events 12']],
    ['info', { events: false, status: 500 }, ['info 1', 'in-band']],
  ] as const)('take the way %s where the far side has %o', async (way, far, sent) => {
    const it = senderFor(way, far);
    const outcome = await it.send('12');
    expect(it.sent).toEqual(sent);
    if (sent.at(-1) === 'in-band') expect(outcome).not.toBe('');
    else expect(outcome).toBe('');
  });

  it('say the first reason when no way is left', async () => {
    expect(await senderFor('info', { events: false, status: 503 }).send('1')).toContain('INFO was answered with 503');
    expect(await senderFor('info', { events: false, status: 0 }).send('1')).toContain('line is down');
  });
});
