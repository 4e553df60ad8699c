/**
 * Records of FreeSWITCH as its mod_json_cdr posts them: one per leg (FreeSWITCH contract, section 5). Owns which legs are an agent's: those of a
 * registered device. Values may be text or numbers, and percent-encoded when `encode-values` is on. Must never take a gateway's leg for an agent's.
 */
import type { CallOutcome, CallReportData } from '@patchcord/call-protocol';
import { farNumber } from './plain.ts';
import { type CallRecordReader, checkedReport, invalid, isObject, textOf } from './reader.ts';

export const readFreeSwitch: CallRecordReader = (record) => {
  const variables = isObject(record) ? record.variables : undefined;
  if (!isObject(variables)) throw invalid('This is no record of mod_json_cdr: it has no "variables".');
  const value = (name: string): string => decoded(textOf(variables[name])).trim();
  const profile = callerProfile(record);
  const device = value('sip_auth_username') || value('dialed_user') || value('sip_to_user');
  const extension = value('number_alias') || extensionOf(device);
  const sipCallId = value('sip_call_id');
  // A leg to a provider, a loopback or a voicemail has no device behind it.
  if (sipCallId === '' || extension === '') return [];
  const cameFromDevice = value('direction') === 'inbound';
  const { number, name } = cameFromDevice
    ? { number: textOf(profile.destination_number), name: '' }
    : { number: textOf(profile.caller_id_number) || value('caller_id_number'), name: textOf(profile.caller_id_name) };
  const startedAt = epochMs(value('start_uepoch'), value('start_epoch'));
  const answeredAt = epochMs(value('answer_uepoch'), value('answer_epoch'));
  const report: Record<keyof CallReportData, unknown> = {
    pbx: 'freeswitch',
    reportId: value('uuid'),
    state: 'ended',
    sipCallId,
    conversation: conversationOf(value) || null,
    extension: extension.slice(0, 64),
    device: device.slice(0, 128) || null,
    direction: cameFromDevice ? 'outbound' : 'inbound',
    farSide: {
      number: farNumber(decoded(number)).slice(0, 128),
      ...(name === '' || decoded(name) === decoded(number) ? {} : { name: decoded(name).slice(0, 255) }),
    },
    startedAt,
    answeredAt,
    endedAt: epochMs(value('end_uepoch'), value('end_epoch')) ?? answeredAt ?? startedAt,
    cause: causeOf(value('hangup_cause_q850')),
    outcome: answeredAt === null ? outcomeOf(value('hangup_cause'), cameFromDevice) : 'answered',
  };
  return [checkedReport(report)];
};

/** `call_uuid` names the first leg on every leg it dialled; a leg that stands alone is its own conversation. */
function conversationOf(value: (name: string) => string): string {
  return value('call_uuid') || value('originating_leg_uuid') || value('bridge_uuid') || value('uuid');
}

/** FreeSWITCH's own names of causes that Q.850 has no number for, and those that mean the same whatever the number. */
function outcomeOf(cause: string, dialled: boolean): CallOutcome {
  if (cause === 'LOSE_RACE' || cause === 'PICKED_OFF') return 'answered-elsewhere';
  if (cause === 'CALL_REJECTED') return 'declined';
  if (!dialled) return 'missed';
  if (cause === 'USER_BUSY') return 'busy';
  if (cause === 'NO_ANSWER' || cause === 'NO_USER_RESPONSE' || cause === 'ALLOTTED_TIMEOUT') return 'no-answer';
  return cause === 'ORIGINATOR_CANCEL' || cause === 'NORMAL_CLEARING' ? 'cancelled' : 'failed';
}

function callerProfile(record: unknown): Readonly<Record<string, unknown>> {
  const flow = isObject(record) && Array.isArray(record.callflow) ? (record.callflow[0] as unknown) : undefined;
  const profile = isObject(flow) ? flow.caller_profile : undefined;
  return isObject(profile) ? profile : {};
}

/** A device's user name is "<extension>-<mark>"; a desk phone's is the extension itself. */
function extensionOf(device: string): string {
  return /^(.+)-[A-Za-z0-9]{2,}$/.exec(device)?.[1] ?? device;
}

/** Microseconds where FreeSWITCH gives them, else seconds; 0 stands for "never". */
function epochMs(micros: string, seconds: string): number | null {
  if (/^\d{10,20}$/.test(micros) && Number(micros) > 0) return Math.round(Number(micros) / 1_000);
  return /^\d{1,12}$/.test(seconds) && Number(seconds) > 0 ? Number(seconds) * 1_000 : null;
}

function causeOf(text: string): number | null {
  return /^\d{1,3}$/.test(text) && Number(text) > 0 ? Number(text) : null;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
