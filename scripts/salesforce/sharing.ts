/**
 * Who sees whose calls is the org's decision: reads the sharing of the object before a deployment and writes it into the copy, so that no
 * deployment sets it back. Never changes the checkout.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseXmlFile, textOf } from './metadata-xml.ts';
import { OrgFailure, type Row, type Sf, text } from './sf-cli.ts';

/** Org-wide defaults of an object, in the words of the Metadata API. */
export interface Sharing {
  readonly internal: string;
  /** Empty where the org has no default of its own for outsiders. */
  readonly external: string;
}

/** Values of the metadata type `SharingModel`; an org tells its own in the same words. */
const models = new Set([
  ...['Private', 'Read', 'ReadSelect', 'ReadWrite', 'ReadWriteTransfer', 'FullAccess'],
  ...['ControlledByParent', 'ControlledByCampaign', 'ControlledByLeadOrContact'],
]);

const object = 'Patchcord_Call__c';

/**
 * The sharing that the org has now; undefined when it has no such object yet.
 * @throws OrgFailure when the org has the object and does not tell its sharing: a deployment would then overwrite it unseen
 */
export async function sharingInOrg(sf: Sf): Promise<Sharing | undefined> {
  const [row] = await definition(sf);
  if (row === undefined) return undefined;
  const sharing = { internal: text(row.InternalSharingModel), external: text(row.ExternalSharingModel) };
  if (!models.has(sharing.internal) || (sharing.external !== '' && !models.has(sharing.external)))
    throw new OrgFailure(
      `The org has ${object} and does not tell its sharing (internal "${sharing.internal}", external "${sharing.external}"); a deployment would ` +
        'overwrite it. See Setup > Sharing Settings; --people-only goes on without a deployment.',
    );
  return sharing;
}

/** Whether the source was deployed once; true as well when the org does not say. */
export async function isInOrg(sf: Sf): Promise<boolean> {
  try {
    return (await definition(sf)).length > 0;
  } catch (error) {
    if (error instanceof OrgFailure) return true;
    throw error;
  }
}

function definition(sf: Sf): Promise<readonly Row[]> {
  const fields = 'QualifiedApiName, InternalSharingModel, ExternalSharingModel';
  return sf.query(`SELECT ${fields} FROM EntityDefinition WHERE QualifiedApiName = '${object}'`, { tooling: true });
}

/** The sharing that a copy of the source brings. */
export function sharingInSource(folder: string): Sharing {
  const xml = parseXmlFile(objectFile(folder));
  return { internal: textOf(xml, 'sharingModel'), external: textOf(xml, 'externalSharingModel') };
}

/** Writes the org's sharing into a copy of the source. */
export function keepSharing(folder: string, { internal, external }: Sharing): void {
  const path = objectFile(folder);
  const xml = readFileSync(path, 'utf8')
    .replace(/\s*<externalSharingModel>[^<]*<\/externalSharingModel>/, '')
    .replace(
      /(\s*)<sharingModel>[^<]*<\/sharingModel>/,
      (_, indent: string) =>
        `${external === '' ? '' : `${indent}<externalSharingModel>${external}</externalSharingModel>`}${indent}<sharingModel>${internal}</sharingModel>`,
    );
  writeFileSync(path, xml);
}

function objectFile(folder: string): string {
  return join(folder, `force-app/main/default/objects/${object}/${object}.object-meta.xml`);
}
