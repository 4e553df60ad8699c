/**
 * The panel halves of all hosts: one explicit line each. The panel is built once for each, so that no agent carries another CRM's wire. Must
 * never import a relay half.
 */
export { createHubSpotPanel } from './hubspot/panel.ts';
export { createPagePanel } from './page/panel.ts';
export type {
  CreatePanelHost,
  DialRequest,
  HostCall,
  LogCreation,
  PageChannel,
  PanelCan,
  PanelHost,
  PanelHostOptions,
  PopTarget,
  PopWish,
  SelfCheck,
  SelfCheckResult,
} from './panel-contract.ts';
export { createSalesforcePanel } from './salesforce/panel.ts';
