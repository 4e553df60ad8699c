/** How fast a CRM may be asked, as an administrator writes it. */
import * as v from 'valibot';
import { ms } from './fields.ts';

const count = v.pipe(v.number('must be a number'), v.integer(), v.minValue(1));

/**
 * How fast this CRM may be asked, all relays together. What is absent is what the CRM grants by contract, and what it says in its answers;
 * `delivery/crm-limits.ts` has the numbers.
 */
export const LimitsSchema = v.optional(
  v.strictObject({
    /** Requests in `perMs`. */
    requests: v.exactOptional(count),
    perMs: v.exactOptional(ms(100, 86_400_000)),
    searchesPerSecond: v.exactOptional(count),
    /** Requests under way at once. */
    atOnce: v.exactOptional(count),
    /** Share of the day's allowance that logs may use up; look-ups go on. */
    dailyShare: v.exactOptional(v.pipe(v.number('must be a number'), v.minValue(0.01), v.maxValue(1))),
  }),
  {},
);
