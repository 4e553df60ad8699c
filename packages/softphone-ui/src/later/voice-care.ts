/**
 * What becomes of the agent's voice before it is sent: noise suppression, echo cancellation, automatic gain. Owns the agent's choice, kept in this browser,
 * and what is made of it: how microphones are opened. Must never keep a call waiting: until RNNoise is there, and whenever it fails, the browser's own
 * suppression is used.
 */
import type { MicrophoneTreatment, SoundPort } from '@patchcord/phone-engine';
import { loadNoiseSuppression, type NoiseSuppressor, type NoiseTrouble } from '@patchcord/phone-engine/audio';
import { computed, effect, type ReadonlySignal, signal } from '@preact/signals';
import type { SoftphoneModel } from '../softphone-model.ts';
import { words } from './words.ts';

/** `rnnoise`: on the device, by the phone itself. */
export type NoiseChoice = 'off' | 'browser' | 'rnnoise';

export interface VoiceChoice {
  readonly noise: NoiseChoice;
  readonly echo: boolean;
  readonly gain: boolean;
}

export interface VoiceCare {
  /** The agent's choice, within what the profile lets them have. */
  readonly choice: ReadonlySignal<VoiceChoice>;
  /** The most that the profile lets them have. */
  readonly most: ReadonlySignal<NoiseChoice>;
  /** Why RNNoise, which was chosen, is not used; null: it is, or was not chosen. */
  readonly trouble: ReadonlySignal<NoiseTrouble | null>;
  choose(change: Partial<VoiceChoice>): void;
  /** Follows the choice until the returned function is called. */
  start(): () => void;
}

export type VoiceCareModel = Pick<SoftphoneModel, 'profile' | 'role' | 'notify'> & { readonly sound: SoundPort };

export interface VoiceCareOptions {
  readonly storage?: () => Pick<Storage, 'getItem' | 'setItem'>;
  readonly load?: () => Promise<NoiseSuppressor | NoiseTrouble>;
}

const storageKey = 'patchcord.voice';
const usual: VoiceChoice = { noise: 'browser', echo: true, gain: true };
const choices: readonly NoiseChoice[] = ['off', 'browser', 'rnnoise'];
const gestures = ['pointerdown', 'keydown'] as const;
/** A browser that stops the sound again is not asked a third time. */
const stopsMost = 2;

const known = new WeakMap<SoftphoneModel, VoiceCare>();

/** Of this frame, the same each time; null: it has no sound. */
export function voiceCareOf(model: SoftphoneModel): VoiceCare | null {
  const { sound } = model;
  if (sound === null) return null;
  const mine = known.get(model) ?? createVoiceCare({ ...model, sound });
  known.set(model, mine);
  return mine;
}

/** Does nothing before `start`. */
export function createVoiceCare(model: VoiceCareModel, options: VoiceCareOptions = {}): VoiceCare {
  const { sound, profile } = model;
  const { storage = () => localStorage, load = loadSuppressor } = options;
  const chosen = signal(remembered(storage));
  const trouble = signal<NoiseTrouble | null>(null);
  const suppressor = signal<NoiseSuppressor | null>(null);
  let loading = false;
  let stops = 0;
  let stopWaiting: (() => void) | null = null;

  const most = computed(() => profile.value.media.noiseSuppression);
  const choice = computed(() => ({
    ...chosen.value,
    noise: choices[Math.min(choices.indexOf(chosen.value.noise), choices.indexOf(most.value))] ?? 'off',
  }));
  /** How microphones are opened; null: as ever. */
  const manner = computed(() => {
    const { noise, echo, gain } = choice.value;
    const through = noise === 'rnnoise' && trouble.value === null ? suppressor.value : null;
    if (through === null && noise !== 'off' && echo && gain) return null;
    return {
      through,
      instead: {
        echoCancellation: echo,
        autoGainControl: gain,
        noiseSuppression: through === null && noise !== 'off',
      },
    };
  });

  /** The choice may change while a microphone is being opened: whoever asked gets one of the last. */
  const treatment: MicrophoneTreatment = async (take) => {
    for (;;) {
      const now = manner.peek();
      const track = await opened(now, take);
      if (track !== null && manner.peek() === now) return track;
      track?.stop();
    }
  };

  async function opened(
    now: typeof manner.value,
    take: Parameters<MicrophoneTreatment>[0],
  ): Promise<MediaStreamTrack | null> {
    const microphone = await take(now?.instead ?? {});
    if (!now?.through) return microphone;
    const track = await now.through.suppress(microphone, fell);
    if (typeof track !== 'string') return track;
    microphone.stop();
    fell(track);
    return null;
  }

  /** From here on the browser's own, until the agent chooses again or loads the page anew; an overload would come back with that. */
  function fell(why: NoiseTrouble): void {
    if (why === 'stopped' && ++stops < stopsMost) {
      trouble.value = why;
      afterGesture(() => {
        if (trouble.peek() === why) trouble.value = null;
      });
      return;
    }
    if (why === 'overload') choose({ noise: 'browser' });
    else chosen.value = { ...chosen.peek(), noise: 'browser' };
    trouble.value = why;
    model.notify('warning', words.noiseTroubles[why]);
  }

  function afterGesture(run: () => void): void {
    stopWaiting?.();
    const once = () => {
      stopWaiting?.();
      run();
    };
    stopWaiting = () => {
      for (const gesture of gestures) globalThis.removeEventListener?.(gesture, once, { capture: true });
      stopWaiting = null;
    };
    for (const gesture of gestures) globalThis.addEventListener?.(gesture, once, { capture: true });
  }

  async function fetchSuppressor(): Promise<void> {
    if (loading) return;
    loading = true;
    const found = await load().catch(() => 'not-loaded' as const);
    loading = false;
    if (typeof found === 'string') fell(found);
    else suppressor.value = found;
  }

  function choose(change: Partial<VoiceChoice>): void {
    const next = { ...chosen.peek(), ...change };
    chosen.value = next;
    if (change.noise !== undefined) trouble.value = null;
    try {
      storage().setItem(storageKey, JSON.stringify(next));
    } catch {
      // Blocked or full storage: the choice lives in memory only.
    }
  }

  return {
    choice,
    most,
    trouble,
    choose,
    start() {
      let applied: typeof manner.value = null;
      const stopApplying = effect(() => {
        const now = manner.value;
        // Only who has the phone opens a microphone.
        if (model.role.value !== 'owner' || now === applied) return;
        applied = now;
        sound.treat(treatment);
      });
      const stopLoading = effect(() => {
        const wants = choice.value.noise === 'rnnoise' && trouble.value === null && suppressor.value === null;
        if (wants && model.role.value === 'owner') void fetchSuppressor();
      });
      // Another tab of this agent.
      const follow = ({ key }: StorageEvent) => {
        if (key === storageKey) chosen.value = remembered(storage);
      };
      globalThis.addEventListener?.('storage', follow);
      return () => {
        stopApplying();
        stopLoading();
        stopWaiting?.();
        globalThis.removeEventListener?.('storage', follow);
      };
    },
  };
}

async function loadSuppressor(): Promise<NoiseSuppressor | NoiseTrouble> {
  return (await loadNoiseSuppression()).openNoiseSuppressor();
}

function remembered(storage: () => Pick<Storage, 'getItem'>): VoiceChoice {
  try {
    const stored: unknown = JSON.parse(storage().getItem(storageKey) ?? '{}');
    if (typeof stored !== 'object' || stored === null) return usual;
    const { noise, echo, gain } = stored as Record<string, unknown>;
    return {
      noise: choices.find((one) => one === noise) ?? usual.noise,
      echo: echo !== false,
      gain: gain !== false,
    };
  } catch {
    // Nothing readable is the same as nothing chosen.
    return usual;
  }
}
