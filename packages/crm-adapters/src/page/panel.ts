/**
 * Owns the panel half for a plain page: any page of a company's own that frames the panel, or no page at all (the panel opened by itself works
 * stand-alone). Speaks only to its parent, only to an origin from the list, and only after that page said hello. The wire stands in wire.ts.
 */
import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import type { DialRequest, PanelHost, PanelHostOptions } from '../panel-contract.ts';
import { listeners, listenersOfState, settledOnce, withDeadline } from '../waiting.ts';
import { type PanelMessage, readHostMessage, toWire } from './wire.ts';

const defaultTimeoutMs = 5_000;

export function createPagePanel(options: PanelHostOptions): PanelHost {
  const { window } = options;
  const framed = window.parent !== window;
  const dialled = listeners<readonly [DialRequest]>();
  const shown = listenersOfState<RecordRef | null>(
    (one, other) => one?.id === other?.id && one?.object === other?.object,
  );
  const greeted = settledOnce<void>();
  let hostOrigin: string | null = null;
  let listening = false;
  let told = '';
  let sizes: ResizeObserver | null = null;

  function send(message: PanelMessage): void {
    if (hostOrigin !== null) window.parent.postMessage(toWire(message), hostOrigin);
  }

  function hear(event: MessageEvent<unknown>): void {
    if (event.source !== window.parent) return;
    const message = readHostMessage(event.data);
    if (message === null) return;
    if (
      !options.hostOrigins.includes(event.origin) ||
      (message.type === 'hello' && message.hostOrigin !== event.origin)
    ) {
      greeted.reject(
        new PatchcordError(
          'host.not-authentic',
          `The page that frames the phone (${event.origin.slice(0, 120)}) is not on its list. An administrator can add this address to the tenant’s host origins.`,
        ),
      );
      return;
    }
    if (message.type === 'hello') {
      hostOrigin = event.origin;
      // The page repeats its hello until it hears this.
      send({ type: 'ready' });
      greeted.resolve();
    } else if (hostOrigin === null || event.origin !== hostOrigin) return;
    else if (message.type === 'dial') {
      const { type: _type, ...request } = message;
      dialled.tell(request);
    } else shown.tell(message.record);
  }

  function watchHeight(): void {
    const { document } = window;
    const Observer = (window as Window & { ResizeObserver?: typeof ResizeObserver }).ResizeObserver;
    if (Observer === undefined || sizes !== null) return;
    sizes = new Observer(() => send({ type: 'height', height: Math.ceil(document.documentElement.scrollHeight) }));
    sizes.observe(document.body);
  }

  return {
    crm: 'page',
    can: { proveIdentity: false, pops: framed ? ['record'] : [], clickToDial: framed, raise: false },
    async start() {
      if (!framed) return;
      if (!listening) {
        listening = true;
        window.addEventListener('message', hear);
      }
      await withDeadline(
        greeted.promise,
        options.hostTimeoutMs ?? defaultTimeoutMs,
        () =>
          new PatchcordError(
            'host.silent',
            'The page around the phone did not say hello. It must post { patchcord: 1, type: "hello", hostOrigin } to the phone’s frame until it hears "ready".',
            { retryable: true },
          ),
      );
      watchHeight();
    },
    proveIdentity: () => Promise.resolve(null),
    // The panel opened by itself has no page around it: its tabs are one audience of their own.
    audienceKey: () => (framed ? hostOrigin : 'alone'),
    showAvailability() {},
    pop(target) {
      if (hostOrigin === null || target.kind !== 'record')
        return Promise.reject(
          new PatchcordError('host.refused', 'There is no page around the phone that could open this.'),
        );
      const { id, object } = target.record;
      send({ type: 'open-record', record: { id, object } });
      return Promise.resolve();
    },
    callStarted() {},
    callAnswered() {},
    callEnded() {},
    callCompleted() {},
    logSaved(call, logId) {
      send({ type: 'log-saved', call: call.id, logId });
    },
    showState(state, label) {
      if (hostOrigin === null || told === `${state} ${label}`) return;
      told = `${state} ${label}`;
      send({ type: 'state', state, label });
    },
    onDialRequested: dialled.add,
    onRecordShown: shown.add,
    onHangUpRequested: () => () => {},
    onMatchesFound: () => () => {},
    stop() {
      window.removeEventListener('message', hear);
      sizes?.disconnect();
      dialled.clear();
      shown.clear();
    },
  };
}
