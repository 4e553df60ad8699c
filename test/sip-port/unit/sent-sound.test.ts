/** A hold lets the key that is just leaving end, and nothing else. */
import { newCallId } from '@patchcord/call-protocol';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { SentSound } from '../../../packages/phone-engine/src/sip/sent-sound.ts';

const call = newCallId();

async function sending() {
  const clock = new FakeClock();
  const done: string[] = [];
  const microphone = { enabled: true, stop: () => undefined } as unknown as MediaStreamTrack;
  const sound = {
    microphone: () => Promise.resolve(microphone),
    onMicrophoneChanged: () => () => undefined,
    sends: () => undefined,
  };
  const sender = {
    replaceTrack: (track: MediaStreamTrack | null) => {
      done.push(track === null ? 'nothing' : 'microphone');
      return Promise.resolve();
    },
    dtmf: { insertDTMF: (tones: string) => void done.push(`keys "${tones}"`) },
  } as unknown as RTCRtpSender;
  const sent = new SentSound(call, sound as never, clock, () => undefined);
  await sent.open();
  await sent.through(sender);
  done.length = 0;
  return { clock, done, microphone, sent };
}

it('sends nothing at once when no key is leaving', async () => {
  const { done, sent } = await sending();
  await sent.hold(true);
  expect(done).toEqual(['nothing']);
});

it('waits for the end of a key in silence, however often the hold is asked for', async () => {
  const { clock, done, microphone, sent } = await sending();
  sent.keysLeave(340);
  const both = Promise.all([sent.hold(true), sent.hold(true)]);
  await Promise.resolve();
  expect(done).toEqual(['keys ""']);
  expect(microphone.enabled).toBe(false);
  clock.advance(200);
  await both;
  expect(done).toEqual(['keys ""', 'nothing', 'nothing']);
  await sent.hold(false);
  expect(done.at(-1)).toBe('microphone');
  expect(microphone.enabled).toBe(true);
});

it('leaves a muted microphone muted', async () => {
  const { clock, microphone, sent } = await sending();
  sent.mute(true);
  sent.keysLeave(340);
  const held = sent.hold(true);
  clock.advance(200);
  await held;
  expect(microphone.enabled).toBe(false);
});
