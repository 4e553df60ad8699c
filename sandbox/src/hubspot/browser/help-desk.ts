/** Owns the conversation page of the help desk: a ticket's thread, and the numbers the app offers in HubSpot's channel. Must never dial by itself. */
import { avatar, h, icon, postJson } from '../../page/dom.ts';
import { entryOf, nameOf, numberOf, type PortalState, type Reference } from './portal-state.ts';
import { countryOf, type RecordActions } from './record-view.ts';

interface ChannelNumber {
  readonly number: string;
  readonly name: string;
  readonly selectable: boolean;
}

export function createHelpDesk(userId: number, actions: RecordActions, changed: () => void) {
  let numbers: readonly ChannelNumber[] = [];
  void postJson('/sandbox/channel', { user: userId }).then(({ value }) => {
    numbers = ((value ?? {}) as { numbers?: ChannelNumber[] }).numbers ?? [];
    changed();
  });

  return {
    list: (portal: PortalState, shown: Reference | undefined): Node[] =>
      portal.tickets.map((ticket) =>
        h(
          'a',
          {
            class: 'thread',
            href: `/help-desk/0/thread/${ticket.id}`,
            'aria-current': ticket.id === shown?.id ? 'page' : undefined,
            onclick: actions.following({ type: 'tickets', id: ticket.id }),
          },
          h('strong', {}, nameOf('tickets', ticket)),
          h('small', {}, from(portal, ticket.contacts?.[0])),
        ),
      ),
    thread(portal: PortalState, shown: Reference): Node[] {
      const ticket = entryOf(portal, shown);
      const person = portal.contacts.find((one) => one.id === ticket?.contacts?.[0]);
      if (!ticket || !person) return [h('p', { class: 'empty' }, 'Choose a conversation.')];
      const number = numberOf(person);
      return [
        h(
          'div',
          { class: 'who', 'data-shown': ticket.id },
          avatar(nameOf('contacts', person), 'large'),
          h(
            'div',
            {},
            h('h1', {}, nameOf('tickets', ticket)),
            h('p', { class: 'sub' }, `${nameOf('contacts', person)}, ${person.properties.company ?? ''}`),
          ),
        ),
        h('p', { class: 'message' }, ticket.properties.content ?? ''),
        h(
          'div',
          { class: 'steps' },
          number
            ? h(
                'button',
                {
                  type: 'button',
                  class: 'primary dial',
                  'data-number': number.number,
                  onclick: () =>
                    actions.dial(
                      number.number,
                      number.source,
                      { type: 'contacts', id: person.id },
                      countryOf(portal, person),
                    ),
                },
                icon('phone', 15),
                `Call ${person.properties.firstname ?? ''}`,
              )
            : null,
          numbers.length === 0
            ? null
            : h(
                'select',
                { 'aria-label': 'Call from' },
                ...numbers.map((one) =>
                  h(
                    'option',
                    { disabled: !one.selectable },
                    one.name === '' ? one.number : `${one.name} (${one.number})`,
                  ),
                ),
              ),
        ),
      ];
    },
  };

  function from(portal: PortalState, id: string | undefined): string {
    const person = portal.contacts.find((one) => one.id === id);
    return person ? nameOf('contacts', person) : '';
  }
}
