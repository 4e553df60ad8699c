/**
 * The identity of this device: one UUID per storage partition of one browser. It is no secret: it names the SIP instance (RFC 5626
 * section 4.1) and the source of events. Where storage is refused, the device is new with every page.
 */
import { type DeviceId, DeviceIdSchema } from '@patchcord/call-protocol';
import * as v from 'valibot';

const key = 'patchcord.device';

/** Reads the device id, or makes and keeps one. */
export function readDevice(storage: () => Pick<Storage, 'getItem' | 'setItem'>): DeviceId {
  try {
    const known = v.safeParse(DeviceIdSchema, storage().getItem(key));
    if (known.success) return known.output;
    const fresh = v.parse(DeviceIdSchema, crypto.randomUUID());
    storage().setItem(key, fresh);
    return fresh;
  } catch {
    return v.parse(DeviceIdSchema, crypto.randomUUID());
  }
}
