/** The recipe for Kamailio: what the real edge reports of calls that no browser saw, and that it keeps what the relay could not take. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createMemoryRelay, type MemoryRelay } from '@patchcord/crm-adapters/relay';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Baresip, startBaresip } from '../sip-lab/baresip.ts';
import { type Edge, startEdge } from '../sip-lab/edge.ts';
import { labFromEnvironment } from '../sip-lab/namespaces.ts';
import { type RelayInTest, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';

const lab = labFromEnvironment();
const secret = 'the-secret-of-the-edge-in-this-laboratory-01';
const [callerAddress = '', deskAddress = ''] = lab.far.addresses;
const folder = join(lab.folder, 'relay-of-records');

let crm: MemoryRelay;
let relay: RelayInTest;
let port: number;
let edge: Edge;
let caller: Baresip;
let desk: Baresip;

function startRelayAt(onPort: number): Promise<RelayInTest> {
  const callRecords = {
    kamailio: { secret, from: [`${lab.edge.address}/32`] },
    settleMs: 200,
    signedInSettleMs: 200,
    groupMs: 0,
  };
  return startRelayInTest(
    testConfig({
      host: '0.0.0.0',
      port: onPort,
      publicUrl: 'https://relay.example.com',
      dataDir: folder,
      tenants: [testTenant({ callRecords })],
    }),
    { connectCrm: () => crm, folder },
  );
}

beforeAll(async () => {
  crm = createMemoryRelay();
  relay = await startRelayAt(0);
  ({ port } = relay.relay);
  edge = await startEdge(lab, {
    credentialSecret: secret,
    turnSecret: secret,
    callRecords: { url: `http://${lab.agent.address}:${port}/v1/call-records/acme/kamailio`, secret },
  });
  [caller, desk] = await Promise.all([
    startBaresip(lab, { user: '2001', address: callerAddress, toneHz: 600 }),
    startBaresip(lab, { user: '1002', address: deskAddress, toneHz: 850 }),
  ]);
});
beforeEach(() => {
  for (const { id } of crm.logs()) crm.remove(id);
});
afterAll(async () => {
  await Promise.all([caller?.stop(), desk?.stop()]);
  await edge?.stop();
  await relay?.closed();
  await rm(folder, { recursive: true, force: true });
});

const arriving = { timeout: 15_000, interval: 50 };

describe('the edge, while no browser is open,', () => {
  it('has a missed call logged when it rings an extension that is nowhere registered', async () => {
    await caller.dial('1001');
    await caller.waitFor('closed');
    await expect
      .poll(() => crm.logs(), arriving)
      .toMatchObject([
        { outcome: 'missed', direction: 'inbound', owner: '005000000000001', title: 'Missed call from 2001' },
      ]);
  });

  it('has a call that a desk phone answered logged with its talk', async () => {
    await caller.dial('1002');
    await desk.waitFor('incoming');
    await desk.answer();
    await Promise.all([caller.waitFor('established'), desk.waitFor('established')]);
    await caller.hears(desk.toneHz);
    await caller.hangUp();
    await expect.poll(() => crm.logs(), arriving).toMatchObject([{ outcome: 'answered', owner: '005000000000002' }]);
    expect(crm.logs()[0]?.seconds).toBeLessThan(30);
  });

  it('has a call that the caller gave up logged as missed', async () => {
    await caller.dial('1002');
    await desk.waitFor('incoming');
    await caller.hangUp();
    await expect.poll(() => crm.logs(), arriving).toMatchObject([{ outcome: 'missed', owner: '005000000000002' }]);
  });

  it('keeps what it has to tell while the relay is away, and calls go on meanwhile', async () => {
    await relay.relay.close();
    await caller.dial('1001');
    await caller.waitFor('closed');
    await caller.dial('1002');
    await desk.waitFor('incoming');
    await desk.answer();
    await desk.waitFor('established');
    await caller.hangUp();
    relay = await startRelayAt(port);
    await expect
      .poll(
        () =>
          crm
            .logs()
            .map(({ outcome }) => outcome)
            .sort(),
        arriving,
      )
      .toEqual(['answered', 'missed']);
  });
});
