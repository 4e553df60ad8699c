/** What HubSpot is told of recordings and transcripts, against its API as the contract has it. */
import { errorCode } from '@patchcord/call-protocol';
import { createHubSpotRelay } from '@patchcord/crm-adapters/relay';
import { describe, expect, it } from 'vitest';

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly body: unknown;
}

/** A HubSpot that answers as told, one after the other, and notes what it was asked. */
function hubSpot(...answers: readonly { readonly status: number; readonly body?: unknown }[]) {
  const asked: Asked[] = [];
  const waiting = [...answers];
  const answering: typeof fetch = (input, init) => {
    const url = new URL(String(input));
    const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined;
    asked.push({ method: init?.method ?? 'GET', path: url.pathname + url.search, body });
    const next = waiting.shift();
    if (next === undefined) throw new Error('HubSpot was asked more than expected');
    const text = next.body === undefined ? null : JSON.stringify(next.body);
    return Promise.resolve(new Response(text, { status: next.status }));
  };
  const options = { apiUrl: 'https://api.hubapi.com', accessToken: () => Promise.resolve('token'), portalId: 1 };
  return { asked, relay: createHubSpotRelay({ ...options, appId: 7, fetch: answering }) };
}
const lines = [
  { speaker: 'agent', speakerName: 'Ada', text: 'Hello', startMs: 2_000, endMs: 2_900, language: 'en-US' },
  { speaker: 'far-side', speakerName: 'Grace', text: 'Hi', startMs: 3_000, endMs: 3_500 },
] as const;
const said = (body: object) => ({ status: 200, body: { id: '42', properties: body } });

describe('the recording of a call', () => {
  it('is announced with the number of its log', async () => {
    const { asked, relay } = hubSpot({ status: 204 }, { status: 204 });
    expect(relay.can.recordings).toBe(true);
    await relay.recordingReady?.('9007199254740991');
    await relay.recordingReady?.('42');
    expect(asked).toEqual(
      [9_007_199_254_740_991, 42].map((engagementId) => ({
        method: 'POST',
        path: '/crm/v3/extensions/calling/recordings/ready',
        body: { engagementId },
      })),
    );
  });

  it('is not announced under an id that is none of HubSpot’s, and a refusal says what it is', async () => {
    const { asked, relay } = hubSpot({ status: 404, body: { message: 'no such engagement' } });
    for (const id of ['', 'no-number', '9007199254740993', '00Tx'])
      await expect(relay.recordingReady?.(id)).rejects.toThrow('none that HubSpot gives');
    expect(asked).toEqual([]);
    const refusal: unknown = await relay.recordingReady?.('42').catch((error: unknown) => error);
    expect(errorCode(refusal)).toBe('crm.not-found');
  });

  it('is left alone where no app is named: such calls can have none', () => {
    const relay = createHubSpotRelay({
      apiUrl: 'https://api.hubapi.com',
      accessToken: () => Promise.resolve('token'),
      portalId: 1,
    });
    expect(relay.can.recordings).toBe(false);
    expect(relay.recordingReady).toBeUndefined();
    expect(relay.writeTranscript).toBeUndefined();
  });
});

describe('the words of a call', () => {
  it('are given with who said them when, and the id of the transcript is kept', async () => {
    const { asked, relay } = hubSpot(said({}), { status: 201, body: { id: '777' } });
    expect(await relay.writeTranscript?.('42', lines, { answeredMs: 0 })).toBe('777');
    expect(asked[1]).toEqual({
      method: 'POST',
      path: '/crm/v3/extensions/calling/transcripts',
      body: {
        engagementId: 42,
        transcriptCreateUtterances: [
          {
            speaker: { id: 'agent', name: 'Ada' },
            text: 'Hello',
            startTimeMillis: 2_000,
            endTimeMillis: 2_900,
            languageCode: 'en-US',
          },
          { speaker: { id: 'far-side', name: 'Grace' }, text: 'Hi', startTimeMillis: 3_000, endTimeMillis: 3_500 },
        ],
      },
    });
  });

  it('are not given twice: a call that has a transcript after a lost answer keeps the one it has', async () => {
    const lost = hubSpot(said({}), { status: 502 });
    await expect(lost.relay.writeTranscript?.('42', lines, { answeredMs: 0 })).rejects.toMatchObject({
      retryable: true,
    });
    const { asked, relay } = hubSpot(said({ hs_call_has_transcript: 'true' }));
    expect(await relay.writeTranscript?.('42', lines, { answeredMs: 0 })).toBe('');
    expect(asked).toEqual([
      { method: 'GET', path: '/crm/v3/objects/calls/42?properties=hs_call_has_transcript', body: undefined },
    ]);
  });

  it('of a log that was deleted are no more to be given', async () => {
    const { relay } = hubSpot({ status: 404, body: { message: 'gone' } });
    const refusal: unknown = await relay
      .writeTranscript?.('42', lines, { answeredMs: 0 })
      .catch((error: unknown) => error);
    expect(errorCode(refusal)).toBe('crm.not-found');
  });
});
