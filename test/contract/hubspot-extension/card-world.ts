/**
 * Runs the HubSpot extension without HubSpot, in HubSpot's own test renderer: the extension's own source, and a stand-in for what HubSpot's server makes of
 * `hubspot.fetch`. Owns loading and the requests that were sent; what the relay answers is the test's to say.
 */
import { readFileSync } from 'node:fs';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { createRenderer, type Renderer } from '@hubspot/ui-extensions/testing';
import { type ComponentType, createElement } from 'react';
import { vi } from 'vitest';

const source = fileURLToPath(new URL('../../../hubspot-extension/src/', import.meta.url));

/** As in the upload profile of the project. */
export const relayOrigin: string = JSON.parse(readFileSync(`${source}hsprofile.production.json`, 'utf8')).variables
  .RELAY_URL;

export interface Sent {
  /** Path on the relay. */
  readonly path: string;
  readonly body: Readonly<Record<string, unknown>>;
  readonly timeout: number | undefined;
}
export type Reply = (sent: Sent) => unknown;

/** What HubSpot's server does with a request of a card; the answer is what the card gets. */
type Fetch = (
  url: string,
  options: { method?: string; timeout?: number; body?: Record<string, unknown> },
) => Promise<Response>;

/** Stands for HubSpot's server until the test ends (`vi.unstubAllGlobals`). A reply that throws is a failed connection. */
export function relayAnswers(replies: Readonly<Record<string, Reply>>): readonly Sent[] {
  const sent: Sent[] = [];
  hubSpotFetches(async (url, { timeout, body }) => {
    const request: Sent = { path: url.replace(relayOrigin, ''), body: structuredClone(body ?? {}), timeout };
    sent.push(request);
    const reply = replies[request.path];
    if (reply === undefined) throw new Error(`The card asked for ${url}, which this test does not expect.`);
    const answer = await reply(request);
    return answer instanceof Response ? answer : Response.json(answer);
  });
  return sent;
}

export function hubSpotFetches(fetch: Fetch): void {
  vi.stubGlobal('self', { hsFetch: fetch });
}

/** A refusal as the relay words it. */
export const refusal = (message: string, code = 'request.refused') => ({ error: { code, message, retryable: false } });

/** The component of an entrypoint. Its own folder's settings decide how it is compiled, not this repository's. */
export async function extensionAt(entrypoint: string, name: string): Promise<ComponentType> {
  const module = (await import(/* @vite-ignore */ pathToFileURL(source + entrypoint).href)) as Record<
    string,
    ComponentType
  >;
  const component = module[name];
  if (component === undefined) throw new Error(`${entrypoint} exports no ${name}.`);
  return component;
}

/** Gives a handler of a component a value. HubSpot's renderer types that argument as the handler itself. */
export function give(
  node: { trigger(handler: never, value: never): void },
  handler: 'onChange' | 'onInput',
  value: unknown,
): void {
  node.trigger(handler as never, value as never);
}

type Place = 'crm.record.sidebar' | 'helpdesk.sidebar' | 'settings';

/** Draws a component at a place of HubSpot. Every action and hook is HubSpot's own test double. */
export function draw<P extends Place>(
  component: ComponentType,
  place: P,
  prepare: (renderer: Renderer<P>) => void = () => {},
): Renderer<P> {
  const renderer = createRenderer(place);
  renderer.mocks.context.variables = { RELAY_URL: relayOrigin, DOCS_URL: `${relayOrigin}/docs` };
  renderer.mocks.context.user.locale = 'en-us';
  prepare(renderer);
  renderer.render(createElement(component));
  return renderer;
}
