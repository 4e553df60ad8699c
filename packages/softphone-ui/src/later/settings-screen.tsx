/** Devices and the test of the microphone; where calls go; whose phone this is. */
import type { SoundDevice, SoundDevices } from '@patchcord/phone-engine';
import { useEffect, useId } from 'preact/hooks';
import type { Panel } from '../panel.ts';
import type { SoftphoneModel } from '../softphone-model.ts';
import { ForwardingGroup } from './forwarding-group.tsx';
import { type SoundSettings, soundSettingsOf } from './sound-settings.ts';
import { VoiceChoices } from './voice-choices.tsx';
import { words } from './words.ts';

export function SettingsScreen({ panel, model }: { readonly panel: Panel; readonly model: SoftphoneModel }) {
  const { agent, tenant } = model.profile.value;
  const { value: role } = model.role;
  const sound = role === 'mirror' || role === 'ownerless' ? null : model.sound;
  return (
    <div class="settings">
      <section class="group">
        <h2 class="group-title">{words.soundTitle}</h2>
        {sound === null ? (
          <p class="quiet">
            {role === 'ownerless'
              ? words.soundNowhere
              : model.hasPhoneWindow
                ? words.soundInWindow
                : words.soundElsewhere}
          </p>
        ) : (
          <>
            <SoundGroup sound={soundSettingsOf(sound)} />
            <VoiceChoices model={model} />
          </>
        )}
      </section>
      {model.features.value.forwarding !== null && <ForwardingGroup model={model} />}
      <section class="group">
        <h2 class="group-title">{words.setUpTitle}</h2>
        <p class="quiet">{words.setUpAdvice}</p>
        <button type="button" class="button" data-self-test onClick={() => (panel.selfTestOpen.value = true)}>
          {words.title}
        </button>
      </section>
      <section class="group">
        <h2 class="group-title">{words.accountTitle}</h2>
        <dl class="facts">
          <dt>{words.agent}</dt>
          <dd>
            <bdi>{agent.name}</bdi>
          </dd>
          <dt>{words.extension}</dt>
          <dd class="digits">{agent.extension}</dd>
          <dt>{words.organisation}</dt>
          <dd>
            <bdi>{tenant.name}</bdi>
          </dd>
        </dl>
        {model.signOut !== null && (
          <button type="button" class="button button-wide" onClick={() => void model.signOut?.()}>
            {words.signOut}
          </button>
        )}
      </section>
    </div>
  );
}

function SoundGroup({ sound }: { readonly sound: SoundSettings }) {
  useEffect(() => {
    void sound.load();
    return () => sound.stopTest();
  }, [sound]);
  const devices = sound.devices.value;
  const problem = sound.problem.value;
  const testing = sound.testing.value;
  return (
    <>
      {devices !== null && <DeviceChoices sound={sound} devices={devices} />}
      <button
        type="button"
        class="button button-wide"
        onClick={() => (testing ? sound.stopTest() : void sound.startTest())}
      >
        {testing ? words.stopTest : words.testMicrophone}
      </button>
      {testing && (
        <div class="test">
          <meter class="level" min={0} max={100} value={sound.level.value} aria-label={words.microphoneLevel} />
          <p class="quiet" role="status">
            {sound.heard.value ? words.microphoneHeard : words.speakNow}
          </p>
        </div>
      )}
      {problem !== null && (
        <p class="number-says is-problem" role="alert">
          {problem}
        </p>
      )}
    </>
  );
}

function DeviceChoices({ sound, devices }: { readonly sound: SoundSettings; readonly devices: SoundDevices }) {
  return (
    <>
      <DeviceChoice
        label={words.microphone}
        devices={devices.microphones}
        chosen={devices.microphone}
        choose={(id) => void sound.choose('microphone', id)}
      />
      {devices.canChooseSpeaker ? (
        <>
          <DeviceChoice
            label={words.speaker}
            devices={devices.speakers}
            chosen={devices.speaker}
            choose={(id) => void sound.choose('speaker', id)}
          />
          <DeviceChoice
            label={words.ringer}
            devices={devices.speakers}
            chosen={devices.ringer}
            choose={(id) => void sound.choose('ringer', id)}
          />
        </>
      ) : (
        <p class="quiet">{words.speakerFixed}</p>
      )}
    </>
  );
}

function DeviceChoice({
  label,
  devices,
  chosen,
  choose,
}: {
  readonly label: string;
  readonly devices: readonly SoundDevice[];
  readonly chosen: string;
  readonly choose: (id: string) => void;
}) {
  const id = useId();
  const others = devices.filter((device) => device.id !== 'default' && device.id !== '');
  return (
    <div class="field">
      <label class="field-label" for={id}>
        {label}
      </label>
      <select id={id} class="select" value={chosen} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="default">{words.systemDefault}</option>
        {others.map((device, index) => (
          <option key={device.id} value={device.id}>
            {device.label === '' ? words.deviceNumber(label, index + 1) : device.label}
          </option>
        ))}
      </select>
    </div>
  );
}
