/** Where a call may be sent to by somebody else: redirects and transfer requests, as far as they are followed. */
import { describe, expect, it } from 'vitest';
import { nextTarget, targetUri } from '../../../packages/phone-engine/src/sip/redirection.ts';
import { readTransferRequest } from '../../../packages/phone-engine/src/sip/transfer-request.ts';
import { message } from './messages.ts';

const domain = 'pbx.example';
const redirect = (contacts: string, visited: string[] = ['sip:1@pbx.example'], statusCode = 302) => {
  const next = nextTarget({ ...message(['Redirect-To', contacts]), statusCode }, visited, domain);
  return typeof next === 'string' ? next : next.toString();
};

describe('a redirect', () => {
  it.each([
    ['<sip:2@pbx.example>', 'sip:2@pbx.example'],
    ['<sip:2@PBX.example:5060;transport=tcp;x=y?Subject=z>', 'sip:2@pbx.example'],
    ['<sip:2@pbx.example>;q=0.1, <sip:3@pbx.example>;q=0.2', 'sip:3@pbx.example'],
    ['<sip:1@pbx.example>, <sip:2@pbx.example>', 'sip:2@pbx.example'],
    ['<tel:+14155550101>', 'sip:+14155550101@pbx.example'],
    ['<sip:%2A97@pbx.example>', 'sip:*97@pbx.example'],
  ])('%s goes to %s', (contacts, target) => {
    expect(redirect(contacts)).toBe(target);
  });

  it.each([
    ['<sip:2@elsewhere.example>', /outside/],
    ['<sip:2@pbx.example.elsewhere.example>', /outside/],
    ['<sip:two words@pbx.example>', /did not say where/],
    ['<sip:2%3Bx@pbx.example>', /outside/],
    ['<https://pbx.example>', /did not say where/],
    ['', /did not say where/],
    ['<sip:1@pbx.example>', /circle/],
  ])('%s goes nowhere', (contacts, words) => {
    expect(redirect(contacts)).toMatch(words);
  });

  it('is followed five times, and only where it is one', () => {
    const visited = (count: number) => Array.from({ length: count }, (_, at) => `sip:9${at}@pbx.example`);
    expect(redirect('<sip:2@pbx.example>', visited(5))).toBe('sip:2@pbx.example');
    expect(redirect('<sip:2@pbx.example>', visited(6))).toMatch(/too many times/);
    expect(redirect('<sip:2@pbx.example>', [], 305)).toMatch(/cannot follow/);
  });
});

describe('a request to transfer', () => {
  const read = (referTo: string, by = '') => {
    const found = readTransferRequest(message(['Refer-To', referTo], ['Referred-By', by]), domain);
    return found && [found.uri.toString(), ...found.headers];
  };

  it('is read with what it replaces and who asks', () => {
    expect(read('"Carol" <sip:3@pbx.example>', '<sip:2@pbx.example>;cid="x"')).toEqual([
      'sip:3@pbx.example',
      'Referred-By: <sip:2@pbx.example>',
    ]);
    expect(read('<sip:3@pbx.example;method=INVITE?Replaces=a%40b%3Bto-tag%3Dt%3Bfrom-tag%3Df&X=y>')).toEqual([
      'sip:3@pbx.example',
      'Replaces: a@b;to-tag=t;from-tag=f',
      'Require: replaces',
    ]);
  });

  it.each([
    '<sip:3@elsewhere.example>',
    '<sip:3@pbx.example;method=BYE>',
    '<sip:3@pbx.example?Replaces=a%0d%0aX%3A1%3Bto-tag%3Dt%3Bfrom-tag%3Df>',
    '<sip:3@pbx.example?Replaces=%ZZ>',
    '<sip:3@pbx.example?Replaces=only-an-id>',
    '<https://pbx.example>',
    'nonsense',
    '',
  ])('is not followed: %s', (referTo) => {
    expect(read(referTo)).toBeNull();
  });

  it('is not followed when it names two targets', () => {
    const two = message(['Refer-To', '<sip:3@pbx.example>'], ['Refer-To', '<sip:4@pbx.example>']);
    expect(readTransferRequest(two, domain)).toBeNull();
  });
});

it('what can be dialled is a user part of the own domain', () => {
  expect(targetUri('(415) 555-0101', domain)?.toString()).toBe('sip:415555-0101@pbx.example');
  expect(targetUri('*72#', domain)?.toRaw()).toBe('sip:*72%23@pbx.example');
  for (const bad of ['', 'a@b', 'a;b', 'a?b', 'x'.repeat(129), 'a\r\nb:c'])
    expect(targetUri(bad, domain)).toBeUndefined();
});
