/**
 * Whether a call may be recorded: of the customer's mode and that of the far side's country the stricter. Owns that choice, and that the phone is told of it
 * for every call, whoever owns it. Must never take a country that it can't tell for a lenient one.
 */
import type { Party, Profile, RecordingMode } from '@patchcord/call-protocol';
import { recordingSteps, type SharedPhone } from '@patchcord/phone-engine';
import { readNumberingPlans } from '../numbering-plan.ts';

/** Lower is stricter. */
const leniency: Readonly<Record<RecordingMode, number>> = { never: 0, ask: 1, 'on-demand': 2, always: 3 };

/** The mode that holds with this far side, by the profile. */
export function recordingModeOf(
  { recording, numbers }: Pick<Profile, 'recording' | 'numbers'>,
  farSide: Party,
): RecordingMode {
  const ruled = Object.entries(recording.countries).map(([name, mode]) => [name.toUpperCase(), mode] as const);
  const where = new Set(
    countriesOf(
      numbers,
      farSide,
      ruled.map(([name]) => name),
    ),
  );
  const modes = ruled.flatMap(([name, mode]) => (where.has(name) ? [mode] : []));
  return modes.reduce((one, other) => (leniency[other] < leniency[one] ? other : one), recording.mode);
}

/**
 * The countries in which the far side may be. Extensions, and callers who withhold their number, are at home.
 * @param ruled those that have a rule: who can't be told to be anywhere else may be in any of them
 */
function countriesOf(
  { country, metadata }: Profile['numbers'],
  { e164, number }: Party,
  ruled: readonly string[],
): readonly string[] {
  const home = country.toUpperCase();
  const digits = (e164 ?? number).replaceAll(/[^\d+]/g, '');
  if (!digits.startsWith('+') && digits.length <= shortDigits) return [home];
  try {
    const plans = readNumberingPlans(metadata);
    if (plans === null) return ruled;
    const parsed = plans.parse(digits, home);
    const there = parsed !== null && typeof parsed === 'object' ? parsed.country : undefined;
    if (there !== undefined) return [there];
    const isElsewhere = digits.startsWith('+') && !plans.knowsCodeOf(digits);
    return isElsewhere ? ruled.filter((name) => !plans.knows(name)) : ruled;
  } catch {
    // Metadata that is not what it should be tells nothing.
    return ruled;
  }
}

/** Up to this many digits a number without "+" belongs to the phone system, not to a numbering plan. */
const shortDigits = 6;

export interface RecordingRulesOptions {
  readonly phone: Pick<SharedPhone, 'state' | 'onState' | 'owned' | 'onRole'>;
  readonly profile: () => Profile;
}

export interface RecordingRules {
  /** The profile may be another one. */
  follow(): void;
  stop(): void;
}

/** For which far side, by which profile a rule was told. */
interface Told {
  readonly profile: Profile;
  readonly number: string;
}

/** Tells the phone that this frame owns, until `stop`. */
export function followRecordingRules({ phone, profile }: RecordingRulesOptions): RecordingRules {
  let told: { readonly owner: unknown; readonly rules: Map<string, Told> } = { owner: null, rules: new Map() };

  function follow(): void {
    const owned = phone.owned();
    if (owned === null) return;
    if (told.owner !== owned) {
      told = { owner: owned, rules: new Map() };
      owned.useRecording(recordingSteps);
    }
    const now = profile();
    for (const { id, phase, farSide } of phone.state().calls) {
      const before = told.rules.get(id);
      if (phase === 'ended' || (before?.profile === now && before.number === farSide.number)) continue;
      // First: the phone tells of the change before this returns.
      told.rules.set(id, { profile: now, number: farSide.number });
      owned.setRecording(id, recordingModeOf(now, farSide), now.recording.resumeAfterSeconds * 1_000);
    }
  }

  const stops = [phone.onState(follow), phone.onRole(follow)];
  follow();
  return {
    follow,
    stop() {
      for (const stop of stops) stop();
    },
  };
}
