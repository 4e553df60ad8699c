/** Owns what the HubSpot page knows about the portal: the state the server sends, how records are named in it, and where they are found. */

export type Properties = Readonly<Record<string, string | null>>;
export type RecordType = 'contacts' | 'companies' | 'deals' | 'tickets';
export type Reference = { readonly type: RecordType; readonly id: string };

/** A record with the ids of what it is associated with. */
export interface Entry extends Readonly<Partial<Record<RecordType, readonly string[]>>> {
  readonly id: string;
  readonly properties: Properties;
}
export interface Contact extends Entry {
  readonly country: string;
}
export interface Call extends Entry {
  /** The page made it and the panel has not completed it. */
  readonly awaited: boolean;
  readonly recording?: { readonly state: 'asked' | 'playable' | 'failed'; readonly problems: readonly string[] };
  readonly transcript?: readonly { readonly speaker: string; readonly text: string; readonly startMs: number }[];
}
export interface PortalOwner {
  readonly id: string;
  readonly userId: number;
  readonly email: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly provider?: 'ours' | 'hubspot' | 'none';
}
export interface PortalState {
  readonly contacts: readonly Contact[];
  readonly companies: readonly Entry[];
  readonly deals: readonly Entry[];
  readonly tickets: readonly Entry[];
  readonly calls: readonly Call[];
  readonly owners: readonly PortalOwner[];
  readonly dispositions: readonly { label: string; value: string }[];
  readonly unknownCaller: string;
  readonly e164: Readonly<Record<string, string>>;
  readonly answers: readonly { readonly name: string; readonly answers: string }[];
}
export interface Setup {
  readonly panelUrl: string;
  readonly appName: string;
  readonly width: number;
  readonly height: number;
  readonly portalId: number;
  readonly owner: PortalOwner;
  readonly page: string;
  readonly place: 'record' | 'window' | 'tasks' | 'help-desk' | 'settings';
  readonly location: 'widget' | 'remote' | 'window' | 'none';
  readonly usesCallingWindow: boolean;
  readonly fullNavigation: boolean;
}

/** HubSpot's numbers for the kinds of record, in addresses and messages. */
export const typeIds: Readonly<Record<RecordType, string>> = {
  contacts: '0-1',
  companies: '0-2',
  deals: '0-3',
  tickets: '0-5',
};

export function typeOfId(objectTypeId: unknown): RecordType | undefined {
  return (Object.keys(typeIds) as RecordType[]).find((type) => typeIds[type] === objectTypeId);
}

export function entryOf(portal: PortalState, reference: Reference | undefined): Entry | undefined {
  return reference && portal[reference.type].find((one) => one.id === reference.id);
}

export function nameOf(type: RecordType, { properties }: Entry): string {
  if (type === 'contacts') return [properties.firstname, properties.lastname].filter(Boolean).join(' ');
  return (type === 'companies' ? properties.name : type === 'deals' ? properties.dealname : properties.subject) ?? '';
}

export function ownerName(portal: PortalState, id: string | null | undefined): string {
  const owner = portal.owners.find((one) => one.id === id);
  return owner ? `${owner.firstName} ${owner.lastName}` : '--';
}

/** The number somebody is called at first, and the property it stands in. */
export function numberOf({ properties }: Entry): { number: string; source: string } | undefined {
  if (properties.phone) return { number: properties.phone, source: 'phone' };
  return properties.mobilephone ? { number: properties.mobilephone, source: 'mobilephone' } : undefined;
}

/** The record in an address, by its path or the sandbox's own short query. */
export function referenceIn(address: Location): Reference | undefined {
  const [, typeId, id] = /^\/contacts\/\d+\/record\/(0-\d+)\/(\w+)/.exec(address.pathname) ?? [];
  const type = typeOfId(typeId);
  if (type && id !== undefined) return { type, id };
  const thread = /^\/help-desk\/\d+\/thread\/(\w+)/.exec(address.pathname)?.[1];
  if (thread !== undefined) return { type: 'tickets', id: thread };
  const query = new URLSearchParams(address.search);
  const short = { contact: 'contacts', company: 'companies', deal: 'deals', ticket: 'tickets' } as const;
  for (const [name, kind] of Object.entries(short)) {
    const value = query.get(name);
    if (value !== null) return { type: kind, id: value };
  }
  return undefined;
}

/** The address of a page of this portal, with the query that the visitor came with. */
export function addressIn(setup: Setup, path: string): string {
  const keep = new URLSearchParams(location.search);
  for (const name of ['contact', 'company', 'deal', 'ticket']) keep.delete(name);
  const query = keep.toString();
  return `${path.replace(':portal', `${setup.portalId}`)}${query === '' ? '' : `?${query}`}`;
}

export function recordAddress(setup: Setup, target: Reference): string {
  return addressIn(setup, `/contacts/:portal/record/${typeIds[target.type]}/${target.id}`);
}
