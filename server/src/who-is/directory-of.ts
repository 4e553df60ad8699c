/** The directory that a tenant's configuration names: the one place where settings meet drivers. */
import type { TenantConfig } from '../config.ts';
import type { CallerDirectory } from './caller-directory.ts';
import { createLdapDirectory } from './ldap-directory.ts';

/** Null for a tenant without a directory. Nothing is asked of it yet. */
export function directoryOf({ callerSources, country }: TenantConfig, now: () => number): CallerDirectory | null {
  const { directory } = callerSources;
  return directory === undefined ? null : createLdapDirectory(directory, country, now);
}
