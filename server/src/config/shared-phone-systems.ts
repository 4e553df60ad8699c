/**
 * Tenants that share a phone system: it knows agents by their extension alone, so an extension there must mean one person. Owns finding what
 * tenants share, and that they call it by one name. Must never quote a value of the configuration.
 */
import type * as v from 'valibot';
import type { TenantSchema } from './tenant.ts';

type Tenant = v.InferOutput<typeof TenantSchema>;

/** Where in the list of tenants something is wrong, and what. */
interface SharingProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** A way in which a tenant names its phone system. */
interface Place {
  /** The same for all tenants that mean the same. */
  readonly key: string;
  readonly setting: string;
  readonly written: string;
}

/** Every extension that two tenants have on one phone system, and every control address that they spell in two ways. */
export function sharingProblems(tenants: readonly Tenant[]): readonly SharingProblem[] {
  const problems: SharingProblem[] = [];
  const first = new Map<string, { readonly index: number; readonly written: string }>();
  const owners = new Map<string, number>();
  for (const [index, tenant] of tenants.entries()) {
    const taken = new Map<number, { readonly owner: number; readonly setting: string }>();
    for (const { key, setting, written } of placesOf(tenant)) {
      const known = first.get(key) ?? { index, written };
      first.set(key, known);
      if (setting !== 'sip.domain' && known.written !== written) {
        problems.push({
          path: [index, ...setting.split('.')],
          message: `means the same as that of tenants.${known.index} in other words; write both alike, so that the relay knows them as one`,
        });
      }
      for (const [at, { extension }] of tenant.agents.entries()) {
        const line = `${key} ${extension}`;
        const owner = owners.get(line) ?? index;
        owners.set(line, owner);
        if (owner !== index && !taken.has(at)) taken.set(at, { owner, setting });
      }
    }
    for (const [at, { owner, setting }] of taken) {
      problems.push({
        path: [index, 'agents', at, 'extension'],
        message: `is also the extension of an agent of tenants.${owner}, and both tenants have the same ${setting}: a phone system knows an agent by the extension alone. Give one of them another extension, or the tenants phone systems of their own`,
      });
    }
  }
  return problems;
}

function placesOf({ sip }: Tenant): readonly Place[] {
  const { domain, credential, revocation } = sip;
  const places: Place[] = [{ key: `domain ${domain.toLowerCase()}`, setting: 'sip.domain', written: domain }];
  if (revocation.kamailioRpcUrl !== undefined) {
    places.push(address('edge', 'sip.revocation.kamailioRpcUrl', revocation.kamailioRpcUrl));
  }
  if (credential.kind === 'asterisk-ari') places.push(address('ari', 'sip.credential.url', credential.url));
  return places;
}

/** One server is one host and port, whatever the path; the names of this machine are one host. */
function address(what: string, setting: string, written: string): Place {
  const { protocol, hostname, port } = new URL(written);
  const host = ['localhost', '[::1]'].includes(hostname) ? '127.0.0.1' : hostname;
  return { key: `${what} ${host}:${port === '' ? protocol : port}`, setting, written };
}
