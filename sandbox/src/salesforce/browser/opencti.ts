/**
 * Owns the org's Open CTI script: `window.sforce.opencti` over `postMessage`, written from the wire (the Salesforce contract,
 * sections 1.1 to 1.5), so that the panel loads and meets what it would meet in an org. The one liberty: it also accepts a
 * host page on http://localhost. Must never be smarter than the real one: no queue, no timeout, no way to unregister.
 */

interface Callbacks {
  callback?: unknown;
  listener?: unknown;
}
type Arguments = Record<string, unknown> & Callbacks;
type Handler = (value: unknown) => void;
interface WireReply {
  readonly apiVersion?: unknown;
  readonly apiType?: unknown;
  readonly methodName?: unknown;
  readonly callId?: unknown;
  readonly eventName?: unknown;
  readonly shouldExecuteCallback?: unknown;
  readonly shouldExecuteListener?: unknown;
  readonly response?: unknown;
}

/** Replaced by the server with the number in the script's own URL. */
declare const __API_VERSION__: number;

/** Which pages may be the host. The list grew; what is known of 42 and 43 knew two domains only. */
const realHost =
  __API_VERSION__ >= 55
    ? /^http[s]?:\/\/[\w\-.]+(\.((my-)?visual)?force\.com|\.my-lightning\.com|\.(my-)?salesforce\.com|\.(salesforce|crmforce)\.(mil|ms))(:\d+)?$/
    : /^http[s]?:\/\/[\w\-.]+\.(force|salesforce)\.com(:\d+)?$/;
const sandboxHost = /^http:\/\/(localhost|127\.0\.0\.1)(:\d+)?$/;

(() => {
  const apiVersion = __API_VERSION__;
  const apiType = 'opencti';
  // The flags came with 55; before, any matching message ran the callback and all listeners of its method.
  const flagged = apiVersion >= 55;
  const callbacks = new Map<string, Handler>();
  const listeners = new Map<string, Handler[]>();
  let callId = 0;
  let hostOrigin: string | null = null;

  /** `null` gets a TypeError out of `Object.keys`, as in an org. */
  const only = (args: unknown): Arguments => {
    if (typeof args !== 'object' || Object.keys(args as object).length === 0)
      throw new Error('Must pass in only one object which holds arguments to this API method call.');
    return args as Arguments;
  };
  const missing = (name: string): Error => new Error(`Missing the required argument \`${name}\`!`);
  const handler = (value: unknown, name: string): Handler => {
    if (typeof value !== 'function') throw missing(name);
    return value as Handler;
  };

  function send(methodName: string, given: Callbacks, args: Record<string, unknown>): void {
    const id = callId;
    callId += 1;
    const { callback, listener } = given;
    if (typeof callback === 'function') callbacks.set(`${methodName}_${id}`, callback as Handler);
    const message = {
      methodName,
      callId: id,
      apiVersion,
      apiType,
      isCallbackRegistered: typeof callback === 'function',
      isListenerRegistered: typeof listener === 'function',
      args,
    };
    // A null origin means "same origin only": without a good sfdcIframeOrigin the message silently vanishes, as in an org.
    window.parent.postMessage(message, hostOrigin as unknown as string);
  }

  function listen(key: string, value: unknown): void {
    listeners.set(key, [...(listeners.get(key) ?? []), handler(value, 'listener')]);
  }

  window.addEventListener('message', (event: MessageEvent<unknown>) => {
    const reply = event.data as WireReply | null;
    if (typeof reply !== 'object' || reply === null) return;
    if (reply.apiVersion !== apiVersion || reply.apiType !== apiType || event.origin !== hostOrigin) return;
    if (!flagged || reply.shouldExecuteCallback === true) {
      const key = `${reply.methodName}_${reply.callId}`;
      const callback = callbacks.get(key);
      callbacks.delete(key);
      callback?.(reply.response);
    }
    if (!flagged || reply.shouldExecuteListener === true)
      for (const listener of listeners.get(`${reply.eventName ?? reply.methodName}`) ?? []) listener(reply.response);
  });

  /** Methods whose argument may be left out, but not be an empty object. */
  const bare = (methodName: string) => (args?: unknown) =>
    args === undefined ? send(methodName, {}, {}) : send(methodName, only(args), {});
  const asking = (methodName: string) => (args?: unknown) => {
    const given = only(args);
    handler(given.callback, 'callback');
    send(methodName, given, {});
  };
  const listening = (methodName: string) => (args?: unknown) => {
    const given = only(args);
    listen(methodName, given.listener);
    send(methodName, { listener: given.listener }, {});
  };
  const passing =
    (methodName: string, ...names: string[]) =>
    (args?: unknown) => {
      const given = only(args);
      send(methodName, given, Object.fromEntries(names.map((name) => [name, given[name]])));
    };

  const channels = new Map<object, { channel: string; listener: Handler }>();
  const dropListener = (channel: string, listener: Handler): void => {
    const left = (listeners.get(channel) ?? []).filter((one) => one !== listener);
    if (left.length > 0) listeners.set(channel, left);
    else listeners.delete(channel);
  };

  const opencti = {
    SCREENPOP_TYPE: {
      URL: 'url',
      SOBJECT: 'sobject',
      OBJECTHOME: 'objecthome',
      LIST: 'list',
      SEARCH: 'search',
      NEW_RECORD_MODAL: 'newRecord',
      FLOW: 'flow',
    },
    CALL_TYPE: { INBOUND: 'inbound', OUTBOUND: 'outbound', INTERNAL: 'internal' },
    initialize,
    enableClickToDial: bare('enableClickToDial'),
    disableClickToDial: bare('disableClickToDial'),
    refreshView: bare('refreshView'),
    notifyInitializationComplete: (args?: Callbacks) => send('notifyInitializationComplete', args ?? {}, {}),
    onClickToDial: listening('onClickToDial'),
    onNavigationChange: listening('onNavigationChange'),
    getAppViewInfo: asking('getAppViewInfo'),
    getCallCenterSettings: asking('getCallCenterSettings'),
    getSoftphoneLayout: asking('getSoftphoneLayout'),
    isSoftphonePanelVisible: asking('isSoftphonePanelVisible'),
    screenPop: passing('screenPop', 'type', 'params'),
    searchAndScreenPop: passing(
      'searchAndScreenPop',
      'searchParams',
      'callType',
      'queryParams',
      'defaultFieldValues',
      'deferred',
      'params',
    ),
    runApex: passing('runApex', 'apexClass', 'methodName', 'methodParams'),
    setSoftphonePanelVisibility: passing('setSoftphonePanelVisibility', 'visible'),
    setSoftphonePanelHeight: passing('setSoftphonePanelHeight', 'heightPX'),
    setSoftphonePanelWidth: passing('setSoftphonePanelWidth', 'widthPX'),
    setSoftphonePanelIcon: passing('setSoftphonePanelIcon', 'key'),
    setSoftphoneItemIcon: passing('setSoftphoneItemIcon', 'key'),
    setSoftphonePanelLabel: passing('setSoftphonePanelLabel', 'label'),
    setSoftphoneItemLabel: passing('setSoftphoneItemLabel', 'label'),
    saveLog: (args?: unknown) => {
      const given = only(args);
      if (typeof given.value !== 'object') throw missing('value object');
      send('saveLog', given, { object: given.value });
    },
    ...(apiVersion >= 47 ? messageChannels() : {}),
    ...(apiVersion >= 46
      ? {
          hvs: { onWorkStart: listening('onWorkStart'), completeWork: passing('completeWork', 'workId', 'attributes') },
        }
      : {}),
  };

  /** Since 47. */
  function messageChannels(): Record<string, (args?: unknown) => void> {
    return {
      publish: (args?: unknown) => {
        const given = only(args);
        const message: unknown = given.message === undefined ? undefined : JSON.parse(JSON.stringify(given.message));
        send('publish', given, { eventName: channelName(given), message });
      },
      subscribe: (args?: unknown) => {
        const given = only(args);
        const channel = channelName(given);
        const listener = handler(given.listener, 'listener');
        listen(channel, listener);
        const answered = (response: unknown): void => {
          const answer = response as { success?: boolean; subscription?: object };
          if (answer.success) {
            answer.subscription = Object.freeze({});
            channels.set(answer.subscription, { channel, listener });
          } else dropListener(channel, listener);
          if (typeof given.callback === 'function') (given.callback as Handler)(answer);
        };
        send('subscribe', { callback: answered, listener }, { eventName: channel, subscription: {} });
      },
      unsubscribe: (args?: unknown) => {
        const given = only(args);
        if (typeof given.subscription !== 'object' || given.subscription === null)
          throw new Error('The argument `subscription` must be an object!');
        const known = channels.get(given.subscription);
        if (!known) return;
        channels.delete(given.subscription);
        dropListener(known.channel, known.listener);
        if (!listeners.has(known.channel)) send('unsubscribe', given, { eventName: known.channel });
      },
    };
  }

  function channelName(given: Arguments): string {
    if (typeof given.channelName !== 'string' || given.channelName === '')
      throw new Error('The argument `channelName` must be a non-empty string!');
    return given.channelName;
  }

  /** Runs by itself. `mode` is read by the real one too, but nothing depends on it here. */
  function initialize(): void {
    const origins = new URLSearchParams(window.location.search).getAll('sfdcIframeOrigin');
    // A parameter that stands there twice becomes a list, which is no origin.
    const origin = origins.length === 1 ? (origins[0] ?? '') : '';
    const known = realHost.test(origin) || sandboxHost.test(origin);
    if (!known || origin.indexOf(window.location.protocol) !== 0)
      // A bare string, as the real script throws it: catching code must not expect an Error.
      throw 'Failed to initialize Open CTI. Ensure that it is loaded from the right frame with correct URL parameters';
    hostOrigin = origin;
  }

  // Assigned before the check: after a failed one the object is there and does nothing, which is what an adapter must survive.
  Object.assign(window, { sforce: { opencti } });
  initialize();
})();
