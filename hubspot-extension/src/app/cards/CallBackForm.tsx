/** Owns choosing when a call-back is due, by the reader's own clock, and what it is about. Keeps nothing but the choice. */
import {
  Button,
  ButtonRow,
  DateInput,
  Flex,
  Input,
  LoadingButton,
  Select,
  Text,
  TimeInput,
} from '@hubspot/ui-extensions';
import { useState } from 'react';
import { type Clock, type Day, dayOf, momentOf, usualTimes } from './clock.ts';

const other = 'other';
const mostNote = 2_000;

export function CallBackForm(props: {
  readonly busy: boolean;
  readonly withNote: boolean;
  readonly onSave: (dueAt: number, note: string) => void;
  readonly onCancel: () => void;
}) {
  const [choice, setChoice] = useState('hour');
  const [day, setDay] = useState<Day>(() => dayOf(Date.now()));
  const [clock, setClock] = useState<Clock>({ hours: 9, minutes: 0 });
  const [note, setNote] = useState('');
  const [past, setPast] = useState(false);

  const save = () => {
    const now = Date.now();
    const dueAt = choice === other ? momentOf(day, clock) : usualTimes(now).find(({ value }) => value === choice)?.at;
    setPast(dueAt === undefined || dueAt <= now);
    if (dueAt !== undefined && dueAt > now) props.onSave(dueAt, note.slice(0, mostNote));
  };

  return (
    <Flex direction="column" gap="small">
      <Select
        testId="when"
        label="When"
        name="when"
        value={choice}
        onChange={(value) => setChoice(`${value}`)}
        options={[
          ...usualTimes(Date.now()).map(({ value, label }) => ({ value, label })),
          { value: other, label: 'At another time' },
        ]}
      />
      {choice === other && (
        <>
          <DateInput
            testId="day"
            label="Day"
            name="day"
            value={{ ...day }}
            min={{ ...dayOf(Date.now()) }}
            minValidationMessage="A call-back is for later: choose today or another day."
            onChange={(chosen) => {
              if (chosen) setDay({ year: chosen.year, month: chosen.month, date: chosen.date });
            }}
          />
          <TimeInput
            testId="time"
            label="Time"
            name="time"
            value={{ ...clock }}
            interval={15}
            onChange={(chosen) => {
              if (chosen) setClock({ hours: chosen.hours, minutes: chosen.minutes });
            }}
          />
        </>
      )}
      {past && <Text format={{ fontWeight: 'demibold' }}>This time is over. Choose a later one.</Text>}
      {props.withNote && (
        <Input testId="note" label="What it is about" name="note" value={note} onInput={setNote} onChange={setNote} />
      )}
      <ButtonRow>
        <LoadingButton testId="save" variant="primary" size="sm" loading={props.busy} onClick={save}>
          Save
        </LoadingButton>
        <Button testId="cancel" size="sm" disabled={props.busy} onClick={props.onCancel}>
          Cancel
        </Button>
      </ButtonRow>
    </Flex>
  );
}
