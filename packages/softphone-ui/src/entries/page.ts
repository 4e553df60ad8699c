/** The panel inside a plain page. */
import { createPagePanel } from '@patchcord/crm-adapters/panel';
import { openPanel } from '../main.tsx';

openPanel(createPagePanel);
