/**
 * The panel halves of all hosts: one explicit line each, loaded when the page's `data-host` picks it, so that no agent carries another CRM's
 * wire. Must never import a relay half.
 */
import type { CreatePanelHost } from './panel-contract.ts';

export const panelHosts = {
  salesforce: async () => (await import('./salesforce/panel.ts')).createSalesforcePanel,
  hubspot: async () => (await import('./hubspot/panel.ts')).createHubSpotPanel,
  page: async () => (await import('./page/panel.ts')).createPagePanel,
} as const satisfies Record<string, () => Promise<CreatePanelHost>>;

export type {
  CreatePanelHost,
  DialRequest,
  HostCall,
  PageChannel,
  PanelCan,
  PanelHost,
  PanelHostOptions,
  PopTarget,
  SelfCheck,
  SelfCheckResult,
} from './panel-contract.ts';
