/** Owns the column of extension cards beside a record: which card a page has, and for whom it is mounted. Must never draw a card's inside. */
import { h } from '../../page/dom.ts';
import { type MountedCard, mountCard } from '../cards/mount-card.ts';
import { type Reference, type Setup, typeIds } from './portal-state.ts';

export interface CardColumn {
  readonly element: HTMLElement;
  /** Mounts the card for this record; nothing happens while it stays the same. */
  show(record: Reference | undefined): void;
}

export function createCardColumn(setup: Setup): CardColumn {
  const place = h('div', {});
  const element = h('section', { class: 'card extension', 'aria-label': 'Patchcord card' }, place);
  const { userId, email, firstName, lastName } = setup.owner;
  let mounted: MountedCard | undefined;
  let shown = '';

  return {
    element,
    show(record) {
      const key = record ? `${record.type} ${record.id}` : '';
      if (key === shown) return;
      shown = key;
      mounted?.remove();
      mounted = undefined;
      element.hidden = !record;
      if (!record) return;
      mounted = mountCard(place, {
        card: setup.place === 'help-desk' ? 'patchcord_help_desk_card' : 'patchcord_calls_card',
        context: {
          user: { id: userId, email, firstName, lastName, locale: navigator.language },
          portal: { id: setup.portalId, timezone: Intl.DateTimeFormat().resolvedOptions().timeZone },
          crm: { objectId: Number(record.id), objectTypeId: typeIds[record.type] },
        },
      });
    },
  };
}
