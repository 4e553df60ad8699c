/** Live transcription in the configuration: what an operator may say, and what is told when it is wrong. */
import { errorCode } from '@patchcord/call-protocol';
import { expect, it } from 'vitest';
import { transcriptionOf } from '../../../server/src/config/transcription.ts';
import { checkConfig } from '../../../server/src/config.ts';
import { testConfig, testTenant } from './relay-in-test.ts';

const service = { kind: 'pcm-ws', dialect: 'vosk', url: 'ws://127.0.0.1:2700' } as const;

function problemsOf(tenant: object): string {
  try {
    checkConfig({ ...testConfig(), tenants: [{ ...testTenant(), ...tenant }] });
  } catch (error) {
    expect(errorCode(error)).toBe('config.invalid');
    return (error as Error).message;
  }
  throw new Error('nothing was wrong with it');
}

it('without a word about it nobody is transcribed', () => {
  const [tenant] = checkConfig(testConfig()).tenants;
  expect(tenant?.transcription).toBeUndefined();
  expect(tenant?.agents.map((agent) => transcriptionOf(tenant, agent))).toEqual([null, null]);
});

it('an agent has the tenant’s language and words, or their own, or none of it', () => {
  const [ada, bob] = testTenant().agents;
  if (ada === undefined || bob === undefined) throw new Error();
  const { tenants } = checkConfig(
    testConfig({
      tenants: [
        testTenant({
          transcription: { service, language: 'en-US', vocabulary: ['Acme'], redact: ['PN-######'] },
          agents: [
            ada,
            { ...bob, transcription: { language: 'de' } },
            { ...bob, id: 'eve', extension: '1003', crmUserId: '3', transcription: { on: false } },
          ],
        }),
      ],
    }),
  );
  const [tenant] = tenants;
  expect(tenant?.agents.map((agent) => transcriptionOf(tenant, agent))).toEqual([
    { language: 'en-US', vocabulary: ['Acme'] },
    { language: 'de', vocabulary: ['Acme'] },
    null,
  ]);
});

it('says everything that is wrong with it, and no value', () => {
  const problems = problemsOf({
    transcription: {
      service: { kind: 'dictaphone' },
      language: 'English!',
      vocabulary: ['x'.repeat(101)],
      redact: ['(a+)+$', '##', 'PN-######'],
    },
    agents: [{ ...testTenant().agents[0], transcription: { on: 'yes', colour: 1 } }],
  });
  expect(problems).toContain('tenants.0.transcription.service');
  expect(problems).toContain('tenants.0.transcription.language: must be a language as in BCP 47');
  expect(problems).toContain('tenants.0.transcription.vocabulary.0: must not be longer than 100 characters');
  expect(problems).toContain('tenants.0.transcription.redact.0: must be a shape');
  expect(problems).toContain('tenants.0.transcription.redact.1: is too short');
  expect(problems).not.toContain('redact.2');
  expect(problems).toContain('tenants.0.agents.0.transcription.on: must be true or false');
  expect(problems).toContain('tenants.0.agents.0.transcription.colour: is not a setting');
  expect(problems).not.toMatch(/English!|\(a\+\)/);
});

it('wants a service, a language, and encryption beyond this machine', () => {
  expect(problemsOf({ transcription: {} })).toMatch(
    /transcription\.service: .*\n.*transcription\.language: is missing/,
  );
  const far = { kind: 'pcm-ws', dialect: 'vosk', url: 'ws://speech.example.com:2700' };
  expect(problemsOf({ transcription: { service: far, language: 'en' } })).toContain('must be encrypted');
});
