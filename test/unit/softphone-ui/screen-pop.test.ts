import type { Match, Profile, RecordRef } from '@patchcord/call-protocol';
import { describe, expect, it } from 'vitest';
import { rankedMatches } from '../../../packages/softphone-ui/src/later/ranked-matches.ts';
import { profile } from '../../panel/sample-profile.ts';
import {
  ada,
  type LabFrame,
  onlyCall,
  openLab,
  openReady,
  type PanelLab,
  settle,
  sharers,
  talk,
  until,
} from './panel-lab.ts';

type Policy = Partial<Profile['screenPop']>;

const stranger = '+4930901820';
const shared = sharers[0]?.number ?? '';
const withPolicy = (policy: Policy): PanelLab =>
  openLab({ profile: { screenPop: { ...profile.screenPop, ...policy } } });
const ready = (policy: Policy): Promise<LabFrame> => openReady(withPolicy(policy));
const popped = (frame: LabFrame) => frame.host.told('popped').map(({ target }) => target);
const opened = (frame: LabFrame) => frame.host.told('opened').map(({ record }) => record.id);

/** Rings, and waits until it is known who calls. */
async function ring(frame: LabFrame, number: string) {
  const call = frame.sip.invite({ number });
  await until(() => ['found', 'none', 'unasked'].includes(frame.model().lookups.value.get(call) ?? ''));
  await settle();
  return call;
}

describe('a call of somebody known', () => {
  it('starts a flow with what it needs to know, instead of the record', async () => {
    const frame = await ready({ known: { open: 'flow', name: 'Caller_Greeting' } });
    const call = await ring(frame, ada.number);
    expect(popped(frame)).toEqual([
      {
        kind: 'flow',
        name: 'Caller_Greeting',
        variables: {
          patchcordCallId: call,
          patchcordNumber: ada.number,
          patchcordRecordId: ada.record.id,
          patchcordDirection: 'inbound',
        },
      },
    ]);
    expect(opened(frame)).toEqual([]);
  });

  it('opens a page of the CRM, with what belongs to the call filled in and encoded', async () => {
    const frame = await ready({
      known: { open: 'url', url: '/lightning/n/Desk?n={number}&r={recordId}&c={callId}&x={y}' },
    });
    const call = await ring(frame, ada.number);
    expect(popped(frame)).toEqual([
      { kind: 'url', url: `/lightning/n/Desk?n=%2B14155550101&r=${ada.record.id}&c=${call}&x={y}` },
    ]);
  });

  it('opens nothing that is in front of the agent already', async () => {
    const frame = await ready({});
    frame.host.show(ada.record);
    await ring(frame, ada.number);
    expect(opened(frame)).toEqual([]);
  });

  it('opens no record that it is no longer with when its turn comes, nor one that came in front meanwhile', async () => {
    const frame = await ready({});
    frame.host.held = [];
    const call = await ring(frame, ada.number);
    expect(frame.host.held).toHaveLength(1);
    const choice = sharers[1]?.record ?? ada.record;
    await frame.model().chooseRecord(call, choice);
    for (const go of frame.host.held) go();
    await settle();
    expect(opened(frame)).toEqual([choice.id]);

    const other = await ready({});
    other.host.held = [];
    await ring(other, ada.number);
    other.host.show(ada.record);
    for (const go of other.host.held) go();
    await settle();
    expect(opened(other)).toEqual([]);
  });

  it('opens nothing any more when it ended while it waited for its turn', async () => {
    const frame = await ready({});
    frame.host.held = [];
    const call = await ring(frame, ada.number);
    expect(frame.host.held).toHaveLength(1);
    frame.sip.end(call);
    await until(() => frame.model().phone.value.calls.length === 0);
    for (const go of frame.host.held) go();
    await settle();
    expect(opened(frame)).toEqual([]);
  });
});

describe('a call that several records match', () => {
  it('opens the CRM’s search beside the choice, once', async () => {
    const frame = await ready({ several: { open: 'search' } });
    const call = await ring(frame, shared);
    expect(popped(frame)).toEqual([{ kind: 'search', text: '4155550102' }]);
    const choice = sharers[1]?.record ?? ada.record;
    await frame.model().chooseRecord(call, choice);
    expect(opened(frame)).toEqual([choice.id]);
    await frame.model().answer(call);
    await settle();
    expect(popped(frame)).toHaveLength(1);
  });

  it('opens no search when the agent has chosen before it was due', async () => {
    const frame = await ready({ several: { open: 'search' }, inbound: 'answer' });
    const call = await ring(frame, shared);
    await frame.model().chooseRecord(call, sharers[1]?.record ?? ada.record);
    await frame.model().answer(call);
    await settle();
    expect(popped(frame)).toEqual([]);
    expect(opened(frame)).toHaveLength(1);
  });

  it('does not open again what the agent chose and has in front', async () => {
    const frame = await ready({});
    const inFront = sharers[1]?.record ?? ada.record;
    frame.host.show(inFront);
    const call = await ring(frame, shared);
    await frame.model().chooseRecord(call, inFront);
    expect(onlyCall(frame).record).toEqual(inFront);
    expect(opened(frame)).toEqual([]);
  });

  it('puts the record in front of the agent first and says so, and chooses nothing', async () => {
    const frame = await ready({});
    const second = sharers[1] as Match;
    frame.host.show(second.record);
    await ring(frame, shared);
    expect(onlyCall(frame).record).toBeNull();
    const ranked = rankedMatches(onlyCall(frame).matches, frame.model().recordShown.value);
    expect(ranked.map(({ record }) => record.id)).toEqual([
      second.record.id,
      sharers[0]?.record.id,
      sharers[2]?.record.id,
    ]);
    expect(ranked[0]?.reason).toBe(`Open in front of you · ${second.reason}`);
    const other: RecordRef = { crm: 'salesforce', object: 'Lead', id: '00Q000000000009AAA' };
    expect(rankedMatches(sharers, other)).toBe(sharers);
    expect(rankedMatches([ada], ada.record)).toEqual([ada]);
  });
});

describe('a call of nobody', () => {
  it('opens the form of a new record only after the answer, also where others pop on ring', async () => {
    const frame = await ready({ inbound: 'ring', unknown: { open: 'new-record', object: 'Lead' } });
    const call = await ring(frame, stranger);
    expect(popped(frame)).toEqual([]);
    await frame.model().answer(call);
    await until(() => popped(frame).length === 1);
    expect(popped(frame)).toEqual([{ kind: 'new-record', object: 'Lead', fields: {}, number: stranger }]);
  });

  it('opens no form for a record that was chosen while it waited', async () => {
    const frame = await ready({ unknown: { open: 'new-record', object: 'Lead' } });
    const call = await ring(frame, stranger);
    frame.host.held = [];
    await frame.model().answer(call);
    await until(() => frame.host.held?.length === 1);
    await frame.model().chooseRecord(call, ada.record);
    for (const go of frame.host.held ?? []) go();
    await settle();
    expect(popped(frame)).toEqual([]);
  });

  it.each([
    ['search', { open: 'search' }, { kind: 'search', text: '4930901820' }],
    ['flow', { open: 'flow', name: 'New_Caller' }, { kind: 'flow', name: 'New_Caller' }],
    ['page', { open: 'url', url: '/x?n={number}&r={recordId}' }, { kind: 'url', url: '/x?n=%2B4930901820&r=' }],
  ] as const)('opens a %s on ring, when the profile says so', async (_what, unknown, target) => {
    const frame = await ready({ unknown });
    await ring(frame, stranger);
    expect(popped(frame)).toMatchObject([target]);
  });

  it('opens nothing for a colleague’s extension and for a withheld number', async () => {
    const frame = await ready({ unknown: { open: 'search' } });
    for (const number of ['204', '']) {
      const call = await ring(frame, number);
      frame.sip.end(call);
      await until(() => frame.model().phone.value.calls.length === 0);
    }
    expect(popped(frame)).toEqual([]);
  });

  it('pops in the frame that is looked at, also when another one holds the phone', async () => {
    const lab = withPolicy({ unknown: { open: 'search' } });
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    mirror.look();
    await settle();
    owner.sip.invite({ number: stranger });
    await until(() => popped(mirror).length === 1);
    await settle();
    expect(popped(owner)).toEqual([]);
    expect(lab.relay.requests.filter((request) => request === 'GET /v1/matches')).toHaveLength(1);
  });

  it('pops in the frame whose page says that the agent is there', async () => {
    const lab = withPolicy({ unknown: { open: 'search' } });
    const owner = await openReady(lab);
    const mirror = await openReady(lab);
    lab.clock.advance(1_000);
    owner.host.lookAt();
    lab.clock.advance(1_000);
    mirror.host.lookAt();
    await settle();
    lab.clock.advance(1_000);
    owner.host.lookAt();
    await settle();
    owner.sip.invite({ number: stranger });
    await until(() => popped(owner).length === 1);
    await settle();
    expect(popped(mirror)).toEqual([]);
  });
});

describe('a call the agent placed', () => {
  it('pops on dial, on answer or never, as the profile says', async () => {
    const onDial = await ready({ outbound: 'dial' });
    await onDial.model().dial(ada.number);
    await until(() => opened(onDial).length === 1);

    const onAnswer = await ready({ outbound: 'answer' });
    await onAnswer.model().dial(ada.number);
    await until(() => onlyCall(onAnswer).record !== null);
    await settle();
    expect(opened(onAnswer)).toEqual([]);
    onAnswer.sip.answered(onlyCall(onAnswer).id);
    await until(() => opened(onAnswer).length === 1);

    const never = await ready({ outbound: 'never' });
    await never.model().dial(ada.number);
    never.sip.answered(onlyCall(never).id);
    await until(() => onlyCall(never).record !== null);
    await settle();
    expect(opened(never)).toEqual([]);
  });

  it('from a record opens nothing: the agent came from there', async () => {
    const frame = await ready({ outbound: 'dial' });
    frame.host.clickNumber({ number: ada.number, record: ada.record });
    await until(() => frame.model().phone.value.calls.length === 1);
    await until(() => frame.model().lookups.value.get(onlyCall(frame).id) !== 'searching');
    await settle();
    expect(opened(frame)).toEqual([]);
  });

  it('to ask a colleague before a transfer opens nothing', async () => {
    const frame = await ready({ outbound: 'dial' });
    const call = await talk(frame);
    await until(() => opened(frame).length === 1);
    frame.model().typeNumber(sharers[0]?.number ?? '');
    await frame.model().consultTyped(call);
    await settle();
    expect(frame.host.told('popped')).toEqual([]);
    expect(opened(frame)).toHaveLength(1);
  });
});

describe('after a transfer', () => {
  it('a caller who comes back from it is not popped again', async () => {
    const frame = await ready({});
    const call = await talk(frame);
    await until(() => opened(frame).length === 1);
    frame.model().typeNumber('204');
    await frame.model().transferTyped(call);
    frame.sip.acceptTransfer(call);
    await until(() => frame.model().layout.value.screen.kind === 'wrap-up');
    await frame.model().submitWrapUp(onlyCall(frame));
    await ring(frame, ada.number);
    expect(opened(frame)).toHaveLength(1);
  });

  it('one that calls again the next day is', async () => {
    const lab = withPolicy({});
    const frame = await openReady(lab);
    const call = await talk(frame);
    await until(() => opened(frame).length === 1);
    frame.model().typeNumber('204');
    await frame.model().transferTyped(call);
    frame.sip.acceptTransfer(call);
    await until(() => frame.model().layout.value.screen.kind === 'wrap-up');
    await frame.model().submitWrapUp(onlyCall(frame));
    lab.clock.advance(130_000);
    await ring(frame, ada.number);
    expect(opened(frame)).toHaveLength(2);
  });

  it('a call that failed to be transferred and goes on is not popped again', async () => {
    const frame = await ready({});
    const call = await talk(frame);
    await until(() => opened(frame).length === 1);
    frame.model().typeNumber('204');
    await frame.model().transferTyped(call);
    frame.sip.refuseTransfer(call);
    await settle();
    expect(opened(frame)).toHaveLength(1);
  });

  it('a call that takes the place of one that popped does not pop, of one that did not does', async () => {
    const frame = await ready({});
    const first = await talk(frame);
    await until(() => opened(frame).length === 1);
    frame.sip.invite({ number: ada.number }, { replaces: first });
    await settle();
    expect(opened(frame)).toHaveLength(1);

    const colleague = await ready({});
    const asked = await talk(colleague, '204');
    colleague.sip.invite({ number: ada.number }, { replaces: asked });
    await until(() => opened(colleague).length === 1);
  });
});

describe('a tab that is opened or loaded anew during a call', () => {
  it('pops nothing for it, although the agent looks there', async () => {
    const lab = withPolicy({});
    const owner = await openReady(lab);
    const call = await ring(owner, ada.number);
    expect(opened(owner)).toHaveLength(1);
    const fresh = await openReady(lab, true);
    await until(() => fresh.phone().isForemost());
    expect(onlyCall(fresh).record).toEqual(ada.record);
    await fresh.model().answer(call);
    await settle();
    expect(opened(fresh)).toEqual([]);
  });

  it('pops nothing for what goes on with it either, and the next call pops there', async () => {
    const lab = withPolicy({});
    const owner = await openReady(lab);
    const first = await talk(owner);
    await until(() => opened(owner).length === 1);
    const fresh = await openReady(lab, true);
    await until(() => fresh.phone().isForemost());
    const second = owner.sip.invite({ number: ada.number }, { replaces: first });
    await until(() => fresh.model().phone.value.calls.some(({ id, record }) => id === second && record !== null));
    await settle();
    expect(opened(fresh)).toEqual([]);
    owner.sip.end(second);
    await until(() => fresh.model().phone.value.calls.every(({ phase }) => phase === 'ended'));
    lab.relay.matches = [{ ...ada, record: { ...ada.record, id: '003000000000009AAA' } }];
    owner.sip.invite({ number: ada.number });
    await until(() => opened(fresh).length === 1);
    expect([opened(owner), opened(fresh)]).toEqual([[ada.record.id], ['003000000000009AAA']]);
  });
});

describe('a call in the place of another', () => {
  const other = '+14155550177' as Match['number'];
  const boris: Match = { ...ada, number: other, record: { ...ada.record, id: '003000000000008AAA', name: 'Boris' } };
  const inPlace = async (matches: readonly Match[]) => {
    const lab = withPolicy({});
    lab.relay.matches = [...matches];
    const frame = await openReady(lab);
    const first = await talk(frame);
    await until(() => opened(frame).length === 1);
    const second = frame.sip.invite({ number: other }, { replaces: first });
    await until(() => frame.model().phone.value.calls.some(({ id, record }) => id === second && record !== null));
    await settle();
    return opened(frame);
  };

  it('pops who that is, when it is somebody else', async () => {
    expect(await inPlace([ada, boris])).toEqual([ada.record.id, boris.record.id]);
  });

  it('does not pop the same person again who has another number now', async () => {
    expect(await inPlace([ada, { ...ada, number: other }])).toEqual([ada.record.id]);
  });
});
