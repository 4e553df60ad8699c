/**
 * Owns the HubSpot sandbox page: records, their timeline, the phone's frame in one of its three places, and the phone card.
 * Must never speak the wire itself: `host-wire.ts` does.
 */
import { avatar, banner, callMeCard, followState, h, icon, postJson, timeline } from '../../page/dom.ts';
import { strangerSays } from '../../page/stranger.ts';
import { createHostWire, type PanelMessage } from './host-wire.ts';
import { createPhoneCard } from './phone-card.ts';
import { nameOf, type PortalState, type Reference, type Setup } from './portal-state.ts';
import { asCall, companyView, contactView, type RecordActions } from './record-view.ts';

const setup = JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as Setup;
const panelOrigin = new URL(setup.panelUrl).origin;
const me = `${setup.owner.firstName} ${setup.owner.lastName}`;
/** The calling window has no records: it asks the tabs to show them. */
const tabs = new BroadcastChannel('sandbox-portal');

let state: PortalState | undefined;
let viewing: Reference | undefined = referenceInPath();
let dialed: Reference | undefined;
let findings = 0;

const listPart = h('div', { class: 'people' });
const recordPart = h('div', {});
const activityPart = h('section', { class: 'card activity', 'aria-label': 'Activities' });
const callersPart = h('div', {});
const cardPart = createPhoneCard(setup.owner.userId);
const status = h('span', { class: 'status' }, 'connecting');
const lintNote = h('a', { class: 'lint', href: '/sandbox/lint', target: '_blank', hidden: true });
const toast = h('p', { class: 'toast', role: 'alert', hidden: true });

// The attributes HubSpot's own SDK gives the frame, and the sound output a newcomer's second headset needs.
const frame = h('iframe', {
  id: 'hubspot-calling-extension-iframe',
  title: 'Calling',
  allow: 'microphone; autoplay; speaker-selection',
  width: '400',
  height: '600',
});
const phone = h(
  'section',
  { class: `phone ${setup.location}`, 'aria-label': 'Calling' },
  h(
    'header',
    {},
    icon('phone', 16),
    h('strong', {}, 'Calling'),
    status,
    h('span', { class: 'push' }),
    h(
      'button',
      {
        type: 'button',
        class: 'minimise',
        'aria-label': 'Minimise the calling widget',
        onclick: () => minimise(!phone.classList.contains('minimised')),
      },
      icon('minus', 16),
    ),
  ),
  frame,
);

function minimise(isMinimized: boolean): void {
  phone.classList.toggle('minimised', isMinimized);
  wire.send('VISIBILITY_CHANGED', { isMinimized, isHidden: phone.hidden });
}

function hide(isHidden: boolean): void {
  if (phone.hidden === isHidden) return;
  phone.hidden = isHidden;
  wire.send('VISIBILITY_CHANGED', { isMinimized: phone.classList.contains('minimised'), isHidden });
}

function referenceInPath(): Reference | undefined {
  const match = /^\/contacts\/\d+\/record\/0-(1|2)\/(\w+)/.exec(location.pathname);
  if (match?.[2] !== undefined) return { type: match[1] === '2' ? 'companies' : 'contacts', id: match[2] };
  const query = new URLSearchParams(location.search);
  const [contact, company] = [query.get('contact'), query.get('company')];
  return contact !== null
    ? { type: 'contacts', id: contact }
    : company !== null
      ? { type: 'companies', id: company }
      : undefined;
}

function addressOf(target: Reference): string {
  const keep = new URLSearchParams(location.search);
  keep.delete('contact');
  keep.delete('company');
  const query = keep.toString();
  return `/contacts/${setup.portalId}/record/${target.type === 'contacts' ? '0-1' : '0-2'}/${target.id}${query === '' ? '' : `?${query}`}`;
}

/** Shows a record: in place, or as HubSpot does with `navigation=full`, by a new page that drops the frame. */
function navigate(target: Reference): void {
  if (setup.fullNavigation) {
    location.assign(addressOf(target));
    return;
  }
  viewing = target;
  history.pushState(null, '', addressOf(target));
  draw();
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
    ...(setup.engagementId === undefined ? {} : { engagementId: setup.engagementId }),
  }),
  report: () => ({
    page: setup.page,
    user: setup.owner.userId,
    location: setup.location,
    usesCallingWindow: setup.usesCallingWindow,
    viewing,
    dialed,
  }),
  onSynced: () => {
    status.textContent = 'connected';
    status.className = 'status good';
  },
  onSyncFailed: () => {
    status.textContent = 'calling is offline';
    status.className = 'status bad';
  },
  onMessage: heard,
  onLint: (count) => {
    findings = count;
    lintNote.hidden = findings === 0;
    lintNote.textContent = `${findings} contract ${findings === 1 ? 'finding' : 'findings'}`;
  },
});

/** What a message of the panel does on the page; engagements and replies are the server's. */
function heard({ type, data = {} }: PanelMessage, failed: boolean): void {
  switch (type) {
    case 'INITIALIZED':
      status.textContent = data.isLoggedIn === false ? 'signed out' : 'ready';
      resize(data.sizeInfo);
      return;
    case 'LOGGED_IN':
    case 'LOGGED_OUT':
      status.textContent = type === 'LOGGED_IN' ? 'signed in' : 'signed out';
      return;
    case 'USER_AVAILABLE':
    case 'USER_UNAVAILABLE':
      status.textContent = type === 'USER_AVAILABLE' ? 'available' : 'away';
      return;
    case 'INCOMING_CALL':
      phone.classList.remove('minimised');
      return;
    case 'CALL_COMPLETED':
      // A widget is closed after the call unless the panel asks otherwise; a navigation bar frame stays.
      if (setup.location === 'widget' && data.hideWidget !== false) hide(true);
      return;
    case 'NAVIGATE_TO_RECORD': {
      const target = referenceIn(data.objectCoordinates);
      if (failed || !target) return;
      if (setup.location === 'window') tabs.postMessage(target);
      else if (data.openIn === 'NEW_TAB') window.open(addressOf(target));
      else navigate(target);
      return;
    }
    case 'RESIZE_WIDGET':
      resize(data);
      return;
    case 'SET_WIDGET_URL':
      if (typeof data.iFrameUrl === 'string') frame.src = data.iFrameUrl;
      return;
    case 'ERROR':
      toast.textContent = `The phone reports: ${String(data.message)}`;
      toast.hidden = false;
      setTimeout(() => {
        toast.hidden = true;
      }, 6000);
      return;
    default:
  }
}

function resize(size: unknown): void {
  const { width, height } = (size ?? {}) as { width?: unknown; height?: unknown };
  if (typeof width === 'number') frame.width = `${width}`;
  if (typeof height === 'number') frame.height = `${height}`;
}

function referenceIn(coordinates: unknown): Reference | undefined {
  const { objectId, objectTypeId } = (coordinates ?? {}) as { objectId?: unknown; objectTypeId?: unknown };
  if (typeof objectId !== 'number' && typeof objectId !== 'string') return undefined;
  return objectTypeId === '0-1'
    ? { type: 'contacts', id: `${objectId}` }
    : objectTypeId === '0-2'
      ? { type: 'companies', id: `${objectId}` }
      : undefined;
}

/** A click on a number. `objectId` is the record on screen, `calleeInfo` the one being called: not always the same. */
function dial(number: string, source: string, callee: Reference, country: string): void {
  hide(false);
  phone.classList.remove('minimised');
  dialed = callee;
  const shown = viewing ?? callee;
  wire.send('DIAL_NUMBER', {
    phoneNumber: number,
    phone_number: number,
    ownerId: Number(setup.owner.id),
    subjectId: Number(shown.id),
    objectId: Number(shown.id),
    objectType: shown.type === 'contacts' ? 'CONTACT' : 'COMPANY',
    portalId: setup.portalId,
    countryCode: country,
    calleeInfo: { calleeId: Number(callee.id), calleeObjectTypeId: callee.type === 'contacts' ? '0-1' : '0-2' },
    startTimestamp: Date.now(),
    toPhoneNumberSrc: source,
    threadId: 0,
  });
}

// ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function draw(): void {
  if (!state) return;
  const portal = state;
  const contact = viewing?.type === 'contacts' ? portal.contacts.find((one) => one.id === viewing?.id) : undefined;
  const company = viewing?.type === 'companies' ? portal.companies.find((one) => one.id === viewing?.id) : undefined;
  drawPeople(portal);
  if (contact) recordPart.replaceChildren(...contactView(portal, contact, actions));
  else if (company) recordPart.replaceChildren(...companyView(portal, company, actions));
  else recordPart.replaceChildren(h('p', { class: 'empty' }, icon('person', 24), 'Choose a contact.'));
  const calls = portal.calls.filter((call) =>
    contact
      ? call.contacts.includes(contact.id)
      : company
        ? call.companies.includes(company.id) || call.contacts.some((id) => company.contacts.includes(id))
        : false,
  );
  activityPart.replaceChildren(
    h('h2', {}, 'Activities'),
    h(
      'div',
      { class: 'tabs', 'aria-hidden': 'true' },
      h('span', {}, 'Notes'),
      h('span', {}, 'Emails'),
      h('span', { class: 'on' }, `Calls (${calls.length})`),
      h('span', {}, 'Tasks'),
    ),
    timeline(
      calls.map((call) => asCall(portal, call.properties)),
      'No calls yet. They appear here by themselves, once each.',
    ),
  );
  const typed = contact?.properties.phone || contact?.properties.mobilephone || '';
  const number = portal.e164[typed];
  callersPart.replaceChildren(
    callMeCard(
      contact && number !== undefined ? { name: nameOf(contact), number } : undefined,
      portal.unknownCaller,
      async (order) => {
        const { ok, value } = await postJson('/sandbox/call-me', { ...order, user: setup.owner.userId });
        return ok
          ? undefined
          : ((value as { error?: string } | undefined)?.error ?? 'The sandbox switch did not answer.');
      },
    ),
  );
}

const actions: RecordActions = { addressOf, following, dial };

function drawPeople(portal: PortalState): void {
  listPart.replaceChildren(
    ...portal.contacts.map((contact) =>
      h(
        'a',
        {
          class: 'person',
          href: addressOf({ type: 'contacts', id: contact.id }),
          'data-contact': contact.id,
          title: nameOf(contact),
          'aria-current': viewing?.type === 'contacts' && viewing.id === contact.id ? 'page' : undefined,
          onclick: following({ type: 'contacts', id: contact.id }),
        },
        avatar(nameOf(contact)),
        h('span', {}, nameOf(contact).split(' ')[0] ?? ''),
      ),
    ),
  );
}

function following(target: Reference): (event: Event) => void {
  return (event) => {
    event.preventDefault();
    navigate(target);
  };
}

// ── The page ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

const chooser = h(
  'select',
  { 'aria-label': 'Signed in as', onchange: () => go({ user: chooser.value }) },
  h('option', {}, me),
);
const place = h(
  'select',
  { 'aria-label': 'Where the phone is', onchange: () => go({ location: place.value }) },
  ...(['remote', 'widget'] as const).map((one) =>
    h(
      'option',
      { value: one, selected: one === setup.location },
      one === 'remote' ? 'in the navigation bar' : 'as a widget',
    ),
  ),
);

function go(change: Readonly<Record<string, string>>): void {
  const query = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(change)) query.set(key, value);
  location.assign(`${location.pathname}?${query.toString()}`);
}

if (setup.location === 'window') {
  document.body.className = 'calling-window';
  document.body.append(banner('HubSpot'), phone, toast);
} else {
  document.body.append(
    h(
      'nav',
      { class: 'rail', 'aria-label': 'Main' },
      h('span', { class: 'mark', 'aria-hidden': 'true' }),
      ...(['home', 'person', 'building', 'chart'] as const).map((name) =>
        h('span', { class: name === 'person' ? 'on' : '', 'aria-hidden': 'true' }, icon(name, 20)),
      ),
    ),
    h(
      'div',
      { class: 'page' },
      banner('HubSpot', lintNote, h('label', {}, 'Phone ', place), h('label', {}, 'Signed in as ', chooser)),
      h('header', { class: 'top' }, h('strong', {}, 'Contacts'), listPart, h('span', { class: 'push' }), avatar(me)),
      h(
        'main',
        {},
        h('div', { class: 'left' }, h('section', { class: 'card', 'aria-label': 'Record' }, recordPart), callersPart),
        h('div', { class: 'middle' }, cardPart, activityPart),
        phone,
      ),
    ),
    toast,
  );
  tabs.addEventListener('message', (event: MessageEvent<Reference>) => {
    if (document.visibilityState === 'visible') navigate(event.data);
  });
}

frame.addEventListener('load', () => wire.sync());
frame.src = setup.panelUrl;
const follower = followState<PortalState>('/sandbox/state', (next) => {
  const first = state === undefined;
  state = next;
  if (first) {
    chooser.replaceChildren(
      ...next.owners.map((owner) =>
        h(
          'option',
          { value: `${owner.userId}`, selected: owner.userId === setup.owner.userId },
          `${owner.firstName} ${owner.lastName}`,
        ),
      ),
    );
    const someone = next.contacts[0];
    if (someone) viewing ??= { type: 'contacts', id: someone.id };
  }
  draw();
});
window.addEventListener('popstate', () => {
  viewing = referenceInPath();
  draw();
});

/** What a test can do to the page beyond clicking. */
Object.assign(window, {
  sandbox: {
    dial: (number: string) => viewing && dial(number, 'phone', viewing, 'US'),
    /** Any message to the panel, in the host's name. */
    send: wire.send,
    endCall: () => wire.send('END_CALL'),
    minimise,
    hide,
    open: (type: Reference['type'], id: string) => navigate({ type, id }),
    /** Loads the frame anew, as a navigation of HubSpot does. */
    reloadFrame: () => {
      frame.src = setup.panelUrl;
    },
    strangerSays: (message: unknown) => strangerSays(message, frame),
    refresh: follower.refresh,
  },
});
