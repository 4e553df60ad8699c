/** Draws the app's settings page over the sandbox page it is loaded into: HubSpot shows it alone. For a picture only. */
import { mountCard } from '../../sandbox/src/hubspot/cards/mount-card.ts';

const { owner, portalId } = JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as {
  readonly owner: {
    readonly userId: number;
    readonly email: string;
    readonly firstName: string;
    readonly lastName: string;
  };
  readonly portalId: number;
};
const place = document.createElement('div');
place.id = 'settings';
place.style.cssText = 'width:720px;margin:0 auto;align-self:start;height:max-content;padding:24px;background:#fff';
document.body.replaceChildren(place);
const { userId: id, email, firstName, lastName } = owner;
mountCard(place, {
  card: 'patchcord_settings',
  context: {
    user: { id, email, firstName, lastName, locale: 'en-us' },
    portal: { id: portalId, timezone: 'America/Los_Angeles' },
  },
});
