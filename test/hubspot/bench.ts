/**
 * Owns the one browser and account of the suite, what has to be true after every test (a linter says whether HubSpot would have been told anything
 * wrong, and nothing may have been printed), and what tests say often. Must never expect anything else.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect } from 'vitest';
import type { Match } from './account.ts';
import { eventually, type Host, type HostOptions, type Phone, portalId, type Rig, startRig } from './rig.ts';

/** There once the hooks of `shareRig` ran. */
export let rig: Rig;

/** Registers the hooks. */
export function shareRig(): void {
  beforeAll(async () => {
    rig = await startRig();
  });
  afterAll(async () => {
    await rig?.close();
  });
  beforeEach(() => {
    rig.account.reset();
    rig.printed.length = 0;
  });
  afterEach(async () => {
    for (const page of rig.context.pages().slice(1)) await page.close();
    expect(rig.account.linter.breaches).toEqual([]);
    expect(rig.printed).toEqual([]);
  });
}

export const caller = '+14155550101';
export const contact = (objectId: number | string, firstName: string): Match => ({
  callerIdType: 'CONTACT',
  objectCoordinates: { portalId, objectId, objectTypeId: '0-1' },
  ...{ firstName, lastName: 'Marchetti', email: 'm@example.com' },
});
export const record = { crm: 'hubspot', object: 'contact', id: '501' } as const;
export const callOf = (id: string, direction: 'inbound' | 'outbound' = 'inbound') => ({
  ...{ id, direction, pageCreatesLog: true },
  ...{ farSide: { number: caller, e164: caller }, nearNumber: '+14155550190', startedAt: 1_790_000_000_000 },
});
/** What HubSpot was told, without handshake; the frame only where there is more than one. */
export const types = (): string[] => rig.account.said.map(({ type }) => type).filter((type) => type !== 'SYNC_ACK');
export const told = (type: string) => rig.account.said.filter((one) => one.type === type).map(({ data }) => data);

export async function opened(options: HostOptions = {}): Promise<{ host: Host; phone: Phone }> {
  const host = await rig.openHost(options);
  const phone = await host.phone();
  if (options.location !== 'remote' || options.usesCallingWindow === false)
    await eventually(() => phone.role()).toBe('owner');
  return { host, phone };
}

export async function live(phone: Phone, call: object): Promise<void> {
  await phone.step('start', call);
  await phone.step('answer', call);
}
