/**
 * Owns what the org answers about the call center and the softphone layout (the Salesforce contract, sections 1.5 and 2.1): flat maps of texts,
 * phone-like values decorated as an org decorates them. Must never hold a secret: every assigned user can read all of it.
 */

import type { PageSetup } from './org-state.ts';

interface Section {
  readonly label: string;
  readonly items: Readonly<Record<string, readonly [label: string, value: string]>>;
}

export function callCenterSettings({ panelUrl, callCenter }: PageSetup): Record<string, string> {
  const { standbyUrl, timeoutMs } = callCenter;
  const sections: Readonly<Record<string, Section>> = {
    reqGeneralInfo: {
      label: 'General Information',
      items: {
        reqInternalName: ['Internal Name', 'Patchcord'],
        reqDisplayName: ['Display Name', 'Patchcord'],
        reqAdapterUrl: ['CTI Adapter URL', panelUrl],
        reqUseApi: ['Use CTI API', 'true'],
        reqSoftphoneHeight: ['Softphone Height', '560'],
        reqSoftphoneWidth: ['Softphone Width', '360'],
        reqSalesforceCompatibilityMode: ['Salesforce Compatibility Mode', 'Lightning'],
        ...(standbyUrl === null || timeoutMs === null
          ? {}
          : { reqStandbyUrl: ['Standby URL', standbyUrl] as const, reqTimeout: ['Timeout', `${timeoutMs}`] as const }),
      },
    },
    reqDialingOptions: {
      label: 'Dialing Options',
      items: {
        reqOutsidePrefix: ['Outside Prefix', '9'],
        reqLongDistPrefix: ['Long Distance Prefix', '1'],
        reqInternationalPrefix: ['International Prefix', '01'],
      },
    },
    Patchcord: {
      label: 'Patchcord',
      items: {
        RelayUrl: ['Relay URL', new URL(panelUrl).origin],
        HelpDesk: ['Help desk', '(415) 555-1212 (tel:4155551212)'],
      },
    },
  };
  const flat: Record<string, string> = {
    '/displayNameLabel': 'Display Name',
    '/internalNameLabel': 'Internal Name',
    '/label': 'Patchcord',
  };
  for (const [sectionIndex, [section, { label, items }]] of Object.entries(sections).entries()) {
    flat[`/${section}/label`] = label;
    flat[`/${section}/sortOrder`] = `${sectionIndex}.0`;
    for (const [index, [item, [itemLabel, value]]] of Object.entries(items).entries()) {
      flat[`/${section}/${item}`] = value;
      flat[`/${section}/${item}/label`] = itemLabel;
      flat[`/${section}/${item}/sortOrder`] = `${index}.0`;
    }
  }
  return flat;
}

export function softphoneLayout(): Record<string, unknown> {
  const objects = {
    Contact: [
      { displayName: 'Name', apiName: 'Name' },
      { displayName: 'Phone', apiName: 'Phone' },
    ],
    Lead: [{ displayName: 'Name', apiName: 'Name' }],
    Account: [{ displayName: 'Account Name', apiName: 'Name' }],
  };
  const screenPopSettings = {
    NoMatch: { screenPopType: 'PopToEntity', screenPopData: 'Contact' },
    SingleMatch: { screenPopType: 'PopToEntity' },
    MultipleMatches: { screenPopType: 'PopToSearch' },
  };
  const layout = { callRelatedFields: ['ANI', 'DNIS', 'SEGMENT', 'QUEUE'], objects, screenPopSettings };
  return { Internal: layout, Inbound: layout, Outbound: layout };
}
