/** The words of a call in a Salesforce org: beside its Task, as the components of the package read them, and never over what a person wrote. */
import { errorCode, newCallId } from '@patchcord/call-protocol';
import type { SpokenLine } from '@patchcord/crm-adapters/relay';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { transcriptText } from '../../../packages/crm-adapters/src/salesforce/transcript.ts';
import { finishedCall } from './call-log-fixture.ts';
import { startTestOrg, type TestOrg } from './salesforce-org.ts';

/** What the component on the record makes of the text. */
const reader = new URL('../../../force-app/main/default/lwc/patchcordRecording/transcriptLines.js', import.meta.url);

let test: TestOrg;
let linesOf: (text: unknown) => readonly unknown[];
beforeAll(async () => {
  test = await startTestOrg();
  ({ linesOf } = (await import(reader.href)) as { readonly linesOf: typeof linesOf });
});
afterAll(() => test.close());
afterEach(() => test.org.faults.clear());

const line = (speaker: SpokenLine['speaker'], speakerName: string, text: string, startMs: number): SpokenLine => ({
  ...{ speaker, speakerName, text, startMs, endMs: startMs + 500 },
});
const said = [
  line('agent', 'Robin Avery', 'Good morning.', 4_000),
  line('far-side', 'Mina: [Sato]', 'Hello,\nit is about  the lamp: it flickers.', 65_900),
];

async function logged() {
  const log = finishedCall({ callId: newCallId() });
  const logId = await test.relay.writeLog(log, test.robin, null);
  const record = () => test.org.records.Patchcord_Call__c.find((one) => one.Call_Key__c === log.callId);
  return { logId, record };
}
const give = (logId: string, lines: readonly SpokenLine[] = said) =>
  test.relay.writeTranscript?.(logId, lines, { answeredMs: 3_000 }) ?? expect.fail('Salesforce takes no words');

describe('the words of a call', () => {
  it('stand beside its Task, from the answer on, and read as they were said', async () => {
    const { logId, record } = await logged();
    expect(await give(logId)).toBe(record()?.Id);
    expect(record()?.Transcript__c).toBe(
      '[0:01] Robin Avery: Good morning.\n[1:02] Mina Sato: Hello, it is about the lamp: it flickers.',
    );
    expect(linesOf(record()?.Transcript__c)).toEqual([
      { key: 0, at: 1, speaker: 'Robin Avery', text: 'Good morning.' },
      { key: 1, at: 62, speaker: 'Mina Sato', text: 'Hello, it is about the lamp: it flickers.' },
    ]);
  });

  it('are written once: what a person mended stays, and so does what an answer that was lost had written', async () => {
    const { logId, record } = await logged();
    test.org.faults.add({ fault: 'answer-lost', on: 'PATCH */Patchcord_Call__c/*', times: 1 });
    const lost: unknown = await give(logId).catch((error: unknown) => error);
    expect(errorCode(lost)).toBe('crm.unavailable');
    const written = record()?.Transcript__c;
    expect(written).toContain('Good morning.');
    const row = record() ?? expect.fail('the record is gone');
    test.org.store.update('Patchcord_Call__c', String(row.Id), { Transcript__c: 'Mended by Sam' }, test.sam.crmUserId);
    expect(await give(logId)).toBe(row.Id);
    expect(record()?.Transcript__c).toBe('Mended by Sam');
  });

  it('have no place where the record was deleted, which is said, and under an id that is none', async () => {
    const { logId, record } = await logged();
    test.org.store.remove('Patchcord_Call__c', String(record()?.Id));
    expect(errorCode(await give(logId).catch((error: unknown) => error))).toBe('crm.not-found');
    expect(errorCode(await give("x' OR Id != '").catch((error: unknown) => error))).toBe('crm.invalid');
  });

  it('of an older package are left out, and whoever runs the relay hears it once', async () => {
    const { logId, record } = await logged();
    const old = test.freshRelay({ namespace: 'other' });
    for (const _ of [1, 2]) expect(await old.writeTranscript?.(logId, said, { answeredMs: 0 })).toBe('');
    expect(record()?.Transcript__c ?? null).toBeNull();
    expect(test.notices.filter((text) => text.includes('other__Transcript__c'))).toHaveLength(1);
  });

  it('that are more than the field holds end after a whole line', () => {
    const many = Array.from({ length: 20_000 }, (_, at) => line('agent', 'Robin Avery', `word ${at}`, at * 1_000));
    const text = transcriptText(many, 0);
    expect(text.length).toBeLessThanOrEqual(131_072);
    expect(text.length).toBeGreaterThan(131_000);
    expect(text.endsWith('\n…')).toBe(true);
    expect(text).toContain('[1:00:00] Robin Avery: word 3600\n');
  });
});
