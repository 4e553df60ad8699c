/** In which mode a call is recorded: the customer's, or the stricter one of the far side's country. */
import { newCallId, type Profile } from '@patchcord/call-protocol';
import { type CallState, emptyPhone, type OwnedPhone, type PhoneRole, type PhoneState } from '@patchcord/phone-engine';
import { expect, it } from 'vitest';
import {
  followRecordingRules,
  recordingModeOf,
} from '../../../packages/softphone-ui/src/transcription/recording-rules.ts';
import { numberMetadata } from '../../../server/src/number-metadata.ts';
import { profile } from '../../panel/sample-profile.ts';

const policy = (part: Partial<Profile['recording']>): Profile => ({
  ...profile,
  recording: { ...profile.recording, ...part },
});
const modeOf = (part: Partial<Profile['recording']>, number: string) => recordingModeOf(policy(part), { number });
const home = '+14155550101';
const berlin = '+4930901820';
const paris = '+33142685300';

it('takes the stricter of the customer’s mode and that of the country', () => {
  const countries = { US: 'ask' } as const;
  expect(modeOf({ mode: 'always', countries }, home)).toBe('ask');
  expect(modeOf({ mode: 'never', countries }, home)).toBe('never');
  expect(modeOf({ mode: 'on-demand', countries: { us: 'always' } }, home)).toBe('on-demand');
  expect(modeOf({ mode: 'on-demand', countries: { US: 'never' } }, '(415) 555-0101')).toBe('never');
  expect(modeOf({ mode: 'always' }, home)).toBe('always');
});

it('takes colleagues and callers without a number for callers from home', () => {
  const countries = { US: 'ask', DE: 'never' } as const;
  for (const number of ['2002', '', 'anonymous']) expect(modeOf({ mode: 'always', countries }, number)).toBe('ask');
});

it('takes the strictest of those in which a far side may be that it can’t place', () => {
  const countries = { US: 'ask', DE: 'never' } as const;
  const withPlans = (...names: readonly string[]) => ({
    ...policy({ mode: 'always', countries }),
    numbers: { country: 'US', metadata: numberMetadata(names) },
  });
  expect(recordingModeOf(withPlans('US', 'DE'), { number: berlin })).toBe('never');
  expect(recordingModeOf(withPlans('US', 'DE'), { number: paris })).toBe('always');
  // Its plan did not travel along: Paris may be in Germany for all that is known here, but not in America.
  expect(recordingModeOf(withPlans('US'), { number: paris })).toBe('never');
  expect(recordingModeOf(withPlans('US', 'DE'), { number: '+4912' })).toBe('never');
  for (const metadata of ['broken', {}]) {
    const blind = { ...withPlans('US'), numbers: { country: 'US', metadata: metadata as never } };
    expect(recordingModeOf(blind, { number: paris })).toBe('never');
  }
});

it('tells each owner once for every call, and again with another far side or another profile', () => {
  const listeners = new Set<(state: PhoneState) => void>();
  const roles = new Set<(role: PhoneRole) => void>();
  const told: string[] = [];
  const ownerOf = (name: string) =>
    ({
      useRecording: () => told.push(`${name} records`),
      setRecording: (_: string, mode: string, ms: number) => told.push(`${name} ${mode} ${ms}`),
    }) as unknown as OwnedPhone;
  let owned: OwnedPhone | null = null;
  let state: PhoneState = emptyPhone;
  let now = policy({ mode: 'always' });
  const rules = followRecordingRules({
    phone: {
      state: () => state,
      owned: () => owned,
      onState: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onRole: (listener) => {
        roles.add(listener);
        return () => roles.delete(listener);
      },
    },
    profile: () => now,
  });
  const id = newCallId();
  const is = (part: Partial<CallState>) => {
    state = { ...emptyPhone, calls: [{ id, phase: 'active', farSide: { number: home }, ...part } as CallState] };
    for (const listener of listeners) listener(state);
  };
  is({});
  expect(told).toEqual([]);
  owned = ownerOf('one');
  for (const listener of roles) listener('owner');
  is({ muted: true });
  expect(told).toEqual(['one records', 'one always 120000']);
  is({ farSide: { number: '2002' } });
  now = policy({ mode: 'ask', resumeAfterSeconds: 0 });
  rules.follow();
  owned = ownerOf('other');
  for (const listener of roles) listener('owner');
  expect(told.slice(2)).toEqual(['one always 120000', 'one ask 0', 'other records', 'other ask 0']);
  is({ phase: 'ended', farSide: { number: berlin } });
  rules.stop();
  is({ farSide: { number: berlin } });
  expect([told.length, listeners.size, roles.size]).toEqual([6, 0, 0]);
});
