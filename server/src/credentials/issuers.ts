/** The registry: which driver serves which `sip.credential.kind`. One line per driver; nothing else knows them. Drivers keep no state, so one is made per use. */
import type { TenantConfig } from '../config.ts';
import { observedIssuer } from '../observed.ts';
import { asteriskAri } from './drivers/asterisk-ari.ts';
import { freeswitchXmlcurl } from './drivers/freeswitch-xmlcurl.ts';
import { jambonzHook } from './drivers/jambonz-hook.ts';
import { kamailioEphemeral } from './drivers/kamailio-ephemeral.ts';
import { kamailioHtable } from './drivers/kamailio-htable.ts';
import { staticCredentials } from './drivers/static.ts';
import type { CredentialIssuer, CredentialSettings, IssuerKind, IssuerParts } from './issuer.ts';

type Drivers = {
  readonly [K in IssuerKind]: (parts: IssuerParts, settings: CredentialSettings<K>) => CredentialIssuer;
};

const drivers: Drivers = {
  'kamailio-ephemeral': kamailioEphemeral,
  'kamailio-htable': kamailioHtable,
  'asterisk-ari': asteriskAri,
  'freeswitch-xmlcurl': freeswitchXmlcurl,
  'jambonz-hook': jambonzHook,
  static: staticCredentials,
};

/** The issuer of a tenant. */
export function issuerOf(tenant: TenantConfig, parts: Omit<IssuerParts, 'tenant'>): CredentialIssuer {
  const issuer = driverFor(tenant.sip.credential, { ...parts, tenant });
  return parts.metrics === undefined ? issuer : observedIssuer(issuer, parts.metrics);
}

function driverFor<K extends IssuerKind>(settings: CredentialSettings<K>, parts: IssuerParts): CredentialIssuer {
  return drivers[settings.kind as K](parts, settings);
}
