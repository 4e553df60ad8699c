/**
 * The card "Phone" of contacts, companies, deals and tickets, in the record's sidebar and in the help desk: call now, the next call-back, the
 * calls there were, and the code that connects a phone. Owns what the relay said of this record; must never say who the agent is: HubSpot signs that.
 */
import { Alert, Button, Divider, Flex, hubspot, LoadingSpinner, useExtensionContext } from '@hubspot/ui-extensions';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { type CallsAnswer, type RecordHere, readCalls } from './answers.ts';
import { CallBackPart } from './CallBackPart.tsx';
import { CallHistory } from './CallHistory.tsx';
import { CallNow } from './CallNow.tsx';
import { localeOf } from './clock.ts';
import { PairPhone } from './PairPhone.tsx';
import { RecordNumbers } from './RecordNumbers.tsx';
import { relayAt } from './relay.ts';

type Place = 'crm.record.sidebar' | 'helpdesk.sidebar';

type Loaded =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly text: string }
  | { readonly state: 'loaded'; readonly answer: CallsAnswer };

/** While a call is on, its end is looked for by itself: this often, and for five minutes. */
const lookAgainMs = 10_000;
const mostLooks = 30;

hubspot.extend<Place>(() => <CallsCard />);

export function CallsCard() {
  const { crm, user, variables } = useExtensionContext<Place>();
  const relay = variables?.RELAY_URL;
  const ask = useMemo(() => relayAt({ RELAY_URL: relay }), [relay]);
  const locale = localeOf(user.locale);
  const { objectTypeId, objectId } = crm;
  const record = useMemo<RecordHere>(() => ({ objectTypeId, objectId: `${objectId}` }), [objectTypeId, objectId]);
  const [loaded, setLoaded] = useState<Loaded>({ state: 'loading' });

  /** Which loading is the newest: what an older one brings is not shown. */
  const turn = useRef(0);
  const looks = useRef(0);

  const load = useCallback(async () => {
    looks.current = 0;
    turn.current += 1;
    const mine = turn.current;
    setLoaded({ state: 'loading' });
    const answer = await ask('/v1/hubspot/card/calls', record, readCalls);
    if (mine !== turn.current) return;
    setLoaded(answer.ok ? { state: 'loaded', answer: answer.value } : { state: 'failed', text: answer.text });
  }, [ask, record]);
  useEffect(() => {
    void load();
  }, [load]);

  /** What is shown stays until there is something newer. */
  const lookAgain = useCallback(async () => {
    const mine = turn.current;
    const answer = await ask('/v1/hubspot/card/calls', record, readCalls);
    if (mine === turn.current)
      setLoaded((before) => (answer.ok ? { state: 'loaded', answer: answer.value } : { ...before }));
  }, [ask, record]);
  useEffect(() => {
    const runs = loaded.state === 'loaded' && loaded.answer.calls.some(({ outcome }) => outcome === null);
    if (!runs || looks.current >= mostLooks) return;
    const timer = setTimeout(() => {
      looks.current += 1;
      void lookAgain();
    }, lookAgainMs);
    return () => clearTimeout(timer);
  }, [loaded, lookAgain]);
  const settled = useCallback(() => {
    looks.current = 0;
    void lookAgain();
  }, [lookAgain]);

  if (loaded.state === 'loading')
    return <LoadingSpinner label="Asking the phone service for this record’s calls" showLabel layout="centered" />;
  if (loaded.state === 'failed')
    return (
      <Flex direction="column" gap="small">
        <Alert title="The calls could not be loaded" variant="error">
          {loaded.text}
        </Alert>
        <Button testId="load-again" onClick={() => void load()}>
          Try again
        </Button>
      </Flex>
    );
  const { answer } = loaded;
  return (
    <Flex direction="column" gap="medium">
      {answer.phone.agent === null ? (
        <Alert title="No phone is set up for you" variant="info">
          You see the calls of this record, but cannot make one. Ask your administrator to add your HubSpot user to the
          phone service.
        </Alert>
      ) : (
        <RecordNumbers objectTypeId={objectTypeId}>
          {(numbers, number) => (
            <>
              <CallNow
                ask={ask}
                record={record}
                online={answer.phone.online}
                numbers={numbers}
                number={number}
                onSettled={settled}
              />
              <CallBackPart ask={ask} record={record} number={number} planned={answer.toCall} locale={locale} />
            </>
          )}
        </RecordNumbers>
      )}
      <Divider />
      <CallHistory ask={ask} record={record} first={answer} locale={locale} onReload={() => void load()} />
      {answer.phone.agent !== null && (
        <>
          <Divider />
          <PairPhone ask={ask} locale={locale} open={!answer.phone.online} />
        </>
      )}
    </Flex>
  );
}
