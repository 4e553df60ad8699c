/**
 * Asks an OpenAI-compatible endpoint to sum a call up. Owns what leaves the relay: who spoke (agent or far side), when, the kept words, the direction,
 * the tenant's outcomes. No number, no name of a record, no note, no id of the call. Must never log or pass on what came back but as `summary-answer.ts`
 * reads it, nor follow a redirect.
 */
import { randomBytes } from 'node:crypto';
import { type CallLog, type MachineSummary, PatchcordError, type TranscriptLine } from '@patchcord/call-protocol';
import type { SummarySettings } from '../config/after-call.ts';
import { loopbackNames } from '../config/fields.ts';
import type { TenantConfig } from '../config.ts';
import { retryAfter } from '../delivery/deliver-webhook.ts';
import { type OutsideAnswer, postOutside } from '../delivery/outside-http.ts';
import { readAnswer } from './summary-answer.ts';
import { answerSchema, messagesOf } from './summary-prompt.ts';

/** Of the words of a call: an hour of talk has about 50,000 characters. A longer call is told by its beginning and its end. */
const mostCharacters = 120_000;
const ofBeginning = 0.3;
const longestAnswer = 262_144;

/** @throws PatchcordError whose `retryable` and `retryAfterMs` say what to do; its message is for an administrator */
export async function askForSummary(
  config: TenantConfig,
  settings: SummarySettings,
  log: Pick<CallLog, 'direction'>,
  lines: readonly TranscriptLine[],
  now: number,
): Promise<MachineSummary> {
  const { key, model, timeoutMs, maxTokens, tokenLimit, temperature, language } = settings;
  const { dispositions } = config;
  const answer = await reached(() =>
    postOutside(addressOf(settings.url), {
      headers: {
        'content-type': 'application/json; charset=utf-8',
        accept: 'application/json',
        'user-agent': 'Patchcord',
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
      },
      body: JSON.stringify({
        model,
        messages: messagesOf({
          language: language ?? null,
          direction: log.direction,
          dispositions,
          lines: toldLines(lines),
          fence: randomBytes(12).toString('hex'),
        }),
        [tokenLimit]: maxTokens,
        ...(temperature === undefined ? {} : { temperature }),
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'call_summary', strict: true, schema: answerSchema(dispositions) },
        },
      }),
      timeoutMs,
      longestAnswer,
      allowPrivate: settings.allowPrivate || isOnThisMachine(settings.url),
    }),
  );
  refuse(answer, now);
  return readAnswer(answer.body, { model, dispositions, shapes: config.transcription?.redact ?? [] });
}

/** People paste the base with or without its version. */
function addressOf(base: string): string {
  return `${base.replace(/\/+$/, '').replace(/\/v1$/, '')}/v1/chat/completions`;
}

function isOnThisMachine(url: string): boolean {
  const { hostname } = new URL(url);
  return loopbackNames.has(hostname) || hostname.endsWith('.localhost');
}

/** The words, oldest first, as JSON texts; of a very long call the middle is left out, and that is said. */
function toldLines(lines: readonly TranscriptLine[]): readonly string[] {
  const told = lines.map(({ speaker, startMs, endMs, text, gap }) => {
    const second = Math.round(startMs / 1_000);
    if (gap !== undefined) return JSON.stringify({ second, unheardSeconds: Math.ceil((endMs - startMs) / 1_000) });
    // "<" is written out, so that nothing in a line can look like the end of the fence.
    return JSON.stringify({ speaker, second, text }).replaceAll('<', '\\u003c');
  });
  const size = told.reduce((sum, line) => sum + line.length, 0);
  if (size <= mostCharacters) return told;
  const beginning: string[] = [];
  const end: string[] = [];
  let left = mostCharacters * ofBeginning;
  for (const line of told) {
    left -= line.length;
    if (left < 0) break;
    beginning.push(line);
  }
  left = mostCharacters * (1 - ofBeginning);
  for (const line of told.slice(beginning.length).reverse()) {
    left -= line.length;
    if (left < 0) break;
    end.unshift(line);
  }
  return [...beginning, '{"left out":"the middle of a very long call"}', ...end];
}

async function reached(ask: () => Promise<OutsideAnswer>): Promise<OutsideAnswer> {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof PatchcordError)) throw error;
    const { code, retryable, message } = error;
    throw new PatchcordError(code, `No summary could be asked for: ${message}`, { retryable, cause: error });
  }
}

/** Anything but an answer, in words. Its body stays unread: it may repeat the call, or the key. */
function refuse({ status, headers }: OutsideAnswer, now: number): void {
  if (status >= 200 && status < 300) return;
  const retryAfterMs = retryAfter(headers['retry-after'] ?? null, now);
  const later = { retryable: true, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) } as const;
  const said = `The endpoint that sums calls up answered ${status}`;
  if (status === 429) throw new PatchcordError('request.too-many', `${said}: too much was asked of it.`, later);
  if (status === 408 || status >= 500) throw new PatchcordError('crm.unavailable', `${said}.`, later);
  const why =
    status === 401 || status === 403
      ? 'it does not take the key. Correct "key" in "summary"'
      : status === 402
        ? 'its account is out of funds'
        : status === 404
          ? 'it does not know this address or model. Correct "url" or "model" in "summary"'
          : status === 413
            ? 'the call is too long for it'
            : status < 400
              ? 'a redirect, and these are not followed. Give the address it leads to'
              : 'it does not take this request. It may not know "response_format" with a schema, "temperature", or call the limit of tokens otherwise ("tokenLimit")';
  throw new PatchcordError('config.invalid', `${said}: ${why}, then ask for this summary again.`);
}
