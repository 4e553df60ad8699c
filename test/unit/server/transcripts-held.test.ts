/** Lines that are held back for what follows: told when nothing does, and by nobody here once another relay has their call. */
import type { CallId, TenantId, TranscriptLine } from '@patchcord/call-protocol';
import { newCallId } from '@patchcord/call-protocol';
import { beforeEach, expect, it } from 'vitest';
import {
  createTranscripts,
  type TranscriptParts,
  type TranscriptTeller,
} from '../../../server/src/live/transcripts.ts';
import { createLog } from '../../../server/src/logging.ts';
import { Tenants } from '../../../server/src/tenants.ts';
import { testTenant } from './relay-in-test.ts';

const acme = 'acme' as TenantId;
let told: TranscriptLine[];
let transcripts: TranscriptTeller;
let call: CallId;
beforeEach(() => {
  told = [];
  call = newCallId();
  const tenant = { ...testTenant(), transcripts: { keep: false, settleMs: 0 }, webhooks: [] };
  transcripts = createTranscripts({
    tenants: new Tenants([tenant] as never, () => ({}) as never),
    hub: {
      tellPassing: (_tenant: TenantId, _agent: string, { data }: { readonly data: TranscriptLine }) => told.push(data),
    } as unknown as TranscriptParts['hub'],
    outbox: {} as TranscriptParts['outbox'],
    kept: {} as TranscriptParts['kept'],
    heard: () => {},
    effectsWait: () => {},
    log: createLog('silent'),
    now: () => 0,
  });
});

const line = (number: number, text: string): TranscriptLine => ({
  line: number,
  speaker: 'far-side',
  text,
  startMs: number * 1_000,
  endMs: number * 1_000 + 900,
  final: true,
});
const finals = (): readonly string[] => told.filter(({ final }) => final).map(({ text }) => text);

it('the beginning of what may be a card waits, and is told at the end of the call', async () => {
  const stays = transcripts.tell(acme, 'ada', call, line(0, 'four one one one'));
  expect(told).toMatchObject([{ final: false, text: '…' }]);
  transcripts.release(acme, call);
  await stays;
  expect(finals()).toEqual(['four one one one']);
});

it('what is held back of a call that another relay has by now is told by nobody here, and nobody waits for it', async () => {
  const stays = transcripts.tell(acme, 'ada', call, line(0, 'four one one one'));
  const other = newCallId();
  void transcripts.tell(acme, 'ada', other, line(0, 'two three four five'));
  transcripts.drop(acme, call);
  await stays;
  transcripts.drop(acme, call);
  await transcripts.close();
  expect(finals()).toEqual(['two three four five']);
});
