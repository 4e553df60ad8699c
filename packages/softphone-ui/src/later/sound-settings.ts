/**
 * Microphone, speaker and ringer for the settings screen, and the test of the microphone. Owns the microphone only while the test runs; a
 * call has its own. Must never open the microphone by itself.
 */
import type { SoundDevices, SoundPort } from '@patchcord/phone-engine';
import { type ReadonlySignal, signal } from '@preact/signals';
import { heardLevel, measureEveryMs, openMicrophoneMeter } from '../microphone-meter.ts';
import { words } from './words.ts';

export interface SoundSettings {
  readonly devices: ReadonlySignal<SoundDevices | null>;
  readonly problem: ReadonlySignal<string | null>;
  readonly testing: ReadonlySignal<boolean>;
  /** Loudness of the microphone under test, 0 to 100. */
  readonly level: ReadonlySignal<number>;
  /** The microphone under test has been heard. */
  readonly heard: ReadonlySignal<boolean>;
  load(): Promise<void>;
  choose(kind: 'microphone' | 'speaker' | 'ringer', id: string): Promise<void>;
  startTest(): Promise<void>;
  stopTest(): void;
}

const known = new WeakMap<SoundPort, SoundSettings>();

/** The settings of this frame's sound, the same each time. Reads nothing until `load`. */
export function soundSettingsOf(sound: SoundPort): SoundSettings {
  const mine = known.get(sound) ?? createSoundSettings(sound);
  known.set(sound, mine);
  return mine;
}

function createSoundSettings(sound: SoundPort): SoundSettings {
  const devices = signal<SoundDevices | null>(null);
  const problem = signal<string | null>(null);
  const testing = signal(false);
  const level = signal(0);
  const heard = signal(false);
  let endTest: (() => void) | null = null;

  async function attempt(work: () => Promise<void>): Promise<void> {
    try {
      problem.value = null;
      await work();
    } catch (error) {
      problem.value = error instanceof Error && error.message !== '' ? error.message : words.soundFailed;
    }
  }

  async function load(): Promise<void> {
    await attempt(async () => {
      devices.value = await sound.devices();
    });
  }

  function stopTest(): void {
    endTest?.();
    endTest = null;
    testing.value = false;
    level.value = 0;
  }

  sound.onDevicesChanged(() => {
    // Only who has looked wants to know.
    if (devices.value !== null) void load();
  });

  return {
    devices,
    problem,
    testing,
    level,
    heard,
    load,
    async choose(kind, id) {
      await attempt(() => sound.choose(kind, id));
      const again = testing.value && kind === 'microphone';
      if (again) stopTest();
      await load();
      if (again) await this.startTest();
    },
    async startTest() {
      if (testing.value) return;
      testing.value = true;
      heard.value = false;
      await attempt(async () => {
        const track = await sound.microphone();
        const meter = openMicrophoneMeter(track);
        const timer = setInterval(() => {
          level.value = meter.level();
          if (level.value > heardLevel) heard.value = true;
        }, measureEveryMs);
        endTest = () => {
          clearInterval(timer);
          meter.close();
          track.stop();
        };
        // The agent may have stopped the test while the browser was asking.
        if (!testing.value) stopTest();
      });
      if (problem.value !== null) stopTest();
      // Labels of devices are known once the microphone was allowed.
      await load();
    },
    stopTest,
  };
}
