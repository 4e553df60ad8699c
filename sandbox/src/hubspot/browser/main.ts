/** Owns the choice between the kinds of HubSpot page: a tab, the app's settings, or the detached calling window. */
import { showCallingWindow } from './calling-window.ts';
import type { Setup } from './portal-state.ts';
import { showSettings } from './settings-page.ts';
import { showTab } from './tab-page.ts';

const setup = JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as Setup;
if (setup.place === 'window' || setup.location === 'window') void showCallingWindow(setup);
else if (setup.place === 'settings') showSettings(setup);
else showTab(setup);
