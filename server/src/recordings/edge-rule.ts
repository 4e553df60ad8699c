/**
 * What of a recording that the edge made may be kept: the edge records whatever passes, and knows no rule. Owns that only a call whose mode is `always`
 * is kept, without what its phone paused. Must never keep one of which its phone may still tell a pause, nor take a country that it can't tell for
 * a lenient one.
 */
import { PatchcordError, type RecordingMode, recordingModes } from '@patchcord/call-protocol';
import { type CountryCode, isSupportedCountry, parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { recordingPolicyOf } from '../config/recording-policy.ts';
import type { TenantConfig } from '../config.ts';
import type { StoredCall, StoredRecording } from '../store/contract.ts';
import type { Stretch } from './stretches.ts';

/** Up to this many digits a number without "+" belongs to the phone system, not to a numbering plan. */
const shortDigits = 6;
/** The edge and a phone see an answer, and hear what is said, up to this long after each other. Around a pause that much more is silent. */
const apartMs = 1_000;
const usualSettleMs = 300_000;

export interface EdgeRecorded {
  readonly call: StoredCall;
  readonly config: TenantConfig;
  /** Whether the sound that the phone sent is being kept, or was. */
  readonly keptFromPhone: boolean;
  readonly known: StoredRecording | null;
  readonly now: number;
}

/**
 * The stretches of the call that may be heard, ms from its answer.
 * @throws PatchcordError `recording.not-allowed`: it is not to be kept, now and later; `call.unknown`, retryable: not before its phone told everything
 */
export function keptOfEdge({ call, config, keptFromPhone, known, now }: EdgeRecorded): readonly Stretch[] {
  const { log } = call;
  const agent = config.agents.find(({ id }) => id === call.agent);
  if (log === null || agent === undefined) throw notAllowed('belongs to no agent.');
  const mode = modeOf(config, agent, log.farSide);
  if (mode !== 'always') throw notAllowed(`is not one of those that are always recorded: its mode is "${mode}".`);
  if (keptFromPhone || known?.madeBy === 'relay')
    throw notAllowed('has the recording that its phone sent, which stays.');
  // What is there already is compared with what comes.
  if (known !== null) return [everything];
  // By our own clock, since a phone's may be wrong.
  const restMs = call.touchedAt + (config.callRecords?.signedInSettleMs ?? usualSettleMs) - now;
  if (log.stage === 'live' || restMs > 0) {
    throw new PatchcordError(
      'call.unknown',
      'The call is not over, or its phone may still tell of a pause. Send the recording again in a minute.',
      { retryable: true, retryAfterMs: Math.max(60_000, restMs) },
    );
  }
  if (log.answeredAt === null) throw notAllowed('was not answered.');
  const { recording } = log;
  if (recording === undefined) return [everything];
  if (recording.consent?.given === false) throw notAllowed('was refused to be recorded by the far side.');
  if (recording.kept.length === 0) throw notAllowed('was not recorded by its phone.');
  return recording.kept.map(({ startMs, endMs }, index) => ({
    fromMs: index === 0 ? startMs : startMs + apartMs,
    toMs: endMs === null ? Number.POSITIVE_INFINITY : endMs - apartMs,
  }));
}

const everything: Stretch = { fromMs: 0, toMs: Number.POSITIVE_INFINITY };

/** Of the agent's mode and those of the countries in which the far side may be the strictest, as its phone would have it. */
function modeOf(
  config: TenantConfig,
  agent: TenantConfig['agents'][number],
  farSide: { readonly number: string; readonly e164?: string | undefined },
): RecordingMode {
  const { mode, countries } = recordingPolicyOf(config, agent);
  const ruled = Object.entries(countries).map(([name, rule]) => [name.toUpperCase(), rule] as const);
  const where = countryOf(farSide.e164 ?? farSide.number, config.country.toUpperCase());
  const rules = [mode, ...ruled.flatMap(([name, rule]) => (where === null || where === name ? [rule] : []))];
  return recordingModes.find((one) => rules.includes(one)) ?? 'never';
}

/** Extensions, and callers who withhold their number, are at home; null: it may be anywhere. */
function countryOf(number: string, home: string): string | null {
  const digits = number.replaceAll(/[^\d+]/g, '');
  if (!digits.startsWith('+') && digits.length <= shortDigits) return home;
  const country = isSupportedCountry(home) ? (home satisfies CountryCode) : undefined;
  return parsePhoneNumberFromString(digits, country)?.country ?? null;
}

/** @param why Follows "This call …" */
function notAllowed(why: string): PatchcordError {
  return new PatchcordError(
    'recording.not-allowed',
    `This call ${why} What the edge recorded was not kept; delete it.`,
  );
}
