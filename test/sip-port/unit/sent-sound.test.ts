/** A hold lets the key that is just leaving end, and nothing else. */
import { newCallId } from '@patchcord/call-protocol';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { SentSound } from '../../../packages/phone-engine/src/sip/sent-sound.ts';

const call = newCallId();

async function sending() {
  const clock = new FakeClock();
  const done: string[] = [];
  const microphone = { enabled: true, label: '', stop: () => undefined } as unknown as MediaStreamTrack;
  const sound = {
    microphone: () => Promise.resolve(microphone),
    onMicrophoneChanged: () => () => undefined,
    /** What a notice makes of what is sent; null: there is none. */
    mixer: null as null | ((track: MediaStreamTrack) => MediaStreamTrack),
    again: (): void => undefined,
    sends(_: string, track: MediaStreamTrack | null, again?: () => void) {
      if (again) sound.again = again;
      return again && track && sound.mixer ? sound.mixer(track) : track;
    },
  };
  const sender = {
    replaceTrack: (track: MediaStreamTrack | null) => {
      done.push(track === null ? 'nothing' : track.label === '' ? 'microphone' : track.label);
      return Promise.resolve();
    },
    dtmf: { insertDTMF: (tones: string) => void done.push(`keys "${tones}"`) },
  } as unknown as RTCRtpSender;
  const sent = new SentSound(call, sound as never, clock, () => undefined);
  await sent.open();
  await sent.through(sender);
  done.length = 0;
  return { clock, done, microphone, sent, sound };
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

it('sends what a notice is mixed into, but key tones as they are, and on hold nothing', async () => {
  const { done, sent, sound } = await sending();
  sound.mixer = () => ({ label: 'microphone and notice' }) as MediaStreamTrack;
  sound.again();
  await sent.press({ label: 'keys' } as MediaStreamTrack);
  await sent.press(undefined);
  await sent.hold(true);
  sound.mixer = null;
  await sent.hold(false);
  expect(done).toEqual(['microphone and notice', 'keys', 'microphone and notice', 'nothing', 'microphone']);
});
