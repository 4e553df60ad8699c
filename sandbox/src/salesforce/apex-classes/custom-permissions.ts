/**
 * Owns who holds which custom permission in the emulated org: Robin and Casey run the team and the org, the others are agents. Must
 * never stand in for rights on objects and fields: `rights.ts` owns those.
 */
import type { ApexCall } from './apex-class.ts';

type CustomPermission = 'Patchcord_Manager' | 'Patchcord_Admin';

const holders: Readonly<Record<CustomPermission, RegExp>> = {
  Patchcord_Manager: /^(robin|casey)\./,
  Patchcord_Admin: /^(robin|casey)\./,
};

/** `FeatureManagement.checkPermission`. */
export function holdsPermission({ user }: ApexCall, permission: CustomPermission): boolean {
  return holders[permission].test(user.username);
}
