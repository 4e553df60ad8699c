/**
 * Owns which numbers a record offers and which of them is chosen: its own, or for a deal or ticket those of its contacts. HubSpot is asked, not
 * the relay: it knows them already. What is dialled in the end is the relay's decision.
 */
import { Flex, LoadingSpinner, Select, Text } from '@hubspot/ui-extensions';
import { useAssociations, useCrmProperties } from '@hubspot/ui-extensions/crm';
import { type ReactNode, useState } from 'react';
import type { PhoneNumber } from './answers.ts';

type Draw = (numbers: readonly PhoneNumber[], chosen: PhoneNumber | null) => ReactNode;

const contactType = '0-1';
const personProperties = ['firstname', 'lastname', 'phone', 'mobilephone'];
const companyProperties = ['name', 'phone'];
/** People of one deal or ticket whose numbers are offered. */
const mostPeople = 20;

export function RecordNumbers({ objectTypeId, children }: { readonly objectTypeId: string; readonly children: Draw }) {
  const own = objectTypeId === contactType || objectTypeId === '0-2';
  return own ? (
    <OwnNumbers contact={objectTypeId === contactType}>{children}</OwnNumbers>
  ) : (
    <PeoplesNumbers>{children}</PeoplesNumbers>
  );
}

function OwnNumbers({ contact, children }: { readonly contact: boolean; readonly children: Draw }) {
  const { properties, isLoading } = useCrmProperties(contact ? personProperties : companyProperties);
  return (
    <ChosenNumber
      isLoading={isLoading}
      numbers={numbersIn(properties, false)}
      none="This record has no phone number. Add one, then reload the page."
    >
      {children}
    </ChosenNumber>
  );
}

function PeoplesNumbers({ children }: { readonly children: Draw }) {
  const { results, isLoading } = useAssociations({
    toObjectType: contactType,
    properties: personProperties,
    pageLength: mostPeople,
  });
  const numbers = results.flatMap(({ properties }) => numbersIn(properties, true));
  return (
    <ChosenNumber
      isLoading={isLoading}
      numbers={numbers}
      none="None of this record’s contacts has a phone number. Add a contact or a number, then reload the page."
    >
      {children}
    </ChosenNumber>
  );
}

function ChosenNumber(props: {
  readonly isLoading: boolean;
  readonly numbers: readonly PhoneNumber[];
  readonly none: string;
  readonly children: Draw;
}) {
  const numbers = props.numbers.filter(
    ({ number }, index, all) => all.findIndex((other) => other.number === number) === index,
  );
  const [wanted, setWanted] = useState<string | null>(null);
  const chosen = numbers.find(({ number }) => number === wanted) ?? numbers[0] ?? null;
  if (props.isLoading) return <LoadingSpinner label="Reading the numbers of this record" size="small" />;
  return (
    <Flex direction="column" gap="medium">
      {chosen === null && <Text>{props.none}</Text>}
      {numbers.length > 1 && (
        <Select
          testId="number"
          label="Number"
          name="number"
          value={chosen?.number ?? ''}
          onChange={(value) => setWanted(`${value}`)}
          options={numbers.map(({ number, label }) => ({ value: number, label: `${label}: ${number}` }))}
        />
      )}
      {props.children(numbers, chosen)}
    </Flex>
  );
}

function numbersIn(properties: Readonly<Record<string, string | null>>, amongOthers: boolean): readonly PhoneNumber[] {
  const name = [properties.firstname, properties.lastname, properties.name]
    .filter((part) => (part ?? '') !== '')
    .join(' ');
  const kinds = [
    ['phone', 'Phone'],
    ['mobilephone', 'Mobile'],
  ] as const;
  return kinds.flatMap(([property, kind]) => {
    const number = properties[property]?.trim() ?? '';
    return number === ''
      ? []
      : [{ number, name, label: amongOthers && name !== '' ? `${name}, ${kind.toLowerCase()}` : kind }];
  });
}
