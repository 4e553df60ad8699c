/** The real edge as a test's telephone system: Kamailio, rtpengine and coturn, with baresip and linphone as plain SIP phones behind it. */
import { randomBytes } from 'node:crypto';
import { startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import type { FarPhone } from '../sip-lab/far-phone.ts';
import { startLinphone } from '../sip-lab/linphone.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type FarEnd, type TestTelephony, until } from './telephony.ts';

export interface LabTelephony extends TestTelephony {
  readonly edge: Edge;
  /** The phone behind a far end's number. */
  phone(number: string): FarPhone;
}

/** Starts the edge, two baresip phones for calls, and two linphone phones for attended transfers. */
export async function startLabTelephony(): Promise<LabTelephony> {
  const lab = labFromEnvironment();
  const credentialSecret = randomBytes(32).toString('base64url');
  const turnSecret = randomBytes(32).toString('base64url');
  const edge = await startEdge(lab, { credentialSecret, turnSecret });
  const phones: FarPhone[] = [];
  const start = async (
    program: typeof startBaresip | typeof startLinphone,
    person: string,
    user: string,
    toneHz: number,
  ): Promise<FarEnd> => {
    const address = lab.far.addresses[phones.length];
    if (address === undefined) throw new Error('The lab has no address left for another phone.');
    const phone = await program(lab, { user, address, toneHz, autoAnswer: true });
    phones.push(phone);
    return asFarEnd(phone, person);
  };
  try {
    const first = await start(startBaresip, 'Mina Sato', '+14155550103', 600);
    const second = await start(startBaresip, 'Oliver Whitcombe', '+442079460958', 850);
    const transferable = await start(startLinphone, 'Theo Okafor', '+14155550102', 1200);
    const transferTarget = await start(startLinphone, 'Elena Marchetti', '+14155550101', 1700);
    const byNumber = (number: string): FarPhone => {
      const phone = phones.find((one) => one.user === number);
      if (phone === undefined) throw new Error(`No phone of the lab has the number ${number}.`);
      return phone;
    };
    return {
      edge,
      phone: byNumber,
      domain: edge.domain,
      servers: [edge.wssUrl],
      credentialSecret,
      turn: { urls: [edge.turnUrl], secret: turnSecret },
      revocation: { kamailioRpcUrl: edge.rpcUrl },
      first,
      second,
      transferable,
      transferTarget,
      callAgent: (extension, from) => byNumber(from.from).dial(extension),
      async call(from, extension) {
        const phone = byNumber(from.number);
        await phone.dial(extension);
        return { farEnd: from, hangUp: () => phone.hangUp() };
      },
      async close() {
        for (const phone of phones) await phone.stop();
        await edge.stop();
      },
    };
  } catch (error) {
    for (const phone of phones) await phone.stop();
    await edge.stop();
    throw error;
  }
}

function asFarEnd(phone: FarPhone, person: string): FarEnd {
  return {
    number: phone.user,
    person,
    toneHz: phone.toneHz,
    hears: async (hz) => void (await phone.hears(hz)),
    hearsNot: (hz) =>
      until(`${phone.user} no longer hears ${hz} Hz`, async () =>
        (await phone.listen(500)).amplitude(hz) < 0.002 ? true : undefined,
      ).then(() => undefined),
    receivesKeys: (keys) =>
      until(`${phone.user} receives the keys ${keys}`, () => (phone.dtmf.join('') === keys ? true : undefined)).then(
        () => undefined,
      ),
    hangUp: () => phone.hangUp(),
  };
}
