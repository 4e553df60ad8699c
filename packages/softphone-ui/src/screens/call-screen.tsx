/** A call in progress: who, how long, what can be done. Sheets (keypad, transfer, second call) lie where the note is. */
import type { CallState } from '@patchcord/phone-engine';
import { useEffect, useRef } from 'preact/hooks';
import { Icon, type IconName } from '../icon.tsx';
import type { Sheet } from '../layout.ts';
import { AboutChoice } from '../parts/about-choice.tsx';
import { CallPerson } from '../parts/call-person.tsx';
import { BesideCalls } from '../parts/call-strips.tsx';
import { CallTimer } from '../parts/call-timer.tsx';
import { stateWords } from '../parts/call-words.ts';
import { CallerIdChoice } from '../parts/caller-id.tsx';
import { ConferenceMembers } from '../parts/conference.tsx';
import { Keypad } from '../parts/keypad.tsx';
import { Lamps } from '../parts/lamps.tsx';
import { NoteField } from '../parts/note-field.tsx';
import { NumberField } from '../parts/number-field.tsx';
import { RecordChoice } from '../parts/record-choice.tsx';
import { nameOfCall, type SoftphoneModel } from '../softphone-model.ts';
import { texts } from '../texts.ts';

export function CallScreen({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const sheet = model.sheet.value;
  const words = stateWords(call);
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
        {call.trouble !== null && <p class="call-trouble">{call.trouble}</p>}
        <RecordChoice model={model} call={call} />
        {call.phase === 'active' && <AboutChoice model={model} call={call} folded />}
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
      <ConferenceMembers model={model} call={call} />
      <BesideCalls model={model} />
      {call.consultFor !== null && <ConsultActs model={model} call={call} />}
      <CallControls model={model} call={call} />
      {sheet === 'none' && <NoteField model={model} call={call} />}
      {sheet === 'keypad' && <DigitsSheet model={model} call={call} />}
      {sheet === 'transfer' && <TransferSheet model={model} call={call} />}
      {sheet === 'new-call' && <NewCallSheet model={model} />}
      {sheet === 'more' && <MoreSheet model={model} call={call} />}
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
  const active = call.phase === 'active';
  const full = isFull(model);
  const changing = call.hold === 'placing' || call.hold === 'lifting';
  return (
    <div class="controls">
      <Control
        icon={call.muted ? 'muted' : 'mute'}
        label={call.muted ? texts.unmute : texts.mute}
        on={call.muted}
        enabled={active || call.phase === 'dialing' || call.phase === 'ringing'}
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

function TransferSheet({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const full = isFull(model);
  return (
    <form
      class="sheet"
      aria-label={texts.transferTitle(nameOfCall(call, model.numbers.value))}
      onSubmit={(event) => {
        event.preventDefault();
        // Enter asks first: the act that can be taken back.
        if (full) void model.transferTyped(call.id);
        else void model.consultTyped(call.id);
      }}
    >
      <NumberField model={model} label={texts.transferTo} labelShown takesFocus />
      <div class="button-row">
        <button type="button" class="button" onClick={() => void model.transferTyped(call.id)}>
          {texts.transferNow}
        </button>
        {!full && (
          <button type="submit" class="button button-primary">
            {texts.askFirst}
          </button>
        )}
      </div>
      <Lamps model={model} slots={false} transfers={call} />
    </form>
  );
}

/** As many calls as the profile allows are in progress. */
function isFull(model: SoftphoneModel): boolean {
  const { calls } = model.phone.value;
  return calls.filter((call) => call.phase !== 'ended').length >= model.features.value.mostCalls;
}

function hasMore({ features }: SoftphoneModel): boolean {
  const { park, moveTo, conference } = features.value;
  return park !== null || moveTo.length > 0 || conference.room !== null;
}

/** What a call can be made of beside handing it to somebody. */
function MoreSheet({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const { park, moveTo, conference } = model.features.value;
  return (
    <section class="sheet" aria-label={texts.moreTitle}>
      {park !== null && (
        <button type="button" class="button button-wide" onClick={() => void model.park(call.id)}>
          <Icon name="park" size={18} />
          {texts.park}
        </button>
      )}
      {moveTo.map(({ number, label }) => (
        <button
          key={number}
          type="button"
          class="button button-wide"
          onClick={() => void model.moveTo(call.id, number)}
        >
          <Icon name="transfer" size={18} />
          {texts.moveTo(label)}
        </button>
      ))}
      {conference.room !== null && call.room === null && (
        <button type="button" class="button button-wide" onClick={() => void model.gather()}>
          <Icon name="conference" size={18} />
          {texts.toRoom}
        </button>
      )}
    </section>
  );
}

function NewCallSheet({ model }: { readonly model: SoftphoneModel }) {
  return (
    <form
      class="sheet"
      aria-label={texts.newCallTitle}
      onSubmit={(event) => {
        event.preventDefault();
        void model.dialTyped();
      }}
    >
      <NumberField model={model} label={texts.newCallTitle} labelShown takesFocus />
      <CallerIdChoice model={model} />
      <p class="quiet">{texts.newCallAdvice}</p>
      <button type="submit" class="button button-call button-wide">
        <Icon name="call" />
        {texts.call}
      </button>
    </form>
  );
}

/** The consultation is in front; the call it is for waits on hold. */
function ConsultActs({ model, call }: { readonly model: SoftphoneModel; readonly call: CallState }) {
  const first = model.phone.value.calls.find((other) => other.id === call.consultFor);
  if (first === undefined) return null;
  const name = nameOfCall(first, model.numbers.value);
  const joined = call.phase === 'active' && first.phase === 'active';
  return (
    <section class="consult" aria-label={texts.transferTitle(name)}>
      <p class="consult-words">{texts.consulting(name)}</p>
      <div class="button-row is-uneven">
        <button
          type="button"
          class="button"
          aria-label={texts.backTo(name)}
          title={texts.backTo(name)}
          onClick={() => void model.cancelConsult(call)}
        >
          {texts.back}
        </button>
        <button
          type="button"
          class="button button-primary"
          aria-disabled={!joined}
          onClick={() => {
            if (joined) void model.completeTransfer(call.id);
          }}
        >
          <Icon name="transfer" size={18} />
          {texts.completeTransfer}
        </button>
      </div>
    </section>
  );
}
