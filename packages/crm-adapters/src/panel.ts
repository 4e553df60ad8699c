/**
 * The panel halves of all hosts: one explicit line each. The page's `data-host` picks one. Must never import a relay half.
 */
import { createHubSpotPanel } from './hubspot/panel.ts';
import { createPagePanel } from './page/panel.ts';
import type { CreatePanelHost } from './panel-contract.ts';
import { createSalesforcePanel } from './salesforce/panel.ts';

export const panelHosts = {
  salesforce: createSalesforcePanel,
  hubspot: createHubSpotPanel,
  page: createPagePanel,
} as const satisfies Record<string, CreatePanelHost>;

export type {
  CreatePanelHost,
  DialRequest,
  HostCall,
  PanelCan,
  PanelHost,
  PanelHostOptions,
} from './panel-contract.ts';
