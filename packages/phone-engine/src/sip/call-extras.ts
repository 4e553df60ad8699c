/**
 * What a call does only now and then: being handed over, following where its far side sends it, conferences, keys and codes. Loaded on demand
 * through `ExtrasDoor` (docs/adr/0015). Must hold nothing that answering, placing, holding or ending a call needs.
 */
export { sendCallDigits } from './call-digits.ts';
export { Conference } from './conference.ts';
export { dialFeatureCode } from './feature-code.ts';
export { followTransfer } from './followed-transfer.ts';
export { HandingOver } from './handing-over.ts';
export { SentOn } from './sent-on.ts';
