import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOrg, type TestOrg } from './org.ts';

let org: TestOrg;
beforeAll(async () => {
  org = await startOrg();
});
afterAll(() => org.sandbox.close());

const identity = { apexClass: 'PatchcordIdentity', methodName: 'mintAssertion' };
const post = async (path: string, args: Record<string, unknown>) => {
  const answer = await fetch(`${org.sandbox.instanceUrl}${path}`, {
    method: 'POST',
    body: JSON.stringify({ user: org.sandbox.users[0]?.username, args }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
};

it('runs a method for Open CTI with a query string, and for a component with named values', async () => {
  const cti = await post('/sandbox/apex', { ...identity, methodParams: 'audience=https%3A%2F%2Frelay.example' });
  expect(cti.body).toMatchObject({ success: true, returnValue: { runApex: expect.stringContaining('assertion') } });
  const component = await post('/sandbox/aura', { ...identity, params: { audience: 'https://relay.example' } });
  expect(component).toMatchObject({ status: 200, body: { returnValue: expect.stringContaining('assertion') } });
});

it('says which class or method is missing, and what a method threw', async () => {
  const failed = async (args: Record<string, unknown>) => (await post('/sandbox/aura', args)).body.message;
  expect(await failed({ ...identity, apexClass: 'Shoe' })).toBe('Could not load Apex class: Shoe');
  expect(await failed({ ...identity, methodName: 'constructor' })).toContain('Could not find method: constructor');
  expect(await failed({ ...identity, params: {} })).toContain('needs an audience');
});

it('refuses a class that the user has no access to', async () => {
  const back = org.sandbox.rights.deny({ user: org.sandbox.users[0]?.username ?? '', apexClass: 'PatchcordIdentity' });
  expect((await post('/sandbox/aura', identity)).body).toEqual({
    message: 'Could not load Apex class: PatchcordIdentity',
  });
  back();
  expect((await post('/sandbox/aura', { ...identity, params: { audience: 'x' } })).status).toBe(200);
});
