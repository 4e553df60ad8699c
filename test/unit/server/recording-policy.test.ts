/** Call recording in the configuration: what an operator may say, what holds for an agent, and what is told when it is wrong. */
import { errorCode } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { recordingPolicyOf } from '../../../server/src/config/recording-policy.ts';
import { checkConfig } from '../../../server/src/config.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

function problemsOf(tenant: object): string {
  try {
    checkConfig({ ...testConfig(), tenants: [{ ...testTenant(), ...tenant }] });
  } catch (error) {
    expect(errorCode(error)).toBe('config.invalid');
    return (error as Error).message;
  }
  throw new Error('nothing was wrong with it');
}

it('without a word about it nobody is recorded', () => {
  const [tenant] = checkConfig(testConfig()).tenants;
  const none = { mode: 'never', countries: {}, notice: 'none', resumeAfterSeconds: 120 };
  expect(tenant?.agents.map((agent) => recordingPolicyOf(tenant, agent))).toEqual([none, none]);
});

it('an agent has the tenant’s rules, with a mode of their own where they have one', () => {
  const [ada, bob] = testTenant().agents;
  if (ada === undefined || bob === undefined) throw new Error('two agents');
  const recording = {
    mode: 'always',
    countries: { DE: 'ask', FR: 'never' },
    notice: 'tone',
    resumeAfterSeconds: 0,
  } as const;
  const { tenants } = checkConfig(
    testConfig({ tenants: [testTenant({ recording, agents: [ada, { ...bob, recording: { mode: 'on-demand' } }] })] }),
  );
  const [tenant] = tenants;
  expect(tenant?.agents.map((agent) => recordingPolicyOf(tenant, agent))).toEqual([
    recording,
    { ...recording, mode: 'on-demand' },
  ]);
});

it('says what is wrong with it', () => {
  expect(problemsOf({ recording: { mode: 'sometimes' } })).toMatch(/recording\.mode.*"never", "ask", "on-demand"/);
  expect(problemsOf({ recording: { countries: { Germany: 'ask' } } })).toMatch(/two capital letters/);
  expect(problemsOf({ recording: { countries: { DE: 'maybe' } } })).toMatch(/recording\.countries\.DE/);
  expect(problemsOf({ recording: { resumeAfterSeconds: -1 } })).toMatch(/resumeAfterSeconds.*less than 0/);
  expect(problemsOf({ recording: { file: 'x' } })).toMatch(/recording/);
});
