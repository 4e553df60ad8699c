/**
 * Owns the two ways into the Apex of the emulated org: `runApex` of Open CTI, and a Lightning component's call. The classes stand in
 * `apex-classes/`. Must never run for a user other than the one whose page asks.
 */
import { ApexFailure, type ApexMethod, type ApexOrg } from './apex-classes/apex-class.ts';
import { apexClasses } from './apex-classes/registry.ts';
import { Refusal } from './records.ts';
import type { SalesforceUser } from './salesforce-user.ts';

/** The reply of `runApex` on the host wire: Open CTI's callback shape. */
export interface ApexReply {
  readonly success: boolean;
  readonly returnValue: { readonly runApex: string } | null;
  readonly errors: readonly { readonly code: string; readonly description: string }[] | null;
}

/** What a component's imported Apex method settles to; a failure carries the text of `error.body.message`. */
export type ComponentReply =
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly message: string };

/** Runs `apexClass.methodName` with Open CTI's query-string parameters. A namespace prefix on the class is accepted. */
export async function runApex(
  org: ApexOrg,
  user: SalesforceUser,
  call: { apexClass: string; methodName: string; methodParams: string },
): Promise<ApexReply> {
  const params = Object.fromEntries(new URLSearchParams(call.methodParams));
  const reply = await invoked(org, user, call.apexClass, call.methodName, params);
  if (!reply.ok)
    return { success: false, returnValue: null, errors: [{ code: 'SERVER_ERROR', description: reply.message }] };
  const said = typeof reply.value === 'string' ? reply.value : JSON.stringify(reply.value ?? null);
  return { success: true, returnValue: { runApex: said }, errors: null };
}

/** Runs `apexClass.methodName` as an `@AuraEnabled` method: named JSON arguments in, a JSON value out. */
export function callApex(
  org: ApexOrg,
  user: SalesforceUser,
  call: { apexClass: string; methodName: string; params: Readonly<Record<string, unknown>> },
): Promise<ComponentReply> {
  return invoked(org, user, call.apexClass, call.methodName, call.params);
}

async function invoked(
  org: ApexOrg,
  user: SalesforceUser,
  apexClass: string,
  methodName: string,
  params: Readonly<Record<string, unknown>>,
): Promise<ComponentReply> {
  const name = apexClass.replace(/^\w+\./, '');
  const found = apexClasses.find((known) => known.name === name);
  if (found === undefined || !org.rights.mayRun(user, name))
    return { ok: false, message: `Could not load Apex class: ${apexClass}` };
  const method: ApexMethod | undefined = Object.hasOwn(found.methods, methodName)
    ? found.methods[methodName]
    : undefined;
  if (method === undefined) return { ok: false, message: `Could not find method: ${methodName} on class ${apexClass}` };
  try {
    return { ok: true, value: await method({ ...org, user, params }) };
  } catch (error) {
    if (error instanceof ApexFailure || error instanceof Refusal) return { ok: false, message: error.message };
    throw error;
  }
}
