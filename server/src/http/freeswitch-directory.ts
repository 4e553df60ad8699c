/**
 * `POST /v1/freeswitch/directory`: what mod_xml_curl asks (`bindings="directory"`), answered for the devices we issued credentials to and for
 * nobody else, so that FreeSWITCH goes on to its own directory. Must never answer a user without `a1-hash`: FreeSWITCH would let anybody in.
 */
import { PatchcordError, type TenantId } from '@patchcord/call-protocol';
import { type RequestHandler, Router, urlencoded } from 'express';
import type { TenantConfig } from '../config.ts';
import { ha1, randomPassword } from '../credentials/digest.ts';
import type { CredentialSettings } from '../credentials/issuer.ts';
import type { IssuedCredential } from '../store/contract.ts';
import { sameSecret } from './guards.ts';
import type { RelayParts } from './parts.ts';

interface Asked {
  readonly tenant: TenantConfig;
  readonly settings: CredentialSettings<'freeswitch-xmlcurl'>;
}

type DirectoryParts = Pick<RelayParts, 'tenants' | 'store' | 'metrics' | 'now'>;

export function freeswitchRoutes(parts: DirectoryParts): Router {
  const form = urlencoded({ extended: false, limit: '64kb', parameterLimit: 400 });
  const answer: RequestHandler = async (request, response) => {
    const { tenant, settings } = asking(parts, request.headers.authorization);
    const fields: unknown = request.body;
    const field = (name: string): string => {
      const value: unknown = typeof fields === 'object' && fields !== null ? Reflect.get(fields, name) : undefined;
      return typeof value === 'string' ? value : '';
    };
    const users = await usersFor({ tenant, settings }, field, parts);
    // On a line of its own: FreeSWITCH leaves out every line that holds "<?".
    response.type('text/xml').send(`<?xml version="1.0" encoding="UTF-8"?>\n${document(tenant, users)}`);
  };
  return Router().post('/v1/freeswitch/directory', form, answer);
}

/** Which tenant's FreeSWITCH this is, by HTTP Basic (`gateway-credentials`): the tenant's id and its token. */
function asking(parts: DirectoryParts, authorization: string | undefined): Asked {
  const { user, password } = basic(authorization);
  const tenant = parts.tenants.find(user)?.config;
  const settings = tenant?.sip.credential;
  // Compared in any case, so that the time says nothing about which tenants there are.
  const fits = sameSecret(password, settings?.kind === 'freeswitch-xmlcurl' ? settings.token : randomPassword());
  if (tenant === undefined || settings?.kind !== 'freeswitch-xmlcurl' || !fits) {
    parts.metrics.refused.inc({ why: 'freeswitch' });
    throw new PatchcordError(
      'identity.required',
      'This needs HTTP Basic with the tenant and the token of sip.credential: "gateway-credentials" of mod_xml_curl.',
    );
  }
  return { tenant, settings };
}

/** What of an `Authorization: Basic` header; empty strings for anything else. */
export function basic(authorization: string | undefined): { readonly user: string; readonly password: string } {
  const [, encoded = ''] = /^Basic ([A-Za-z0-9+/=]{1,4096})$/i.exec(authorization ?? '') ?? [];
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  return colon < 0 ? { user: '', password: '' } : { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

/** The users of the answer; none: FreeSWITCH asks its next directory. */
async function usersFor(
  { tenant, settings }: Asked,
  field: (name: string) => string,
  { store, now }: DirectoryParts,
): Promise<readonly string[]> {
  const { domain } = tenant.sip;
  const id = tenant.id as TenantId;
  const asked = field('domain') || field('key_value');
  const user = field('user');
  if (field('section') !== 'directory' || user === '' || asked.toLowerCase() !== domain.toLowerCase()) return [];
  // Somebody dials the extension: everything the agent has rings, the desk phone of the same number too.
  if (field('action') === 'user_call') {
    const live = (await store.credentials.liveOfExtension(id, user, now())).filter(isOurs);
    return live.length === 0 ? [] : [extensionUser(tenant, user, live)];
  }
  const credential = await store.credentials.liveByUsername(id, user, now());
  if (credential === null || !isOurs(credential)) return [];
  // A digest made for another user or realm than the one FreeSWITCH looks up is none of ours.
  const signed = field('sip_auth_username');
  if (signed !== '' && signed !== user) return [];
  return [deviceUser(tenant, settings, credential)];
}

function isOurs(credential: IssuedCredential): boolean {
  return credential.kind === 'freeswitch-xmlcurl' && credential.ha1 !== null && credential.extension !== null;
}

function deviceUser(
  tenant: TenantConfig,
  settings: CredentialSettings<'freeswitch-xmlcurl'>,
  credential: IssuedCredential,
): string {
  const extension = credential.extension ?? '';
  const name = tenant.agents.find((agent) => agent.extension === extension)?.name ?? extension;
  const at = `${extension}@${tenant.sip.domain}`;
  return user(
    { id: credential.username, 'number-alias': extension },
    {
      'mwi-account': at,
      'max-registrations-per-extension': '1',
      'sip-force-expires': String(tenant.sip.registerSeconds),
      ...settings.params,
      // Last: no setting may take the lock off.
      'a1-hash': credential.ha1 ?? ha1('', '', randomPassword()),
    },
    {
      user_context: 'default',
      effective_caller_id_name: name,
      presence_id: at,
      ...settings.variables,
      // The digest does not say who calls, so this must: From is the caller's to choose.
      effective_caller_id_number: extension,
      patchcord_device: credential.device,
    },
  );
}

/** Exists to be called; nobody knows the password that fits. */
function extensionUser(tenant: TenantConfig, extension: string, live: readonly IssuedCredential[]): string {
  const at = (name: string): string => `\${sofia_contact(*/${name}@${tenant.sip.domain})}`;
  const rings = [extension, ...new Set(live.map((one) => one.username))].map(at).join(',');
  return user(
    { id: extension },
    {
      'dial-string': `{presence_id=${extension}@${tenant.sip.domain}}${rings}`,
      'a1-hash': ha1(extension, tenant.sip.domain, randomPassword()),
    },
    {},
  );
}

function user(
  attributes: Readonly<Record<string, string>>,
  params: Readonly<Record<string, string>>,
  variables: Readonly<Record<string, string>>,
): string {
  const list = (tag: string, values: Readonly<Record<string, string>>): string =>
    Object.entries(values)
      .map(([name, value]) => `<${tag} name="${escaped(name)}" value="${escaped(value)}"/>`)
      .join('');
  const about = Object.entries(attributes)
    .map(([name, value]) => ` ${name}="${escaped(value)}"`)
    .join('');
  return `<user${about}><params>${list('param', params)}</params><variables>${list('variable', variables)}</variables></user>`;
}

function document(tenant: TenantConfig, users: readonly string[]): string {
  const section =
    users.length === 0
      ? '<section name="result"><result status="not found"/></section>'
      : `<section name="directory"><domain name="${escaped(tenant.sip.domain)}"><groups><group name="patchcord"><users>${users.join('')}</users></group></groups></domain></section>`;
  return `<document type="freeswitch/xml">${section}</document>\n`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};

/** For an attribute value; what XML 1.0 can't hold at all is left out. */
function escaped(text: string): string {
  return text
    .replace(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, '')
    .replace(/[&<>"']/g, (sign) => entities[sign] ?? '');
}
