/**
 * The few words of Asterisk's REST interface that issuing needs: push configuration (`/asterisk/config/dynamic/res_pjsip`), endpoints, channels.
 * Must never log the password, and never assume that what it deletes is there.
 */
import { PatchcordError } from '@patchcord/call-protocol';

const timeoutMs = 5_000;
const tries = 3;

type AriObject = 'auth' | 'aor' | 'endpoint';

export interface AriClient {
  /** Makes or changes an object. Fields may repeat. */
  put(type: AriObject, id: string, fields: readonly (readonly [attribute: string, value: string])[]): Promise<void>;
  has(type: AriObject, id: string): Promise<boolean>;
  /** Gone is gone, also when it was never there. */
  remove(type: AriObject, id: string): Promise<void>;
  /** What an endpoint has there; null without it. */
  attribute(endpoint: string, name: string): Promise<string | null>;
  /** Whether Asterisk could call an endpoint: `online`, `offline`, `unknown`; null without it. */
  state(endpoint: string): Promise<string | null>;
  /** Sets a global variable of the dial plan, which Asterisk forgets when it restarts. */
  setVariable(name: string, value: string): Promise<void>;
  /** Every PJSIP endpoint Asterisk knows, pushed or from a file. */
  endpoints(): Promise<readonly string[]>;
  channels(): Promise<readonly { readonly id: string; readonly endpoint: string }[]>;
  /** Where the devices of an AOR are registered: contact URIs. Asterisk answers that only in the surroundings of a channel, whichever it is. */
  contacts(aor: string, channel: string): Promise<readonly string[]>;
  /** The contact a channel was called at; '' when it isn't known. */
  target(channel: string): Promise<string>;
  /** The SIP Call-ID of a channel; '' when it isn't known. */
  sipCallId(channel: string): Promise<string>;
  hangUp(channel: string): Promise<void>;
}

/** @throws PatchcordError from every method: `sip.unreachable`, `sip.refused`, both retryable */
export function ariClient(options: {
  readonly url: string;
  readonly username: string;
  readonly password: string;
}): AriClient {
  const base = options.url.replace(/\/+$/, '');
  const authorization = `Basic ${Buffer.from(`${options.username}:${options.password}`).toString('base64')}`;

  /** A connection that Asterisk closed just now costs one more try. */
  async function send(
    method: string,
    path: string,
    body: unknown,
  ): Promise<{ readonly response: Response; readonly text: string }> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        const response = await fetch(`${base}${path}`, {
          method,
          headers: { authorization, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
          ...(body === undefined ? {} : { body: JSON.stringify(body) }),
          redirect: 'error',
          signal: AbortSignal.timeout(timeoutMs),
        });
        return { response, text: await response.text() };
      } catch (cause) {
        if (attempt < tries && (cause as { cause?: { code?: unknown } }).cause?.code === 'UND_ERR_SOCKET') continue;
        throw new PatchcordError(
          'sip.unreachable',
          'Asterisk did not answer over ARI. Check sip.credential.url and that Asterisk runs.',
          { retryable: true, cause },
        );
      }
    }
  }

  /** The answer's body, or null for 404. */
  async function ask(method: string, path: string, body?: unknown): Promise<unknown> {
    let { response, text } = await send(method, path, body);
    // Of two that make the same object at once Asterisk refuses the later; asked again, it changes the one that is there.
    if (response.status === 403 && method === 'PUT') ({ response, text } = await send(method, path, body));
    if (response.status === 404) return null;
    if (!response.ok) {
      const why =
        response.status === 401
          ? 'it knows no such user and password'
          : response.status === 403
            ? 'the ARI user may only read, or sorcery.conf gives these objects nowhere to be written'
            : 'see the log of Asterisk';
      throw new PatchcordError(
        'sip.refused',
        `Asterisk refused ${method} over ARI with ${response.status}: ${why}. Check it against deploy/asterisk.`,
        {
          retryable: true,
        },
      );
    }
    return text === '' ? true : (JSON.parse(text) as unknown);
  }
  const object = (type: AriObject, id: string): string =>
    `/asterisk/config/dynamic/res_pjsip/${type}/${encodeURIComponent(id)}`;

  const evaluated = async (channel: string, expression: string): Promise<string> =>
    valueIn(
      await ask('GET', `/channels/${encodeURIComponent(channel)}/variable?variable=${encodeURIComponent(expression)}`),
    );

  return {
    async put(type, id, fields) {
      const body = { fields: fields.map(([attribute, value]) => ({ attribute, value })) };
      if ((await ask('PUT', object(type, id), body)) === null)
        throw new PatchcordError(
          'sip.refused',
          'Asterisk has no push configuration over ARI: is res_ari_asterisk loaded?',
          { retryable: true },
        );
    },
    has: async (type, id) => (await ask('GET', object(type, id))) !== null,
    remove: async (type, id) => void (await ask('DELETE', object(type, id))),
    async attribute(endpoint, name) {
      for (const { attribute, value } of listOf(await ask('GET', object('endpoint', endpoint))))
        if (attribute === name && typeof value === 'string') return value;
      return null;
    },
    async state(endpoint) {
      const answer = await ask('GET', `/endpoints/PJSIP/${encodeURIComponent(endpoint)}`);
      if (answer === null) return null;
      const state = typeof answer === 'object' ? Reflect.get(answer, 'state') : undefined;
      return typeof state === 'string' ? state : 'unknown';
    },
    setVariable: async (name, value) =>
      void (await ask(
        'POST',
        `/asterisk/variable?variable=${encodeURIComponent(name)}&value=${encodeURIComponent(value)}`,
      )),
    async endpoints() {
      const names = listOf(await ask('GET', '/endpoints/PJSIP')).map(({ resource }) => resource);
      return names.filter((name) => typeof name === 'string');
    },
    async channels() {
      return listOf(await ask('GET', '/channels')).flatMap(({ id, name }) => {
        // PJSIP/<endpoint>-<8 hex>
        const endpoint = /^PJSIP\/(.+)-[0-9a-f]+$/.exec(String(name))?.[1];
        return typeof id === 'string' && endpoint !== undefined ? [{ id, endpoint }] : [];
      });
    },
    async contacts(aor, channel) {
      const value = (expression: string): Promise<string> => evaluated(channel, expression);
      const ids = (await value(`PJSIP_AOR(${aor},contact)`)).split(',').filter((id) => id !== '');
      return Promise.all(ids.map((id) => value(`PJSIP_CONTACT(${id},uri)`)));
    },
    target: (channel) => evaluated(channel, 'CHANNEL(pjsip,target_uri)'),
    sipCallId: (channel) => evaluated(channel, 'CHANNEL(pjsip,call-id)'),
    hangUp: async (channel) => void (await ask('DELETE', `/channels/${encodeURIComponent(channel)}`)),
  };
}

function valueIn(answer: unknown): string {
  const value = typeof answer === 'object' && answer !== null ? Reflect.get(answer, 'value') : undefined;
  return typeof value === 'string' ? value : '';
}

function listOf(answer: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(answer) ? answer.filter((item) => typeof item === 'object' && item !== null) : [];
}
