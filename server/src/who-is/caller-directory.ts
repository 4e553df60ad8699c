/**
 * The port of a company's directory: colleagues and suppliers that no CRM knows. Owns the contract only. A directory is asked beside the CRM and
 * stands behind it; what it finds is no record of the CRM and can't be opened there.
 */
import type { E164, Extension, Match } from '@patchcord/call-protocol';

export interface CallerDirectory {
  /**
   * Who has this number: equal in E.164 after our own parse, or the very extension. Each match says `source: 'directory'`. Empty when nobody.
   * Answers within two seconds.
   * @throws PatchcordError `crm.unavailable` when it does not answer, `crm.not-authentic`, `crm.invalid`
   */
  find(number: E164 | Extension): Promise<readonly Match[]>;
  close?(): Promise<void>;
}
