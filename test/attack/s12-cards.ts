/**
 * S12: card numbers in notes and transcripts. Generated cards are typed into wrap-ups of a running relay, and said in calls; the database, the CRM,
 * the webhook and the log are searched for them, and telephone numbers are held against false alarms.
 */
import { randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { newCallId, type TranscriptLine } from '@patchcord/call-protocol';
import { redactCards } from '../../server/src/call-log/card-numbers.ts';
import { createLog } from '../../server/src/logging.ts';
import { CallRedaction } from '../../server/src/transcripts/redaction.ts';
import type { Drill, DrillResult } from '../drill.ts';
import { answeredCall, envelopes, startRelayInTest, testConfig, testTenant } from '../unit/server/relay-in-test.ts';
import { cardNumbers, phoneNumbers } from './card-samples.ts';
import { startHttpReceiver } from './webhook-receiver.ts';

export const drill: Drill = {
  about:
    'card numbers typed into notes and said in calls: store, CRM, webhook and log are searched; false alarms on telephone numbers',
  run: ({ seed, short }) => typeCards(seed, short ? 3 : 40, short ? 2_000 : 200_000),
};

export async function typeCards(seed: number, calls: number, samples: number): Promise<DrillResult> {
  const cards = cardNumbers(samples, seed);
  const missed = cards.filter(({ digits, text }) =>
    onlyDigits(redactCards(`paid ${text} thanks`)).includes(digits),
  ).length;
  const phones = phoneNumbers(samples, seed);
  const told = cards.filter(({ digits, text }) =>
    onlyDigits(said(`paid ${text} thanks a lot`)).includes(digits),
  ).length;
  const falseAlarms = phones.filter((phone) => redactCards(phone) !== phone).length;

  const receiver = await startHttpReceiver();
  const log: string[] = [];
  const secret = `whsec_${Buffer.alloc(32, 3).toString('base64')}`;
  const one = await startRelayInTest(
    testConfig({
      tenants: [
        testTenant({
          transcripts: { keep: true },
          webhooks: [{ url: receiver.url, secret, events: ['wrap-up.submitted'], allowPrivate: true }],
        }),
      ],
    }),
    { log: createLog('trace', { write: (line: string) => void log.push(line) }) },
  );
  const places: string[] = [];
  const typed = cards.slice(0, calls);
  try {
    const panel = await one.connect((await one.signIn()).token);
    for (const { text } of typed) {
      one.relay.transcript.tell('acme', 'ada', newCallId(), lineOf(`paid ${text} and cvv 987 thanks a lot`));
      panel.publish(
        ...envelopes(randomUUID(), [
          ...answeredCall,
          { name: 'wrap-up.submitted', data: { note: `card ${text} cvv 987` } },
        ]),
      );
      await panel.event('log.saved');
      places.push((await receiver.next()).body);
    }
    places.push(JSON.stringify(one.crm.logs()), ...log);
  } finally {
    await one.relay.close();
    await receiver.close();
  }
  for (const name of await readdir(one.folder))
    places.push((await readFile(join(one.folder, name))).toString('latin1'));
  await one.closed();
  const found = typed.filter(({ text, digits }) =>
    places.some((place) => place.includes(text) || place.includes(digits)),
  ).length;
  const codes = places.filter((place) => place.includes('cvv 987')).length;
  return {
    passed:
      missed / samples <= 0.001 &&
      told / samples <= 0.001 &&
      falseAlarms / samples <= 0.001 &&
      found === 0 &&
      codes === 0,
    tried: samples + typed.length,
    succeeded: found + codes,
    recall: 1 - Math.max(missed, told) / samples,
    falseAlarms,
    note: 'notes, and lines of transcripts; sound itself is not searched',
  };
}

/** A line as it is told when nothing follows. */
function said(text: string): string {
  const redaction = new CallRedaction('en', []);
  const told = [...redaction.take(lineOf(text), 0), ...redaction.release()];
  return told.map(({ line }) => line.text).join(' ');
}

function lineOf(text: string): TranscriptLine {
  return { line: 0, speaker: 'far-side', text, startMs: 0, endMs: 5_000, final: true };
}

function onlyDigits(text: string): string {
  return text.replace(/\D/g, '');
}
