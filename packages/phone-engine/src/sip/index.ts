/** The door to SIP: the port over sip.js, the only home of that library. */
export type { SipLog } from './sip-log.ts';
export { createSipPort, type SipPortOptions } from './sip-port.ts';
export { createWorkerClock } from './worker-clock.ts';
