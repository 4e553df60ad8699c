/**
 * Owns the next call-back of this record: plan, postpone, done, and taking the last of these back. Must never plan one twice: its id is made
 * with the form and kept until it is saved.
 */
import { Alert, Button, ButtonRow, Flex, LoadingButton, StatusTag, Text } from '@hubspot/ui-extensions';
import { useRef, useState } from 'react';
import { type CallBack, type PhoneNumber, type RecordHere, readCallBack } from './answers.ts';
import { CallBackForm } from './CallBackForm.tsx';
import { dayAndTime } from './clock.ts';
import type { Ask } from './relay.ts';
import { newWish } from './wish.ts';

/** The relay's words for what HubSpot calls a type. */
const objects: Readonly<Record<string, string>> = {
  '0-1': 'contact',
  '0-2': 'company',
  '0-3': 'deal',
  '0-5': 'ticket',
};

interface Change {
  readonly dueAt?: number;
  readonly done?: boolean;
}
interface Done {
  readonly text: string;
  readonly id: string;
  /** What takes it back. */
  readonly back: Change;
}

export function CallBackPart(props: {
  readonly ask: Ask;
  readonly record: RecordHere;
  readonly number: PhoneNumber | null;
  readonly planned: CallBack | null;
  readonly locale: string | undefined;
}) {
  const { ask, record, locale } = props;
  const [entry, setEntry] = useState(props.planned);
  /** `id` names what is planned; absent while one is postponed. */
  const [form, setForm] = useState<{ readonly id?: string } | null>(null);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const [done, setDone] = useState<Done | null>(null);
  const running = useRef(false);

  const send = async (path: string, body: object, then: (saved: CallBack) => Done | null) => {
    if (running.current) return;
    running.current = true;
    setBusy(true);
    setFailed(null);
    const answer = await ask(path, body, readCallBack);
    if (answer.ok) {
      setEntry(answer.value.doneAt === null ? answer.value : null);
      setDone(then(answer.value));
      setForm(null);
    } else setFailed(answer.text);
    setBusy(false);
    running.current = false;
  };
  const change = (id: string, what: Change, then: (saved: CallBack) => Done | null) =>
    send('/v1/hubspot/card/call-backs/change', { id, ...what }, then);
  const when = (at: number | null) => (at === null ? 'without a time' : dayAndTime(at, locale, Date.now()));

  const plan = (id: string, dueAt: number, note: string) =>
    send(
      '/v1/hubspot/card/call-backs',
      {
        id,
        kind: 'call-back',
        number: props.number?.number ?? '',
        ...((props.number?.name ?? '') === '' ? {} : { name: props.number?.name }),
        record: { crm: 'hubspot', object: objects[record.objectTypeId] ?? 'contact', id: record.objectId },
        dueAt,
        ...(note.trim() === '' ? {} : { note: note.trim() }),
      },
      (saved) => ({ text: `Planned for ${when(saved.dueAt)}.`, id, back: { done: true } }),
    );
  const postpone = ({ id, dueAt: before }: CallBack, dueAt: number) =>
    change(id, { dueAt }, (saved) => ({
      text: `Postponed to ${when(saved.dueAt)}.`,
      id,
      back: before === null ? {} : { dueAt: before },
    }));
  const finish = ({ id }: CallBack) =>
    change(id, { done: true }, () => ({ text: 'Marked as done.', id, back: { done: false } }));

  return (
    <Flex direction="column" gap="small">
      <Flex direction="row" justify="between" align="center" gap="small" wrap>
        <Text format={{ fontWeight: 'demibold' }}>Next call-back</Text>
        {entry?.dueAt != null && entry.dueAt < Date.now() && <StatusTag variant="danger">Overdue</StatusTag>}
      </Flex>
      {entry === null ? (
        <Text testId="no-call-back">None planned.</Text>
      ) : (
        <Flex direction="column" gap="flush">
          <Text testId="call-back">{`${when(entry.dueAt)}, ${entry.name ?? entry.number}`}</Text>
          {entry.note !== null && <Text>{entry.note}</Text>}
          {entry.askedBy !== '' && <Text variant="microcopy">{`Asked for by ${entry.askedBy}`}</Text>}
        </Flex>
      )}
      {done !== null && form === null && (
        <Alert title={done.text} variant="success">
          <Button testId="undo" size="xs" disabled={busy} onClick={() => void change(done.id, done.back, () => null)}>
            Undo
          </Button>
        </Alert>
      )}
      {failed !== null && (
        <Alert title="The call-back was not saved" variant="error">
          {failed}
        </Alert>
      )}
      {form !== null && (
        <CallBackForm
          busy={busy}
          withNote={form.id !== undefined}
          onCancel={() => {
            setForm(null);
            setFailed(null);
          }}
          onSave={(dueAt, note) => {
            if (form.id !== undefined) void plan(form.id, dueAt, note);
            else if (entry !== null) void postpone(entry, dueAt);
          }}
        />
      )}
      {form === null && entry === null && props.number !== null && (
        <Button testId="plan" size="sm" disabled={busy} onClick={() => setForm({ id: newWish() })}>
          Plan a call-back
        </Button>
      )}
      {form === null && entry !== null && (
        <ButtonRow>
          <LoadingButton testId="done" size="sm" loading={busy} onClick={() => void finish(entry)}>
            Done
          </LoadingButton>
          <Button testId="postpone" size="sm" disabled={busy} onClick={() => setForm({})}>
            Postpone
          </Button>
        </ButtonRow>
      )}
    </Flex>
  );
}
