/**
 * The app's page in HubSpot's settings: whether the phone service is connected, who has a phone, what is agreed, and a self-test. Owns what the
 * relay said; must never decide who may change something: the relay does, this page only hides what it would refuse.
 */
import {
  Alert,
  Button,
  DescriptionList,
  DescriptionListItem,
  Divider,
  Flex,
  Heading,
  hubspot,
  Link,
  LoadingSpinner,
  StatusTag,
  Text,
  useExtensionContext,
} from '@hubspot/ui-extensions';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { AgentTable } from './AgentTable.tsx';
import { readSettings, type Settings } from './answers.ts';
import { PolicyList } from './PolicyList.tsx';
import { type Answer, relayAt } from './relay.ts';
import { SelfTest } from './SelfTest.tsx';

type Loaded =
  | { readonly state: 'loading' }
  | { readonly state: 'failed'; readonly text: string }
  | { readonly state: 'loaded'; readonly settings: Settings };

const connections = {
  connected: { variant: 'success', label: 'Connected' },
  waiting: { variant: 'warning', label: 'Waiting' },
  broken: { variant: 'danger', label: 'Not connected' },
} as const;

const roles: Readonly<Record<string, string>> = { agent: 'Agent', supervisor: 'Supervisor', admin: 'Administrator' };

hubspot.extend<'settings'>(() => <SettingsPage />);

export function SettingsPage() {
  const { variables } = useExtensionContext<'settings'>();
  const relay = variables?.RELAY_URL;
  const docs = variables?.DOCS_URL;
  const ask = useMemo(() => relayAt({ RELAY_URL: relay }), [relay]);
  const [loaded, setLoaded] = useState<Loaded>({ state: 'loading' });
  /** What runs: the self-test, or the policy that is changed. */
  const [running, setRunning] = useState<string | null>(null);
  const [failed, setFailed] = useState<string | null>(null);
  const busy = useRef(false);

  const load = useCallback(async () => {
    setLoaded({ state: 'loading' });
    const answer = await ask('/v1/hubspot/card/settings', {}, readSettings);
    setLoaded(answer.ok ? { state: 'loaded', settings: answer.value } : { state: 'failed', text: answer.text });
  }, [ask]);
  useEffect(() => {
    void load();
  }, [load]);

  /** One at a time: a second answer would overwrite the first. */
  const one = async (what: string, request: () => Promise<Answer<Settings>>) => {
    if (busy.current) return;
    busy.current = true;
    setRunning(what);
    setFailed(null);
    const answer = await request();
    if (answer.ok) setLoaded({ state: 'loaded', settings: answer.value });
    else setFailed(answer.text);
    setRunning(null);
    busy.current = false;
  };
  const test = () => one('self-test', () => ask('/v1/hubspot/card/settings', { run: true }, readSettings));
  const change = (id: string, value: string) =>
    one(id, () => ask('/v1/hubspot/card/settings/change', { id, value }, readSettings));

  if (loaded.state === 'loading')
    return <LoadingSpinner label="Asking the phone service" showLabel layout="centered" />;
  if (loaded.state === 'failed')
    return (
      <Flex direction="column" gap="small">
        <Alert title="The settings could not be loaded" variant="error">
          {loaded.text}
        </Alert>
        <Button testId="load-again" onClick={() => void load()}>
          Try again
        </Button>
      </Flex>
    );
  const { tenant, connection, you, agents, policies, selfTest } = loaded.settings;
  const { variant, label } = connections[connection.state];
  return (
    <Flex direction="column" gap="large">
      <Flex direction="column" gap="small">
        <Heading>Connection</Heading>
        <Flex direction="row" gap="small" align="center" wrap>
          <StatusTag variant={variant}>{label}</StatusTag>
          <Text>{tenant}</Text>
        </Flex>
        {connection.text !== '' && <Text testId="connection">{connection.text}</Text>}
      </Flex>
      <Flex direction="column" gap="small">
        <Heading>You</Heading>
        {you.agent === null ? (
          <Alert title="No phone is set up for you" variant="info">
            Ask your administrator to add your HubSpot user to the phone service.
          </Alert>
        ) : (
          <DescriptionList direction="row">
            <DescriptionListItem label="Agent">
              <Text>{you.agent}</Text>
            </DescriptionListItem>
            <DescriptionListItem label="Extension">
              <Text>{you.extension ?? 'None'}</Text>
            </DescriptionListItem>
            <DescriptionListItem label="Role">
              <Text>{roles[you.role ?? 'agent'] ?? you.role}</Text>
            </DescriptionListItem>
          </DescriptionList>
        )}
      </Flex>
      <AgentTable agents={agents} />
      {failed !== null && (
        <Alert title="That did not work" variant="error">
          {failed}
        </Alert>
      )}
      <PolicyList policies={policies} mayChange={you.mayChange} running={running} onChange={change} />
      <SelfTest findings={selfTest} running={running === 'self-test'} disabled={running !== null} onRun={test} />
      <Divider />
      {typeof docs === 'string' && /^https?:\/\//.test(docs) ? (
        <Text>
          <Link href={{ url: docs, external: true }}>How to set up and use the phone</Link>
        </Text>
      ) : (
        <Text variant="microcopy">
          The upload profile names no documentation: an administrator can set DOCS_URL there.
        </Text>
      )}
    </Flex>
  );
}
