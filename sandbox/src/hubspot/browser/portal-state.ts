/** Owns what the HubSpot page knows about the portal: the state the server sends, and how people are named in it. */

export type Properties = Readonly<Record<string, string | null>>;
export interface Contact {
  readonly id: string;
  readonly properties: Properties;
  readonly companies: readonly string[];
  readonly country: string;
}
export interface Company {
  readonly id: string;
  readonly properties: Properties;
  readonly contacts: readonly string[];
}
export interface PortalState {
  readonly contacts: readonly Contact[];
  readonly companies: readonly Company[];
  readonly calls: readonly {
    id: string;
    properties: Properties;
    contacts: readonly string[];
    companies: readonly string[];
  }[];
  readonly owners: readonly { id: string; userId: number; email: string; firstName: string; lastName: string }[];
  readonly dispositions: readonly { label: string; value: string }[];
  readonly unknownCaller: string;
  readonly e164: Readonly<Record<string, string>>;
}
export interface Setup {
  readonly panelUrl: string;
  readonly portalId: number;
  readonly owner: PortalState['owners'][number];
  readonly page: string;
  readonly location: 'widget' | 'remote' | 'window';
  readonly usesCallingWindow: boolean;
  readonly fullNavigation: boolean;
  readonly engagementId?: number;
}
export type Reference = { type: 'contacts' | 'companies'; id: string };

export const nameOf = (contact: Contact): string =>
  [contact.properties.firstname, contact.properties.lastname].filter(Boolean).join(' ');

export function ownerName(portal: PortalState, id: string | null | undefined): string {
  const owner = portal.owners.find((one) => one.id === id);
  return owner ? `${owner.firstName} ${owner.lastName}` : '--';
}
