/**
 * A company directory over LDAP (RFC 4511): OpenLDAP, Active Directory and the like. Owns what is asked and what of an answer is believed: an entry
 * counts only when one of its numbers is the caller's in E.164 by our own parse. Must never follow a referral, write, or log a number or a secret.
 */
import { createHash } from 'node:crypto';
import { type E164, type Extension, errorCode, type Match, PatchcordError } from '@patchcord/call-protocol';
import { isExtension, isNumber, searchForms } from '@patchcord/crm-adapters/relay';
import type { Client, Entry, Filter } from 'ldapts';
import type { LdapSettings } from '../config/caller-sources.ts';
import type { CallerDirectory } from './caller-directory.ts';

/** For one look-up, whatever it takes: connecting, signing in, asking. */
const deadlineMs = 2_000;
/** More for a look-up among numbers that no spelling has. A large directory without an index for it takes longer, and is asked none for a while. */
const spreadDeadlineMs = 1_000;
const spreadRestMs = 3_600_000;
const mostEntries = 50;
const mostMatches = 10;
/** So many last digits are looked for in two pieces, with anything between them: fewer would find half a company, and shorter pieces use no index. */
const spreadDigits = 7;
/** A directory that does not answer is left alone for this long. */
const restMs = 30_000;

/** Opens nothing before the first look-up; the connection is kept until the directory or `close` ends it. */
export function createLdapDirectory(
  settings: LdapSettings,
  country: string,
  now: () => number,
): Required<CallerDirectory> {
  const exact = connectionTo(settings);
  /** Its own, so that its end costs nobody else an answer. */
  const spread = connectionTo(settings);
  let restUntil = 0;
  let spreadRestUntil = 0;
  const { extensionAttributes, numberAttributes } = settings;
  const isTheirs = (entry: Entry, number: E164): boolean =>
    valuesOf(entry, numberAttributes).some((text) => isNumber(text, number, country));

  async function entriesFor(number: E164 | Extension): Promise<readonly Entry[]> {
    const { EqualityFilter } = await import('ldapts');
    const has = (attributes: readonly string[], values: readonly string[]): Filter[] =>
      attributes.flatMap((attribute) => values.map((value) => new EqualityFilter({ attribute, value })));
    if (isExtension(number)) {
      const found = await exact.search(has(extensionAttributes, [number]), deadlineMs);
      return found.filter((entry) => valuesOf(entry, extensionAttributes).includes(number));
    }
    const found = await exact.search(has(numberAttributes, spellingsOf(number as E164)), deadlineMs);
    return found.filter((entry) => isTheirs(entry, number as E164));
  }

  /** However it is punctuated; nobody where the directory can't say soon. */
  async function entriesLike(number: E164): Promise<readonly Entry[]> {
    const { national } = searchForms(number);
    if (national.length < spreadDigits || now() < spreadRestUntil) return [];
    const { SubstringFilter } = await import('ldapts');
    const last = national.slice(-spreadDigits);
    const pieces = [3, 4].map((first) => [last.slice(0, first), last.slice(first)]);
    const filters = numberAttributes.flatMap((attribute) =>
      pieces.map((any) => new SubstringFilter({ attribute, any })),
    );
    try {
      const found = await within(spreadDeadlineMs, spread.search(filters, spreadDeadlineMs));
      return found.filter((entry) => isTheirs(entry, number));
    } catch {
      spreadRestUntil = now() + spreadRestMs;
      void spread.close();
      return [];
    }
  }

  return {
    async find(number) {
      if (now() < restUntil) return [];
      let entries: readonly Entry[];
      try {
        entries = await within(deadlineMs, entriesFor(number));
      } catch (error) {
        restUntil = now() + restMs;
        void exact.close();
        throw failure(error);
      }
      if (entries.length === 0 && !isExtension(number)) entries = await entriesLike(number as E164);
      return entries.slice(0, mostMatches).flatMap((entry) => matchOf(entry, number, settings));
    },
    close: async () => {
      await Promise.all([exact.close(), spread.close()]);
    },
  };
}

interface LdapConnection {
  /** Entries to which any of the filters applies, besides the configured one. @throws what the client throws */
  search(filters: readonly Filter[], withinMs: number): Promise<readonly Entry[]>;
  close(): Promise<void>;
}

/** Opened with the first search. */
function connectionTo(settings: LdapSettings): LdapConnection {
  let opened: Promise<Client> | null = null;

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

  async function search(filters: readonly Filter[], withinMs: number): Promise<readonly Entry[]> {
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
      timeLimit: Math.ceil(withinMs / 1_000),
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

  return {
    search,
    close() {
      const client = opened;
      opened = null;
      return client === null ? Promise.resolve() : client.then((one) => one.unbind()).catch(() => {});
    },
  };
}

/** What comes later is dropped. */
async function within<T>(ms: number, asked: Promise<T>): Promise<T> {
  asked.catch(() => {});
  let timer: NodeJS.Timeout | undefined;
  try {
    return await Promise.race([
      asked,
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => reject(new Error('late')), ms);
      }),
    ]);
  } finally {
    clearTimeout(timer);
  }
}

/** As an index for equality finds it: the forms every CRM is searched for, and the country's own groups with each separator people use. */
function spellingsOf(number: E164): readonly string[] {
  const forms = searchForms(number);
  const groups = forms.printed.match(/\d+/g) ?? [];
  const code = forms.full.slice(0, forms.full.length - forms.national.length);
  const trunk = forms.trunk.endsWith(forms.national) ? forms.trunk.length - forms.national.length : 0;
  const [first = '', ...rest] = groups;
  const abroad = [`+${code}`, first.slice(trunk), ...rest].filter((group) => group !== '');
  const separated = [' ', '.', '-', '/'].flatMap((separator) => [groups.join(separator), abroad.join(separator)]);
  return [...new Set([...Object.values(forms).flat(), ...separated])];
}

function matchOf(entry: Entry, number: E164 | Extension, settings: LdapSettings): Match[] {
  const name = settings.nameAttributes.flatMap((attribute) => valuesOf(entry, [attribute])).at(0);
  if (name === undefined) return [];
  const detail = settings.detailAttributes.flatMap((attribute) => valuesOf(entry, [attribute]).slice(0, 1)).join(', ');
  return [
    {
      // Says neither who it is nor their number: what an agent chooses is noted.
      record: { crm: 'page', object: 'Person', id: `ldap-${hashOf(entry.dn)}`, name: name.slice(0, 255) },
      number,
      ...(detail === '' ? {} : { detail: detail.slice(0, 255) }),
      reason: settings.label,
      source: 'directory',
    },
  ];
}

function hashOf(dn: string): string {
  return createHash('sha256').update(dn).digest('base64url').slice(0, 32);
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
