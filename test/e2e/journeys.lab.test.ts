/** The journeys on Kamailio, rtpengine and coturn, with baresip and linphone as far ends. */
import { journeys } from './journeys.ts';
import { startLabTelephony } from './lab-telephony.ts';

journeys('Kamailio and rtpengine', startLabTelephony);
