/** Owns how the agents are listed, and what to do about one whom HubSpot sends to another calling app. */
import {
  Flex,
  Heading,
  StatusTag,
  Table,
  TableBody,
  TableCell,
  TableHead,
  TableHeader,
  TableRow,
  Text,
} from '@hubspot/ui-extensions';
import type { AgentRow } from './answers.ts';

const providers = {
  ours: { variant: 'success', label: 'This phone' },
  other: { variant: 'warning', label: 'Another app' },
  unknown: { variant: 'default', label: 'Not known' },
} as const;

export function AgentTable({ agents }: { readonly agents: readonly AgentRow[] }) {
  return (
    <Flex direction="column" gap="small">
      <Heading>Agents</Heading>
      {agents.length === 0 ? (
        <Text>Nobody has a phone yet. Add agents in the configuration of the phone service.</Text>
      ) : (
        <Table density="condensed">
          <TableHead>
            <TableRow>
              <TableHeader>Agent</TableHeader>
              <TableHeader>Extension</TableHeader>
              <TableHeader>Phone</TableHeader>
              <TableHeader>HubSpot calls with</TableHeader>
            </TableRow>
          </TableHead>
          <TableBody>
            {agents.map(({ name, extension, signedIn, provider }) => (
              <TableRow key={`${extension} ${name}`}>
                <TableCell>{name}</TableCell>
                <TableCell>{extension}</TableCell>
                <TableCell>{signedIn ? 'Signed in' : 'Not signed in'}</TableCell>
                <TableCell>
                  <StatusTag variant={providers[provider].variant}>{providers[provider].label}</StatusTag>
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      )}
      {agents.some(({ provider }) => provider === 'other') && (
        <Text testId="provider-advice">
          Whoever calls with another app chooses this phone in HubSpot: Settings, General, Calling, “Make and receive
          calls through”. Each person does that for themselves.
        </Text>
      )}
    </Flex>
  );
}
