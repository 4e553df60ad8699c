/**
 * Owns HubSpot's account behind the pages of the suite: its call objects, which callers it knows, what it answers to each message and which faults
 * are on. One per rig, over all tabs. Knows no page and no phone.
 */
import { createLinter, type Linter, type Said } from './linter.ts';

export interface Reply {
  readonly type: string;
  readonly data?: unknown;
}

/** What spoils the answers to one kind of message. */
export type Fault = 'fails' | 'never' | 'twice' | 'late' | 'nameless' | 'other-order';

export interface Match {
  readonly callerIdType: 'CONTACT' | 'COMPANY';
  readonly objectCoordinates: {
    readonly portalId: number | string;
    readonly objectId: number | string;
    readonly objectTypeId: string;
  };
  readonly [name: string]: unknown;
}

export interface Account {
  readonly said: readonly Said[];
  readonly linter: Linter;
  /** By type of the phone's message. */
  readonly faults: Map<string, Fault>;
  /** By caller's number. */
  readonly callers: Map<string, readonly Match[]>;
  /** Call objects by `externalCallId`: what the page was asked to create. */
  readonly objects: ReadonlyMap<string, number>;
  /** Answers held back by `late`, handed out by the test. */
  readonly late: (readonly [Said, readonly Reply[]])[];
  hear(said: Said): readonly Reply[];
  /** What SYNC names: the object of the inbound call that is live. */
  liveInbound(): number | null;
  /** Forgets calls, faults and what was said; frames stay known. */
  reset(): void;
}

const failure = (type: string): Reply => ({ type, data: { error: { message: `${type} for the test.` } } });

export function createAccount(): Account {
  const said: Said[] = [];
  const faults: Account['faults'] = new Map();
  const callers: Account['callers'] = new Map();
  const objects = new Map<string, number>();
  const live = new Map<string, { readonly inbound: boolean }>();
  const late: Account['late'] = [];
  let linter = createLinter();
  let serial = 90_000;

  function started({ type, data }: Said): readonly Reply[] {
    const id = String(data.externalCallId);
    const inbound = type === 'INCOMING_CALL';
    live.set(id, { inbound });
    const matching: readonly Reply[] = !inbound
      ? []
      : faults.get('CALLER_ID_MATCH') === 'fails'
        ? [failure('CALLER_ID_MATCH_FAILED')]
        : [
            {
              type: 'CALLER_ID_MATCH_SUCCEEDED',
              data: { callerIdMatches: callers.get(String(data.fromNumber)) ?? [], externalCallId: id },
            },
          ];
    if (data.createEngagement !== true) return matching;
    const fault = faults.get(type);
    if (fault === 'fails') {
      const { type: failed, data: error } = failure('CREATE_ENGAGEMENT_FAILED');
      return [{ type: failed, data: { ...(error as object), externalCallId: id } }, ...matching];
    }
    serial += 1;
    objects.set(id, serial);
    const twin: Reply = { type: 'ENGAGEMENT_CREATED', data: { engagementId: serial } };
    const created: Reply = {
      type: 'CREATE_ENGAGEMENT_SUCCEEDED',
      data: { engagementId: serial, ...(fault === 'nameless' ? {} : { externalCallId: id }) },
    };
    return fault === 'other-order' ? [...matching, created, twin] : [twin, created, ...matching];
  }

  function answer(one: Said): readonly Reply[] {
    const { type, data } = one;
    const failed = faults.get(type) === 'fails';
    switch (type) {
      case 'INCOMING_CALL':
      case 'OUTGOING_CALL_STARTED':
        return started(one);
      case 'CALL_ENDED':
        live.delete(String(data.externalCallId));
        return [];
      case 'CALL_COMPLETED':
        return failed
          ? [failure('UPDATE_ENGAGEMENT_FAILED')]
          : [{ type: 'UPDATE_ENGAGEMENT_SUCCEEDED', data: { engagementId: data.engagementId } }];
      case 'FINALIZE_ENGAGEMENT':
        return [failed ? failure('FINALIZE_ENGAGEMENT_FAILED') : { type: 'FINALIZE_ENGAGEMENT_SUCCEEDED', data }];
      case 'NAVIGATE_TO_RECORD':
        return failed ? [{ type: 'NAVIGATE_TO_RECORD_FAILED', data }] : [];
      default:
        return [];
    }
  }

  return {
    said,
    get linter() {
      return linter;
    },
    faults,
    callers,
    objects,
    late,
    hear(one) {
      said.push(one);
      linter.hear(one);
      const replies = answer(one);
      const fault = faults.get(one.type);
      if (fault === 'never') return [];
      if (fault === 'late') {
        late.push([one, replies]);
        return [];
      }
      return fault === 'twice' ? [...replies, ...replies] : replies;
    },
    liveInbound() {
      const ids = [...live].filter(([, { inbound }]) => inbound).map(([id]) => id);
      return (ids[0] === undefined ? undefined : objects.get(ids[0])) ?? null;
    },
    reset() {
      said.length = 0;
      late.length = 0;
      faults.clear();
      callers.clear();
      objects.clear();
      live.clear();
      linter = createLinter();
    },
  };
}
