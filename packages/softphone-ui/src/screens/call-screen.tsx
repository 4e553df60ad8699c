/** A call in progress: who, how long, what can be done. Sheets (keypad, transfer, second call) lie where the note is. */
import type { CallState } from '@patchcord/phone-engine';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from '../icon.tsx';
import type { Sheet } from '../layout.ts';
import { CallPerson } from '../parts/call-person.tsx';
import { BesideCalls } from '../parts/call-strips.tsx';
import { CallTimer } from '../parts/call-timer.tsx';
import { stateWords } from '../parts/call-words.ts';
import { Keypad } from '../parts/keypad.tsx';
import { IfLoaded, LaterPlace } from '../parts/later-place.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function CallScreen({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const sheet = model.sheet.value;
  const words = stateWords(call);
  const Transcript = model.transcript.value;
  const place = useRef<HTMLDivElement>(null);
  // What was opened is seen as a whole, where it fits.
  useEffect(() => place.current?.querySelector('.sheet')?.scrollIntoView({ block: 'nearest' }), [sheet]);
  return (
    <div ref={place} class="call">
      <section class="call-card" aria-label={nameOfCall(call, model.numbers.value)}>
        <CallPerson model={model} call={call} />
        <p class="call-state">
          {call.phase === 'active' && call.answeredAt !== null && (
            <CallTimer ticker={model.ticker} since={call.answeredAt} />
          )}
          {words !== '' && <span class={call.phase === 'active' ? 'call-words is-marked' : 'call-words'}>{words}</span>}
        </p>
        {Transcript && <Transcript call={call} recording />}
        {call.trouble !== null && <p class="call-trouble">{call.trouble}</p>}
        <IfLoaded>
          {({ AboutChoice, RecordChoice }) => (
            <>
              <RecordChoice model={model} call={call} />
              {call.phase === 'active' && <AboutChoice model={model} call={call} folded />}
            </>
          )}
        </IfLoaded>
      </section>
      {call.transfer !== null && (
        <button
          type="button"
          class="button button-wide"
          aria-disabled={call.transfer.status === 'cancelling'}
          onClick={() => void model.cancelTransfer(call.id)}
        >
          {texts.takeBack}
        </button>
      )}
      <IfLoaded>{({ ConferenceMembers }) => <ConferenceMembers model={model} call={call} />}</IfLoaded>
      <BesideCalls model={model} />
      <IfLoaded>{({ ConsultActs }) => <ConsultActs model={model} call={call} />}</IfLoaded>
      <CallControls model={model} call={call} />
      {sheet === 'none' && Transcript && <Transcript call={call} />}
      {sheet === 'keypad' ? (
        <DigitsSheet model={model} call={call} />
      ) : (
        <LaterPlace>
          {({ MoreSheet, NewCallSheet, NoteField, TransferSheet }) => {
            if (sheet === 'transfer') return <TransferSheet model={model} call={call} full={isFull(model)} />;
            if (sheet === 'new-call') return <NewCallSheet model={model} />;
            return sheet === 'more' ? <MoreSheet model={model} call={call} /> : <NoteField model={model} call={call} />;
          }}
        </LaterPlace>
      )}
      <div class="foot">
        <button type="button" class="button button-danger button-wide" onClick={() => void model.hangUp(call.id)}>
          <Icon name="hangUp" />
          {texts.hangUp}
        </button>
      </div>
    </div>
  );
}

function CallControls({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const active = call.phase === 'active' && !call.recovering;
  const full = isFull(model);
  const changing = call.hold === 'placing' || call.hold === 'lifting';
  return (
    <div class="controls" title={call.recovering ? texts.takingUpWhy : undefined}>
      <Control
        icon={call.muted ? 'muted' : 'mute'}
        label={call.muted ? texts.unmute : texts.mute}
        on={call.muted}
        enabled={call.phase === 'active' || call.phase === 'dialing' || call.phase === 'ringing'}
        act={() => void model.toggleMute(call)}
      />
      <Control
        icon={call.hold === 'off' ? 'hold' : 'resume'}
        label={call.hold === 'off' ? texts.hold : texts.resume}
        on={call.hold !== 'off'}
        enabled={active && !changing}
        act={() => void model.toggleHold(call)}
      />
      <SheetControl model={model} sheet="keypad" icon="keypad" label={texts.keypad} enabled={active} />
      {call.consultFor === null && (
        <SheetControl model={model} sheet="transfer" icon="transfer" label={texts.transfer} enabled={active} />
      )}
      {!full && <SheetControl model={model} sheet="new-call" icon="newCall" label={texts.newCall} enabled={active} />}
      {hasMore(model) && <SheetControl model={model} sheet="more" icon="more" label={texts.more} enabled={active} />}
    </div>
  );
}

/** A control that can't act now stays where it is and keeps the focus: it says so and does nothing. */
function Control({
  icon,
  label,
  on,
  enabled,
  act,
}: {
  readonly icon: IconName;
  readonly label: string;
  readonly on: boolean;
  readonly enabled: boolean;
  readonly act: () => void;
}) {
  return (
    <button
      type="button"
      class={on ? 'control is-on' : 'control'}
      aria-disabled={!enabled}
      onClick={() => {
        if (enabled) act();
      }}
    >
      <Icon name={icon} size={22} />
      <span>{label}</span>
    </button>
  );
}

function SheetControl({
  model,
  sheet,
  icon,
  label,
  enabled,
}: {
  readonly model: SoftphoneModel;
  readonly sheet: Sheet;
  readonly icon: IconName;
  readonly label: string;
  readonly enabled: boolean;
}) {
  const open = model.sheet.value === sheet;
  return (
    <button
      type="button"
      class={open ? 'control is-open' : 'control'}
      aria-disabled={!enabled && !open}
      aria-expanded={open}
      data-sheet={sheet}
      onClick={() => {
        if (enabled || open) model.showSheet(sheet);
      }}
    >
      <Icon name={icon} size={22} />
      <span>{label}</span>
    </button>
  );
}

function DigitsSheet({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  return (
    <section class="sheet" aria-label={texts.keypad}>
      <output class="digits-sent digits" aria-label={texts.digitsSent}>
        {call.digits}
      </output>
      <Keypad onPress={(digit) => void model.sendDigits(call.id, digit)} />
    </section>
  );
}

/** As many calls as the profile allows are in progress. */
function isFull(model: SoftphoneModel): boolean {
  const { calls } = model.phone.value;
  return calls.filter((call) => call.phase !== 'ended').length >= model.features.value.mostCalls;
}

function hasMore({ features, profile, role }: SoftphoneModel): boolean {
  const { park, moveTo, conference } = features.value;
  const strongNoise = role.value === 'owner' && profile.value.media.noiseSuppression === 'rnnoise';
  return park !== null || moveTo.length > 0 || conference.room !== null || strongNoise;
}
