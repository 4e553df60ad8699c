/**
 * Owns the panel's frame on a page: its header, its size, what HubSpot does to it after each message, and the number that waits until somebody is
 * signed in. Must never decide which tab shows a record: `actions` does.
 */
import { h, icon, postJson } from '../../page/dom.ts';
import { strangerSays } from '../../page/stranger.ts';
import { createHostWire, type HostWire, type PanelMessage } from './host-wire.ts';
import { type Reference, type Setup, typeOfId } from './portal-state.ts';
import type { DialOrder } from './portal-tabs.ts';

export interface PhoneFrame {
  readonly element: HTMLElement;
  readonly frame: HTMLIFrameElement;
  readonly wire: HostWire;
  /** Sends DIAL_NUMBER, at once or when the panel is there and somebody is signed in. */
  dial(order: DialOrder): void;
  minimise(isMinimized: boolean): void;
  hide(isHidden: boolean): void;
  isHidden(): boolean;
  load(): void;
}

export interface PhoneActions {
  viewing(): Reference | undefined;
  navigate(target: Reference, newTab: boolean): void;
  /** The panel said INITIALIZED. */
  ready(): void;
  /** A call is on in this frame, or no more. */
  live(on: boolean): void;
  lint(count: number): void;
  say(text: string): void;
  /** In a task queue the wish to hide the widget is ignored. */
  ignoresHideWidget: boolean;
}

export function createPhoneFrame(setup: Setup, actions: PhoneActions): PhoneFrame {
  const panelOrigin = new URL(setup.panelUrl).origin;
  let signedIn: boolean | undefined;
  let waiting: DialOrder | undefined;
  let dialed: Reference | undefined;
  let engagementId: number | undefined;

  const status = h('span', { class: 'status', role: 'status' }, 'connecting');
  const endCall = h(
    'button',
    { type: 'button', class: 'end-call', hidden: true, 'data-end-call': true, onclick: () => wire.send('END_CALL') },
    'End call',
  );
  // The attributes HubSpot's own SDK gives the frame, and the sound output a newcomer's second headset needs.
  const frame = h('iframe', {
    id: 'hubspot-calling-extension-iframe',
    title: 'Calling',
    allow: 'microphone; autoplay; speaker-selection',
    width: `${setup.width}`,
    height: `${setup.height}`,
  });
  const element = h(
    'section',
    { class: `phone ${setup.location}`, 'aria-label': 'Calling' },
    h(
      'header',
      {},
      icon('phone', 16),
      h('strong', {}, setup.appName),
      status,
      h('span', { class: 'push' }),
      endCall,
      h(
        'button',
        {
          type: 'button',
          class: 'minimise',
          'aria-label': 'Minimise the calling widget',
          onclick: () => minimise(!element.classList.contains('minimised')),
        },
        icon('minus', 16),
      ),
    ),
    frame,
  );

  function minimise(isMinimized: boolean): void {
    element.classList.toggle('minimised', isMinimized);
    wire.send('VISIBILITY_CHANGED', { isMinimized, isHidden: element.hidden === true });
  }

  function hide(isHidden: boolean): void {
    if (element.hidden === isHidden) return;
    element.hidden = isHidden;
    wire.send('VISIBILITY_CHANGED', { isMinimized: element.classList.contains('minimised'), isHidden });
  }

  const wire = createHostWire({
    frame: () => frame,
    panelOrigin,
    context: () => ({
      portalId: setup.portalId,
      userId: setup.owner.userId,
      ownerId: Number(setup.owner.id),
      iframeLocation: setup.location,
      usesCallingWindow: setup.usesCallingWindow,
      ...(engagementId === undefined ? {} : { engagementId }),
    }),
    report: () => ({
      page: setup.page,
      user: setup.owner.userId,
      location: setup.location,
      usesCallingWindow: setup.usesCallingWindow,
      viewing: actions.viewing(),
      dialed,
    }),
    onSynced: () => show('connected', 'good'),
    onSyncFailed: () => show('calling is offline', 'bad'),
    onMessage: heard,
    onLint: actions.lint,
  });

  /** A frame beside a calling window says nothing of who is signed in: it is connected or not. */
  const quiet = setup.location === 'remote' && setup.usesCallingWindow;

  function show(text: string, mood = ''): void {
    if (quiet && signedIn !== undefined) return;
    status.textContent = text;
    status.className = `status ${mood}`;
  }

  /** What a message of the panel does on the page; engagements and replies are the server's. */
  function heard({ type, data = {} }: PanelMessage, failed: boolean): void {
    switch (type) {
      case 'INITIALIZED':
        signedIn = data.isLoggedIn !== false;
        show(signedIn ? 'ready' : 'signed out', signedIn ? 'good' : '');
        resize(data.sizeInfo);
        actions.ready();
        pass();
        return;
      case 'LOGGED_IN':
      case 'LOGGED_OUT':
        signedIn = type === 'LOGGED_IN';
        show(signedIn ? 'signed in' : 'signed out', signedIn ? 'good' : '');
        pass();
        return;
      case 'USER_AVAILABLE':
      case 'USER_UNAVAILABLE':
        show(type === 'USER_AVAILABLE' ? 'available' : 'away', type === 'USER_AVAILABLE' ? 'good' : '');
        return;
      case 'OUTGOING_CALL_STARTED':
      case 'INCOMING_CALL':
        dialed = undefined;
        endCall.hidden = false;
        element.classList.remove('minimised');
        actions.live(true);
        return;
      case 'CALL_ENDED':
        endCall.hidden = true;
        actions.live(false);
        return;
      case 'CALL_COMPLETED':
        // A widget is closed after the call unless the panel asks otherwise; a frame of the navigation bar and the window stay.
        if (setup.location === 'widget' && data.hideWidget !== false && !actions.ignoresHideWidget) hide(true);
        return;
      case 'NAVIGATE_TO_RECORD': {
        const { objectId, objectTypeId } = (data.objectCoordinates ?? {}) as Record<string, unknown>;
        const target = typeOfId(objectTypeId);
        if (!failed && target && (typeof objectId === 'number' || typeof objectId === 'string'))
          actions.navigate({ type: target, id: `${objectId}` }, data.openIn === 'NEW_TAB');
        return;
      }
      case 'RESIZE_WIDGET':
        resize(data);
        return;
      case 'SET_WIDGET_URL':
        if (typeof data.iFrameUrl === 'string') frame.src = data.iFrameUrl;
        return;
      case 'ERROR':
        actions.say(`The phone reports: ${String(data.message)}`);
        return;
      default:
    }
  }

  function resize(size: unknown): void {
    const { width, height } = (size ?? {}) as { width?: unknown; height?: unknown };
    if (typeof width === 'number') frame.width = `${width}`;
    if (typeof height === 'number') frame.height = `${height}`;
  }

  function pass(): void {
    if (!waiting || !signedIn) return;
    dialed = waiting.callee;
    wire.send('DIAL_NUMBER', waiting.data);
    waiting = undefined;
  }

  function greet(): void {
    // A frame that was just put into a page loads nothing, once.
    if (frame.src === '') return;
    signedIn = undefined;
    // A new frame is told of the inbound call that goes on, however it was loaded.
    void postJson('/sandbox/sync', { user: setup.owner.userId }).then(({ value }) => {
      const { engagementId: live } = (value ?? {}) as { engagementId?: number };
      engagementId = live;
      wire.sync();
    });
  }
  frame.addEventListener('load', greet);

  return {
    element,
    frame,
    wire,
    dial(order) {
      hide(false);
      element.classList.remove('minimised');
      // That HubSpot keeps a click until the panel has said who is signed in is a guess: nothing says what it does meanwhile.
      waiting = order;
      pass();
    },
    minimise,
    hide,
    isHidden: () => element.hidden === true,
    load() {
      frame.src = setup.panelUrl;
    },
  };
}

/** What a test can do to a frame beyond clicking. */
export function frameTools(phone: PhoneFrame): Readonly<Record<string, unknown>> {
  return {
    /** Any message to the panel, in the host's name. */
    send: phone.wire.send,
    endCall: () => phone.wire.send('END_CALL'),
    minimise: phone.minimise,
    hide: phone.hide,
    /** Loads the frame anew, as a navigation of HubSpot does. */
    reloadFrame: phone.load,
    /** A sibling frame of another origin speaks to the panel. */
    strangerSays: (message: unknown) => strangerSays(message, phone.frame),
  };
}
