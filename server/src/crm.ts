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
  type SalesforceRelayOptions,
} from '@patchcord/crm-adapters/relay';
import type { SalesforceSettings } from './config/salesforce.ts';
import type { TenantConfig } from './config.ts';
import type { CrmTokens } from './crm-tokens.ts';
import { salesforceApp } from './identity/crm-connections.ts';
import { tracedFetch, traceHeaders } from './tracing.ts';

/**
 * The relay half of the tenant's CRM adapter. Nothing is asked of the CRM yet.
 * @param gate Asked before each request
 * @param tokens Of accounts that were connected by their OAuth page
 * @param notice Told what an administrator should know of the CRM
 * @param recordingPage Plays the recording of the call whose id is put at its end; logs carry it where the CRM has a field for it
 */
export function connectCrm(
  { id, crm }: TenantConfig,
  gate: RequestGate,
  tokens: CrmTokens,
  notice: (text: string) => void,
  recordingPage?: string,
): CrmRelay {
  switch (crm.kind) {
    case 'salesforce':
      return salesforceRelay(
        id as TenantId,
        crm,
        { headers: traceHeaders, gate, notice, ...(recordingPage === undefined ? {} : { recordingPage }) },
        tokens,
      );
    case 'hubspot':
      return createHubSpotRelay({
        apiUrl: crm.apiUrl,
        portalId: crm.portalId,
        appId: crm.appId,
        fetch: tracedFetch,
        gate,
        notice,
        accessToken:
          crm.refreshToken === undefined
            ? tokens.hubSpot(id as TenantId, crm)
            : { clientId: crm.clientId, clientSecret: crm.clientSecret, refreshToken: crm.refreshToken },
        ...(crm.uiUrl === undefined ? {} : { uiUrl: crm.uiUrl }),
        ...(crm.mainNumber === undefined ? {} : { mainNumber: crm.mainNumber }),
        ...(crm.doNotCallProperty === undefined ? {} : { doNotCallProperty: crm.doNotCallProperty }),
      });
    case 'memory':
      return createMemoryRelay({ records: crm.records });
  }
}

function salesforceRelay(
  tenant: TenantId,
  crm: SalesforceSettings,
  watched: Pick<SalesforceRelayOptions, 'headers' | 'gate' | 'notice' | 'recordingPage'>,
  tokens: CrmTokens,
): CrmRelay {
  const common = {
    ...watched,
    loginUrl: crm.loginUrl,
    actAs: crm.actAs,
    ...(crm.instanceUrl === undefined ? {} : { instanceUrl: crm.instanceUrl }),
    ...(crm.timeZone === undefined ? {} : { timeZone: crm.timeZone }),
  };
  const { clientId, privateKey, username } = crm;
  if (privateKey === undefined || username === undefined) {
    return createSalesforceRelay({ ...common, accessToken: tokens.salesforce(tenant, salesforceApp(crm)) });
  }
  return createSalesforceRelay({ ...common, clientId, privateKeyPem: privateKey, username });
}
