/**
 * The relay halves of all CRMs: one explicit line each. The server picks one per tenant. Must never be imported by the panel.
 */

export { phraseLines } from './heard-words.ts';
export {
  type HubSpotIdentity,
  type HubSpotSignatureCheck,
  verifyHubSpotSignature,
  verifyHubSpotWebhook,
} from './hubspot/identity.ts';
export {
  exchangeHubSpotCode,
  type HubSpotTokens,
  hubSpotAuthorizeUrl,
  hubSpotUserOf,
  refreshHubSpotTokens,
  revokeHubSpotToken,
} from './hubspot/oauth.ts';
export { createHubSpotRelay, type HubSpotRelayOptions } from './hubspot/relay.ts';
export {
  createMemoryRelay,
  type MemoryFault,
  type MemoryLog,
  type MemoryRecord,
  type MemoryRelay,
} from './memory/relay.ts';
export { isExtension, isNumber, type SearchForms, sameNumber, searchForms, toE164 } from './number-match.ts';
export type {
  CrmAgent,
  CrmRelay,
  LogToWrite,
  LogWritten,
  RelayCan,
  SetUpFinding,
  SpokenLine,
} from './relay-contract.ts';
export type { GatedRequest, RequestGate, SaidOfLimits } from './request-gate.ts';
export { scriptOrigins as salesforceScriptOrigins } from './salesforce/host-address.ts';
export {
  type SalesforceAssertionCheck,
  type SalesforceIdentity,
  salesforceUserOf,
  verifySalesforceAssertion,
} from './salesforce/identity.ts';
export {
  exchangeSalesforceCode,
  refreshSalesforceToken,
  type SalesforceApp,
  type SalesforceGrant,
  salesforceAuthorizeUrl,
} from './salesforce/oauth.ts';
export {
  createSalesforceRelay,
  type SalesforceKeyOptions,
  type SalesforceRelayOptions,
  type SalesforceTokenOptions,
} from './salesforce/relay.ts';
export { revokeSalesforceToken } from './salesforce/revoke.ts';
