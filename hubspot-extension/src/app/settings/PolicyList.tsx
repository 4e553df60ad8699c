/** Owns how what is agreed for all agents is shown, and changed where the relay lets this person. Must never change two at once. */
import { Flex, Heading, Select, Text } from '@hubspot/ui-extensions';
import type { Policy } from './answers.ts';

export function PolicyList(props: {
  readonly policies: readonly Policy[];
  readonly mayChange: boolean;
  readonly running: string | null;
  readonly onChange: (id: string, value: string) => void;
}) {
  return (
    <Flex direction="column" gap="small">
      <Heading>Policies</Heading>
      {!props.mayChange && <Text variant="microcopy">Only an administrator of the phone service changes these.</Text>}
      {props.policies.map((policy) => (
        <Flex key={policy.id} direction="column" gap="xs">
          <OnePolicy {...props} policy={policy} />
          {policy.text !== '' && <Text variant="microcopy">{policy.text}</Text>}
        </Flex>
      ))}
    </Flex>
  );
}

function OnePolicy(props: {
  readonly policy: Policy;
  readonly mayChange: boolean;
  readonly running: string | null;
  readonly onChange: (id: string, value: string) => void;
}) {
  const { id, title, value, options } = props.policy;
  const fixed = props.running !== null;
  const label = options.find((option) => option.value === value)?.label ?? value;
  if (!props.mayChange || options.length === 0)
    return (
      <Text>
        <Text inline format={{ fontWeight: 'demibold' }}>{`${title}: `}</Text>
        {label}
      </Text>
    );
  return (
    <Select
      testId={id}
      label={title}
      name={id}
      value={value}
      readOnly={fixed}
      options={options.map((option) => ({ value: option.value, label: option.label }))}
      onChange={(chosen) => {
        if (!fixed && chosen !== value) props.onChange(id, `${chosen}`);
      }}
    />
  );
}
