/** What stays of calls on this computer, for how long, and who takes it away. */
import { type CallId, newCallId } from '@patchcord/call-protocol';
import { beforeEach, describe, expect, it } from 'vitest';
import { createKeptCalls, sweepKeptCalls } from '../../../packages/softphone-ui/src/kept-calls.ts';
import { texts } from '../../../packages/softphone-ui/src/texts.ts';
import {
  ada,
  type LabFrame,
  onlyCall,
  openLab,
  openReady,
  passTime,
  settle,
  sharers,
  talk,
  until,
} from './panel-lab.ts';

const hour = 3_600_000;
let stored: Record<string, string>;
let storage: () => Storage;

beforeEach(() => {
  stored = {};
  const methods = {
    getItem: (key: string) => stored[key] ?? null,
    setItem: (key: string, text: string) => {
      stored[key] = text;
    },
    removeItem: (key: string) => Reflect.deleteProperty(stored, key),
  };
  // As the browser's own: its keys are its properties.
  storage = () =>
    new Proxy(methods, { ownKeys: () => Object.keys(stored), getOwnPropertyDescriptor: () => described }) as never;
});
const described = { configurable: true, enumerable: true, value: '' };

const textOf = (lab: { readonly stored: ReadonlyMap<string, string> }): string => [...lab.stored.values()].join('\n');

/** A frame that shows a window's phone and can sign out. */
async function remoteOf(lab: ReturnType<typeof openLab>): Promise<LabFrame> {
  const frame = lab.frame();
  frame.host.line = 'never';
  frame.host.can = { ...frame.host.can, proveIdentity: false };
  void frame.panel.start();
  await passTime(lab, () => frame.panel.stage.value.kind === 'ready' && frame.phone().role() !== 'joining');
  return frame;
}

describe('a call that is kept for the next owner', () => {
  it('has no digits that were sent, no dialog, and nobody who was not chosen', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame, sharers[0]?.number);
    await until(() => onlyCall(frame).matches.length === 3);
    await frame.model().sendDigits(call, '4929');
    await frame.model().chooseRecord(call, sharers[1]?.record ?? ada.record);
    await frame.model().setDisposition(call, 'reached');
    const { sipCallId } = onlyCall(frame);
    expect([onlyCall(frame).digits, typeof sipCallId]).toEqual(['4929', 'string']);
    const text = textOf(lab);
    expect(text).toContain(call);
    expect(text).toContain('reached');
    for (const secret of ['4929', sipCallId ?? '', sharers[0]?.record.name ?? '', sharers[2]?.record.name ?? ''])
      expect(text).not.toContain(secret);
  });

  it('goes when another agent has this phone, with the start of a page after an hour, and by a clear of who never wrote it', () => {
    const mine = createKeptCalls(storage, 'acme:a1', () => hour);
    const call = { id: newCallId() as CallId } as never;
    mine.write([{ call, told: null, pageCreatesLog: false, logId: null }]);
    expect(Object.keys(stored)).toHaveLength(1);
    sweepKeptCalls(storage, 2 * hour - 1);
    createKeptCalls(storage, 'acme:a1', () => hour);
    expect(Object.keys(stored)).toHaveLength(1);
    const [key = ''] = Object.keys(stored);
    const text = stored[key] ?? '';
    const others = { 'someone-else:a1': 'stays', 'patchcord-calls:broken': '{' };
    Object.assign(stored, others);
    sweepKeptCalls(storage, 2 * hour);
    expect(stored).toEqual({ 'someone-else:a1': 'stays' });

    stored[key] = text;
    createKeptCalls(storage, 'acme:a1', () => hour).clear();
    expect(stored).toEqual({ 'someone-else:a1': 'stays' });
    stored[key] = text;
    createKeptCalls(storage, 'acme:a2', () => hour);
    expect(stored).toEqual({ 'someone-else:a1': 'stays' });
  });

  it('goes when the agent signs out in a frame that never held the phone', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const remote = await remoteOf(lab);
    await talk(window);
    window.die();
    await until(() => remote.model().role.value === 'ownerless');
    expect(lab.stored.size).toBe(1);
    await remote.model().signOut?.();
    expect(lab.stored.size).toBe(0);
  });

  it('goes when the agent’s access ends, and does not come back with what happens after', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    await talk(frame);
    expect(lab.stored.size).toBe(1);
    lab.relay.tell({ name: 'credential.revoked', at: 1, data: { reason: 'You left.' } });
    await until(() => frame.panel.troubles.value.some(({ title }) => title === texts.revokedTitle));
    await settle();
    expect(lab.stored.size).toBe(0);
  });
});
