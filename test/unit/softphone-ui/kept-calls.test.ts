/** What stays of calls on this computer: where nobody can read it, for how long, and who takes it away. */
import type { CallState, KeptDialog } from '@patchcord/phone-engine';
import { openDB } from 'idb';
import { beforeEach, describe, expect, it } from 'vitest';
import { type KeptCall, mostKeptText, readKept, textOfKept } from '../../../packages/softphone-ui/src/kept-calls.ts';
import { createSealedCalls, sweepSealedCalls } from '../../../packages/softphone-ui/src/sealed-calls.ts';
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
let databases = 0;
let database: string;

beforeEach(() => {
  databases += 1;
  database = `sealed-${process.pid}-${databases}`;
});

/** Everything an administrator of this computer could read of the database, as text. */
async function rawText(name: string): Promise<string> {
  const db = await openDB(name);
  const all = await Promise.all(
    [...db.objectStoreNames].map(async (store) => [await db.getAllKeys(store), await db.getAll(store)]),
  );
  db.close();
  const bytesAsText = (_: string, value: unknown): unknown => {
    if (value instanceof ArrayBuffer) return new TextDecoder('latin1').decode(value);
    if (ArrayBuffer.isView(value)) return new TextDecoder('latin1').decode(value);
    return value;
  };
  return JSON.stringify(all, bytesAsText);
}

async function keysIn(name: string): Promise<readonly unknown[]> {
  const db = await openDB(name);
  const keys = await db.getAllKeys('calls');
  db.close();
  return keys;
}

const sealedFor = (name: string, now = hour) => createSealedCalls({ name, now: () => now, database });
/** A call, its phone's dialog with it, as an owner in the middle of it keeps them. */
async function inCall(): Promise<{ readonly kept: KeptCall; readonly dialog: KeptDialog }> {
  const lab = openLab();
  const frame = await openReady(lab);
  await talk(frame);
  const [dialog] = frame.sip.dialogs;
  if (dialog === undefined) throw new Error('there is no dialog');
  return { kept: { call: onlyCall(frame), told: 'answered', pageCreatesLog: false, logId: null }, dialog };
}

describe('a call that is kept for the next owner', () => {
  it('can be read by the next page, and by nobody who opens the browser’s storage', async () => {
    const { kept, dialog } = await inCall();
    const noted = { ...kept, call: { ...kept.call, note: 'Card ending in 4242', digits: '4929' } };
    const secretDialog = { ...dialog, callId: 'c0ffee-call-id', localTag: 'tag-of-ours', remoteTag: 'tag-of-theirs' };
    await sealedFor('acme:a1').write({ calls: [noted], dialogs: [secretDialog] });
    const text = await rawText(database);
    expect(text).toContain('acme:a1');
    const { farSide, id } = kept.call;
    for (const secret of ['c0ffee', 'tag-of', 'Card ending', '4929', id, farSide.number, 'dialogs'])
      expect(text, secret).not.toContain(secret);
    const read = await sealedFor('acme:a1').read();
    expect(read).toMatchObject({ at: hour, leaves: false, dialogs: [secretDialog] });
    expect(read.calls).toEqual([{ ...noted, call: { ...noted.call, digits: '' } }]);
  });

  it('has a key that nobody can export, the same for every frame of the partition', async () => {
    const { kept, dialog } = await inCall();
    await Promise.all([sealedFor('acme:a1').write({ calls: [kept], dialogs: [] }), sealedFor('acme:a1').read()]);
    const db = await openDB(database);
    const key = (await db.get('keys', 'calls')) as CryptoKey;
    db.close();
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow();
    await sealedFor('acme:a1').write({ calls: [kept], dialogs: [dialog] });
    expect((await sealedFor('acme:a1').read()).dialogs).toEqual([dialog]);
  });

  it('does not open under another agent’s name, nor when a bit of it was changed', async () => {
    const { kept, dialog } = await inCall();
    await sealedFor('acme:a1').write({ calls: [kept], dialogs: [dialog] });
    const db = await openDB(database);
    const entry = (await db.get('calls', 'acme:a1')) as { sealed: ArrayBuffer };
    await db.put('calls', entry, 'acme:a2');
    const changed = new Uint8Array(entry.sealed.slice(0));
    changed[9] = (changed[9] ?? 0) ^ 1;
    await db.put('calls', { ...entry, sealed: changed.buffer }, 'acme:a1');
    db.close();
    expect((await sealedFor('acme:a2').read()).calls).toEqual([]);
    await sealedFor('acme:a2').clear();
    expect((await sealedFor('acme:a1').read()).calls).toEqual([]);
  });

  it('is the last of several that were written in one task, and an empty list takes it away', async () => {
    const { kept, dialog } = await inCall();
    const sealed = sealedFor('acme:a1');
    const named = (note: string): KeptCall => ({ ...kept, call: { ...kept.call, note } });
    for (const note of ['one', 'two']) void sealed.write({ calls: [named(note)], dialogs: [dialog] });
    await sealed.write({ calls: [named('three')], dialogs: [dialog] });
    expect((await sealedFor('acme:a1').read()).calls[0]?.call.note).toBe('three');
    void sealed.write({ calls: [named('four')], dialogs: [dialog] });
    await Promise.resolve();
    await sealed.write({ calls: [named('five')], dialogs: [dialog] });
    expect((await sealedFor('acme:a1').read()).calls[0]?.call.note).toBe('five');
    await sealed.write({ calls: [], dialogs: [] });
    expect(await keysIn(database)).toEqual([]);
  });

  it('is taken up within two minutes of the last sign of life; its wrap-up can be opened for an hour', async () => {
    const { kept, dialog } = await inCall();
    const owner = sealedFor('acme:a1');
    await owner.write({ calls: [kept], dialogs: [dialog] });
    expect((await sealedFor('acme:a1', hour + 119_000).read()).dialogs).toEqual([dialog]);
    expect(await sealedFor('acme:a1', hour + 120_000).read()).toMatchObject({
      calls: [{ told: 'answered' }],
      dialogs: [],
    });
    // It was alive all the while, and said at last that it goes.
    const later = createSealedCalls({ name: 'acme:a1', now: () => hour + 600_000, database });
    await later.read();
    later.seen(true);
    await until(() => true);
    expect(await sealedFor('acme:a1', hour + 660_000).read()).toMatchObject({
      at: hour + 600_000,
      leaves: true,
      dialogs: [{ callId: dialog.callId }],
    });
    expect((await sealedFor('acme:a1', 2 * hour + 600_000).read()).calls).toEqual([]);
  });

  it('goes when another agent has this phone, with the start of a page after an hour, and by a clear of who never wrote it', async () => {
    const { kept } = await inCall();
    await sealedFor('acme:a1').write({ calls: [kept], dialogs: [] });
    await sweepSealedCalls(2 * hour - 1, database);
    expect(await keysIn(database)).toEqual(['acme:a1']);
    await sweepSealedCalls(2 * hour, database);
    expect(await keysIn(database)).toEqual([]);
    await sealedFor('acme:a1').write({ calls: [kept], dialogs: [] });
    await sealedFor('acme:a1').clear();
    expect(await keysIn(database)).toEqual([]);
    await sealedFor('acme:a1').write({ calls: [kept], dialogs: [] });
    sealedFor('acme:a2');
    await settle();
    expect(await keysIn(database)).toEqual([]);
  });

  it('is nothing where storage is refused, and nobody is told of a fault', async () => {
    const { open } = indexedDB;
    try {
      indexedDB.open = () => {
        throw new DOMException('refused', 'SecurityError');
      };
      const sealed = sealedFor('acme:a1');
      await sealed.write({ calls: [], dialogs: [] });
      sealed.seen(true);
      expect(await sealed.read()).toMatchObject({ calls: [], dialogs: [] });
      await sealed.clear();
      await sweepSealedCalls(hour, database);
    } finally {
      indexedDB.open = open;
    }
  });

  it('fits into one message to the relay, without the names that were found and not chosen', async () => {
    const { kept, dialog } = await inCall();
    const match = { record: ada.record, number: ada.number, reason: 'x'.repeat(8_000) };
    const crowded = { ...kept, call: { ...kept.call, matches: Array.from({ length: 20 }, () => match) } as CallState };
    const text = textOfKept({ calls: [crowded], dialogs: [dialog] }, hour, mostKeptText);
    expect(text.length).toBeLessThan(mostKeptText);
    expect(readKept(text, hour)).toMatchObject({
      at: hour,
      calls: [{ call: { id: kept.call.id } }],
      dialogs: [dialog],
    });
  });

  it.each([
    '',
    '{',
    '[]',
    'null',
    '{"at":3600000,"calls":{}}',
    '{"at":"now","calls":[]}',
    '{"at":3600000,"calls":[7],"dialogs":[7]}',
  ])('is nothing when it says %s', (text) => {
    expect(readKept(text, hour)).toMatchObject({ calls: [], dialogs: [] });
  });
});

/** A frame that shows a window's phone and can sign out. */
async function remoteOf(lab: ReturnType<typeof openLab>): Promise<LabFrame> {
  const frame = lab.frame();
  frame.host.line = 'never';
  frame.host.can = { ...frame.host.can, proveIdentity: false };
  void frame.panel.start();
  await passTime(lab, () => frame.panel.stage.value.kind === 'ready' && frame.phone().role() !== 'joining');
  return frame;
}

describe('what the panel keeps of a call', () => {
  it('has its dialog and what was chosen, and no digits that were sent; of one that is over nobody who was not chosen', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    const call = await talk(frame, sharers[0]?.number);
    await until(() => onlyCall(frame).matches.length === 3);
    await frame.model().sendDigits(call, '4929');
    await frame.model().chooseRecord(call, sharers[1]?.record ?? ada.record);
    await frame.model().setDisposition(call, 'reached');
    expect(onlyCall(frame).digits).toBe('4929');
    await settle();
    const live = await lab.kept();
    expect(live.dialogs).toMatchObject([{ call, callId: onlyCall(frame).sipCallId, stage: 'confirmed' }]);
    expect(live.calls).toMatchObject([{ call: { id: call, disposition: 'reached', digits: '' }, told: 'answered' }]);
    expect(JSON.stringify(live)).not.toContain('4929');
    frame.sip.end(call);
    await settle();
    const over = await lab.kept();
    expect(over).toMatchObject({ dialogs: [], calls: [{ call: { sipCallId: null, disposition: 'reached' } }] });
    for (const other of [sharers[0], sharers[2]])
      expect(JSON.stringify(over)).not.toContain(other?.record.name ?? 'nobody');
  });

  it('goes when the agent signs out in a frame that never held the phone', async () => {
    const lab = openLab();
    const window = await openReady(lab);
    const remote = await remoteOf(lab);
    await talk(window);
    await settle();
    window.die();
    await until(() => remote.model().role.value === 'ownerless');
    expect(await keysIn(lab.database)).toHaveLength(1);
    await remote.model().signOut?.();
    expect(await keysIn(lab.database)).toEqual([]);
  });

  it('goes when the agent’s access ends, and does not come back with what happens after', async () => {
    const lab = openLab();
    const frame = await openReady(lab);
    await talk(frame);
    await settle();
    expect(await keysIn(lab.database)).toHaveLength(1);
    lab.relay.tell({ name: 'credential.revoked', at: 1, data: { reason: 'You left.' } });
    await until(() => frame.panel.troubles.value.some(({ title }) => title === texts.revokedTitle));
    await settle();
    expect(await keysIn(lab.database)).toEqual([]);
  });
});
