/**
 * The card "Phone": gives the agent a pairing code for the phone in the calling frame, which cannot prove by itself who sits before it.
 * HubSpot signs the card's request, so the relay knows whose code to make. Owns nothing but this exchange; must never show or keep anything
 * but the code, and must never say who the agent is: the signature does.
 */
import { Alert, Flex, Heading, hubspot, LoadingButton, Text } from '@hubspot/ui-extensions';
import { useEffect, useState } from 'react';

/** Public origin of the relay. The same origin stands in `permittedUrls` of app-hsmeta.json; HubSpot refuses every other. */
const RELAY = 'https://phone.example.com';
const FAILED = 'The phone service could not be reached. Try again; if it stays, ask your administrator.';

type Pairing =
  | { readonly state: 'none' }
  | { readonly state: 'busy' }
  | { readonly state: 'code'; readonly code: string; readonly expiresAt: number }
  | { readonly state: 'expired' }
  | { readonly state: 'error'; readonly message: string };

hubspot.extend<'crm.record.sidebar'>(() => <PhoneCard />);

function PhoneCard() {
  const [pairing, setPairing] = useState<Pairing>({ state: 'none' });

  // A code that is too old must not stay on the screen: typing it would only be refused.
  useEffect(() => {
    if (pairing.state !== 'code') return;
    const timer = setTimeout(() => setPairing({ state: 'expired' }), Math.max(0, pairing.expiresAt - Date.now()));
    return () => clearTimeout(timer);
  }, [pairing]);

  const connect = async () => {
    setPairing({ state: 'busy' });
    setPairing(await askForCode());
  };

  return (
    <Flex direction="column" gap="small">
      {pairing.state === 'none' && (
        <Text>Your phone asks for a code the first time you open it in this browser. Get it here.</Text>
      )}
      {pairing.state === 'code' && (
        <>
          <Heading>{pairing.code}</Heading>
          <Text>
            Type this into the phone. It works once and until {clockTime(pairing.expiresAt)}. Give it to nobody.
          </Text>
        </>
      )}
      {pairing.state === 'expired' && <Text>The code is too old now. Get a new one.</Text>}
      {pairing.state === 'error' && (
        <Alert title="No code" variant="error">
          {pairing.message}
        </Alert>
      )}
      <LoadingButton loading={pairing.state === 'busy'} onClick={connect} variant="primary">
        {pairing.state === 'none' || pairing.state === 'busy' ? 'Connect my phone' : 'Get a new code'}
      </LoadingButton>
    </Flex>
  );
}

/** Asks the relay for a code. Never throws: whatever goes wrong becomes a text with what to do. */
async function askForCode(): Promise<Pairing> {
  try {
    // HubSpot repeats a POST once when our server fails: a second code does no harm, the first lapses by itself.
    const response = await hubspot.fetch(`${RELAY}/v1/hubspot/pairing-codes`, {
      method: 'POST',
      timeout: 15_000,
      body: {},
    });
    return readAnswer(await response.json());
  } catch {
    return { state: 'error', message: FAILED };
  }
}

/** The relay's answer by its shape: HubSpot may wrap a refusal into another status. */
function readAnswer(answer: unknown): Pairing {
  const { code, expiresAt, error } = asObject(answer);
  if (typeof code === 'string' && code !== '' && typeof expiresAt === 'number')
    return { state: 'code', code, expiresAt };
  const { message } = asObject(error);
  return { state: 'error', message: typeof message === 'string' && message !== '' ? message : FAILED };
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function clockTime(at: number): string {
  return new Date(at).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
}
