/**
 * Owns what an Apex class is inside the emulated org: named methods that run in the name of one user, over the org's records.
 * Must never run without saying whose session it is.
 */
import type { OrgAuth } from '../oauth.ts';
import type { Records } from '../records.ts';
import type { Rights } from '../rights.ts';
import type { SalesforceUser } from '../salesforce-user.ts';

/** The org around a running method. */
export interface ApexOrg {
  readonly auth: OrgAuth;
  readonly store: Records;
  /** What users may see and write: a class `with sharing` and `WITH USER_MODE` asks it. */
  readonly rights: Rights;
}

/** One call of a method. `params` are the named arguments: strings from `runApex`'s query string, JSON values from a component. */
export interface ApexCall extends ApexOrg {
  readonly user: SalesforceUser;
  readonly params: Readonly<Record<string, unknown>>;
}

/** Answers what the Apex method returns. Throws {@link ApexFailure} where the class throws an `AuraHandledException`. */
export type ApexMethod = (call: ApexCall) => unknown;

export interface ApexClass {
  /** The class's name without a namespace, e.g. `PatchcordIdentity`. */
  readonly name: string;
  readonly methods: Readonly<Record<string, ApexMethod>>;
}

/** An exception of the Apex code, with the text that reaches the page. */
export class ApexFailure extends Error {}
