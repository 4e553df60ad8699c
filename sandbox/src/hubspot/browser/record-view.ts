/**
 * Owns how a contact, a company and a call look on the HubSpot page. Must never change the page: it gives elements, `main.ts` places them.
 */
import { avatar, h, icon, shownDuration, type TimelineCall } from '../../page/dom.ts';
import {
  type Company,
  type Contact,
  nameOf,
  ownerName,
  type PortalState,
  type Properties,
  type Reference,
} from './portal-state.ts';

/** What a click on a record's parts does. */
export interface RecordActions {
  addressOf(target: Reference): string;
  following(target: Reference): (event: Event) => void;
  dial(number: string, source: string, callee: Reference, country: string): void;
}

function dialLink(
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

/** Everything the left column shows of a contact. */
export function contactView(portal: PortalState, contact: Contact, actions: RecordActions): Node[] {
  const { addressOf, dial, following } = actions;
  const { properties, id } = contact;
  const self: Reference = { type: 'contacts', id };
  const first = properties.phone
    ? ([properties.phone, 'phone'] as const)
    : ([properties.mobilephone, 'mobilephone'] as const);
  const company = portal.companies.find((one) => contact.companies.includes(one.id));
  return [
    h(
      'div',
      { class: 'who', 'data-shown': id },
      avatar(nameOf(contact), 'large'),
      h(
        'div',
        {},
        h('h1', {}, nameOf(contact)),
        h('p', { class: 'sub' }, `${properties.jobtitle ?? ''} at ${properties.company ?? ''}`),
        h('span', { class: 'stage' }, properties.lifecyclestage === 'lead' ? 'Lead' : 'Customer'),
      ),
    ),
    h(
      'button',
      {
        type: 'button',
        class: 'call-button',
        onclick: () => first[0] && dial(first[0], first[1], self, contact.country),
      },
      icon('phone', 16),
      'Call',
    ),
    h(
      'dl',
      {},
      field('Phone number', dialLink(actions, properties.phone, 'phone', self, contact.country)),
      field('Mobile phone number', dialLink(actions, properties.mobilephone, 'mobilephone', self, contact.country)),
      field('Email', properties.email ?? '--'),
      field('City', properties.city ?? '--'),
      field('Contact owner', ownerName(portal, properties.hubspot_owner_id)),
    ),
    company
      ? h(
          'div',
          { class: 'associated' },
          h('h2', {}, 'Company'),
          h(
            'a',
            {
              class: 'link',
              href: addressOf({ type: 'companies', id: company.id }),
              onclick: following({ type: 'companies', id: company.id }),
            },
            icon('building', 16),
            company.properties.name ?? '',
          ),
          dialLink(actions, company.properties.phone, 'phone', { type: 'companies', id: company.id }, contact.country),
        )
      : document.createTextNode(''),
  ];
}

/** Everything the left column shows of a company. */
export function companyView(portal: PortalState, company: Company, actions: RecordActions): Node[] {
  const { addressOf, following } = actions;
  const { properties, id } = company;
  const people = portal.contacts.filter((contact) => company.contacts.includes(contact.id));
  const country = people[0]?.country ?? 'US';
  return [
    h(
      'div',
      { class: 'who', 'data-shown': id },
      avatar(properties.name ?? '', 'large'),
      h(
        'div',
        {},
        h('h1', {}, properties.name ?? ''),
        h('p', { class: 'sub' }, [properties.city, properties.country].filter(Boolean).join(', ')),
        h('span', { class: 'stage' }, 'Company'),
      ),
    ),
    h(
      'dl',
      {},
      field('Phone number', dialLink(actions, properties.phone, 'phone', { type: 'companies', id }, country)),
      field('Company owner', ownerName(portal, properties.hubspot_owner_id)),
    ),
    h(
      'div',
      { class: 'associated' },
      h('h2', {}, 'Contacts'),
      ...people.map((contact) =>
        h(
          'div',
          {},
          h(
            'a',
            {
              class: 'link',
              href: addressOf({ type: 'contacts', id: contact.id }),
              onclick: following({ type: 'contacts', id: contact.id }),
            },
            icon('person', 16),
            nameOf(contact),
          ),
          dialLink(
            actions,
            contact.properties.phone ?? contact.properties.mobilephone,
            contact.properties.phone ? 'phone' : 'mobilephone',
            { type: 'contacts', id: contact.id },
            contact.country,
          ),
        ),
      ),
    ),
  ];
}

const statusWords: Readonly<Record<string, string>> = {
  COMPLETED: '',
  NO_ANSWER: 'No answer',
  BUSY: 'Busy',
  CANCELED: 'Cancelled',
  FAILED: 'Failed',
  MISSED: 'Missed',
  IN_PROGRESS: 'In progress',
  CONNECTING: 'Connecting',
  RINGING: 'Ringing',
};

/** A call of the portal as the timeline shows it. */
export function asCall(portal: PortalState, properties: Properties): TimelineCall {
  const inbound = properties.hs_call_direction === 'INBOUND';
  const seconds = Number(properties.hs_call_duration ?? 0) / 1000;
  const outcome = portal.dispositions.find((one) => one.value === properties.hs_call_disposition)?.label;
  const state = statusWords[properties.hs_call_status ?? ''] ?? properties.hs_call_status ?? '';
  return {
    direction:
      inbound && ['MISSED', 'NO_ANSWER', 'CANCELED'].includes(properties.hs_call_status ?? '')
        ? 'missed'
        : inbound
          ? 'in'
          : 'out',
    title: properties.hs_call_title || (inbound ? 'Inbound call' : 'Outbound call'),
    facts: [
      inbound ? 'Inbound' : 'Outbound',
      seconds > 0 ? shownDuration(seconds) : '',
      outcome ?? '',
      state === outcome ? '' : state,
      ownerName(portal, properties.hubspot_owner_id),
    ],
    note: plainText(properties.hs_call_body ?? ''),
    at: new Date(properties.hs_timestamp ?? Date.now()),
  };
}

/** A call's body may be HTML; the timeline shows its text. */
function plainText(html: string): string {
  const broken = html.replace(/<br\s*\/?>|<\/p>\s*<p>|<\/div>\s*<div>/gi, '\n');
  return new DOMParser().parseFromString(broken, 'text/html').body.textContent?.trim() ?? '';
}
