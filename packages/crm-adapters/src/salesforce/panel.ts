/**
 * Owns the panel half of the Salesforce adapter: Open CTI in Lightning Experience. Registers each listener once, wraps every call with our own
 * deadline (the script has none: an unanswered call never ends), and takes late or doubled answers calmly. The wire's shapes stand in wire.ts.
 * Must never write a log: the relay does.
 */
import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import type { DialRequest, PanelHost, PanelHostOptions } from '../panel-contract.ts';
import { listeners, listenersOfState, settledOnce, withDeadline } from '../waiting.ts';
import { loadOpenCti } from './script.ts';
import {
  isId,
  type OpenCti,
  type OpenCtiCalls,
  type OpenCtiMethods,
  type Outcome,
  readAssertion,
  readClick,
  readHostAddress,
  readOutcome,
  readShown,
  scriptUrls,
} from './wire.ts';

/** Icons of Salesforce's own set, by what the phone does. */
const icons = {
  offline: 'offline',
  ready: 'call',
  ringing: 'incoming_call',
  'in-call': 'unmuted',
  'wrap-up': 'edit',
} as const;

const defaultTimeoutMs = 7_000;

export function createSalesforcePanel(options: PanelHostOptions): PanelHost {
  const { window } = options;
  const timeoutMs = options.hostTimeoutMs ?? defaultTimeoutMs;
  const dialled = listeners<readonly [DialRequest]>();
  const shown = listenersOfState<RecordRef | null>((one, other) => one?.id === other?.id);
  let opencti: OpenCti | null = null;
  let starting: Promise<void> | null = null;
  let clickable = true;
  let told = '';
  let stopped = false;

  /** One Open CTI call. The first answer counts; what comes after it or after the deadline is dropped. */
  function ask<M extends keyof OpenCtiCalls>(
    method: M,
    call: OpenCtiCalls[M],
    cti: OpenCti | null = opencti,
  ): Promise<Outcome> {
    if (cti === null)
      return Promise.reject(
        new PatchcordError('host.silent', 'The phone is not connected to the Salesforce page yet.'),
      );
    const answered = settledOnce<Outcome>();
    try {
      const methods: OpenCtiMethods = cti;
      methods[method]({ ...call, callback: (response) => answered.resolve(readOutcome(response)) });
    } catch (error) {
      answered.reject(
        new PatchcordError('host.refused', `Salesforce's phone script refused ${method}.`, { cause: error }),
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
  }

  /** For what is nice to have: a label that stays old must not disturb a call. */
  function tell<M extends keyof OpenCtiCalls>(method: M, call: OpenCtiCalls[M]): void {
    ask(method, call).catch(() => {});
  }

  async function connect(): Promise<void> {
    if (window.parent === window)
      throw new PatchcordError(
        'host.absent',
        'This page is the phone inside Salesforce. Open Salesforce and start the phone from the utility bar.',
      );
    const address = readHostAddress(window.location.search, options.hostOrigins);
    if (!address.ok) throw new PatchcordError(address.code, address.reason);
    // Chromium and Safari say who really frames us; the query alone is only a claim.
    const framing = window.location.ancestorOrigins?.[0];
    if (framing !== undefined && framing !== address.origin)
      throw new PatchcordError(
        'host.not-authentic',
        'The page that frames the phone is not the Salesforce page it names.',
      );
    const cti = await loadOpenCti(window, scriptUrls(address.origin), timeoutMs);
    // Only an answered call proves a host: a refused script is silent.
    const settings = await ask('getCallCenterSettings', {}, cti);
    if (!settings.ok)
      throw new PatchcordError(
        'host.refused',
        `Salesforce has no call center for you (${settings.reason}). An administrator adds you under Setup > Call Centers > Manage Call Center Users.`,
      );
    opencti = cti;
    // There is no way to unregister, so each is registered once for the life of the page.
    cti.onClickToDial({
      listener: (payload) => {
        const request = readClick(payload);
        if (request !== null && !stopped) dialled.tell(request);
      },
    });
    cti.onNavigationChange({
      listener: (payload) => {
        if (!stopped) shown.tell(readShown(payload));
      },
    });
    if (clickable) tell('enableClickToDial', {});
    ask('getAppViewInfo', {}).then(
      (view) => {
        if (view.ok && !stopped) shown.tell(readShown(view.value));
      },
      () => {},
    );
    // Without this the page would show its standby address after a while.
    cti.notifyInitializationComplete();
  }

  return {
    crm: 'salesforce',
    can: { proveIdentity: true, pops: ['record'], clickToDial: true, raise: true },
    start() {
      starting ??= connect().catch((error: unknown) => {
        starting = null;
        throw error;
      });
      return starting;
    },
    async proveIdentity() {
      const answer = await ask('runApex', {
        apexClass: 'PatchcordIdentity',
        methodName: 'mintAssertion',
        methodParams: `audience=${encodeURIComponent(options.audience)}`,
      });
      if (!answer.ok)
        throw new PatchcordError(
          'host.refused',
          `Salesforce did not say who you are (${answer.reason}). An administrator should assign the permission set "Patchcord Agent" to you.`,
        );
      const assertion = readAssertion(answer.value);
      if (assertion === null)
        throw new PatchcordError(
          'host.refused',
          'Salesforce answered without a proof of who you are. The Apex class PatchcordIdentity in the org should be updated.',
        );
      return { kind: 'salesforce-assertion', assertion };
    },
    showAvailability({ signedIn }) {
      if (signedIn === clickable) return;
      clickable = signedIn;
      if (opencti !== null) tell(signedIn ? 'enableClickToDial' : 'disableClickToDial', {});
    },
    async pop(target) {
      if (target.kind !== 'record')
        throw new PatchcordError('host.refused', `Salesforce cannot open a ${target.kind}.`);
      const { record } = target;
      if (record.crm !== 'salesforce' || !isId(record.id))
        throw new PatchcordError('crm.not-found', 'This record is not in Salesforce.');
      const answer = await ask('screenPop', { type: 'sobject', params: { recordId: record.id } });
      if (!answer.ok)
        throw new PatchcordError(
          /not found|does not exist|invalid.*id|deleted/i.test(answer.reason) ? 'crm.not-found' : 'host.refused',
          `Salesforce did not open the record (${answer.reason}).`,
        );
    },
    callStarted() {},
    callAnswered() {},
    callEnded() {},
    callCompleted() {},
    logSaved() {
      tell('refreshView', {});
    },
    showState(state, label) {
      if (opencti === null || told === `${state} ${label}`) return;
      const rings = state === 'ringing' && !told.startsWith('ringing ');
      told = `${state} ${label}`;
      tell('setSoftphoneItemLabel', { label });
      tell('setSoftphoneItemIcon', { key: icons[state] });
      if (rings) tell('setSoftphonePanelVisibility', { visible: true });
    },
    onDialRequested: dialled.add,
    onRecordShown: shown.add,
    onHangUpRequested: () => () => {},
    onMatchesFound: () => () => {},
    stop() {
      if (stopped) return;
      stopped = true;
      if (opencti !== null) tell('disableClickToDial', {});
      dialled.clear();
      shown.clear();
    },
  };
}
