/**
 * Connects a tenant to its CRM: the one place where the configuration meets the adapters. Must never know what a CRM's REST looks like.
 */
import {
  type CrmRelay,
  createHubSpotRelay,
  createMemoryRelay,
  createSalesforceRelay,
} from '@patchcord/crm-adapters/relay';
import type { TenantConfig } from './config.ts';

/** The relay half of the tenant's CRM adapter. Nothing is asked of the CRM yet. */
export function connectCrm({ crm }: TenantConfig): CrmRelay {
  switch (crm.kind) {
    case 'salesforce':
      return createSalesforceRelay({
        loginUrl: crm.loginUrl,
        clientId: crm.clientId,
        privateKeyPem: crm.privateKey,
        username: crm.username,
        ...(crm.instanceUrl === undefined ? {} : { instanceUrl: crm.instanceUrl }),
        ...(crm.timeZone === undefined ? {} : { timeZone: crm.timeZone }),
      });
    case 'hubspot':
      return createHubSpotRelay({
        apiUrl: crm.apiUrl,
        portalId: crm.portalId,
        appId: crm.appId,
        accessToken: { clientId: crm.clientId, clientSecret: crm.clientSecret, refreshToken: crm.refreshToken },
        ...(crm.uiUrl === undefined ? {} : { uiUrl: crm.uiUrl }),
      });
    case 'memory':
      return createMemoryRelay({ records: crm.records });
  }
}
