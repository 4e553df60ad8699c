/**
 * Owns calling Open CTI: every call with a deadline of its own (the script has none: an unanswered call never ends), the first answer counts,
 * and whatever is thrown (the script throws bare strings, the browser throws on what can't be copied) becomes a PatchcordError. An answer may
 * belong to an earlier load of this page, because the script counts its calls from 0 each time: whoever reads one checks its shape.
 */
import { PatchcordError } from '@patchcord/call-protocol';
import { settledOnce, withDeadline } from '../waiting.ts';
import { type Outcome, readOutcome } from './wire.ts';

/** The calls we make and what they take. */
export interface OpenCtiCalls {
  enableClickToDial: object;
  disableClickToDial: object;
  getAppViewInfo: object;
  getCallCenterSettings: object;
  notifyInitializationComplete: object;
  screenPop: { readonly type: string; readonly params: Readonly<Record<string, unknown>> };
  runApex: { readonly apexClass: string; readonly methodName: string; readonly methodParams: string };
  refreshView: object;
  setSoftphonePanelVisibility: { readonly visible: boolean };
  setSoftphonePanelHeight: { readonly heightPX: number };
  setSoftphonePanelWidth: { readonly widthPX: number };
  setSoftphoneItemLabel: { readonly label: string };
  setSoftphoneItemIcon: { readonly key: string };
  setSoftphonePanelLabel: { readonly label: string };
  setSoftphonePanelIcon: { readonly key: string };
  subscribe: { readonly channelName: string; readonly listener: (message: unknown) => void };
  unsubscribe: { readonly subscription: object };
  publish: { readonly channelName: string; readonly message: object };
}

type Answered = { readonly callback: (response: unknown) => void };
type OpenCtiMethods = { readonly [M in keyof OpenCtiCalls]: (call: OpenCtiCalls[M] & Answered) => void };
/** Open CTI as far as we use it. What it hands back is believed only after a reader of wire.ts. */
export type OpenCti = OpenCtiMethods & {
  onClickToDial(call: { listener: (payload: unknown) => void }): void;
  onNavigationChange(call: { listener: (payload: unknown) => void }): void;
};

export interface OpenCtiPort {
  /**
   * One call. `hear` gets every answer as it came, also one after the deadline.
   * @throws PatchcordError `host.refused` (the script or the browser threw), `host.silent` (no answer in time)
   */
  ask<M extends keyof OpenCtiCalls>(
    method: M,
    call: OpenCtiCalls[M],
    hear?: (response: unknown) => void,
  ): Promise<Outcome>;
  /** For what is nice to have: a label that stays old must not disturb a call. */
  tell<M extends keyof OpenCtiCalls>(method: M, call: OpenCtiCalls[M]): void;
}

/** Wraps what the org's script brought; null: nothing is connected yet, and every call says so. */
export function openCtiPort(connected: () => OpenCti | null, timeoutMs: number): OpenCtiPort {
  const ask: OpenCtiPort['ask'] = (method, call, hear) => {
    const opencti = connected();
    if (opencti === null)
      return Promise.reject(
        new PatchcordError('host.silent', 'The phone is not connected to the Salesforce page yet. Reload the page.', {
          retryable: true,
        }),
      );
    const answered = settledOnce<Outcome>();
    const callback = (response: unknown): void => {
      hear?.(response);
      answered.resolve(readOutcome(response));
    };
    try {
      const methods: OpenCtiMethods = opencti;
      methods[method]({ ...call, callback });
    } catch (error) {
      answered.reject(
        new PatchcordError(
          'host.refused',
          `Salesforce's phone script refused ${method} (${thrownText(error)}). Reload the page.`,
          { cause: error },
        ),
      );
    }
    return withDeadline(
      answered.promise,
      timeoutMs,
      () =>
        new PatchcordError('host.silent', `The Salesforce page did not answer (${method}). Reload the page.`, {
          retryable: true,
        }),
    );
  };
  return {
    ask,
    tell(method, call) {
      ask(method, call).catch(() => {});
    },
  };
}

/** What was thrown, in one bounded line: an Error of any realm, a bare string, anything. */
function thrownText(error: unknown): string {
  const text = typeof error === 'string' ? error : (error as { message?: unknown } | null)?.message;
  return typeof text === 'string' ? text.slice(0, 200) : 'no reason given';
}
