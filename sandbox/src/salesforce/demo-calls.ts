/**
 * Owns a month of past calls for a demo org, so that history, board and reports have something to show. Everything is invented from the demo
 * people and comes out the same every time, but for the day it ends on. Must never be in a store that a test counts, unless it asks for it.
 */
import { type DemoPerson, demoPeople, unknownCaller } from '../people.ts';
import type { Records } from './records.ts';
import type { SalesforceUser } from './salesforce-user.ts';
import { instant, type Row } from './values.ts';

const dayMs = 86_400_000;
const days = 21;

interface Story {
  readonly note: string;
  readonly disposition: string;
  readonly lines: readonly (readonly ['agent' | 'caller', string])[];
  /** As a model and the rules of a customer would have it; absent: nobody listened. */
  readonly heard?: {
    readonly sentiment: 'negative' | 'neutral' | 'positive';
    readonly summary: string;
    readonly todo: string | null;
    readonly phrases: string | null;
  };
}

const stories: readonly [Story, ...Story[]] = [
  {
    note: 'Wants two more 35 mm lenses with the next delivery. Send the quote by Friday.',
    disposition: 'Quote requested',
    lines: [
      ['agent', 'Good morning, how can I help you?'],
      ['caller', 'Hello! We would like to add two lenses to our order, the thirty-five millimetre ones.'],
      ['agent', 'Of course. Shall they come with the next delivery?'],
      ['caller', 'Yes, if that is possible. Could you send me a quote by Friday?'],
      ['agent', 'You will have the quote by Friday noon.'],
    ],
    heard: {
      sentiment: 'positive',
      summary: 'The caller adds two 35 mm lenses to their order and wants a quote for them by Friday.',
      todo: 'Send the quote by Friday noon\nPut the lenses into the next delivery',
      phrases: null,
    },
  },
  {
    note: 'Delivery arrived a day late; apologised, credited the freight.',
    disposition: 'Complaint solved',
    lines: [
      ['agent', 'Thank you for calling back so quickly.'],
      ['caller', 'The delivery came a day late again, and our crew had to wait.'],
      ['agent', 'I am sorry about that. I will take the freight off this invoice.'],
      ['caller', 'That is fair. Thank you.'],
    ],
    heard: {
      sentiment: 'negative',
      summary:
        'A delivery came a day late and held up the caller’s crew. The agent apologised and takes the freight off.',
      todo: 'Credit the freight on this invoice',
      phrases: 'Not heard: Recording notice (agent, in the first 30 s)\nHeard: Late delivery (far side, 0:09)',
    },
  },
  {
    note: 'Asked for the invoice address to be changed. Done while talking.',
    disposition: 'Information given',
    lines: [
      ['agent', 'What can I do for you?'],
      ['caller', 'Our accounts department has moved. Can you change the invoice address?'],
      ['agent', 'It is changed. The next invoice goes to the new address.'],
    ],
  },
  {
    note: 'Interested in the yearly plan. Call again after their budget meeting.',
    disposition: 'Follow-up',
    lines: [
      ['agent', 'Did you have time to look at the yearly plan?'],
      ['caller', 'We did, and we like it. The budget meeting is next week.'],
      ['agent', 'Then I will call you on the day after.'],
    ],
  },
];

/** Plants about five calls a weekday over three weeks, some of them today, taken by the agents of the org. */
export function plantDemoCalls(store: Records, users: readonly SalesforceUser[], now = Date.now()): void {
  const agents = users.filter((user) => user.callCenterId !== null);
  const [first] = agents;
  if (first === undefined) return;
  const dice = diceOf(20_261_121);
  const pick = <One>(all: readonly [One, ...One[]] | readonly One[]): One =>
    all[Math.floor(dice() * all.length)] as One;
  let serial = 0;
  for (let day = days; day >= 0; day -= 1) {
    const calls = day === 0 ? 9 : 3 + Math.floor(dice() * 5);
    for (let index = 0; index < calls; index += 1) {
      // Today's calls lie in the hours before now, so that none is in the future whatever the hour.
      const startedAt =
        day === 0
          ? now - Math.round((calls - index) * 0.28 * 3_600_000)
          : now - day * dayMs - Math.round(dice() * 7 * 3_600_000);
      serial += 1;
      store.plant(
        'Patchcord_Call__c',
        callRow(store, {
          serial,
          startedAt,
          person: pick(demoPeople),
          agent: pick(agents),
          dice,
          story: pick(stories),
        }),
      );
    }
  }
  plantToday(store, first, now);
}

/** What the pictures of the guide show: a long call with a transcript, and a caller whom nobody has called back. */
function plantToday(store: Records, agent: SalesforceUser, now: number): void {
  const [elena, theo] = demoPeople;
  const [story] = stories;
  if (elena === undefined || theo === undefined) return;
  const base = { agent, story, dice: () => 0.5 };
  store.plant('Patchcord_Call__c', {
    ...callRow(store, { ...base, serial: 9001, startedAt: now - 42 * 60_000, person: elena }),
    Duration_Seconds__c: 342,
    Ended_At__c: instant(new Date(now - 36 * 60_000)),
    Recording_Url__c: 'https://recordings.patchcord.example/9001.wav',
  });
  // A call that somebody still has to wrap up.
  store.plant('Patchcord_Call__c', {
    ...callRow(store, { ...base, serial: 9004, startedAt: now - 24 * 60_000, person: elena }),
    Contact__c: null,
    Far_Side_Name__c: null,
    From_Number__c: unknownCaller,
    Account__c: null,
    Disposition__c: null,
    Note__c: null,
  });
  const missed = callRow(store, { ...base, serial: 9002, startedAt: now - 18 * 60_000, person: theo });
  store.plant('Patchcord_Call__c', { ...missed, ...unanswered('missed') });
  const again = callRow(store, { ...base, serial: 9003, startedAt: now - 11 * 60_000, person: theo });
  store.plant('Patchcord_Call__c', { ...again, ...unanswered('missed') });
}

function unanswered(outcome: string): Row {
  return {
    Direction__c: 'Inbound',
    Outcome__c: outcome,
    Answered_At__c: null,
    Duration_Seconds__c: 0,
    Disposition__c: null,
    Note__c: null,
    Sentiment__c: null,
    Summary__c: null,
    Action_Items__c: null,
    Phrases__c: null,
    Transcript__c: null,
    Recording_Url__c: null,
  };
}

function callRow(
  store: Records,
  given: {
    readonly serial: number;
    readonly startedAt: number;
    readonly person: DemoPerson;
    readonly agent: SalesforceUser;
    readonly story: Story;
    readonly dice: () => number;
  },
): Row {
  const { person, agent, story, dice, serial, startedAt } = given;
  const name = `${person.firstName} ${person.lastName}`;
  const number = person.numbers[0].e164;
  const outbound = dice() < 0.45;
  const fate = dice();
  const talk = 40 + Math.floor(dice() * 520);
  const contact = store.all('Contact').find((row) => row.Name === name);
  const lead = store.all('Lead').find((row) => row.Name === name);
  const row: Row = {
    Name: `CALL-${String(serial).padStart(7, '0')}`,
    Call_Key__c: `demo-${serial}`,
    Direction__c: outbound ? 'Outbound' : 'Inbound',
    From_Number__c: outbound ? '101' : number,
    To_Number__c: outbound ? number : '101',
    Far_Side_Name__c: name,
    Started_At__c: instant(new Date(startedAt)),
    Answered_At__c: instant(new Date(startedAt + 6_000)),
    Ended_At__c: instant(new Date(startedAt + 6_000 + talk * 1000)),
    Duration_Seconds__c: talk,
    Outcome__c: 'answered',
    Disposition__c: story.disposition,
    Note__c: story.note,
    Transcript__c: transcriptOf(story, agent.name, name),
    Sentiment__c: story.heard?.sentiment ?? null,
    Summary__c: story.heard?.summary ?? null,
    Action_Items__c: story.heard?.todo ?? null,
    Phrases__c: story.heard?.phrases ?? null,
    Quality_Mos__c: 4.1 + Math.round(dice() * 3) / 10,
    Agent__c: agent.id,
    OwnerId: agent.id,
    Contact__c: contact?.Id ?? null,
    Account__c: contact?.AccountId ?? null,
    Lead__c: lead?.Id ?? null,
  };
  if (fate < 0.68) return row;
  if (outbound) return { ...row, ...unanswered(fate < 0.85 ? 'no-answer' : 'busy'), Direction__c: 'Outbound' };
  return { ...row, ...unanswered(fate < 0.9 ? 'missed' : 'declined') };
}

function transcriptOf(story: Story, agent: string, caller: string): string {
  return story.lines
    .map(
      ([who, words], index) =>
        `[0:${String(2 + index * 7).padStart(2, '0')}] ${who === 'agent' ? agent : caller}: ${words}`,
    )
    .join('\n');
}

/** Numbers from 0 to 1 that are the same in every run. */
function diceOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
