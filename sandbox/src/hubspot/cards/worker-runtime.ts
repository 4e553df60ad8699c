/**
 * Owns what HubSpot gives an extension inside its web worker: React and remote-ui as globals, `extend`, `fetch`, context, actions and the record's data.
 * Everything else of a worker is taken away before the extension runs, so that what HubSpot forbids fails here too.
 */
import { createRemoteRoot } from '@remote-ui/core';
import * as RemoteUI from '@remote-ui/react';
import * as React from 'react';
import { type CardContext, type FromWorker, type Question, type ToWorker, withoutFunctions } from './wire.ts';

interface Scope extends Record<string, unknown> {
  onmessage: ((event: { readonly data: ToWorker }) => void) | null;
  postMessage(message: FromWorker): void;
  importScripts(url: string): void;
}
const scope = globalThis as unknown as Scope;
const send = scope.postMessage.bind(scope);
const load = scope.importScripts.bind(scope);

/** What a card may not use: the network by itself, storage, other workers, code from elsewhere. */
const forbidden = [
  'fetch',
  'XMLHttpRequest',
  'WebSocket',
  'EventSource',
  'indexedDB',
  'caches',
  'Worker',
  'BroadcastChannel',
];

const functions = new Map<number, (...args: unknown[]) => unknown>();
const waiting = new Map<number, { answered(value: unknown): void; refused(error: Error): void }>();
let serial = 0;

function ask(question: Question, value: unknown): Promise<unknown> {
  serial += 1;
  const id = serial;
  return new Promise((answered, refused) => {
    waiting.set(id, { answered, refused });
    send({ type: 'ask', id, question, value });
  });
}

async function hsFetch(url: string | URL, options: Record<string, unknown> = {}): Promise<Response> {
  const answer = (await ask('fetch', { url: `${url}`, ...options })) as { status: number; body: string };
  return new Response(answer.body, { status: answer.status, headers: { 'content-type': 'application/json' } });
}

/** The hooks read what they asked for out of a response's `json()`. */
const asResponse = async (answer: Promise<unknown>): Promise<{ json(): Promise<unknown> }> => {
  const data = await answer;
  return { json: async () => ({ data }) };
};

function start(context: CardContext, bundle: string): void {
  const action =
    (name: string) =>
    (...args: unknown[]) =>
      send({ type: 'action', name, args: withoutFunctions(args, () => 0) as unknown[] });
  const actions = Object.fromEntries(
    [
      'addAlert',
      'reloadPage',
      'copyTextToClipboard',
      'closeOverlay',
      'openIframeModal',
      'navigateToPage',
      'refreshObjectProperties',
      'onCrmPropertiesUpdate',
    ].map((name) => [name, action(name)]),
  );
  const api = { context, actions };
  const here = { objectTypeId: context.crm?.objectTypeId, objectId: context.crm?.objectId };
  for (const name of forbidden) Object.defineProperty(scope, name, { value: undefined });
  Object.assign(scope, {
    __HUBSPOT_EXTENSION_WORKER__: true,
    React,
    RemoteUI,
    hsFetch,
    logger: { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} },
    hsWorkerAPI: {
      useExtensionApi: () => api,
      useExtensionContext: () => context,
      useExtensionActions: () => actions,
      fetchCrmProperties: (names: unknown) => asResponse(ask('properties', { ...here, names })),
      fetchAssociations: (request: object) => asResponse(ask('associations', { ...here, ...request })),
    },
    extend_V2: (draw: (given: typeof api) => React.ReactElement) => {
      const root = createRemoteRoot((step, ...args) => {
        const kept = withoutFunctions(args, (called) => {
          serial += 1;
          functions.set(serial, called);
          return serial;
        });
        send({ type: 'tree', step, args: kept as unknown[] });
      });
      RemoteUI.createRoot(root).render(draw(api));
      void root.mount();
    },
  });
  scope.importScripts = () => {
    throw new Error('An extension loads no other scripts.');
  };
  load(bundle);
}

scope.onmessage = ({ data }) => {
  if (data.type === 'call') functions.get(data.id)?.(...data.args);
  else if (data.type === 'answer' || data.type === 'no-answer') {
    const question = waiting.get(data.id);
    waiting.delete(data.id);
    if (data.type === 'answer') question?.answered(data.value);
    else question?.refused(new Error(data.message));
  } else {
    try {
      start(data.context, data.bundle);
    } catch (error) {
      send({ type: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  }
};
