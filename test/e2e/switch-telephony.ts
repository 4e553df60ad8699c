/** The sandbox switch as a test's telephone system. */
import { randomBytes } from 'node:crypto';
import { officeFeatures, type Switch, type SwitchOptions, startSwitch } from '@patchcord/sandbox';
import { type FarEnd, type TestTelephony, until } from './telephony.ts';

const callers = [
  { number: '+14155550103', name: 'Mina Sato', kind: 'person', toneHz: 600 },
  { number: '+442079460958', name: 'Oliver Whitcombe', kind: 'person', toneHz: 850 },
  { number: '+14155550104', name: 'Priya Raman', kind: 'busy' },
  { number: '+14155550105', name: 'Luis Ortega', kind: 'no-answer' },
] as const;

/**
 * Starts a switch with two people, one busy number and one that never answers. `office`: with colleagues to watch, and the tenant has every feature
 * that the switch plays along with. `behaveLike`: whose manners it has where connections are lost and calls replaced.
 */
export async function startSwitchTelephony(
  office = false,
  behaveLike?: SwitchOptions['behaveLike'],
): Promise<TestTelephony & { readonly switchboard: Switch }> {
  const colleagues = officeFeatures.watch.map(
    ({ extension, name }) => ({ number: extension, name, kind: 'colleague', toneHz: 1_050 }) as const,
  );
  const credentialSecret = randomBytes(32).toString('base64url');
  const switchboard = await startSwitch({
    domain: 'sandbox.patchcord.test',
    credentialSecret,
    callers: office ? [...callers, ...colleagues] : callers,
    sound: 'tones',
    iceAddresses: ['127.0.0.1'],
    ...(behaveLike === undefined ? {} : { behaveLike }),
  });
  const farEnd = (number: string, person: string, toneHz: number): FarEnd => {
    const level = (hz: number): number => {
      try {
        return switchboard.heard(number).levelAt(hz);
      } catch {
        return 0;
      }
    };
    return {
      number,
      person,
      toneHz,
      hears: (hz) =>
        until(`${number} hears ${hz} Hz`, () => (level(hz) > 0.01 ? true : undefined)).then(() => undefined),
      hearsNot: (hz) =>
        until(`${number} no longer hears ${hz} Hz`, () => (level(hz) < 0.002 ? true : undefined)).then(() => undefined),
      receivesKeys: (keys) =>
        until(`${number} receives the keys ${keys}`, () =>
          switchboard.digits(number) === keys ? true : undefined,
        ).then(() => undefined),
      hangUp: async () => switchboard.hangUp(number),
    };
  };
  const first = farEnd('+14155550103', 'Mina Sato', 600);
  const second = farEnd('+442079460958', 'Oliver Whitcombe', 850);
  return {
    switchboard,
    ...(office ? { features: officeFeatures } : {}),
    domain: switchboard.domain,
    servers: [switchboard.url],
    credentialSecret,
    first,
    second,
    transferable: first,
    transferTarget: second,
    async callAgent(extension, from) {
      await switchboard.callAgent(extension, { callerNumber: from.from, ringSeconds: 30 });
    },
    async call(from, extension) {
      const placed = await switchboard.callAgent(extension, {
        callerNumber: from.number,
        toneHz: from.toneHz,
        ringSeconds: 60,
      });
      return { farEnd: from, hangUp: async () => placed.hangUp() };
    },
    close: () => switchboard.close(),
  };
}
