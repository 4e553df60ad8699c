/**
 * Owns asking the relay: the signed way there, what may go wrong on it, and the words for it. Knows no route and no answer's shape. Must never
 * throw, keep anything, or say who asks: HubSpot signs that. The settings page has the same file: HubSpot builds each folder alone.
 */
import { hubspot } from '@hubspot/ui-extensions';

/** An answer that has been checked, or why there is none and what to do, for a person. */
export type Answer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly code: string; readonly text: string };

/** Sends `body` to a route of the relay; `read` gives null for an answer of another shape. */
export type Ask = <T>(path: string, body: object, read: (answer: unknown) => T | null) => Promise<Answer<T>>;

/** HubSpot's own default for a request of a card. */
const timeoutMs = 15_000;

/** `variables` of the extension's context: the profile it was uploaded with names the relay in `RELAY_URL`. */
export function relayAt(variables: Readonly<Record<string, unknown>> | undefined): Ask {
  const origin = variables?.RELAY_URL;
  return async (path, body, read) => {
    if (typeof origin !== 'string' || !/^https?:\/\/[^/]+$/.test(origin))
      return failure(
        'card.no-relay',
        'This app was uploaded without the address of its phone service. Ask your administrator to set RELAY_URL in the upload profile and to upload the app again.',
      );
    try {
      const response = await hubspot.fetch(`${origin}${path}`, {
        method: 'POST',
        timeout: timeoutMs,
        body: { ...body },
      });
      if (response.status === 429)
        return failure(
          'card.too-many',
          'HubSpot lets only so many requests through at once. Wait a minute and try again.',
        );
      return readAnswer(await response.json(), read);
    } catch {
      return failure(
        'card.no-answer',
        'The phone service could not be reached. Try again; if it stays, ask your administrator whether it is running.',
      );
    }
  };
}

/** Somebody else's JSON as an object; empty where it is none. */
export function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** Reads each item of a list; null where it is no list or one item is of another shape. */
export function listOf<T>(value: unknown, read: (item: unknown) => T | null): readonly T[] | null {
  if (!Array.isArray(value)) return null;
  const items = value.map(read);
  return items.every((item): item is Awaited<T> & T => item !== null) ? items : null;
}

export function textOr<T>(value: unknown, otherwise: T): string | T {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

/** By the shape alone: HubSpot hides the relay's status, and may put a refusal into an envelope of its own. */
function readAnswer<T>(answer: unknown, read: (answer: unknown) => T | null): Answer<T> {
  const { responseBody } = asObject(answer);
  const said = responseBody === undefined ? answer : responseBody;
  const refusal = asObject(asObject(said).error);
  if (typeof refusal.message === 'string' && refusal.message !== '')
    return failure(textOr(refusal.code, 'card.refused'), refusal.message);
  const value = read(said);
  if (value !== null) return { ok: true, value };
  return failure(
    'card.not-understood',
    'The phone service gave no answer that this card understands. Try again; if it stays, ask your administrator to upload the newest version of the app.',
  );
}

function failure(code: string, text: string): Answer<never> {
  return { ok: false, code, text };
}
