/**
 * Connects a tenant to its CRM: the one place where the configuration meets the adapters. Must never know what a CRM's REST looks like.
 */
import type { TenantId } from '@patchcord/call-protocol';
import {
  type CrmRelay,
  createHubSpotRelay,
  createMemoryRelay,
  createSalesforceRelay,
  type RequestGate,
} from '@patchcord/crm-adapters/relay';
import type { TenantConfig } from './config.ts';
import type { CrmTokens } from './crm-tokens.ts';
import { tracedFetch, traceHeaders } from './tracing.ts';

/**
 * The relay half of the tenant's CRM adapter. Nothing is asked of the CRM yet.
 * @param gate Asked before each request
 * @param tokens Of accounts that were connected by their OAuth page
 */
export function connectCrm({ id, crm }: TenantConfig, gate: RequestGate, tokens: CrmTokens): CrmRelay {
  switch (crm.kind) {
    case 'salesforce':
      return createSalesforceRelay({
        loginUrl: crm.loginUrl,
        clientId: crm.clientId,
        privateKeyPem: crm.privateKey,
        username: crm.username,
        headers: traceHeaders,
        gate,
        ...(crm.instanceUrl === undefined ? {} : { instanceUrl: crm.instanceUrl }),
        ...(crm.timeZone === undefined ? {} : { timeZone: crm.timeZone }),
      });
    case 'hubspot':
      return createHubSpotRelay({
        apiUrl: crm.apiUrl,
        portalId: crm.portalId,
        appId: crm.appId,
        fetch: tracedFetch,
        gate,
        accessToken:
          crm.refreshToken === undefined
            ? tokens.hubSpot(id as TenantId, crm)
            : { clientId: crm.clientId, clientSecret: crm.clientSecret, refreshToken: crm.refreshToken },
        ...(crm.uiUrl === undefined ? {} : { uiUrl: crm.uiUrl }),
      });
    case 'memory':
      return createMemoryRelay({ records: crm.records });
  }
}
