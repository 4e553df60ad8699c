/** A switch for one test, and hand-made phones on it. Owns what a test opens until the test is over. */
import { afterEach, expect, vi } from 'vitest';
import { type Switch, type SwitchOptions, startSwitch } from '../../../sandbox/src/switch/index.ts';
import { header, type SipRequest } from '../../../sandbox/src/switch/sip-message.ts';
import { type ClientCall, ClientSound, WireClient } from './wire-client.ts';

export const DOMAIN = 'sandbox.example';
export const ERIKA = '+493023125001';
export const JONAS = '+493023125002';

const opened: { close(): void | Promise<void> }[] = [];

/** Closes whatever the test opened, phones first. */
afterEach(async () => {
  for (const thing of opened.splice(0).reverse()) await thing.close();
});

export async function startTestSwitch(options: Partial<SwitchOptions> = {}): Promise<Switch> {
  const made = await startSwitch({
    domain: DOMAIN,
    credentialSecret: 'office test secret',
    iceAddresses: ['127.0.0.1'],
    sound: 'tones',
    ...options,
  });
  opened.push(made);
  return made;
}

/** A registered phone. */
export async function phoneOn(sandbox: Switch, extension = '1001'): Promise<WireClient> {
  const phone = await WireClient.connect(sandbox.url, extension, DOMAIN);
  Object.assign(phone, sandbox.credential(extension));
  opened.push(phone);
  expect((await phone.register()).status).toBe(200);
  return phone;
}

/** Calls a number and keeps the sound until the test is over. */
export async function call(phone: WireClient, number: string, hz = 1000): Promise<ClientCall> {
  const made = await phone.call(number, [], new ClientSound(hz));
  opened.push(made.sound);
  return made;
}

export async function answer(phone: WireClient, invite: SipRequest, hz = 1000): Promise<ClientCall> {
  const made = await phone.answer(invite, new ClientSound(hz));
  opened.push(made.sound);
  return made;
}

export async function refer(phone: WireClient, made: ClientCall, number: string): Promise<void> {
  phone.inDialog(made.dialog, 'REFER', [
    { name: 'Refer-To', value: `<sip:${number}@${DOMAIN}>` },
    { name: 'Contact', value: phone.gruu() },
  ]);
  expect((await phone.nextResponse('REFER')).status).toBe(202);
}

/** The last word on a transfer. */
export async function outcome(phone: WireClient): Promise<string> {
  for (;;) {
    const notify = await phone.nextRequest('NOTIFY');
    if (/^terminated/.test(header(notify, 'Subscription-State') ?? '')) return notify.body.trim();
  }
}

export const heard = (probe: () => number, least = 0.05): Promise<void> =>
  vi.waitFor(() => expect(probe()).toBeGreaterThan(least), { timeout: 10_000, interval: 30 });
export const silent = (probe: () => number): Promise<void> =>
  vi.waitFor(() => expect(probe()).toBeLessThan(0.005), { timeout: 10_000, interval: 30 });
export const eventually = (check: () => void): Promise<void> => vi.waitFor(check, { timeout: 10_000, interval: 30 });
