/** The journeys on the sandbox switch: the fast way, for development. */
import { journeys } from './journeys.ts';
import { startSwitchTelephony } from './switch-telephony.ts';

journeys('the sandbox switch', startSwitchTelephony);
