/** Owns the self-test: what was found, what to do about it, and running it anew. The relay tests; this part only asks it to. */
import { Alert, Flex, Heading, LoadingButton, StatusTag, Text } from '@hubspot/ui-extensions';
import type { Finding } from './answers.ts';

const verdicts = {
  good: { variant: 'success', label: 'Good' },
  bad: { variant: 'danger', label: 'Not right' },
  unsure: { variant: 'warning', label: 'Not sure' },
} as const;

const things = (count: number): string => (count === 1 ? '1 thing is' : `${count} things are`);

export function SelfTest(props: {
  readonly findings: readonly Finding[];
  readonly running: boolean;
  readonly disabled: boolean;
  readonly onRun: () => void;
}) {
  const count = (wanted: Finding['verdict']) => props.findings.filter(({ verdict }) => verdict === wanted).length;
  const [bad, unsure] = [count('bad'), count('unsure')];
  return (
    <Flex direction="column" gap="small">
      <Heading>Self-test</Heading>
      {props.findings.length === 0 ? (
        <Text>It has not run yet. It looks at the connection, HubSpot’s calling settings and the phones.</Text>
      ) : (
        <Alert
          title={`${bad === 0 ? 'Nothing is wrong' : `${things(bad)} not right`}${unsure === 0 ? '' : `, ${things(unsure)} not sure`}`}
          variant={bad > 0 ? 'warning' : unsure > 0 ? 'info' : 'success'}
        />
      )}
      {props.findings.map(({ id, title, verdict, found, advice }) => (
        <Flex key={id} direction="column" gap="flush">
          <Flex direction="row" gap="small" align="center" wrap>
            <StatusTag variant={verdicts[verdict].variant}>{verdicts[verdict].label}</StatusTag>
            <Text format={{ fontWeight: 'demibold' }}>{title}</Text>
          </Flex>
          {found !== '' && <Text>{found}</Text>}
          {advice !== null && <Text>{`What to do: ${advice}`}</Text>}
        </Flex>
      ))}
      <Flex direction="row">
        <LoadingButton
          testId="run"
          loading={props.running}
          disabled={props.disabled && !props.running}
          onClick={props.onRun}
        >
          Run the self-test
        </LoadingButton>
      </Flex>
    </Flex>
  );
}
