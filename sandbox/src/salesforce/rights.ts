/**
 * Owns what each user of the emulated org may do: objects, fields, records, Apex classes. Everything is allowed until it is denied, because
 * most tests are about something else. Must never decide what a refusal looks like: that is the REST surface's matter.
 */
import type { SObjectName } from './field.ts';
import { eighteen, type Row } from './values.ts';

export type Deed = 'read' | 'create' | 'edit' | 'delete';

/** One denial. Without `user` it meets everybody; without `deeds` every deed. A `field` is FLS, an `id` is sharing, neither is the object. */
export interface Denial {
  /** A username or a user's id. */
  readonly user?: string;
  readonly object?: SObjectName;
  readonly field?: string;
  readonly id?: string;
  /** Records that somebody else owns: the object's sharing model is Private. */
  readonly others?: boolean;
  /** An Apex class by name: the user lacks access to it. */
  readonly apexClass?: string;
  readonly deeds?: readonly Deed[];
}

/** Whose rights are asked for. */
export interface Asker {
  readonly id: string;
  readonly username?: string;
}

export interface Rights {
  /** Denies from now on; the answer takes the denial back. */
  deny(denial: Denial): () => void;
  clear(): void;
  /** Whether the object exists for this user at all, for the deed. */
  mayObject(asker: Asker, object: SObjectName, deed: Deed): boolean;
  /** Field-level security: a field that may not be read does not exist for the user. */
  mayField(asker: Asker, object: SObjectName, field: string, deed: Deed): boolean;
  /** Sharing: a record that may not be read is not found. */
  mayRecord(asker: Asker, object: SObjectName, row: Row, deed: Deed): boolean;
  mayRun(asker: Asker, apexClass: string): boolean;
}

export function createRights(): Rights {
  let denials: Denial[] = [];
  const denied = (asker: Asker, deed: Deed | undefined, fits: (denial: Denial) => boolean): boolean =>
    denials.some(
      (denial) =>
        (denial.user === undefined || denial.user === asker.username || eighteen(denial.user) === eighteen(asker.id)) &&
        // Who may not read a thing may not write it either.
        (deed === undefined ||
          denial.deeds === undefined ||
          denial.deeds.some((one) => one === deed || one === 'read')) &&
        fits(denial),
    );
  return {
    deny(denial) {
      denials.push(denial);
      return () => {
        denials = denials.filter((other) => other !== denial);
      };
    },
    clear() {
      denials = [];
    },
    mayObject: (asker, object, deed) =>
      !denied(
        asker,
        deed,
        (one) => one.object === object && one.field === undefined && one.id === undefined && one.others !== true,
      ),
    mayField: (asker, object, field, deed) =>
      !denied(
        asker,
        deed,
        (one) => (one.object ?? object) === object && one.field?.toLowerCase() === field.toLowerCase(),
      ),
    mayRecord: (asker, object, row, deed) =>
      !denied(
        asker,
        deed,
        (one) =>
          (one.object ?? object) === object &&
          ((one.id !== undefined && eighteen(one.id) === row.Id) ||
            (one.others === true && 'OwnerId' in row && row.OwnerId !== asker.id)),
      ),
    mayRun: (asker, apexClass) => !denied(asker, undefined, (one) => one.apexClass === apexClass),
  };
}
