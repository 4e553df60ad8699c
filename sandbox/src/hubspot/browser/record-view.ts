/**
 * Owns how a contact, a company, a deal and a ticket look on the HubSpot page. Must never change the page: it gives elements, `tab-page.ts`
 * places them.
 */
import { avatar, h, icon } from '../../page/dom.ts';
import {
  type Contact,
  type Entry,
  entryOf,
  nameOf,
  numberOf,
  ownerName,
  type PortalState,
  type RecordType,
  type Reference,
} from './portal-state.ts';

/** What a click on a record's parts does. */
export interface RecordActions {
  addressOf(target: Reference): string;
  following(target: Reference): (event: Event) => void;
  dial(number: string, source: string, callee: Reference, country: string): void;
}

export function dialLink(
  { dial }: RecordActions,
  number: string | null | undefined,
  source: string,
  callee: Reference,
  country: string,
): HTMLElement | string {
  if (!number) return '--';
  return h(
    'button',
    {
      type: 'button',
      class: 'dial',
      'data-number': number,
      title: `Call ${number}`,
      onclick: () => dial(number, source, callee, country),
    },
    icon('phone', 14),
    number,
  );
}

function field(label: string, content: Node | string): HTMLElement {
  return h('div', { class: 'field' }, h('dt', {}, label), h('dd', {}, content));
}

export function countryOf(portal: PortalState, entry: Entry): string {
  if ('country' in entry) return (entry as Contact).country;
  const [first] = entry.contacts ?? [];
  return portal.contacts.find((one) => one.id === first)?.country ?? 'US';
}

const stages: Readonly<Record<string, string>> = {
  appointmentscheduled: 'Appointment scheduled',
  qualifiedtobuy: 'Qualified to buy',
  presentationscheduled: 'Presentation scheduled',
  contractsent: 'Contract sent',
  closedwon: 'Closed won',
  closedlost: 'Closed lost',
};
const ticketStages: Readonly<Record<string, string>> = {
  1: 'New',
  2: 'Waiting on contact',
  3: 'Waiting on us',
  4: 'Closed',
};

function subtitle(portal: PortalState, type: RecordType, entry: Entry): { sub: string; stage: string } {
  const { properties } = entry;
  switch (type) {
    case 'contacts':
      return {
        sub: `${properties.jobtitle ?? ''} at ${properties.company ?? ''}`,
        stage: properties.lifecyclestage === 'lead' ? 'Lead' : 'Customer',
      };
    case 'companies':
      return { sub: [properties.city, properties.country].filter(Boolean).join(', '), stage: 'Company' };
    case 'deals':
      return { sub: money(properties.amount), stage: stages[properties.dealstage ?? ''] ?? 'Deal' };
    default:
      return {
        sub: `Ticket of ${names(portal, entry, 'contacts')}`,
        stage: ticketStages[properties.hs_pipeline_stage ?? ''] ?? 'Ticket',
      };
  }
}

function money(amount: string | null | undefined): string {
  return amount ? `$${Number(amount).toLocaleString('en-US')}` : 'No amount';
}

function names(portal: PortalState, entry: Entry, type: RecordType): string {
  return (entry[type] ?? [])
    .flatMap((id) => {
      const found = entryOf(portal, { type, id });
      return found ? [nameOf(type, found)] : [];
    })
    .join(', ');
}

/** What the left column shows of a record. */
export function aboutView(portal: PortalState, shown: Reference, entry: Entry, actions: RecordActions): Node[] {
  const { properties } = entry;
  const name = nameOf(shown.type, entry);
  const { sub, stage } = subtitle(portal, shown.type, entry);
  const country = countryOf(portal, entry);
  const [person] = shown.type === 'contacts' || shown.type === 'companies' ? [] : (entry.contacts ?? []);
  const callee: Reference = person === undefined ? shown : { type: 'contacts', id: person };
  const first = numberOf(entryOf(portal, callee) ?? entry);
  const owner = field('Owner', ownerName(portal, properties.hubspot_owner_id));
  const fields: Readonly<Record<RecordType, () => Node[]>> = {
    contacts: () => [
      field('Phone number', dialLink(actions, properties.phone, 'phone', shown, country)),
      field('Mobile phone number', dialLink(actions, properties.mobilephone, 'mobilephone', shown, country)),
      field('Email', properties.email ?? '--'),
      field('City', properties.city ?? '--'),
    ],
    companies: () => [
      field('Phone number', dialLink(actions, properties.phone, 'phone', shown, country)),
      field('City', properties.city ?? '--'),
    ],
    deals: () => [field('Amount', money(properties.amount)), field('Stage', stage)],
    tickets: () => [
      field('Priority', (properties.hs_ticket_priority ?? '--').toLowerCase()),
      field('Status', stage),
      field('What it is about', properties.content ?? '--'),
    ],
  };
  return [
    h(
      'div',
      { class: 'who', 'data-shown': entry.id },
      avatar(name, 'large'),
      h('div', {}, h('h1', {}, name), h('p', { class: 'sub' }, sub), h('span', { class: 'stage' }, stage)),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'call-button',
        disabled: first === undefined,
        onclick: () => first && actions.dial(first.number, first.source, callee, country),
      },
      icon('phone', 16),
      'Call',
    ),
    h('dl', {}, ...fields[shown.type](), owner),
  ];
}

const headings: Readonly<Record<RecordType, string>> = {
  contacts: 'Contacts',
  companies: 'Company',
  deals: 'Deals',
  tickets: 'Tickets',
};
const icons = { contacts: 'person', companies: 'building', deals: 'chart', tickets: 'question' } as const;

/** What the record is associated with, each with the number to call where it has one. */
export function associatedView(portal: PortalState, entry: Entry, actions: RecordActions): Node[] {
  return (['contacts', 'companies', 'deals', 'tickets'] as const).flatMap((type) => {
    const entries = (entry[type] ?? []).flatMap((id) => entryOf(portal, { type, id }) ?? []);
    if (entries.length === 0) return [];
    return [
      h(
        'div',
        { class: 'associated' },
        h('h2', {}, headings[type], h('small', {}, `${entries.length}`)),
        ...entries.map((one) => {
          const target: Reference = { type, id: one.id };
          const number = type === 'contacts' || type === 'companies' ? numberOf(one) : undefined;
          const { sub, stage } = subtitle(portal, type, one);
          return h(
            'div',
            {},
            h(
              'a',
              { class: 'link', href: actions.addressOf(target), onclick: actions.following(target) },
              icon(icons[type], 16),
              nameOf(type, one),
            ),
            number
              ? dialLink(actions, number.number, number.source, target, countryOf(portal, one))
              : h('small', {}, type === 'deals' ? `${stage}, ${sub}` : stage),
          );
        }),
      ),
    ];
  });
}
