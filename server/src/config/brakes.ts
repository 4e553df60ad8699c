/**
 * The brakes against toll fraud, per tenant and per agent. Every one has a default that protects: a tenant that says nothing gets calls to
 * its own countries at a human pace, and no premium numbers.
 */
import * as v from 'valibot';
import { country, text, timeZone } from './fields.ts';

const count = (least: number, most: number) =>
  v.pipe(
    v.number(`must be a whole number from ${least} to ${most}`),
    v.integer(`must be a whole number from ${least} to ${most}`),
    v.minValue(least, `must be ${least} at least`),
    v.maxValue(most, `must be ${most} at most`),
  );
const price = v.pipe(v.number('must be a price'), v.minValue(0, 'must not be below 0'), v.maxValue(1_000));
const ceiling = v.pipe(v.number('must be an amount'), v.minValue(0, 'must not be below 0'), v.maxValue(10_000_000));
const prefix = v.pipe(
  v.string(),
  v.regex(/^\+?\d{1,15}$/, 'must be the digits a number begins with, country code first, for instance "+4990"'),
  v.transform((value) => value.replace(/^\+/, '')),
);
const time = v.pipe(v.string(), v.regex(/^(?:[01]\d|2[0-3]):[0-5]\d$|^24:00$/, 'must be a time of day like "08:00"'));

const HoursSchema = v.strictObject({
  /** Absent: the time zone of the tenant's brakes. */
  timeZone: v.optional(timeZone),
  days: v.optional(
    v.pipe(
      v.array(
        v.picklist(
          ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'],
          'must be a day: mon, tue, wed, thu, fri, sat or sun',
        ),
      ),
      v.minLength(1, 'needs at least one day'),
    ),
    ['mon', 'tue', 'wed', 'thu', 'fri'],
  ),
  from: time,
  to: time,
});

/** `alert` tells; `throttle` also slows the agent down; `stop` lets only emergency calls through; `revoke` also takes the access away. */
const action = v.picklist(
  ['off', 'alert', 'throttle', 'stop', 'revoke'],
  'must be "off", "alert", "throttle", "stop" or "revoke"',
);

/** What an agent may have instead of the tenant's value. */
const perAgent = {
  callsPerMinute: count(1, 600),
  callsPerHour: count(1, 10_000),
  concurrentCalls: count(1, 100),
  /** Countries that may be called. */
  countries: v.array(country),
  hours: HoursSchema,
  /** Ceilings in the currency of `spend`. */
  daySpend: ceiling,
  monthSpend: ceiling,
};

export const AgentBrakesSchema = v.strictObject({
  callsPerMinute: v.exactOptional(perAgent.callsPerMinute),
  callsPerHour: v.exactOptional(perAgent.callsPerHour),
  concurrentCalls: v.exactOptional(perAgent.concurrentCalls),
  countries: v.exactOptional(perAgent.countries),
  hours: v.exactOptional(perAgent.hours),
  daySpend: v.exactOptional(perAgent.daySpend),
  monthSpend: v.exactOptional(perAgent.monthSpend),
});

export const BrakesSchema = v.strictObject({
  /** Calls to outside that one agent may begin. */
  callsPerMinute: v.optional(perAgent.callsPerMinute, 12),
  callsPerHour: v.optional(perAgent.callsPerHour, 150),
  /** Calls to outside that one agent may have at once: a call, its consult call, and what is being set up. */
  concurrentCalls: v.optional(perAgent.concurrentCalls, 4),
  /** Absent: the tenant's `country` and `countries`. */
  countries: v.exactOptional(perAgent.countries),
  /** Prefixes (E.164) that are refused, or allowed, whatever the country says; the longer one wins. Premium numbers need one to be allowed. */
  refusedPrefixes: v.optional(v.array(prefix), []),
  allowedPrefixes: v.optional(v.array(prefix), []),
  /** Never refused, by any brake. Absent: what the world uses for police, fire and ambulance. */
  emergencyNumbers: v.exactOptional(v.array(v.pipe(v.string(), v.regex(/^\d{2,6}$/, 'must be 2 to 6 digits')))),
  /** What is dialled before a number to leave the house, where the PBX wants such a thing. */
  outsideLine: v.exactOptional(v.pipe(v.string(), v.regex(/^\d{1,3}$/, 'must be 1 to 3 digits'))),
  /** How many digits an internal extension may have. Absent: as many as the extensions of the agents. Calls to them are free of brakes. */
  internalDigits: v.exactOptional(v.array(count(1, 6))),
  /** What else the phone system takes for its own: numbers and codes as they are dialled, `{extension}` for any extension. Free of brakes. */
  internalNumbers: v.optional(
    v.pipe(
      v.array(
        v.pipe(
          v.string(),
          v.regex(
            /^(?:\d{2,6}|[*#][\d*#]{1,31}|\d{1,4}\{extension\}|[*#][\d*#]{0,7}\{extension\})$/,
            'must be 2 to 6 digits, or a code with "*" or "#" first, or either of them before "{extension}": "600", "*80{extension}"',
          ),
        ),
      ),
      v.maxLength(50, 'takes at most 50 numbers'),
    ),
    [],
  ),
  /** `e164`: the edge hands the number that it judged to the PBX, as "+49…". `as-dialled`: what was typed, without separators. */
  numberForm: v.optional(v.picklist(['as-dialled', 'e164'], 'must be "as-dialled" or "e164"'), 'as-dialled'),
  /** IANA zone of days, hours and ceilings. */
  timeZone: v.optional(timeZone, 'UTC'),
  /** When calls to outside are allowed. Absent: always. */
  hours: v.exactOptional(HoursSchema),
  /** What calls cost and how much of it is too much. Absent: nothing is priced. */
  spend: v.exactOptional(
    v.strictObject({
      currency: v.pipe(
        v.string(),
        v.regex(/^[A-Z]{3}$/, 'must be three capital letters (ISO 4217), for instance "EUR"'),
      ),
      rates: v.optional(v.array(v.strictObject({ prefix, perMinute: price, connection: v.optional(price, 0) })), []),
      /** CSV: prefix, price per minute, connection fee. Its rows come before those of `rates`. */
      ratesFile: v.exactOptional(text('the path of a CSV file')),
      /** Price per minute of a number that no row covers. High on purpose: an unknown price is not a price of nothing. */
      otherPerMinute: v.optional(price, 1),
      agentDay: v.exactOptional(ceiling),
      agentMonth: v.exactOptional(ceiling),
      tenantDay: v.exactOptional(ceiling),
      tenantMonth: v.exactOptional(ceiling),
    }),
  ),
  /** Calls per minute of an agent who is slowed down. */
  throttledCallsPerMinute: v.optional(count(1, 60), 2),
  /** What follows when something is out of the ordinary. */
  anomalies: v.optional(
    v.strictObject({
      /** A country this agent has never called, once the agent has a history. */
      newCountry: v.optional(action, 'alert'),
      /** Far more calls than this agent ever makes. */
      spike: v.optional(action, 'throttle'),
      /** A call at a time at which this agent never calls. */
      unusualHour: v.optional(action, 'alert'),
      /** Many calls in a short time to where calls are not allowed. */
      refusedCalls: v.optional(action, 'revoke'),
      /** A ceiling of `spend`. */
      spend: v.optional(v.picklist(['alert', 'stop', 'revoke'], 'must be "alert", "stop" or "revoke"'), 'stop'),
    }),
    {},
  ),
});
