/**
 * The relay's side of the line's lease, in memory, for several devices of one agent: one owner, an epoch that grows with every grant, what the owner
 * left for the next, messages between the devices. Messages arrive later. Pedals: a device's relay goes away and comes back, an owner that is
 * told to let go takes its time.
 */
import type { LineLease, LineLeaseListener } from '../line-lease.ts';

interface Device {
  readonly name: string;
  readonly where: string;
  listener: LineLeaseListener | null;
  reachable: boolean;
  /** What was asked while the relay was away. */
  wish: { readonly take: boolean } | null;
  /** The epoch it was given last. */
  given: number | null;
  /** Whose line it was told it is, last, and with which epoch: that is not said twice. */
  told: string;
}

export class FakeLeases {
  epoch = 0;
  /** The device that owns; null: none. */
  owner: string | null = null;
  /** Epoch by epoch, who was given the line. */
  readonly grants: string[] = [];
  /** Bodies that went between devices. */
  readonly bodies: { readonly from: string; readonly body: string }[] = [];
  /** Asks, keeps and leaves, in order: `device act`. */
  readonly traffic: string[] = [];
  kept: string | null = null;
  /** A device that takes the line gets it only when the owner has left, or by {@link overtake}. */
  #taker: Device | null = null;
  readonly #devices = new Map<string, Device>();

  /** The lease as one frame of a device gets it; the frames of one device share its name. */
  device(name: string, where = `Chrome on ${name}`): LineLease {
    const device = this.#devices.get(name) ?? {
      name,
      where,
      listener: null,
      reachable: true,
      wish: null,
      given: null,
      told: '',
    };
    this.#devices.set(name, device);
    let mine: LineLeaseListener | null = null;
    return {
      listen: (listener) => {
        mine = listener;
        device.listener = listener;
        return () => {
          if (device.listener === mine) device.listener = null;
        };
      },
      ask: (take) => {
        this.traffic.push(`${name} ${take ? 'take' : 'ask'}`);
        if (device.reachable) this.#later(() => this.#asked(device, take));
        else {
          device.wish = { take };
          this.#later(() => device.listener?.away());
        }
      },
      leave: () => {
        this.traffic.push(`${name} leave`);
        if (device.reachable) this.#later(() => this.#left(device));
      },
      keep: (kept) => {
        this.traffic.push(`${name} keep`);
        if (device.reachable && (this.owner === name || this.#taker !== null)) this.kept = kept;
      },
      say: (body) => {
        if (!device.reachable) return false;
        this.bodies.push({ from: name, body });
        for (const other of this.#devices.values())
          if (other !== device && other.reachable) this.#later(() => other.listener?.said(name, body));
        return true;
      },
    };
  }

  /** Pedal: this device can't reach the relay, or can again. */
  reach(name: string, reachable: boolean): void {
    const device = this.#devices.get(name);
    if (device === undefined) return;
    device.reachable = reachable;
    if (!reachable) this.#later(() => device.listener?.away());
    else this.#later(() => this.#asked(device, device.wish?.take ?? false));
    device.wish = null;
  }

  /** Pedal: the owner's lease has run out; with `dies` because its device is gone. */
  runOut(dies = false): void {
    const owner = this.#devices.get(this.owner ?? '');
    if (dies && owner !== undefined) owner.listener = null;
    this.owner = null;
    for (const device of this.#devices.values()) if (device.reachable) device.listener?.free(this.epoch);
  }

  /** Pedal: the owner did not let go in time. */
  overtake(): void {
    if (this.#taker !== null) this.#give(this.#taker);
  }

  #asked(device: Device, take: boolean): void {
    const owner = this.owner === null ? undefined : this.#devices.get(this.owner);
    if (owner === undefined || owner === device) {
      this.#give(device);
      return;
    }
    if (!take) {
      device.told = '';
      this.#tellElsewhere(device);
      return;
    }
    this.#taker = device;
    if (!owner.reachable || owner.listener === null) this.#give(device);
    else this.#later(() => this.#tell(owner, device, this.epoch + 1));
  }

  #give(device: Device): void {
    const changes = this.owner !== device.name;
    this.#taker = null;
    this.owner = device.name;
    this.epoch += 1;
    this.grants.push(device.name);
    const kept = changes ? this.kept : null;
    device.given = this.epoch;
    device.told = '';
    device.listener?.yours(this.epoch, kept);
    for (const other of this.#devices.values()) if (other !== device && changes) this.#tellElsewhere(other);
  }

  #left(device: Device): void {
    if (this.#taker !== null && this.#taker !== device) {
      this.#give(this.#taker);
      return;
    }
    if (this.owner !== device.name) return;
    this.owner = null;
    for (const other of this.#devices.values()) if (other !== device) other.listener?.free(this.epoch);
  }

  #tellElsewhere(device: Device): void {
    const owner = this.owner === null ? undefined : this.#devices.get(this.owner);
    if (owner !== undefined && device.reachable) this.#tell(device, owner, this.epoch);
  }

  #tell(device: Device, owner: Device, epoch: number): void {
    const told = `${epoch} ${owner.name}`;
    if (device.told === told) return;
    device.told = told;
    device.listener?.elsewhere(owner.where, owner.name, epoch);
  }

  #later(run: () => void): void {
    queueMicrotask(run);
  }
}
