/** How much the relay remembers of an org's users, and what it forgets first. */
import { describe, expect, it } from 'vitest';
import { agentsOf } from '../../../packages/crm-adapters/src/salesforce/agents.ts';
import type { SalesforceConnection } from '../../../packages/crm-adapters/src/salesforce/connection.ts';

const idOf = (index: number): string => `005000000${String(index).padStart(6, '0')}`;

/** An org that knows everybody, and counts how many it was asked for. */
function orgOf() {
  const asked: number[] = [];
  const connection: SalesforceConnection = {
    instanceUrl: null,
    open: () => Promise.resolve(),
    request: (_method, path) => {
      const ids = decodeURIComponent(path).match(/005\d{12}/g) ?? [];
      asked.push(ids.length);
      return Promise.resolve({ records: ids.map((Id) => ({ Id, Username: `${Id}@x.example`, IsActive: true })) });
    },
  };
  const agents = agentsOf({
    door: { timeoutMs: 1_000, usage: { day: null } },
    integration: connection,
    signInAs: () => Promise.resolve({ token: 'token', instanceUrl: 'https://acme.my.salesforce.com' }),
    keepMs: 3_600_000,
    notice: () => {},
  });
  return { agents, asked };
}

describe('what is remembered of agents', () => {
  it('nobody of one question is forgotten to make room for another of it', async () => {
    const { agents, asked } = orgOf();
    const first = Array.from({ length: 2_000 }, (_, index) => idOf(index));
    await agents.usersOf(first);
    const some = [idOf(0), idOf(2_001), idOf(2_002)];
    expect([...(await agents.usersOf(some)).keys()]).toEqual(some);
    // The oldest made room, and the others are still known.
    await agents.usersOf(first.slice(100));
    expect(asked).toEqual([2_000, 2]);
  });

  it('what an agent may not see is still known when their session made room for others', async () => {
    const { agents } = orgOf();
    const voiceOf = async (index: number) => {
      const voice = await agents.voiceOf({ crmUserId: idOf(index), name: `Agent ${index}` });
      if ('refused' in voice) throw voice.refused;
      return voice;
    };
    const before = await voiceOf(0);
    expect(
      before.org.learn({ code: 'INVALID_FIELD', message: "No such column 'HomePhone' on entity 'Contact'." }),
    ).toBe(true);
    for (let index = 1; index <= 200; index += 1) await voiceOf(index);
    const after = await voiceOf(0);
    expect(after).not.toBe(before);
    for (const message of [
      "No such column 'HomePhone' on entity 'Contact'.",
      'Keine Spalte „HomePhone“ in „Contact“ vorhanden.',
    ])
      expect(after.org.canLearn({ code: 'INVALID_FIELD', message })).toBe(false);
    expect(after.org.canLearn({ code: 'INVALID_TYPE', message: "sObject type 'Lead' is not supported." })).toBe(true);
  });
});
