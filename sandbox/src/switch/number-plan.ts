/**
 * The numbers of the office: what answers at `*97`, 700, 81001 and the like. Owns the machines behind them.
 * Decides what a number means; must never ring, answer or join anybody, which is the exchange's.
 *
 * | dialled | is |
 * | --- | --- |
 * | `*97`, `*97<extension>` | the own mailbox; leave a message for that extension |
 * | `700`, `701`-`705` | park (by transfer); dialling a slot retrieves |
 * | `*8`, `**<extension>` | pick up what rings at anybody's phone; at that one |
 * | `*78` `*79`, `*72<number>` `*73` | do not disturb on, off; forward all calls, no more |
 * | `8<extension>` | conference room |
 * | `*43`, `*44` | echo; an announcement before the answer, then a person |
 * | `*80<extension>`, `*81` | intercom; page everybody |
 * | `9<extension>` | the desk phone of an agent, made up |
 * | `600` | queue |
 */
import type { CallerDescription } from './caller.ts';
import { type Colleague, Colleagues } from './colleagues.ts';
import { Features } from './features.ts';
import { DoneTone, type Machine, MusicBox } from './machine.ts';
import { Mailboxes } from './mailboxes.ts';
import { type ParkedCall, ParkingLot } from './park.ts';
import type { Party } from './party.ts';
import { RoomSeat, Rooms } from './rooms.ts';
import type { SipHeader } from './sip-message.ts';
import { holdMusic, type SoundStyle } from './sound.ts';
import type { SwitchEmitter } from './switch-events.ts';
import { Player, Recorder } from './voicemail.ts';

const PARK = '700';
const SLOTS = ['701', '702', '703', '704', '705'] as const;
const QUEUE = '600';
export const VOICEMAIL = '*97';

/** A header by which an intercom call asks a phone to answer by itself; `answer-mode` is RFC 5373. */
export type AutoAnswerStyle = 'call-info' | 'alert-info' | 'answer-mode';

/** What a number leads to. Undefined from `reach` means that the plan does not know it. */
export type Reached =
  /** Answers at once. */
  | { kind: 'machine'; machine: Machine }
  /** Somebody who waits is taken from where he waits. */
  | { kind: 'waiting'; party: Party }
  /** One of the callers inside the switch. */
  | { kind: 'caller'; description: CallerDescription }
  /** A made-up caller at a colleague's phone: he talks at once to whoever picked up. */
  | { kind: 'picked-up'; description: CallerDescription }
  /** Whatever rings at this extension, or at any. */
  | { kind: 'pick-up'; extension: string | undefined }
  | { kind: 'intercom'; extension: string; headers: SipHeader[] }
  | { kind: 'page'; speaker: RoomSeat; listener: () => RoomSeat; headers: SipHeader[] }
  | { kind: 'refused'; status: number; reason: string };

export type NumberPlanOptions = {
  domain: string;
  style: SoundStyle;
  callers: readonly CallerDescription[];
  events: SwitchEmitter;
  autoAnswer: readonly AutoAnswerStyle[];
  parkReturnMs: number;
  longestMessageMs: number;
  knows(extension: string): boolean;
  onParkOverdue(box: MusicBox, parked: ParkedCall): void;
  onQueued(box: MusicBox): void;
};

export class NumberPlan {
  readonly lot: ParkingLot;
  readonly rooms: Rooms;
  readonly mailboxes: Mailboxes;
  readonly features: Features;
  readonly colleagues: Colleagues;
  readonly #options: NumberPlanOptions;
  #pages = 0;

  constructor(options: NumberPlanOptions) {
    this.#options = options;
    const { events, style } = options;
    this.lot = new ParkingLot({
      slots: SLOTS,
      style,
      returnAfterMs: options.parkReturnMs,
      onChanged: (slot, party) => events.emit('park.changed', { slot, number: party?.number }),
      onOverdue: options.onParkOverdue,
    });
    this.rooms = new Rooms((room, members) => events.emit('room.changed', { room, members }));
    this.mailboxes = new Mailboxes((extension, summary) => events.emit('voicemail.changed', { extension, ...summary }));
    this.features = new Features((extension) =>
      events.emit('features.changed', {
        extension,
        doNotDisturb: this.features.doNotDisturb(extension),
        forwardTo: this.features.forwardTo(extension),
      }),
    );
    this.colleagues = new Colleagues(options.callers, (extension) => events.emit('colleague.changed', { extension }));
  }

  /**
   * @param number dialled, without decoration.
   * @param by the extension that sent somebody here by transfer or redirection; undefined when `origin` dialled.
   */
  reach(number: string, origin: Party, by: string | undefined): Reached | undefined {
    return this.#reachPark(number, by) ?? this.#reachService(number, origin, by);
  }

  /** A machine has ended: its place is free again. */
  released(machine: Machine): void {
    if (machine instanceof MusicBox) this.lot.freed(machine);
    if (machine instanceof RoomSeat) this.rooms.left(machine);
  }

  close(): void {
    this.lot.close();
    this.colleagues.close();
  }

  #reachPark(number: string, by: string | undefined): Reached | undefined {
    if (number !== PARK && !this.lot.has(number)) return undefined;
    const parked = this.lot.in(number);
    if (by === undefined) {
      if (parked) return { kind: 'waiting', party: parked.party };
      return {
        kind: 'refused',
        status: 404,
        reason: number === PARK ? 'Only a call can be parked' : 'Nobody is parked',
      };
    }
    const box = this.lot.place(by, number === PARK ? undefined : number);
    return box ? { kind: 'machine', machine: box } : { kind: 'refused', status: 486, reason: 'No free parking slot' };
  }

  #reachService(number: string, origin: Party, by: string | undefined): Reached | undefined {
    const { style } = this.#options;
    const [, room] = /^8(\d{2,6})$/.exec(number) ?? [];
    if (room !== undefined && this.#options.knows(room))
      return { kind: 'machine', machine: this.rooms.seat(number, `Room of ${room}`) };
    const [, desk] = /^9(\d{2,6})$/.exec(number) ?? [];
    if (desk !== undefined && this.#options.knows(desk)) {
      const name = `Desk phone of ${desk}`;
      return { kind: 'caller', description: { number, name, kind: 'person', toneHz: 1350 } };
    }
    if (number === QUEUE) {
      const box = new MusicBox(QUEUE, 'Queue', holdMusic(style));
      box.onJoined = () => this.#options.onQueued(box);
      return { kind: 'machine', machine: box };
    }
    if (!number.startsWith('*')) return undefined;
    const [, pickUp] = /^\*\*(\d{2,6})$/.exec(number) ?? [];
    if (number === '*8') return this.#pickUp(undefined);
    if (pickUp !== undefined) return this.#pickUp(pickUp);
    const [, code = '', rest = ''] = /^\*(\d\d)(.*)$/.exec(number) ?? [];
    switch (code) {
      case '97':
        return this.#mailbox(rest, origin, by);
      case '78':
      case '79':
        this.features.setDoNotDisturb(origin.number, code === '78');
        return { kind: 'machine', machine: new DoneTone(number, style) };
      case '72':
        if (!/^\+?\d{2,15}$|^\*97$/.test(rest))
          return { kind: 'refused', status: 484, reason: 'Address Incomplete: *72 wants a number behind it' };
        this.features.setForwardTo(origin.number, rest);
        return { kind: 'machine', machine: new DoneTone(number, style) };
      case '73':
        this.features.setForwardTo(origin.number, undefined);
        return { kind: 'machine', machine: new DoneTone(number, style) };
      case '43':
        return { kind: 'caller', description: { number, name: 'Echo', kind: 'echo' } };
      case '44':
        return {
          kind: 'caller',
          description: {
            number,
            name: 'Announcement',
            kind: 'person',
            toneHz: 900,
            earlyMedia: 'announcement',
            answerAfterMs: style === 'tones' ? 1200 : 5000,
          },
        };
      case '80':
        if (!/^\d{2,6}$/.test(rest)) return { kind: 'refused', status: 484, reason: 'Address Incomplete' };
        return { kind: 'intercom', extension: rest, headers: this.#autoAnswer() };
      case '81': {
        this.#pages += 1;
        const page = `*81-${this.#pages}`;
        return {
          kind: 'page',
          speaker: this.rooms.seat(page, 'Page'),
          listener: () => this.rooms.seat(page, `Page from ${origin.name ?? origin.number}`, true),
          headers: this.#autoAnswer(),
        };
      }
      default:
        return undefined;
    }
  }

  #mailbox(extension: string, origin: Party, by: string | undefined): Reached {
    const { style, longestMessageMs } = this.#options;
    const owner = extension === '' ? by : extension;
    if (owner === undefined)
      return { kind: 'machine', machine: new Player(VOICEMAIL, origin.number, this.mailboxes, style) };
    if (!this.#options.knows(owner)) return { kind: 'refused', status: 404, reason: 'No such mailbox' };
    return {
      kind: 'machine',
      machine: new Recorder(VOICEMAIL, owner, this.mailboxes, style, longestMessageMs),
    };
  }

  #pickUp(extension: string | undefined): Reached {
    const colleague = extension === undefined ? undefined : this.colleagues.get(extension);
    return (colleague && this.fromColleague(colleague)) ?? { kind: 'pick-up', extension };
  }

  /** Whoever calls this colleague is taken; undefined when the phone does not ring. */
  fromColleague(colleague: Colleague): Reached | undefined {
    if (colleague.call?.state !== 'early') return undefined;
    const { number, name } = colleague.call.with;
    colleague.hangUp();
    return {
      kind: 'picked-up',
      description: { number, kind: 'person', ...(name === undefined ? {} : { name }) },
    };
  }

  /** A colleague whose phone rings, for the group pickup when no agent's does. */
  ringingColleague(): Colleague | undefined {
    return this.colleagues.all().find((colleague) => colleague.call?.state === 'early');
  }

  #autoAnswer(): SipHeader[] {
    const { autoAnswer, domain } = this.#options;
    const ways: Record<AutoAnswerStyle, SipHeader> = {
      'call-info': { name: 'Call-Info', value: `<sip:${domain}>;answer-after=0` },
      'alert-info': { name: 'Alert-Info', value: 'info=alert-autoanswer' },
      'answer-mode': { name: 'Answer-Mode', value: 'Auto' },
    };
    return autoAnswer.map((way) => ways[way]);
  }
}
