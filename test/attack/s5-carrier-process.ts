/** Starts the carrier of the fraud drills in the far namespace and collects what it saw. Owns that process. */
import { fileURLToPath } from 'node:url';
import { startLabProcess, untilReady } from '../sip-lab/lab-process.ts';
import type { LabNetwork } from '../sip-lab/namespaces.ts';

export interface CarrierSight {
  readonly what: 'INVITE' | 'ACK' | 'BYE' | 'REFER';
  /** User part of the request's address. */
  readonly user: string;
  readonly callId: string;
  readonly at: number;
}

export interface Carrier {
  readonly uri: string;
  /** Everything seen, oldest first. */
  readonly seen: readonly CarrierSight[];
  invites(): readonly CarrierSight[];
  stop(): Promise<void>;
}

export async function startCarrier(lab: LabNetwork, address: string, port = 5_060): Promise<Carrier> {
  const program = fileURLToPath(new URL('./s5-carrier.ts', import.meta.url));
  const process_ = startLabProcess({
    namespace: lab.far.namespace,
    command: [process.execPath, program, address, String(port)],
  });
  const seen: CarrierSight[] = [];
  let ready = false;
  process_.onLine((line) => {
    if (!line.startsWith('{')) return;
    const sight = JSON.parse(line) as CarrierSight | { readonly what: 'ready' };
    if (sight.what === 'ready') ready = true;
    else seen.push(sight);
  });
  await untilReady('The carrier does not listen', () => (ready ? true : undefined), { process: process_ });
  return {
    uri: `sip:${address}:${port}`,
    seen,
    invites: () => seen.filter(({ what }) => what === 'INVITE'),
    stop: () => process_.stop(),
  };
}
