/** Owns what the visitor of the sandbox is offered beside a record: people who call them, and who answers how when they are called. */
import { callMeCard, h, postJson } from '../../page/dom.ts';
import { type Entry, nameOf, numberOf, type PortalState } from './portal-state.ts';

export interface Callers {
  readonly element: HTMLElement;
  /** `person` is who may call by name; nothing happens while it stays the same. */
  show(portal: PortalState, person: Entry | undefined): void;
}

export function createCallers(userId: number): Callers {
  const element = h('div', { class: 'left' });
  let shown = '';

  return {
    element,
    show(portal, person) {
      const number = person && numberOf(person);
      const e164 = number && portal.e164[number.number];
      const key = `${person?.id} ${e164}`;
      if (shown === key) return;
      shown = key;
      element.replaceChildren(
        callMeCard(
          person && e164 !== undefined ? { name: nameOf('contacts', person), number: e164 } : undefined,
          portal.unknownCaller,
          async (order) => {
            const { ok, value } = await postJson('/sandbox/call-me', { ...order, user: userId });
            if (ok) return undefined;
            return (value as { error?: string } | undefined)?.error ?? 'The sandbox switch did not answer.';
          },
        ),
        h(
          'section',
          { class: 'card tips', 'aria-label': 'Who answers' },
          h('h2', {}, 'Who answers', h('span', { class: 'tag' }, 'sandbox')),
          h('ul', {}, ...portal.answers.map((one) => h('li', {}, h('strong', {}, one.name), ` ${one.answers}`))),
        ),
      );
    },
  };
}
