/** `npm run hubspot -- smoke` against the emulated HubSpot: reads only unless it may write, leaves nothing, settles the open questions, always reports. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type StandIn, startStandIn } from './stand-in.ts';

let at: StandIn;
let token: string;
beforeAll(async () => {
  at = await startStandIn();
  token = await at.token();
});
afterAll(() => at.close());
afterEach(() => at.sandbox.faults.clear());

const env = (): Record<string, string> => ({
  HUBSPOT_PORTAL_TOKEN: token,
  HUBSPOT_DEVELOPER_API_KEY: at.sandbox.calling.developer.apiKey,
});
const smoke = (args: readonly string[] = [], more: object = {}) => at.run(['smoke', ...args], { env: env(), ...more });
const written = (): string => readFileSync(join(at.folder, 'patchcord-hubspot-smoke.md'), 'utf8');
interface Result {
  readonly findings: readonly { question: string; verdict: string; seen: string; settles?: string }[];
  readonly left: readonly string[];
}
const found = async (args: readonly string[], more: object = {}): Promise<Result> =>
  JSON.parse((await smoke([...args, '--json'], more)).text) as Result;
const about = ({ findings }: Result, word: string) => findings.find(({ question }) => question.includes(word));

describe('without --write', () => {
  it('only reads, and says what it saw', async () => {
    await at.run(['configure', '--app-id', '99', '--url', at.relay]);
    const before = at.sandbox.requests().length;
    const result = await found(['--app-id', '99']);
    const changing = at.sandbox
      .requests()
      .slice(before)
      .filter(({ method, path }) => method !== 'GET' && !path.endsWith('/search'));
    expect(changing).toEqual([]);
    expect(about(result, 'scopes')?.verdict).toBe('good');
    expect(about(result, 'Which versions')?.seen).toBe('v3: 200 · 2026-03: 200 · 2026-09: 200');
    expect(about(result, 'offered as a provider')?.verdict).toBe('good');
    expect(about(result, 'have chosen Patchcord')?.seen).toMatch(/with this app/);
    expect(about(result, 'Owners name')?.verdict).toBe('good');
    expect(about(result, 'condition by condition')?.seen).toContain(
      'all five are taken; answers to searches tell no limits',
    );
    expect(about(result, 'What the account grants')?.seen).toMatch(/Max \d+/);
    expect(about(result, 'the options of')?.seen).toContain('the same as in the older list');
    const report = written();
    expect(report).toContain('add --write');
    expect(report).toContain('To look at yourself');
  });

  it('shows neither a secret nor a number of anybody', async () => {
    const { text } = await smoke(['--app-id', '99']);
    for (const secret of [token, at.sandbox.calling.developer.apiKey]) {
      expect(text).not.toContain(secret);
      expect(written()).not.toContain(secret);
    }
    expect(written().match(/555/)).toBeNull();
  });

  it('goes on past what breaks, and names it', async () => {
    at.sandbox.faults.add({ fault: 'unavailable', on: 'GET */owners*', times: 5 });
    at.sandbox.faults.add({ fault: 'missing-scope', on: 'GET */connection-statuses*' });
    const result = await found([]);
    expect(about(result, 'owners')).toMatchObject({ verdict: 'open', seen: expect.stringContaining('503') });
    expect(about(result, 'have chosen Patchcord')).toMatchObject({ verdict: 'open' });
    expect(about(result, 'condition by condition')?.verdict).toBe('good');
  });
});

describe('with --write', () => {
  it('answers what only a write can, and leaves nothing', async () => {
    await at.run(['configure', '--app-id', '99', '--url', at.relay], { env: env() });
    const before = at.sandbox.records.calls.length;
    const result = await found(['--app-id', '99', '--write']);
    expect(about(result, 'One key, one call')).toMatchObject({
      verdict: 'good',
      seen: expect.stringContaining('true, false'),
    });
    expect(about(result, 'comes back')?.verdict).toBe('good');
    expect(about(result, 'hs_call_unique_external_id')?.settles).toContain('3');
    expect(about(result, 'batch')?.seen).toMatch(/1 made, 1 errors/);
    expect(about(result, 'inbound-call')?.seen).toMatch(/one call: HubSpot de-duplicates|2 calls: HubSpot does not/);
    expect(result.left).toEqual([]);
    expect(at.sandbox.records.calls).toHaveLength(before);
    const report = written();
    for (const question of ['3: whether inbound-call', '3: whether upsert', '4: which sign-in'])
      expect(report).toContain(question);
  });

  it('names what it could not delete, and is then no success', async () => {
    at.sandbox.faults.add({ fault: 'unavailable', on: 'DELETE */calls/*', times: 1 });
    const done = await smoke(['--write']);
    expect(done.code).toBe(1);
    expect(done.text).toMatch(/not deleted: call \d+/);
    expect(written()).toMatch(/- call \d+/);
    for (const { id, properties } of at.sandbox.records.calls)
      if (properties.hs_call_title?.includes('smoke test')) at.sandbox.portal.archive('calls', id);
  });
});

it('says which token it lacks', async () => {
  expect(await at.run(['smoke'], { env: {} })).toMatchObject({
    code: 2,
    text: expect.stringContaining('HUBSPOT_PORTAL_TOKEN'),
  });
});
