/** What the next owner tells of the calls it takes up: each call has one beginning and one end, whoever went in between. */
import 'fake-indexeddb/auto';
import type { CallId, DeviceId } from '@patchcord/call-protocol';
import { newCallId } from '@patchcord/call-protocol';
import type { CallState, OwnedPhone } from '@patchcord/phone-engine';
import { FakeClock } from '@patchcord/phone-engine/testing';
import { expect, it } from 'vitest';
import { type Journal, openJournal } from '../../../packages/softphone-ui/src/journal.ts';
import { createKeeping } from '../../../packages/softphone-ui/src/keeping.ts';
import { type Kept, nothingKept, textOfKept } from '../../../packages/softphone-ui/src/kept-calls.ts';
import { createSealedCalls } from '../../../packages/softphone-ui/src/sealed-calls.ts';
import { onlyCall, openLab, openReady, talk, until } from './panel-lab.ts';

const clock = new FakeClock();
const device = 'd' as DeviceId;
const ended = { outcome: 'answered', reason: 'The far side hung up.', by: 'far-side' } as const;

/** One that is up, and the same when it is over. */
async function aCall(): Promise<readonly [CallState, CallState]> {
  const frame = await openReady(openLab());
  await talk(frame);
  const up = { ...onlyCall(frame), startedAt: clock.now(), answeredAt: clock.now() };
  return [up, { ...up, phase: 'ended', endedAt: clock.now(), end: ended }];
}

/** A page of this computer becomes the owner. @param handed what the relay gave it of another device */
async function owns(name: string, { kept = nothingKept, handed }: { readonly kept?: Kept; readonly handed?: string }) {
  const journal = await openJournal({ name, source: '/devices/d', now: () => clock.now() });
  const owned: Pick<OwnedPhone, 'onDialogs' | 'takeUp'> = { onDialogs: () => () => undefined, takeUp: () => undefined };
  let told: number | null = null;
  const keeping = createKeeping({
    device,
    phone: {
      owned: () => owned as OwnedPhone,
      where: () => null,
      inherited: () => handed ?? null,
      keep: () => undefined,
    },
    ...{ journal, clock, takeOver: () => undefined, keep: () => undefined, notify: () => undefined },
    sealed: { ...createSealedCalls({ name, now: () => clock.now() }), read: async () => kept },
    ended: (count) => {
      told = count;
    },
  });
  await keeping.takeUp(owned as OwnedPhone);
  await until(() => told !== null);
  return journal;
}

const namesIn = async (journal: Journal): Promise<readonly string[]> =>
  (await journal.waiting(10)).map(({ type }) => type.replace(/^dev\.patchcord\.|\.v1$/g, ''));

const keptOf = (call: CallState, by: string | null = null): Kept => ({
  at: clock.now(),
  leaves: false,
  by,
  calls: [{ call, told: 'answered', pageCreatesLog: false, logId: null }],
  dialogs: [],
});
const recovered = (call: CallId) =>
  ({ name: 'call.recovered', at: clock.now(), call, data: { way: 'resume', peer: '', afterMs: 1 } }) as const;

it('a call of another device whose end went with its page has one from the next page', async () => {
  const name = `keeping-${newCallId()}`;
  const [up, over] = await aCall();
  const here = await owns(name, { handed: textOfKept(keptOf(up), clock.now()) });
  await here.append(recovered(up.id));
  // The page went when what is kept said that the call is over, and the journal did not yet.
  const next = await owns(name, { kept: keptOf(over) });
  expect(await namesIn(next)).toEqual(['call.taken-over', 'call.recovered', 'call.ended']);
  const last = await owns(name, { kept: keptOf(over) });
  expect(await last.waiting(10)).toHaveLength(3);
});

it('a call whose page went between the dialling and its beginning has both a beginning and an end', async () => {
  const name = `keeping-${newCallId()}`;
  const [up, over] = await aCall();
  const dialled = await owns(name, {});
  await dialled.append({ name: 'dial.requested', at: clock.now(), call: up.id, data: { number: up.farSide.number } });
  const next = await owns(name, { kept: keptOf(over) });
  expect(await namesIn(next)).toEqual(['dial.requested', 'call.started', 'call.answered', 'call.ended']);
});

it('what this device told the relay is on its own disk, and what another one told counts until this one has kept something newer', async () => {
  const [up] = await aCall();
  const number = (text: string): CallState => ({ ...up, id: newCallId(), farSide: { number: text } });
  const [here, there] = [number('1'), number('2')];
  const theirs = (by: string, at = clock.now()): string => textOfKept(keptOf(there, by), at);
  const taken = async (kept: Kept, handed: string): Promise<string | undefined> =>
    (await (await owns(`keeping-${newCallId()}`, { kept, handed })).openCalls())[0]?.id;
  expect(await taken(keptOf(here), theirs('d'))).toBe(here.id);
  expect(await taken(nothingKept, theirs('other'))).toBe(there.id);
  expect(await taken(nothingKept, theirs('d'))).toBeUndefined();
  expect(await taken({ ...keptOf(here), at: clock.now() - 9_000 }, theirs('other'))).toBe(there.id);
  expect(await taken(keptOf(here), theirs('other', clock.now() - 9_000))).toBe(here.id);
});
