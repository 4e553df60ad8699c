/**
 * Owns `POST …/calling/inbound-call`: a call that no browser saw (the HubSpot contract, section 2.6). The matches come with the answer, the
 * engagement comes later. HubSpot does not say whether it de-duplicates by externalCallId, so the emulator does not: the caller has to.
 */
import { isObject } from '../http.ts';
import { callerMatches } from './caller-id.ts';
import { type Portal, Refusal } from './records.ts';
import { invalid, type Owner, objectOf, type RestCall, type RestResult } from './rest-call.ts';

const numberTypes =
  /^(MOBILE|FIXED_LINE|FIXED_LINE_OR_MOBILE|VOIP|TOLL_FREE|PREMIUM_RATE|SHARED_COST|PERSONAL_NUMBER|PAGER|UAN|VOICEMAIL|UNKNOWN)$/;

export function inboundCalls(parts: {
  portal: Portal;
  owners: readonly Owner[];
  portalId: number;
  appId: number;
  /** How long the engagement takes to appear, ms. 0: it is there with the answer. */
  delayMs: number;
}): { handle(call: RestCall): RestResult; stop(): void } {
  const { portal, owners } = parts;
  const timers = new Set<NodeJS.Timeout>();

  function numberIn(value: unknown, name: string): string {
    if (
      !isObject(value) ||
      typeof value.e164Number !== 'string' ||
      !/^\+\d{6,15}$|^\d{2,15}$|^$/.test(value.e164Number)
    )
      throw invalid(`${name}.e164Number must be an E.164 number`);
    if (typeof value.phoneNumberType !== 'string' || !numberTypes.test(value.phoneNumberType))
      throw invalid(`${name}.phoneNumberType is none of the allowed values`);
    return value.e164Number;
  }

  return {
    handle(call) {
      const body = objectOf(call.body);
      const { externalCallId, createEngagement, engagementProperties, finalCallStatus, potentialRecipientUserIds } =
        body;
      if (typeof externalCallId !== 'string' || externalCallId === '') throw invalid('externalCallId is required');
      if (typeof createEngagement !== 'boolean') throw invalid('createEngagement is required');
      if (!isObject(engagementProperties)) throw invalid('engagementProperties is required');
      const offered = portal.property('calls', 'hs_call_status')?.options ?? [];
      if (!offered.some((option) => option.value === finalCallStatus))
        throw invalid(`finalCallStatus: ${String(finalCallStatus)} is none of the allowed values`);
      if (!Array.isArray(potentialRecipientUserIds) || potentialRecipientUserIds.some((id) => typeof id !== 'number'))
        throw invalid('potentialRecipientUserIds is a list of user ids');
      if (body.durationSeconds !== undefined && typeof body.durationSeconds !== 'number')
        throw invalid('durationSeconds is a number');
      const [from, to] = [numberIn(body.fromNumber, 'fromNumber'), numberIn(body.toNumber, 'toNumber')];
      const matches = callerMatches(portal, parts.portalId, from);
      const owner = owners.find((one) => one.userId === body.userId);
      const values = {
        hs_timestamp:
          typeof body.callStartedTimestamp === 'string' ? body.callStartedTimestamp : new Date().toISOString(),
        hs_call_direction: 'INBOUND',
        hs_call_status: `${finalCallStatus}`,
        hs_call_from_number: from,
        hs_call_to_number: to,
        hs_call_external_id: externalCallId,
        hs_call_app_id: `${parts.appId}`,
        hs_call_source: 'INTEGRATIONS_PLATFORM',
        ...(typeof body.durationSeconds === 'number' ? { hs_call_duration: `${body.durationSeconds * 1000}` } : {}),
        ...(owner ? { hubspot_owner_id: owner.id } : {}),
        ...engagementProperties,
      };
      portal.check('calls', values);
      const create = (): void => {
        try {
          const record = portal.create('calls', values);
          for (const { callerIdType, objectCoordinates } of matches)
            portal.associate(
              'calls',
              record.id,
              callerIdType === 'CONTACT' ? 'contacts' : 'companies',
              `${objectCoordinates.objectId}`,
            );
        } catch (error) {
          // Nobody hears of a refusal that comes after the answer: a value that must be unique and is not any more.
          if (!(error instanceof Refusal)) throw error;
        }
      };
      if (createEngagement && parts.delayMs === 0) create();
      else if (createEngagement) {
        const timer = setTimeout(() => {
          timers.delete(timer);
          create();
        }, parts.delayMs);
        timers.add(timer);
      }
      return { status: 200, body: { callerIdMatches: matches } };
    },
    stop() {
      for (const timer of timers) clearTimeout(timer);
    },
  };
}
