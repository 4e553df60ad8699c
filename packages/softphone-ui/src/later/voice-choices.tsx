/** Noise suppression, echo cancellation and gain, for the settings and for a call; and what follows them while nobody looks. */
import { useEffect, useId } from 'preact/hooks';
import type { SoftphoneModel } from '../softphone-model.ts';
import { openRecordingByAddress } from './listening.ts';
import { type NoiseChoice, type VoiceCare, voiceCareOf } from './voice-care.ts';
import { words } from './words.ts';

/** Draws nothing. Beside everything else, for as long as the phone is there. */
export function VoiceKeeper({ model }: { readonly model: SoftphoneModel }) {
  useEffect(() => voiceCareOf(model)?.start(), [model]);
  useEffect(
    () =>
      openRecordingByAddress(model, () => {
        history.replaceState(history.state, '', location.pathname + location.search);
        model.showTab('recent');
      }),
    [model],
  );
  return null;
}

export function VoiceChoices({ model }: { readonly model: SoftphoneModel }) {
  const id = useId();
  const care = voiceCareOf(model);
  if (care === null) return null;
  const { noise, echo, gain } = care.choice.value;
  const most = care.most.value;
  const trouble = care.trouble.value;
  return (
    <>
      {most !== 'off' && (
        <div class="field">
          <label class="field-label" for={id}>
            {words.noise}
          </label>
          <select
            id={id}
            class="select"
            value={noise}
            onChange={(event) => care.choose({ noise: event.currentTarget.value as NoiseChoice })}
          >
            <option value="off">{words.noiseOff}</option>
            <option value="browser">{words.noiseBrowser}</option>
            {most === 'rnnoise' && <option value="rnnoise">{words.noiseStrong}</option>}
          </select>
          <NoiseTrouble why={trouble} />
        </div>
      )}
      <label class="voice-switch">
        <input type="checkbox" checked={echo} onChange={() => care.choose({ echo: !echo })} />
        {words.echo}
      </label>
      <label class="voice-switch">
        <input type="checkbox" checked={gain} onChange={() => care.choose({ gain: !gain })} />
        {words.gain}
      </label>
    </>
  );
}

/** In a call; only the frame that has the sound can. */
export function NoiseSwitch({ model }: { readonly model: SoftphoneModel }) {
  const care = voiceCareOf(model);
  if (care === null || care.most.value !== 'rnnoise' || model.role.value !== 'owner') return null;
  const on = care.choice.value.noise === 'rnnoise';
  return (
    <>
      <button
        type="button"
        class="button button-wide"
        onClick={() => care.choose({ noise: on ? 'browser' : 'rnnoise' })}
      >
        {on ? words.noiseSwitchOff : words.noiseSwitchOn}
      </button>
      <NoiseTrouble why={care.trouble.value} />
    </>
  );
}

function NoiseTrouble({ why }: { readonly why: VoiceCare['trouble']['value'] }) {
  if (why === null) return null;
  return (
    <p class="number-says is-problem" role="status">
      {words.noiseTroubles[why]}
    </p>
  );
}
