/**
 * Owns one click on "Call": the wish that goes to the agent's own phone through the relay, and the words for what became of it. A card has no
 * sound: the call runs in the calling window. Must never send a second wish for one click.
 */
import { Alert, Flex, LoadingButton, Text } from '@hubspot/ui-extensions';
import { useEffect, useRef, useState } from 'react';
import { type PhoneNumber, type RecordHere, readDialled } from './answers.ts';
import type { Ask } from './relay.ts';
import { newWish } from './wish.ts';

type Dial =
  | { readonly state: 'idle' | 'busy' }
  | { readonly state: 'sent' | 'no-phone-open'; readonly number: string }
  | { readonly state: 'failed'; readonly text: string };

/** The phone has begun to call by then, and the list below can tell. */
const sentMs = 10_000;

export function CallNow(props: {
  readonly ask: Ask;
  readonly record: RecordHere;
  readonly online: boolean;
  readonly numbers: readonly PhoneNumber[];
  readonly number: PhoneNumber | null;
  /** What was sent a while ago is news no more; how it went on is with the calls. */
  readonly onSettled: () => void;
}) {
  const { onSettled } = props;
  const [dial, setDial] = useState<Dial>({ state: 'idle' });
  /** The wish that has no answer yet: clicking again for the same number is the same wish. */
  const open = useRef<{ readonly wish: string; readonly number: string } | null>(null);
  const busy = useRef(false);
  useEffect(() => {
    if (dial.state !== 'sent') return;
    const timer = setTimeout(() => {
      setDial({ state: 'idle' });
      onSettled();
    }, sentMs);
    return () => clearTimeout(timer);
  }, [dial, onSettled]);
  const number = props.number?.number;
  if (number === undefined) return null;

  const call = async () => {
    if (busy.current) return;
    busy.current = true;
    setDial({ state: 'busy' });
    if (open.current?.number !== number) open.current = { wish: newWish(), number };
    const { wish } = open.current;
    const answer = await props.ask('/v1/hubspot/card/dial', { wish, ...props.record, number }, readDialled);
    if (answer.ok) open.current = null;
    setDial(answer.ok ? { state: answer.value.state, number } : { state: 'failed', text: answer.text });
    busy.current = false;
  };

  return (
    <Flex direction="column" gap="small">
      <LoadingButton testId="call" variant="primary" loading={dial.state === 'busy'} onClick={call}>
        {`Call ${number}`}
      </LoadingButton>
      {dial.state === 'idle' && !props.online && (
        <Text variant="microcopy">Your phone is not open. Open the calling window first: the call is made there.</Text>
      )}
      {dial.state === 'sent' && (
        <Alert title="Sent to your phone" variant="success">
          {`Your phone calls ${dial.number}. Speak in the calling window.`}
        </Alert>
      )}
      {dial.state === 'no-phone-open' && (
        <Alert title="Your phone is not open" variant="warning">
          Nothing was dialled. Open the calling window in HubSpot’s header, wait until the phone is ready, and call
          again.
        </Alert>
      )}
      {dial.state === 'failed' && (
        <Alert title="The call was not sent" variant="error">
          {dial.text}
        </Alert>
      )}
    </Flex>
  );
}
