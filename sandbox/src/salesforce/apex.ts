/**
 * Owns the Apex of the emulated org that `runApex` can reach: one class, `PatchcordIdentity.mintAssertion`.
 * Must never run for a user other than the one whose page asks.
 */
import type { OrgAuth, SalesforceUser } from './oauth.ts';

/** The reply of `runApex` on the host wire: Open CTI's callback shape. */
export interface ApexReply {
  readonly success: boolean;
  readonly returnValue: { readonly runApex: string } | null;
  readonly errors: readonly { readonly code: string; readonly description: string }[] | null;
}

/** Runs `apexClass.methodName` with Open CTI's query-string parameters. A namespace prefix on the class is accepted. */
export function runApex(
  auth: OrgAuth,
  user: SalesforceUser,
  call: { apexClass: string; methodName: string; methodParams: string },
): ApexReply {
  const failed = (description: string): ApexReply => ({
    success: false,
    returnValue: null,
    errors: [{ code: 'SERVER_ERROR', description }],
  });
  if (!/^(\w+\.)?PatchcordIdentity$/.test(call.apexClass))
    return failed(`Could not load Apex class: ${call.apexClass}`);
  if (call.methodName !== 'mintAssertion')
    return failed(`Could not find method: ${call.methodName} on class ${call.apexClass}`);
  const audience = new URLSearchParams(call.methodParams).get('audience');
  if (audience === null || audience === '')
    return failed('PatchcordIdentity.mintAssertion needs an audience, e.g. audience=https%3A%2F%2Frelay.example.com');
  return {
    success: true,
    returnValue: { runApex: JSON.stringify({ assertion: auth.mintAssertion(user, audience) }) },
    errors: null,
  };
}
