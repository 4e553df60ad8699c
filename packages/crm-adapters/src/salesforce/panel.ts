/**
 * Owns the panel half of the Salesforce adapter: Open CTI in Lightning Experience. The door; behind it each thing has its own module: who frames
 * us (host-address.ts), the script (script.ts), calling it (opencti.ts), reading it (wire.ts), what is opened (pops.ts), the message channel
 * (page-channel.ts), what can be looked at (self-checks.ts). Registers each listener once per page, because there is no way to unregister.
 * Must never write a log: the relay does.
 */
import { PatchcordError, type RecordRef } from '@patchcord/call-protocol';
import type { DialRequest, PanelHost, PanelHostOptions } from '../panel-contract.ts';
import { listeners, listenersOfState } from '../waiting.ts';
import { isScriptHost, readHostAddress, scriptUrls } from './host-address.ts';
import { type OpenCti, openCtiPort } from './opencti.ts';
import { channelName, createSalesforceChannel } from './page-channel.ts';
import { createPops } from './pops.ts';
import { type LoadedScript, loadOpenCti } from './script.ts';
import type { SelfCheckSubject } from './self-checks.ts';
import { createViewRefresh } from './view-refresh.ts';
import { readAssertion, readClick, readPixels, readSettings, readShown } from './wire.ts';

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
  const looked = listeners<readonly []>();
  const shown = listenersOfState<RecordRef | null>((one, other) => one?.id === other?.id);
  let script: OpenCti | null = null;
  let connected = false;
  let starting: Promise<void> | null = null;
  const listening = new Set<string>();
  let navigated = false;
  let clickable = true;
  let told = '';
  let stopped = false;
  let settings: ReadonlyMap<string, string> | null = null;
  const port = openCtiPort(() => script, timeoutMs);
  const pops = createPops(port);
  const refresh = createViewRefresh(
    () => window.document?.visibilityState !== 'hidden' && !pops.isFilledIn(),
    () => port.tell('refreshView', {}),
  );
  const channel = createSalesforceChannel(port);
  const scriptHosts = (window.document?.documentElement?.dataset?.scriptHost ?? '').split(/\s+/).filter(Boolean);

  const address = () => readHostAddress(window, options.hostOrigins);
  const channelOf = (set: ReadonlyMap<string, string>) => channelName(set.get('/Patchcord/MessageChannel'));

  /** As far as the script; its being there proves nothing yet. @throws PatchcordError `host.*` */
  async function reach(): Promise<LoadedScript> {
    if (window.parent === window)
      throw new PatchcordError(
        'host.absent',
        'This page is the phone inside Salesforce. Open Salesforce and start the phone from the utility bar.',
      );
    const read = address();
    if (!read.ok) throw new PatchcordError(read.code, read.reason);
    const loaded = await loadOpenCti(window, scriptUrls(read.origin, scriptHosts), timeoutMs);
    script = loaded.opencti;
    return loaded;
  }

  /** Only an answered call proves a host: a refused script is silent. @throws PatchcordError `host.*` */
  async function askSettings(): Promise<ReadonlyMap<string, string>> {
    // The first answer may be a late one from before the page was loaded anew: what is no map is not believed, and asked for again.
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const answer = await port.ask('getCallCenterSettings', {});
      // The page is still being built: it says nothing about the agent yet.
      if (!answer.ok && answer.reason.includes('SOFTPHONE_CONTAINER_ERROR'))
        throw new PatchcordError('host.silent', `Salesforce’s page is not ready yet (${answer.reason}).`, {
          retryable: true,
        });
      if (!answer.ok)
        throw new PatchcordError(
          'host.refused',
          `Salesforce has no call center for you (${answer.reason}). An administrator adds you under Setup > Call Centers > Manage Call Center Users.`,
        );
      const read = readSettings(answer.value);
      if (read !== null) return read;
    }
    throw new PatchcordError(
      'host.silent',
      'Salesforce answered without the settings of a call center. Reload the page. If it stays, an administrator should look at the call center under Setup > Call Centers.',
      { retryable: true },
    );
  }

  /** Each once per page, whatever of an earlier start failed: there is no way to unregister. */
  function listen(opencti: OpenCti): void {
    const on = (method: 'onClickToDial' | 'onNavigationChange', listener: (payload: unknown) => void): void => {
      if (listening.has(method)) return;
      opencti[method]({
        listener(payload) {
          if (!stopped) listener(payload);
        },
      });
      listening.add(method);
    };
    on('onClickToDial', (payload) => {
      const request = readClick(payload);
      if (request !== null && clickable) dialled.tell(request);
    });
    on('onNavigationChange', (payload) => {
      navigated = true;
      pops.navigated(payload);
      shown.tell(readShown(payload));
      // It is fired as well when the page gets the focus back.
      looked.tell();
    });
  }

  async function connect(): Promise<void> {
    const { opencti } = await reach();
    settings = await askSettings();
    try {
      listen(opencti);
    } catch (error) {
      throw new PatchcordError('host.refused', 'Salesforce’s phone script takes no listeners. Reload the page.', {
        cause: error,
      });
    }
    connected = true;
    const height = readPixels(settings.get('/reqGeneralInfo/reqSoftphoneHeight'), 240, 2_560);
    const width = readPixels(settings.get('/reqGeneralInfo/reqSoftphoneWidth'), 200, 1_920);
    if (height !== null) port.tell('setSoftphonePanelHeight', { heightPX: height });
    if (width !== null) port.tell('setSoftphonePanelWidth', { widthPX: width });
    if (clickable) port.tell('enableClickToDial', {});
    port.ask('getAppViewInfo', {}).then(
      (view) => {
        // A navigation that was heard meanwhile is newer.
        if (!view.ok || stopped || navigated) return;
        pops.navigated(view.value);
        shown.tell(readShown(view.value));
      },
      () => {},
    );
    channel.open(channelOf(settings));
    // Without this the page would show its standby address after a while.
    port.tell('notifyInitializationComplete', {});
  }

  const mintAssertion = () =>
    port.ask('runApex', {
      apexClass: 'PatchcordIdentity',
      methodName: 'mintAssertion',
      methodParams: `audience=${encodeURIComponent(options.audience)}`,
    });

  return {
    crm: 'salesforce',
    can: {
      proveIdentity: true,
      pops: ['record', 'search', 'new-record', 'flow', 'url'],
      clickToDial: true,
      raise: true,
    },
    channel,
    start() {
      starting ??= connect().catch((error: unknown) => {
        starting = null;
        throw error;
      });
      return starting;
    },
    async proveIdentity() {
      const answer = await mintAssertion();
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
      if (connected) port.tell(signedIn ? 'enableClickToDial' : 'disableClickToDial', {});
    },
    pop: pops.pop,
    async selfChecks() {
      const subject: SelfCheckSubject = {
        window,
        audience: options.audience,
        impossibleScriptHosts: scriptHosts.filter((host) => !isScriptHost(host)),
        port,
        address,
        reach,
        settings: async () => settings ?? (await reach().then(askSettings)),
        clickable: () => connected && clickable && !stopped,
        channelName: channelOf,
        mintAssertion,
        isAssertion: (value) => readAssertion(value) !== null,
      };
      const { salesforceSelfChecks } = await import('./self-checks.ts');
      return salesforceSelfChecks(subject);
    },
    callStarted() {},
    callAnswered() {},
    callEnded() {},
    callCompleted() {},
    logSaved(call, logId) {
      refresh.ask();
      channel.publish({ type: 'logged', call: call.id, logId });
    },
    showState(state, label) {
      if (!connected || told === `${state} ${label}`) return;
      const rings = state === 'ringing' && !told.startsWith('ringing ');
      told = `${state} ${label}`;
      const key = icons[state];
      port.tell('setSoftphoneItemLabel', { label });
      port.tell('setSoftphoneItemIcon', { key });
      port.tell('setSoftphonePanelLabel', { label });
      port.tell('setSoftphonePanelIcon', { key });
      if (rings) port.tell('setSoftphonePanelVisibility', { visible: true });
    },
    onDialRequested: dialled.add,
    onRecordShown: shown.add,
    onLookedAt: looked.add,
    onHangUpRequested: () => () => {},
    onMatchesFound: () => () => {},
    stop() {
      if (stopped) return;
      stopped = true;
      pops.stop();
      refresh.stop();
      channel.close();
      if (connected) port.tell('disableClickToDial', {});
      dialled.clear();
      looked.clear();
      shown.clear();
    },
  };
}
