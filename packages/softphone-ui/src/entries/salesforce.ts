/** The panel inside Salesforce. */
import { createSalesforcePanel } from '@patchcord/crm-adapters/panel';
import { openPanel } from '../main.tsx';

openPanel(createSalesforcePanel);
