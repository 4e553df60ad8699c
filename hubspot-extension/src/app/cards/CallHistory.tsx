/**
 * Owns the calls of this record as a list that opens: outcome, who, note, what was heard, recording, transcript. Must never fetch a recording itself: its link is
 * opened, and the relay decides whether it still plays.
 */
import { Accordion, Alert, Button, Flex, Link, LoadingButton, StatusTag, Text } from '@hubspot/ui-extensions';
import { useRef, useState } from 'react';
import { type Call, type CallsAnswer, type Heard, type RecordHere, readCalls } from './answers.ts';
import { dayAndTime, span } from './clock.ts';
import type { Ask } from './relay.ts';

const outcomes: Readonly<Record<string, string>> = {
  answered: 'Answered',
  missed: 'Missed',
  declined: 'Declined',
  busy: 'Busy',
  'no-answer': 'No answer',
  cancelled: 'Cancelled',
  failed: 'Failed',
  'answered-elsewhere': 'Answered elsewhere',
};

export function CallHistory(props: {
  readonly ask: Ask;
  readonly record: RecordHere;
  readonly first: CallsAnswer;
  readonly locale: string | undefined;
  readonly onReload: () => void;
}) {
  const { ask, record, first, locale } = props;
  const [seen, setSeen] = useState(first.calls);
  // A newer first page says more of its calls, and leaves out none that was there.
  const calls = [...first.calls, ...seen.filter(({ callId }) => !first.calls.some((one) => one.callId === callId))];
  const [more, setMore] = useState(first.more);
  const [busy, setBusy] = useState(false);
  const [failed, setFailed] = useState<string | null>(null);
  const running = useRef(false);

  const older = async () => {
    const last = calls.at(-1);
    if (running.current || last === undefined) return;
    running.current = true;
    setBusy(true);
    setFailed(null);
    const answer = await ask(
      '/v1/hubspot/card/calls',
      { ...record, before: last.startedAt, beforeCall: last.callId },
      readCalls,
    );
    if (answer.ok) {
      const known = new Set(calls.map(({ callId }) => callId));
      const found = answer.value.calls.filter(({ callId }) => !known.has(callId));
      setSeen([...calls, ...found]);
      // A page with nothing new would be asked for again and again.
      setMore(answer.value.more && found.length > 0);
    } else setFailed(answer.text);
    setBusy(false);
    running.current = false;
  };

  return (
    <Flex direction="column" gap="small">
      <Flex direction="row" justify="between" align="center" gap="small">
        <Text format={{ fontWeight: 'demibold' }}>Calls</Text>
        <Button testId="reload" size="xs" variant="transparent" onClick={props.onReload}>
          Refresh
        </Button>
      </Flex>
      {calls.length === 0 && (
        <Text testId="no-calls">None over this phone yet. A call shows here as soon as it has ended.</Text>
      )}
      {calls.map((call) => (
        <OneCall key={call.callId} call={call} locale={locale} />
      ))}
      {failed !== null && (
        <Alert title="Older calls could not be loaded" variant="error">
          {failed}
        </Alert>
      )}
      {more && (
        <LoadingButton testId="older" size="sm" loading={busy} onClick={older}>
          Show older calls
        </LoadingButton>
      )}
    </Flex>
  );
}

function OneCall({ call, locale }: { readonly call: Call; readonly locale: string | undefined }) {
  const farSide = call.name ?? (call.number === '' ? 'Withheld number' : call.number);
  const arrow = call.direction === 'inbound' ? 'From' : 'To';
  const answered = call.outcome === 'answered';
  const outcome =
    call.outcome === null ? 'Running' : call.voicemail ? 'Voicemail' : (outcomes[call.outcome] ?? call.outcome);
  const title = `${dayAndTime(call.startedAt, locale, Date.now())} · ${arrow} ${farSide}${answered ? '' : ` · ${outcome}`}`;
  return (
    <Accordion title={title} size="small">
      <Flex direction="column" gap="small">
        <Flex direction="row" gap="small" align="center" wrap>
          <StatusTag variant={answered ? 'success' : call.outcome === null ? 'info' : 'warning'}>{outcome}</StatusTag>
          {answered && <Text inline>{span(call.talkMs)}</Text>}
          {call.disposition !== null && <Text inline>{call.disposition}</Text>}
        </Flex>
        {call.agent !== '' && <Text variant="microcopy">{`Agent: ${call.agent}`}</Text>}
        {call.name !== null && call.number !== '' && <Text variant="microcopy">{call.number}</Text>}
        {call.note !== '' && <Text>{call.note}</Text>}
        {call.heard !== null && <WhatWasHeard heard={call.heard} />}
        {call.recording !== null && (
          <Link href={{ url: call.recording.url, external: true }}>
            {`Play the ${call.voicemail ? 'message' : 'recording'}${call.recording.durationMs > 0 ? ` (${span(call.recording.durationMs)})` : ''}`}
          </Link>
        )}
        {call.transcript !== null && call.transcript.length > 0 && (
          <Accordion title="Transcript" size="small">
            <Flex direction="column" gap="xs">
              {call.transcript.map((line) => (
                <Text key={`${line.startMs} ${line.speakerName} ${line.text}`}>
                  <Text
                    inline
                    format={{ fontWeight: 'demibold' }}
                  >{`${span(line.startMs)} ${line.speakerName}: `}</Text>
                  {line.text}
                </Text>
              ))}
            </Flex>
          </Accordion>
        )}
      </Flex>
    </Accordion>
  );
}

const moods: Readonly<Record<string, 'success' | 'danger' | 'default'>> = {
  positive: 'success',
  neutral: 'default',
  negative: 'danger',
};

/** A machine's words, named as such, and what rules heard or missed. */
function WhatWasHeard({ heard }: { readonly heard: Heard }) {
  const { summary, sentiment, actionItems, phrases } = heard;
  return (
    <Flex direction="column" gap="xs">
      {(summary !== null || sentiment !== null) && (
        <Flex direction="row" gap="small" align="center" wrap>
          <Text format={{ fontWeight: 'demibold' }}>Summary by a machine</Text>
          {sentiment !== null && <StatusTag variant={moods[sentiment] ?? 'default'}>{sentiment}</StatusTag>}
        </Flex>
      )}
      {summary !== null && <Text>{summary}</Text>}
      {actionItems.length > 0 && <Text format={{ fontWeight: 'demibold' }}>To do</Text>}
      {actionItems.map((item) => (
        <Text key={item}>{`• ${item}`}</Text>
      ))}
      {phrases.map((line) => (
        <Text key={line} variant="microcopy">
          {line}
        </Text>
      ))}
    </Flex>
  );
}
