/** One emulated org with the real relay half on it, for tests that look at both sides. Owns test data only. */
import { generateKeyPairSync } from 'node:crypto';
import type { RecordRef } from '@patchcord/call-protocol';
import {
  type CrmAgent,
  type CrmRelay,
  createSalesforceRelay,
  type SalesforceKeyOptions,
} from '@patchcord/crm-adapters/relay';
import {
  type SalesforceSandbox,
  type SalesforceSandboxOptions,
  startSalesforceSandbox,
} from '../../../sandbox/src/salesforce/sandbox.ts';

export interface TestOrg {
  readonly org: SalesforceSandbox;
  readonly relay: CrmRelay;
  /** Two agents of the demo. */
  readonly robin: CrmAgent;
  readonly sam: CrmAgent;
  readonly integration: CrmAgent;
  /** What an administrator was told since the test began. */
  readonly notices: string[];
  /** Another relay on the same org, which knows nothing yet. */
  freshRelay(change?: Partial<SalesforceKeyOptions>): CrmRelay;
  /** The record with this name. */
  record(name: string): RecordRef;
  close(): Promise<void>;
}

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });

export const privateKeyPem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();

export async function startTestOrg(
  options: Partial<SalesforceSandboxOptions> = {},
  change: Partial<SalesforceKeyOptions> = {},
): Promise<TestOrg> {
  const org = await startSalesforceSandbox({ panelUrl: 'http://localhost:1/salesforce/', ...options });
  org.connectedApp.registerConnectedApp(publicKey.export({ type: 'spki', format: 'pem' }).toString());
  const named = (name: string): CrmAgent & { readonly username: string } => {
    const user = org.users.find((one) => one.name === name);
    if (user === undefined) throw new Error(`The sandbox org has no user ${name}.`);
    return { crmUserId: user.id, name: user.name, username: user.username };
  };
  const [robin, sam] = org.users.filter((user) => user.callCenterId !== null);
  if (robin === undefined || sam === undefined) throw new Error('The sandbox org lacks its agents.');
  const notices: string[] = [];
  const freshRelay = (more: Partial<SalesforceKeyOptions> = {}): CrmRelay =>
    createSalesforceRelay({
      loginUrl: org.org.loginUrl,
      clientId: org.connectedApp.clientId,
      privateKeyPem,
      username: named('Patchcord Relay').username,
      timeoutMs: 5_000,
      notice: (text) => notices.push(text),
      ...change,
      ...more,
    });
  return {
    org,
    relay: freshRelay(),
    robin: named(robin.name),
    sam: named(sam.name),
    integration: named('Patchcord Relay'),
    notices,
    freshRelay,
    record(name) {
      for (const object of ['Contact', 'Lead', 'Account'] as const) {
        const row = org.records[object].find((one) => one.Name === name);
        if (row !== undefined) return { crm: 'salesforce', object, id: `${row.Id}`, name };
      }
      throw new RangeError(name);
    },
    close: () => org.close(),
  };
}
