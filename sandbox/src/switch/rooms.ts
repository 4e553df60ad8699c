/**
 * Conference rooms: every member hears all others and not itself. A page is a room in which one speaks.
 * Owns who is in which room and the mixing; must never know how a member is reached.
 */
import { Machine } from './machine.ts';
import type { Party } from './party.ts';
import { FRAME_SAMPLES } from './sound.ts';

/** One member's place: what it says goes into the room, what it hears is everybody else. */
export class RoomSeat extends Machine {
  readonly #room: Room;
  /** Whoever listens only: paged phones. */
  readonly listensOnly: boolean;
  #latest: Int16Array | undefined;

  constructor(room: Room, listensOnly: boolean) {
    super(room.number, room.name);
    this.#room = room;
    this.listensOnly = listensOnly;
  }

  /** What this member said last. */
  get voice(): Int16Array | undefined {
    return this.listensOnly ? undefined : this.#latest;
  }

  override hear(frame: Int16Array | undefined): void {
    super.hear(frame);
    this.#latest = frame;
  }

  override speak(): Int16Array {
    return this.#room.mixWithout(this);
  }
}

class Room {
  readonly number: string;
  readonly name: string;
  readonly seats = new Map<RoomSeat, Party | undefined>();

  constructor(number: string, name: string) {
    this.number = number;
    this.name = name;
  }

  mixWithout(listener: RoomSeat): Int16Array {
    const sum = new Int32Array(FRAME_SAMPLES);
    for (const seat of this.seats.keys()) {
      if (seat === listener) continue;
      seat.voice?.forEach((sample, index) => {
        sum[index] = (sum[index] ?? 0) + sample;
      });
    }
    return Int16Array.from(sum, (sample) => Math.max(-32768, Math.min(32767, sample)));
  }
}

export class Rooms {
  readonly #rooms = new Map<string, Room>();
  readonly #onChanged: (room: string, members: number) => void;

  constructor(onChanged: (room: string, members: number) => void) {
    this.#onChanged = onChanged;
  }

  /** A free place in a room, which comes into being with its first member. */
  seat(number: string, name: string, listensOnly = false): RoomSeat {
    const room = this.#rooms.get(number) ?? new Room(number, name);
    this.#rooms.set(number, room);
    const seat = new RoomSeat(room, listensOnly);
    room.seats.set(seat, undefined);
    seat.onJoined = (party) => {
      room.seats.set(seat, party);
      this.#onChanged(number, this.members(number).length);
    };
    return seat;
  }

  /** The member of this seat has left. */
  left(seat: RoomSeat): void {
    const room = this.#rooms.get(seat.number);
    if (!room?.seats.delete(seat)) return;
    if (room.seats.size === 0) this.#rooms.delete(seat.number);
    // A page is over for everybody when nobody is left who could speak.
    else if ([...room.seats.keys()].every((entry) => entry.listensOnly))
      for (const listener of [...room.seats.keys()]) listener.hangUp({ by: 'far side' });
    this.#onChanged(seat.number, this.members(seat.number).length);
  }

  /** Who is in a room now. */
  members(number: string): { number: string; name: string | undefined }[] {
    return [...(this.#rooms.get(number)?.seats.values() ?? [])].flatMap((party) =>
      party === undefined ? [] : [{ number: party.number, name: party.name }],
    );
  }
}
