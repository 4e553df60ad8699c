/** A user of the emulated org, as its pages and its doors know them. */
export interface SalesforceUser {
  readonly id: string;
  readonly username: string;
  readonly name: string;
  readonly email: string;
  /** Null: the user is not assigned to a call center, so no softphone is shown. */
  readonly callCenterId: string | null;
  readonly refreshToken: string;
}
