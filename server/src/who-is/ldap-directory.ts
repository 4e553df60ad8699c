/**
 * A company directory over LDAP (RFC 4511): OpenLDAP, Active Directory and the like. Owns what is asked and what of an answer is believed: an entry
 * counts only when one of its numbers is the caller's in E.164 by our own parse. Must never follow a referral, write, or log a number or a secret.
 */
import { type E164, type Extension, errorCode, type Match, PatchcordError } from '@patchcord/call-protocol';
import { isExtension, isNumber, searchForms } from '@patchcord/crm-adapters/relay';
import type { Client, Entry, Filter } from 'ldapts';
import type { LdapSettings } from '../config/caller-sources.ts';
import type { CallerDirectory } from './caller-directory.ts';

/** For one look-up, whatever it takes: connecting, signing in, asking twice. */
const deadlineMs = 2_000;
const mostEntries = 50;
const mostMatches = 10;
/** So many last digits are looked for with anything between them: fewer would find half a company. */
const spreadDigits = 7;
/** A directory that does not answer is left alone for this long. */
const restMs = 30_000;

/** Opens nothing before the first look-up; the connection is kept until the directory or `close` ends it. */
export function createLdapDirectory(
  settings: LdapSettings,
  country: string,
  now: () => number,
): Required<CallerDirectory> {
  let opened: Promise<Client> | null = null;
  let restUntil = 0;

  async function open(): Promise<Client> {
    // Only now: a relay without a directory never loads it.
    const { Client } = await import('ldapts');
    const client = new Client({
      url: settings.url,
      timeout: deadlineMs,
      connectTimeout: deadlineMs,
      autoRebind: true,
      // Given for an unencrypted address, they would make it an encrypted one.
      ...(settings.url.startsWith('ldaps:')
        ? { tlsOptions: { minVersion: 'TLSv1.2', ...(settings.ca === undefined ? {} : { ca: settings.ca }) } }
        : {}),
    });
    try {
      if (settings.bindDn !== undefined) await client.bind(settings.bindDn, settings.bindPassword);
      return client;
    } catch (error) {
      await client.unbind().catch(() => {});
      throw error;
    }
  }

  function letGo(): Promise<void> {
    const client = opened;
    opened = null;
    return client === null ? Promise.resolve() : client.then((one) => one.unbind()).catch(() => {});
  }

  async function search(filters: readonly Filter[]): Promise<readonly Entry[]> {
    const { AndFilter, FilterParser, OrFilter } = await import('ldapts');
    opened ??= open();
    const client = await opened;
    const any = new OrFilter({ filters: [...filters] });
    const filter =
      settings.filter === undefined
        ? any
        : new AndFilter({ filters: [FilterParser.parseString(settings.filter), any] });
    const { searchEntries } = await client.search(settings.baseDn, {
      scope: 'sub',
      derefAliases: 'never',
      filter,
      sizeLimit: mostEntries,
      timeLimit: Math.ceil(deadlineMs / 1_000),
      attributes: [
        ...new Set([
          ...settings.numberAttributes,
          ...settings.extensionAttributes,
          ...settings.nameAttributes,
          ...settings.detailAttributes,
        ]),
      ],
    });
    return searchEntries;
  }

  async function entriesFor(number: E164 | Extension): Promise<readonly Entry[]> {
    const { EqualityFilter, SubstringFilter } = await import('ldapts');
    const has = (attributes: readonly string[], values: readonly string[]): Filter[] =>
      attributes.flatMap((attribute) => values.map((value) => new EqualityFilter({ attribute, value })));
    if (isExtension(number)) {
      const found = await search(has(settings.extensionAttributes, [number]));
      return found.filter((entry) => valuesOf(entry, settings.extensionAttributes).includes(number));
    }
    const isTheirs = (entry: Entry): boolean =>
      valuesOf(entry, settings.numberAttributes).some((text) => isNumber(text, number as E164, country));
    const forms = searchForms(number as E164);
    const spelled = await search(has(settings.numberAttributes, [...new Set(Object.values(forms).flat())]));
    const exact = spelled.filter(isTheirs);
    if (exact.length > 0 || forms.national.length < spreadDigits) return exact;
    // However it is punctuated: the last digits, with anything between them and behind.
    const any = [...forms.national.slice(-spreadDigits)];
    const spread = settings.numberAttributes.map((attribute) => new SubstringFilter({ attribute, any }));
    return (await search(spread)).filter(isTheirs);
  }

  return {
    async find(number) {
      if (now() < restUntil) return [];
      let timer: NodeJS.Timeout | undefined;
      const asked = entriesFor(number);
      // What comes after the deadline is dropped.
      asked.catch(() => {});
      try {
        const entries = await Promise.race([
          asked,
          new Promise<never>((_, reject) => {
            timer = setTimeout(() => reject(new Error('late')), deadlineMs);
          }),
        ]);
        return entries.slice(0, mostMatches).flatMap((entry) => matchOf(entry, number, settings));
      } catch (error) {
        restUntil = now() + restMs;
        void letGo();
        throw failure(error);
      } finally {
        clearTimeout(timer);
      }
    },
    close: letGo,
  };
}

function matchOf(entry: Entry, number: E164 | Extension, settings: LdapSettings): Match[] {
  const name = settings.nameAttributes.flatMap((attribute) => valuesOf(entry, [attribute])).at(0);
  if (name === undefined) return [];
  const detail = settings.detailAttributes.flatMap((attribute) => valuesOf(entry, [attribute]).slice(0, 1)).join(', ');
  return [
    {
      record: { crm: 'page', object: 'Person', id: `ldap-${number}-${name}`.slice(0, 80), name: name.slice(0, 255) },
      number,
      ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
      reason: settings.label,
      source: 'directory',
    },
  ];
}

/** Values that are text, bounded; an attribute's name has no case. */
function valuesOf(entry: Entry, attributes: readonly string[]): readonly string[] {
  const wanted = new Set(attributes.map((attribute) => attribute.toLowerCase()));
  return Object.entries(entry)
    .filter(([name]) => wanted.has(name.toLowerCase()))
    .flatMap(([, values]) => [values].flat().slice(0, 20))
    .flatMap((value) => (typeof value === 'string' && value.trim() !== '' ? [value.trim().slice(0, 255)] : []));
}

function failure(error: unknown): PatchcordError {
  if (error instanceof PatchcordError) return error;
  const { name } = error as { readonly name?: unknown };
  if (name === 'InvalidCredentialsError' || name === 'InappropriateAuthError' || name === 'InsufficientAccessError') {
    return new PatchcordError(
      'crm.not-authentic',
      'The company directory does not let the relay in. Check "bindDn" and "bindPassword" under "callerSources.directory".',
      { cause: error },
    );
  }
  const reason = typeof name === 'string' && name !== 'Error' ? name : errorCode(error);
  return new PatchcordError(
    'crm.unavailable',
    `The company directory did not answer within ${deadlineMs / 1_000} s or refused the question (${reason}). Check "callerSources.directory" of the tenant; callers are looked up without it.`,
    { retryable: true, cause: error },
  );
}
