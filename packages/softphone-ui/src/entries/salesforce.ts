/** The panel inside Salesforce. */
import { createSalesforcePanel } from '@patchcord/crm-adapters/panel';
import { openPanel } from '../main.tsx';
import { startPageLink } from '../page-link.ts';

openPanel(createSalesforcePanel, { startPageLink });
