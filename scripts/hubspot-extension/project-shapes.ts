/**
 * Owns what HubSpot's platform 2026.03 takes in a project's files, as far as it can be known without an account: its own schemas are served to accounts
 * only. Every name here stands in HubSpot's documentation or templates.
 */
import { flag, listOf, mapOf, object, oneOf, plainValue, type Shape, text, wholeNumber } from './shape.ts';

/** Where files of a type lie below `srcDir`, and whether a project has one at most. */
export interface ComponentRule {
  readonly folder: string;
  readonly single: boolean;
  readonly config: Shape;
}

export const projectShape = object({ name: text(), srcDir: text(), platformVersion: oneOf('2026.03') });

export const profileShape = object({ accountId: wholeNumber }, { variables: mapOf(plainValue) });

export const uidPattern = /^[a-zA-Z0-9_.-]{1,64}$/;

const origin = text(
  /^https:\/\/(?!localhost|127\.)[a-z0-9.-]+(:\d+)?$/,
  'an https origin without a path, and not this machine',
);
const address = text(
  /^https:\/\/(?!localhost|127\.)[a-z0-9.-]+(:\d+)?(\/\S*)?$/,
  'an https address, and not of this machine',
);
const redirect = text(/^https:\/\/\S+$|^http:\/\/localhost(:\d+)?\/\S*$/, 'an https address, or one of localhost');
const scope = text(/^[a-z0-9_.-]+$/, 'a scope');
const entrypoint = text(/^\/app\/[a-z-]+\/[A-Za-z0-9_-]+\.[jt]sx?$/, 'a path like /app/cards/CallsCard.tsx');

const fieldType = object(
  {
    name: text(/^[a-zA-Z0-9_]+$/, 'a name of letters, digits and underscores'),
    type: oneOf('string', 'number', 'bool', 'date', 'datetime', 'enumeration', 'phone_number'),
  },
  {
    fieldType: oneOf(
      'text',
      'textarea',
      'number',
      'select',
      'radio',
      'checkbox',
      'booleancheckbox',
      'date',
      'phonenumber',
    ),
    referencedObjectType: oneOf('OWNER'),
    options: listOf(object({ value: text(), label: text() }, { description: text(), displayOrder: wholeNumber }), 1),
  },
);

const labels = object(
  { actionName: text(), actionDescription: text(), actionCardContent: text(), inputFieldLabels: mapOf(text()) },
  {
    appDisplayName: text(),
    inputFieldDescriptions: mapOf(text()),
    outputFieldLabels: mapOf(text()),
    executionRules: mapOf(text()),
  },
);

/** The types this project may use. Webhooks are missing on purpose: they are for apps with a static token, ours has OAuth. */
export const components: Readonly<Record<string, ComponentRule>> = {
  app: {
    folder: 'app',
    single: true,
    config: object(
      {
        name: text(),
        description: text(),
        distribution: oneOf('private', 'marketplace'),
        auth: object(
          { type: oneOf('oauth', 'static'), requiredScopes: listOf(scope, 1) },
          {
            redirectUrls: listOf(redirect, 1),
            optionalScopes: listOf(scope),
            conditionallyRequiredScopes: listOf(scope),
          },
        ),
        permittedUrls: object({ fetch: listOf(origin), iframe: listOf(origin), img: listOf(origin) }),
      },
      {
        support: object(
          {},
          {
            supportEmail: text(/^[^\s@]+@[^\s@]+$/, 'an e-mail address'),
            documentationUrl: address,
            supportUrl: address,
            supportPhone: text(/^\+\d{6,15}$/, 'a number with its country code'),
          },
        ),
      },
    ),
  },
  card: {
    folder: 'app/cards',
    single: false,
    config: object(
      {
        name: text(),
        location: oneOf('crm.record.tab', 'crm.record.sidebar', 'crm.preview', 'helpdesk.sidebar'),
        entrypoint,
        objectTypes: listOf(text(), 1),
      },
      { description: text(), previewImage: object({ file: text(), altText: text() }) },
    ),
  },
  settings: { folder: 'app/settings', single: true, config: object({ entrypoint }) },
  'workflow-action': {
    folder: 'app/workflow-actions',
    single: false,
    config: object(
      {
        actionUrl: address,
        isPublished: flag,
        supportedClients: listOf(object({ client: oneOf('WORKFLOWS') }), 1),
        inputFields: listOf(
          object({
            typeDefinition: fieldType,
            supportedValueTypes: listOf(oneOf('STATIC_VALUE', 'OBJECT_PROPERTY'), 1),
            isRequired: flag,
          }),
        ),
        labels: object({ en: labels }),
        objectTypes: listOf(oneOf('CONTACT', 'COMPANY', 'DEAL', 'TICKET'), 1),
      },
      {
        outputFields: listOf(object({ typeDefinition: fieldType })),
        objectRequestOptions: object({ properties: listOf(text(), 1) }),
      },
    ),
  },
};

/** Object types a card may stand on, and the scope without which HubSpot does not show it there. */
export const cardScopes: Readonly<Record<string, string>> = {
  contacts: 'crm.objects.contacts.read',
  companies: 'crm.objects.companies.read',
  deals: 'crm.objects.deals.read',
  tickets: 'tickets',
};

/** Every scope the app may ask for, and what of ours needs it. */
export const usedScopes: Readonly<Record<string, string>> = {
  oauth: 'signing in with HubSpot',
  'crm.objects.contacts.read': 'caller lookup, cards on contacts',
  'crm.objects.contacts.write': 'call logs',
  'crm.objects.companies.read': 'caller lookup, cards on companies',
  'crm.objects.owners.read': 'which HubSpot owner an agent is',
  'crm.objects.deals.read': 'calls on deals, cards there',
  tickets: 'calls on tickets, cards there',
  'crm.schemas.contacts.write': 'the unique property of a call log',
  'crm.extensions_calling_transcripts.read': 'transcripts',
  'crm.extensions_calling_transcripts.write': 'transcripts',
};
