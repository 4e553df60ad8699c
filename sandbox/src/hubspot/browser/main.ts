/** Owns the choice between the two kinds of HubSpot page: a tab, or the detached calling window. */
import { showCallingWindow } from './calling-window.ts';
import type { Setup } from './portal-state.ts';
import { showTab } from './tab-page.ts';

const setup = JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as Setup;
if (setup.place === 'window' || setup.location === 'window') void showCallingWindow(setup);
else showTab(setup);
