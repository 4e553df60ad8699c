/**
 * Owns the code that tells a phone whose it is: the phone in the calling frame cannot prove by itself who sits before it, a card can, because
 * HubSpot signs its requests. Must never keep a code, nor show one that has lapsed.
 */
import { Accordion, Alert, Flex, Heading, LoadingButton, Text } from '@hubspot/ui-extensions';
import { useEffect, useRef, useState } from 'react';
import { readPairing } from './answers.ts';
import { clockTime } from './clock.ts';
import type { Ask } from './relay.ts';

type Pairing =
  | { readonly state: 'none' | 'busy' | 'lapsed' }
  | { readonly state: 'code'; readonly code: string; readonly expiresAt: number }
  | { readonly state: 'failed'; readonly text: string };

export function PairPhone(props: { readonly ask: Ask; readonly locale: string | undefined; readonly open: boolean }) {
  const [pairing, setPairing] = useState<Pairing>({ state: 'none' });
  const running = useRef(false);

  // Typing a code that is too old would only be refused.
  useEffect(() => {
    if (pairing.state !== 'code') return;
    const timer = setTimeout(() => setPairing({ state: 'lapsed' }), Math.max(0, pairing.expiresAt - Date.now()));
    return () => clearTimeout(timer);
  }, [pairing]);

  const connect = async () => {
    if (running.current) return;
    running.current = true;
    setPairing({ state: 'busy' });
    // HubSpot repeats a request once when our server fails: a second code does no harm, the unseen one lapses by itself.
    const answer = await props.ask('/v1/hubspot/pairing-codes', {}, readPairing);
    setPairing(answer.ok ? { state: 'code', ...answer.value } : { state: 'failed', text: answer.text });
    running.current = false;
  };

  return (
    <Accordion title="Connect my phone" size="small" defaultOpen={props.open}>
      <Flex direction="column" gap="small">
        {pairing.state === 'none' && (
          <Text>Your phone asks for a code the first time you open it in this browser. Get it here.</Text>
        )}
        {pairing.state === 'code' && (
          <>
            <Heading testId="code">{pairing.code}</Heading>
            <Text>
              {`Type this into the phone. It works once and until ${clockTime(pairing.expiresAt, props.locale)}. Give it to nobody.`}
            </Text>
          </>
        )}
        {pairing.state === 'lapsed' && <Text>The code is too old now. Get a new one.</Text>}
        {pairing.state === 'failed' && (
          <Alert title="No code" variant="error">
            {pairing.text}
          </Alert>
        )}
        <LoadingButton testId="pair" size="sm" loading={pairing.state === 'busy'} onClick={connect}>
          {pairing.state === 'none' || pairing.state === 'busy' ? 'Get a code' : 'Get a new code'}
        </LoadingButton>
      </Flex>
    </Accordion>
  );
}
