/** Owns the bar on the left of every tab: which places of the portal the sandbox has, and what they are called. */
import { h, icon } from '../../page/dom.ts';
import { addressIn, type Setup } from './portal-state.ts';

const places = [
  ['record', 'person', 'Contacts', '/'],
  ['help-desk', 'question', 'Help desk', '/help-desk/:portal/thread/801'],
  ['tasks', 'list', 'Call tasks', '/tasks/:portal/queue'],
  ['settings', 'settings', 'Settings', '/connected-apps/:portal/patchcord'],
] as const;

export function titleOf(place: Setup['place']): string {
  return places.find(([one]) => one === place)?.[2] ?? 'Contacts';
}

export function rail(setup: Setup): HTMLElement {
  return h(
    'nav',
    { class: 'rail', 'aria-label': 'Main' },
    h('span', { class: 'mark', 'aria-hidden': 'true' }),
    ...places.map(([place, symbol, title, path]) =>
      h(
        'a',
        {
          class: place === setup.place ? 'on' : '',
          href: addressIn(setup, path),
          title,
          'aria-label': title,
          'aria-current': place === setup.place ? 'page' : undefined,
        },
        icon(symbol, 20),
      ),
    ),
  );
}
