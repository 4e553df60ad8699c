/** The sandbox's door: two CRMs, a plain page and a switch, all of them stand-ins. Demo and test equipment, never the production path. */

export { demoCallers } from './demo-callers.ts';
export { type HubSpotSandbox, startHubSpotSandbox } from './hubspot/sandbox.ts';
export { officeFeatures } from './office-features.ts';
export {
  type HonestToken,
  type OpenIdPerson,
  type OpenIdSandbox,
  signIdToken,
  startOpenIdSandbox,
} from './oidc/provider.ts';
export { type PlainPageSandbox, startPlainPageSandbox } from './page/index.ts';
export { type CallMeRequest, type DemoPerson, demoAgents, demoPeople } from './people.ts';
export { type SalesforceSandbox, startSalesforceSandbox } from './salesforce/sandbox.ts';
export { mintCredential, type PlacedCall, type Switch, type SwitchOptions, startSwitch } from './switch/index.ts';
