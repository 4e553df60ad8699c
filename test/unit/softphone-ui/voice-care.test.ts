/** The agent's choice of what becomes of their voice: how microphones are opened, what is kept, and what a failure of RNNoise leaves. */
import type { Profile } from '@patchcord/call-protocol';
import type { NoiseTrouble } from '@patchcord/phone-engine/audio';
import { FakeSound } from '@patchcord/phone-engine/testing';
import { signal } from '@preact/signals';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createVoiceCare, type VoiceCare } from '../../../packages/softphone-ui/src/later/voice-care.ts';
import { profile as sampleProfile } from '../../panel/sample-profile.ts';
import { until } from './panel-lab.ts';

interface Microphone {
  readonly asked: MediaTrackConstraints;
  readonly suppressed: boolean;
  stopped: boolean;
}

const kept = new Map<string, string>();
const storage = () => ({
  getItem: (key: string) => kept.get(key) ?? null,
  setItem: (key: string, value: string) => void kept.set(key, value),
});
const usualAsked = { echoCancellation: true, autoGainControl: true };

let sound: FakeSound;
let profile: ReturnType<typeof signal<Profile>>;
let role: ReturnType<typeof signal<'owner' | 'mirror'>>;
let notices: string[];
let reopened: number;
let loaded: number;
/** What loading gives; `works`: RNNoise. */
let gives: 'works' | NoiseTrouble;
/** What becomes of the next microphone that goes through it. */
let suppresses: 'works' | NoiseTrouble;
let tell: (trouble: NoiseTrouble) => void;
let stop: (() => void) | undefined;

beforeEach(() => {
  kept.clear();
  sound = new FakeSound();
  role = signal('owner');
  profile = signal(profileWith('rnnoise'));
  notices = [];
  reopened = 0;
  loaded = 0;
  gives = 'works';
  suppresses = 'works';
  sound.onMicrophoneChanged(() => {
    reopened += 1;
  });
});
afterEach(() => {
  stop?.();
  stop = undefined;
});

function profileWith(noiseSuppression: Profile['media']['noiseSuppression']): Profile {
  return { ...sampleProfile, media: { ...sampleProfile.media, noiseSuppression } };
}

function begin(): VoiceCare {
  const care = createVoiceCare(
    { sound, profile: profile as never, role: role as never, notify: (_tone, text) => void notices.push(text) },
    {
      storage,
      load: () => {
        loaded += 1;
        if (gives !== 'works') return Promise.resolve(gives);
        return Promise.resolve({
          suppress(microphone, told) {
            tell = told;
            if (suppresses !== 'works') return Promise.resolve(suppresses);
            return Promise.resolve(Object.assign(microphone, { suppressed: true }));
          },
        });
      },
    },
  );
  stop = care.start();
  return care;
}

/** As a call opens it. */
async function microphone(): Promise<Microphone> {
  const all: Microphone[] = [];
  const track = await sound.treatment?.((asked) => {
    const one = {
      asked,
      suppressed: false,
      stopped: false,
      stop() {
        one.stopped = true;
      },
    };
    all.push(one);
    return Promise.resolve(one as unknown as MediaStreamTrack);
  });
  const mine = all.find((one) => (one as unknown) === track);
  if (mine === undefined) throw new Error('another microphone than one that was taken');
  expect(all.filter((one) => one !== mine).every(({ stopped }) => stopped)).toBe(true);
  return mine;
}

it('opens microphones as ever, and loads nothing, while nobody chose anything', () => {
  const care = begin();
  expect(care.choice.value).toEqual({ noise: 'browser', echo: true, gain: true });
  expect(sound.treatment).toBeNull();
  expect(loaded).toBe(0);
});

it('goes through RNNoise from when it is loaded, instead of the browser’s own', async () => {
  const care = begin();
  care.choose({ noise: 'rnnoise' });
  expect(reopened).toBe(0);
  await until(() => reopened === 1);
  expect(await microphone()).toMatchObject({ asked: { ...usualAsked, noiseSuppression: false }, suppressed: true });
  care.choose({ noise: 'browser' });
  expect(reopened).toBe(2);
  expect(await microphone()).toMatchObject({ asked: {}, suppressed: false });
  expect(notices).toEqual([]);
});

it('asks the browser for what was chosen', async () => {
  const care = begin();
  care.choose({ echo: false });
  expect((await microphone()).asked).toEqual({ ...usualAsked, echoCancellation: false, noiseSuppression: true });
  care.choose({ gain: false, noise: 'off' });
  expect((await microphone()).asked).toEqual({
    echoCancellation: false,
    autoGainControl: false,
    noiseSuppression: false,
  });
});

it('keeps the choice over a reload', async () => {
  begin().choose({ noise: 'rnnoise', gain: false });
  stop?.();
  sound = new FakeSound();
  const again = begin();
  expect(again.choice.value).toEqual({ noise: 'rnnoise', echo: true, gain: false });
  await until(() => loaded === 2);
  kept.set('patchcord.voice', '{"noise":"loud","echo":0');
  expect(
    createVoiceCare({ sound, profile: profile as never, role: role as never, notify: () => {} }, { storage }).choice
      .value.noise,
  ).toBe('browser');
});

it('lets nobody have more than the profile says, also when it changes', async () => {
  profile.value = profileWith('browser');
  const care = begin();
  care.choose({ noise: 'rnnoise' });
  expect(care.choice.value.noise).toBe('browser');
  expect(loaded).toBe(0);
  profile.value = profileWith('rnnoise');
  await until(() => reopened === 1);
  profile.value = profileWith('off');
  expect((await microphone()).asked.noiseSuppression).toBe(false);
});

it('loads nothing in a frame that has no sound of calls, until it gets it', async () => {
  role.value = 'mirror';
  begin().choose({ noise: 'rnnoise' });
  expect(loaded).toBe(0);
  role.value = 'owner';
  await until(() => reopened === 1);
});

it.each(['forbidden', 'not-loaded'] as const)(
  'says so where it can’t be had (%s), and uses the browser’s own',
  async (why) => {
    gives = why;
    const care = begin();
    care.choose({ noise: 'rnnoise' });
    await until(() => notices.length === 1);
    expect(care.trouble.value).toBe(why);
    expect(notices[0]).toContain('browser’s own is used');
    // Nothing was changed, so nothing is opened anew.
    expect(reopened).toBe(0);
    expect(loaded).toBe(1);
    gives = 'works';
    care.choose({ noise: 'rnnoise' });
    await until(() => reopened === 1);
    expect(care.trouble.value).toBeNull();
  },
);

it('is turned off by an overload, once, and stays off until the agent turns it on', async () => {
  const care = begin();
  care.choose({ noise: 'rnnoise' });
  await until(() => reopened === 1);
  await microphone();
  tell('overload');
  expect(reopened).toBe(2);
  expect(await microphone()).toMatchObject({ asked: {}, suppressed: false });
  expect(care.choice.value.noise).toBe('browser');
  expect(kept.get('patchcord.voice')).toContain('"browser"');
  expect(notices).toHaveLength(1);
  expect(notices[0]).toContain('can’t keep up');
  care.choose({ noise: 'rnnoise' });
  expect(reopened).toBe(3);
  expect((await microphone()).suppressed).toBe(true);
});

it('gives the microphone as it is where RNNoise gives no sound', async () => {
  const care = begin();
  care.choose({ noise: 'rnnoise' });
  await until(() => reopened === 1);
  suppresses = 'silent';
  expect(await microphone()).toMatchObject({ asked: {}, suppressed: false });
  expect(care.trouble.value).toBe('silent');
  expect(notices).toHaveLength(1);
});

it('waits without a word when the browser does not let sound run yet, and says so the second time', async () => {
  const care = begin();
  care.choose({ noise: 'rnnoise' });
  await until(() => reopened === 1);
  suppresses = 'stopped';
  expect((await microphone()).suppressed).toBe(false);
  expect(notices).toEqual([]);
  care.choose({ noise: 'rnnoise' });
  expect((await microphone()).suppressed).toBe(false);
  expect(notices).toHaveLength(1);
});

it('opens once more when the choice was changed while the microphone was being opened', async () => {
  const care = begin();
  care.choose({ noise: 'rnnoise' });
  await until(() => reopened === 1);
  const opening = microphone();
  care.choose({ noise: 'off' });
  expect(await opening).toMatchObject({ asked: { noiseSuppression: false }, suppressed: false });
});
