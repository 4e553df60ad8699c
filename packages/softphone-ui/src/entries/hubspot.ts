/** The panel inside HubSpot. */
import { createHubSpotPanel } from '@patchcord/crm-adapters/panel';
import { openPanel } from '../main.tsx';

openPanel(createHubSpotPanel);
