/**
 * Owns the reading of a click on a number (DIAL_NUMBER; HubSpot contract, section 1.4): who is called, what is only looked at, and which click is
 * the same as the last. Must never take the record on the screen for the one that is called.
 */
import type { DialRequest } from '../panel-contract.ts';
import { isCaller, objectOf, recordOf, textOf } from './wire.ts';

/** The same number again within this time is the same click. */
const sameClickMs = 2_000;
/** Longer than any number with its extension. */
const longestNumber = 128;

/**
 * A click on a number, as typed: `calleeInfo` is who is called. `objectId` is what the agent looks at, be it a ticket, somebody else or nothing
 * (0); without `calleeInfo` it is still only that, and the number tells who is called.
 */
function readDial(data: unknown): DialRequest | null {
  const dial = objectOf(data);
  const number = textOf(dial.phoneNumber) || textOf(dial.phone_number);
  if (number === '' || number.length > longestNumber) return null;
  const country = textOf(dial.countryCode).toUpperCase();
  const callee = objectOf(dial.calleeInfo);
  const record = recordOf(callee.calleeObjectTypeId, callee.calleeId);
  const viewed = recordOf(dial.objectType, dial.objectId);
  return {
    number,
    ...(/^[A-Z]{2}$/.test(country) ? { country } : {}),
    ...(record !== null && isCaller(record) ? { record } : {}),
    ...(viewed === null ? {} : { viewed }),
  };
}

/** Reads clicks, each once. */
export function createDialReading(): (data: unknown) => DialRequest | null {
  let number = '';
  let heardAt = Number.NEGATIVE_INFINITY;
  return (data) => {
    const dial = readDial(data);
    const now = Date.now();
    if (dial === null || (dial.number === number && now - heardAt < sameClickMs)) return null;
    number = dial.number;
    heardAt = now;
    return dial;
  };
}
