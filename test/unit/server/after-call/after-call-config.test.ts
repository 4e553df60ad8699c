import { expect, it } from 'vitest';
import { checkConfig } from '../../../../server/src/config.ts';
import { testConfig, testTenant } from '../relay-in-test.ts';

type Tenant = Parameters<typeof testTenant>[0];
const check = (tenant: Tenant) => checkConfig(testConfig({ tenants: [testTenant(tenant)] })).tenants[0];
function problemsOf(tenant: unknown): string {
  try {
    check(tenant as Tenant);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('nothing was wrong with it');
}
const rule = { id: 'a', label: 'A', phrases: ['refund'] };
const keep = { transcripts: { keep: true } };

it('nothing is looked for and nothing leaves the relay until somebody says so', () => {
  const tenant = check({});
  expect(tenant?.spotting).toEqual({ rules: [] });
  expect(tenant).not.toHaveProperty('summary');
});

it('fills in what a rule and an endpoint need not say', () => {
  const tenant = check({
    ...keep,
    spotting: { rules: [rule] },
    summary: { url: 'https://llm.example.com', model: 'm' },
  });
  expect(tenant?.spotting.rules).toEqual([{ ...rule, severity: 'info', by: 'either', tell: 'said', exact: false }]);
  expect(tenant?.summary).toEqual({
    ...{ url: 'https://llm.example.com', model: 'm', allowPrivate: false },
    ...{ timeoutMs: 60_000, maxTokens: 1_000, tokenLimit: 'max_tokens' },
  });
});

it.each([
  [
    'a phrase without a word',
    { spotting: { rules: [{ ...rule, phrases: ['…'] }] } },
    'spotting.rules.0.phrases.0: needs a word',
  ],
  ['a rule without a phrase', { spotting: { rules: [{ ...rule, phrases: [] }] } }, 'needs at least one phrase'],
  ['two rules of one name', { spotting: { rules: [rule, rule] } }, 'two entries with the same id'],
  ['a name that is none', { spotting: { rules: [{ ...rule, id: 'A rule' }] } }, 'small letters'],
  ['a language without a table', { spotting: { language: 'fi', rules: [rule] } }, 'spotting.language'],
  [
    'words that leave unencrypted',
    { ...keep, summary: { url: 'http://llm.example.com', model: 'm' } },
    'must be encrypted',
  ],
  [
    'a key in the address',
    { ...keep, summary: { url: 'https://me:secret@llm.example.com', model: 'm' } },
    'must not carry a user name',
  ],
  [
    'a summary of words that nobody keeps',
    { summary: { url: 'https://llm.example.com', model: 'm' } },
    'needs "transcripts.keep": true',
  ],
  [
    'a setting that is none',
    { ...keep, summary: { url: 'https://llm.example.com', model: 'm', prompt: 'x' } },
    'is not a setting',
  ],
])('refuses %s', (_what, tenant, expected) => {
  expect(problemsOf(tenant)).toContain(expected);
  expect(problemsOf(tenant)).not.toContain('secret@');
});

it('takes an unencrypted endpoint of this machine, and a key from the environment', () => {
  const summary = { url: 'http://127.0.0.1:8000', model: 'm', key: { env: 'SUMMARY_KEY' } };
  const config = checkConfig(testConfig({ tenants: [testTenant({ ...keep, summary } as unknown as Tenant)] }), {
    SUMMARY_KEY: 'sk-from-the-environment',
  });
  expect(config.tenants[0]?.summary?.key).toBe('sk-from-the-environment');
});
