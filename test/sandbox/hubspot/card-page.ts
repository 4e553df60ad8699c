/** The smallest page that draws a card: which one stands in its address. */
import { mountCard } from '../../../sandbox/src/hubspot/cards/mount-card.ts';

const place = document.getElementById('place');
const card = new URLSearchParams(location.search).get('card') ?? '';
if (place !== null)
  mountCard(place, {
    card,
    context: {
      user: { id: 901, email: 'grace@example.com', firstName: 'Grace', lastName: 'Hopper', locale: 'en-us' },
      portal: { id: 4242, timezone: 'Europe/London' },
      ...(card === 'patchcord_settings'
        ? {}
        : { crm: { objectTypeId: '0-1', objectId: Number(place.dataset.contact) } }),
    },
  });
