/**
 * The relay halves of all CRMs: one explicit line each. The server picks one per tenant. Must never be imported by the panel.
 */

export { type HubSpotIdentity, type HubSpotSignatureCheck, verifyHubSpotSignature } from './hubspot/identity.ts';
export { createHubSpotRelay, type HubSpotRelayOptions } from './hubspot/relay.ts';
export {
  createMemoryRelay,
  type MemoryFault,
  type MemoryLog,
  type MemoryRecord,
  type MemoryRelay,
} from './memory/relay.ts';
export { isExtension, isNumber, type SearchForms, sameNumber, searchForms, toE164 } from './number-match.ts';
export type { CrmAgent, CrmRelay, RelayCan } from './relay-contract.ts';
export {
  type SalesforceAssertionCheck,
  type SalesforceIdentity,
  verifySalesforceAssertion,
} from './salesforce/identity.ts';
export { createSalesforceRelay, type SalesforceRelayOptions } from './salesforce/relay.ts';
export { scriptOrigins as salesforceScriptOrigins } from './salesforce/wire.ts';
