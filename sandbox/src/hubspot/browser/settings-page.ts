/** Owns the place in HubSpot's settings where a connected app has its page. Must never draw that page's inside: it is the genuine one. */
import { avatar, banner, h } from '../../page/dom.ts';
import { mountCard } from '../cards/mount-card.ts';
import type { Setup } from './portal-state.ts';
import { rail, titleOf } from './rail.ts';

export function showSettings(setup: Setup): void {
  const { userId, email, firstName, lastName } = setup.owner;
  const place = h('section', { class: 'card app-settings', 'aria-label': `${setup.appName} settings` });
  document.body.append(
    rail(setup),
    h(
      'div',
      { class: 'page' },
      banner('HubSpot'),
      h(
        'header',
        { class: 'top' },
        h('strong', {}, titleOf(setup.place)),
        h('span', {}, `Connected apps: ${setup.appName}`),
        h('span', { class: 'push' }),
        avatar(`${firstName} ${lastName}`),
      ),
      h('main', { class: 'settings' }, place),
    ),
  );
  mountCard(place, {
    card: 'patchcord_settings',
    context: {
      user: { id: userId, email, firstName, lastName, locale: navigator.language },
      portal: { id: setup.portalId, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone },
    },
  });
}
