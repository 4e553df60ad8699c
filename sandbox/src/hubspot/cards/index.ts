/**
 * The genuine cards and settings page of `hubspot-extension/`, drawn in the sandbox: bundled as HubSpot bundles them, run in a web worker, drawn by our own
 * plain HTML, their requests signed.
 *
 * - Server: `cardRoutes({ portal, owners, appId, relayUrl, signedFetch })` gives a function for the page server; whatever is not below `/sandbox/cards/` gives
 *   undefined, and the page server goes on with it.
 * - Page: `mountCard(place, { card, context })` from `mount-card.ts`, a module of its own because this one brings Node code:
 *   `mountCard(div, { card: 'patchcord_calls_card', context: { user, portal: { id, timezone }, crm: { objectTypeId: '0-1', objectId: 501 } } })`. It brings its
 *   own style sheet and gives `{ remove() }`. In the help desk the card is `patchcord_help_desk_card`; `patchcord_settings` has no `crm`.
 */
export { cardRoutes } from './routes.ts';
