/**
 * Owns the Salesforce sandbox page: who is listed, which record is shown, the utility bar and the phone's frame.
 * Must never speak the wire itself: `host-wire.ts` and `methods.ts` do.
 */
import { avatar, banner, callMeCard, followState, h, type IconName, icon, postJson } from '../../page/dom.ts';
import { strangerSays } from '../../page/stranger.ts';
import { createAppViews } from './app-views.ts';
import { createChannelBus } from './channel-bus.ts';
import type { Desk } from './desk.ts';
import { flowPanel } from './flow-panel.ts';
import { createHostWire } from './host-wire.ts';
import { perform } from './methods.ts';
import { keeping, type Move, navigationPayload, pagePath } from './navigation.ts';
import { newRecordModal } from './new-record.ts';
import { type OrgRecord, type OrgState, type PageSetup, recordAt, recordsIn, text, viewInfo } from './org-state.ts';
import { createPhoneFrame } from './phone-frame.ts';
import { companyOf, following, recordView } from './record-view.ts';
import { createWorkspaceTabs } from './workspace-tabs.ts';

const setup = JSON.parse(document.getElementById('setup')?.textContent ?? '{}') as PageSetup;
const panelOrigin = new URL(setup.panelUrl).origin;
const empty: OrgState = { accounts: [], contacts: [], leads: [], tasks: [], users: [], unknownCaller: '', e164: {} };

let state = empty;
let shownId = idInPath();
let filter = '';
let dialing = false;
/** The address while a form covers the page. */
let covering: string | undefined;
const events: { at: Date; channel: string; text: string }[] = [];

const listPart = h('div', {});
const recordPart = h('div', { class: 'record' });
const sidePart = h('div', { class: 'side' });
const modalPart = h('div', {});
const flowPart = h('div', {});
const tabs = createWorkspaceTabs((id) => navigate(id));
const views = createAppViews({ username: setup.user.username, people: () => desk.search('') });
const itemLabel = h('span', { class: 'label' }, 'Phone');
const itemIcon = h('span', { class: 'icon' }, icon('phone', 16));
const titleLabel = h('span', {}, 'Phone');
const titleIcon = h('span', { class: 'icon' }, icon('phone', 16));
const frameHolder = h('div', { class: 'frame-holder' });
const panel = h(
  'section',
  { class: 'utility-panel', 'aria-label': 'Phone' },
  h(
    'header',
    {},
    titleIcon,
    titleLabel,
    h('span', { class: 'push' }),
    h(
      'button',
      { type: 'button', class: 'minimise', 'aria-label': 'Minimise the phone', onclick: () => show(false) },
      icon('minus', 16),
    ),
  ),
  frameHolder,
);
const item = h(
  'button',
  { type: 'button', class: 'utility-item', 'aria-expanded': 'true', onclick: () => show(panel.hidden === true) },
  itemIcon,
  itemLabel,
);

/** Utility icons the panel may name; the sandbox draws a few of its own and a telephone for the rest. */
const utilityIcons: Readonly<Record<string, IconName>> = {
  call: 'phone',
  end_call: 'missed',
  incoming_call: 'in',
  outbound_call: 'out',
};

function show(visible: boolean): void {
  panel.hidden = !visible;
  item.setAttribute('aria-expanded', `${visible}`);
  document.body.classList.toggle('panel-open', visible);
}

function idInPath(): string | undefined {
  return (
    /^\/lightning\/r\/\w+\/(\w{15,18})\/view/.exec(location.pathname)?.[1] ??
    new URLSearchParams(location.search).get('record') ??
    undefined
  );
}

function shown(): OrgRecord | undefined {
  return shownId === undefined ? undefined : recordAt(state, shownId);
}

function navigate(id: string | undefined, path?: string): void {
  views.people();
  shownId = id;
  covering = undefined;
  modalPart.replaceChildren();
  const record = shown();
  history.pushState(null, '', keeping(path ?? pagePath(record), setup.user.username, setup.app));
  if (setup.app === 'console') tabs.show(record);
  draw();
  navigated(record ? 'record' : path === undefined ? 'list' : 'elsewhere');
}

/** Tells the phone where the agent is, as this kind of app does after such a move. */
function navigated(move: Move): void {
  const payload = navigationPayload(setup.app, move, covering === undefined ? shown() : undefined, whereabouts());
  if (payload) wire.fire('onNavigationChange', payload);
}

function whereabouts(): string {
  return covering ?? location.pathname;
}

/** A click on a number: the record it belongs to, as Open CTI tells it. Never reaches the panel while click-to-dial is off. */
function dial(number: string, record: OrgRecord): boolean {
  if (!dialing) return false;
  const { url: _url, ...ref } = viewInfo(record, '');
  show(true);
  return wire.fire('onClickToDial', { number, ...ref });
}

/** Numbers of the page and of its components become links, or stop being ones. */
function allowDialing(enabled: boolean): void {
  dialing = enabled;
  document.body.dataset.clickToDial = enabled ? 'enabled' : 'disabled';
  window.dispatchEvent(new CustomEvent('sandbox-click-to-dial'));
}

const desk: Desk = {
  setup,
  state: () => state,
  shown: () => (covering === undefined ? shown() : undefined),
  url: whereabouts,
  open: navigate,
  search(term) {
    filter = term;
    navigate(undefined);
  },
  goTo(path) {
    const id = /\b([a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?)\b/.exec(path)?.[1];
    if (id !== undefined && recordAt(state, id)) navigate(id);
    else navigate(undefined, path);
  },
  newRecord(entity, defaults) {
    const values = Object.fromEntries(Object.entries(defaults).map(([key, given]) => [key, `${given as string}`]));
    const saved = async (id: string): Promise<void> => {
      await follower.refresh();
      navigate(id);
    };
    // One form at a time: a second takes the place of the first, and what was typed there is lost. Reported from the field.
    modalPart.replaceChildren(
      newRecordModal({ entity, values }, setup.user.username, saved, () => {
        covering = undefined;
        navigated('record');
      }),
    );
    covering = `/lightning/o/${entity}/new`;
    navigated('new-record-modal');
  },
  flow: (name, variables) => flowPart.replaceChildren(flowPanel(name, variables)),
  clickToDial(enabled) {
    allowDialing(enabled);
    draw();
  },
  panel: {
    visible: () => !panel.hidden,
    show,
    size({ width, height }) {
      if (width !== undefined) panel.style.width = `${width}px`;
      if (height !== undefined) frameHolder.style.height = `${height}px`;
    },
    item({ label, icon: key }) {
      if (label !== undefined) itemLabel.textContent = label;
      if (key !== undefined) itemIcon.replaceChildren(icon(utilityIcons[key] ?? 'phone', 16));
    },
    title({ label, icon: key }) {
      if (label !== undefined) titleLabel.textContent = label;
      if (key !== undefined) titleIcon.replaceChildren(icon(utilityIcons[key] ?? 'phone', 16));
    },
    ready() {
      phone.ready();
      item.classList.add('ready');
    },
  },
  refresh: () => follower.refresh(),
  published(channel, message) {
    events.push({ at: new Date(), channel, text: JSON.stringify(message) });
    bus.publish(channel, message);
    draw();
  },
};

const phone = createPhoneFrame(setup, frameHolder, () => {
  wire.forget();
  allowDialing(false);
});
const bus = createChannelBus((channel, message) => wire.fire('subscribe', message, channel));
const wire = createHostWire({
  frame: phone.current,
  panelOrigin,
  page: setup.page,
  user: setup.user.username,
  perform: (request) => perform(desk, request),
  reload: mountPhone,
});

function mountPhone(): void {
  if (setup.user.callCenterId) phone.mount();
  draw();
}

// ── Drawing ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

function draw(): void {
  drawList();
  drawRecord();
  drawSide();
}

function drawList(): void {
  const needle = filter.toLowerCase();
  const digits = filter.replace(/\D/g, '');
  const people = recordsIn(state).filter((one) => one.kind === 'Contact' || one.kind === 'Lead');
  const hit = (one: OrgRecord): boolean =>
    `${one.name} ${text(one.fields.Company)} ${companyOf(state, one)}`.toLowerCase().includes(needle) ||
    (digits.length > 2 &&
      [one.fields.Phone, one.fields.MobilePhone].some((phone) => text(phone).replace(/\D/g, '').includes(digits)));
  listPart.replaceChildren(
    h(
      'ul',
      { class: 'people' },
      ...people
        .filter((one) => needle === '' || hit(one))
        .map((one) =>
          h(
            'li',
            {},
            h(
              'a',
              {
                href: `/lightning/r/${one.kind}/${one.id}/view`,
                class: 'person',
                'data-record': one.id,
                'aria-current': one.id === shown()?.id ? 'page' : undefined,
                onclick: following(() => navigate(one.id)),
              },
              avatar(one.name),
              h('span', {}, one.name, h('small', {}, companyOf(state, one))),
              one.kind === 'Lead' ? h('span', { class: 'kind' }, 'Lead') : null,
            ),
          ),
        ),
    ),
  );
}

function drawRecord(): void {
  const record = shown();
  views.beside(record);
  if (record) {
    recordPart.replaceChildren(
      ...recordView(state, record, { dialing, open: navigate, dial: (number, callee) => void dial(number, callee) }),
    );
    return;
  }
  const hint = state === empty ? 'Loading…' : 'Choose somebody on the left, or let one of them call you.';
  recordPart.replaceChildren(h('div', { class: 'card' }, h('p', { class: 'empty' }, icon('person', 26), hint)));
}

function drawSide(): void {
  const record = shown();
  const typed = record ? text(record.fields.Phone) || text(record.fields.MobilePhone) : '';
  const number = state.e164[typed];
  const person =
    record && number !== undefined && record.kind !== 'Account' ? { name: record.name, number } : undefined;
  const card = callMeCard(person, state.unknownCaller, async (order) => {
    const { ok, value } = await postJson('/sandbox/call-me', { ...order, user: setup.user.username });
    return ok ? undefined : ((value as { error?: string } | undefined)?.error ?? 'The sandbox switch did not answer.');
  });
  const log = h(
    'section',
    { class: 'card log', 'aria-label': 'Message channel' },
    h('h2', {}, 'Message channel', h('span', { class: 'tag' }, 'sandbox')),
    ...events.slice(-6).map((one) => h('p', {}, h('strong', {}, one.channel), ' ', one.text)),
  );
  sidePart.replaceChildren(card, events.length > 0 ? log : '');
}

const search = h('input', {
  class: 'app-search',
  type: 'search',
  placeholder: 'Search people and numbers',
  'aria-label': 'Search people and numbers',
  oninput: () => {
    filter = search.value;
    drawList();
  },
});

const chooser = h(
  'select',
  { 'aria-label': 'Signed in as', onchange: () => location.assign(`/?user=${encodeURIComponent(chooser.value)}`) },
  h('option', {}, setup.user.name),
);

document.body.append(
  banner('Salesforce', h('label', {}, 'Signed in as ', chooser)),
  h(
    'header',
    { class: 'app' },
    h('span', { class: 'mark', 'aria-hidden': 'true' }),
    h('strong', {}, 'Sales desk'),
    views.nav,
    tabs.element,
    h('span', { class: 'push' }),
    search,
    avatar(setup.user.name),
  ),
  h(
    'main',
    {},
    h('aside', { 'aria-label': 'People' }, listPart, sidePart),
    h('div', { class: 'workspace' }, recordPart, views.components),
    views.elsewhere,
  ),
  setup.user.callCenterId ? panel : '',
  flowPart,
  h(
    'footer',
    { class: 'utility-bar' },
    setup.user.callCenterId
      ? item
      : h('span', { class: 'no-center' }, 'This user is not assigned to a call center, so no phone is shown.'),
  ),
  modalPart,
);
show(setup.user.callCenterId !== null);

const follower = followState<OrgState>('/sandbox/state', (next) => {
  const first = state === empty;
  state = next;
  if (first) {
    chooser.replaceChildren(
      ...state.users.map((user) =>
        h('option', { value: user.username, selected: user.username === setup.user.username }, user.name),
      ),
    );
    shownId ??= text(state.contacts[0]?.Id);
  }
  draw();
});
window.addEventListener('popstate', () => {
  shownId = idInPath();
  draw();
  navigated(shown() ? 'record' : 'list');
});
// Both kinds of app also tell when the page is looked at again.
window.addEventListener('focus', () => navigated('focus'));
// A number in a component was clicked: it names its record itself.
window.addEventListener('sandbox-dial', (event) => {
  const { number, recordId } = (event as CustomEvent<{ number: string; recordId: string }>).detail;
  const record = recordAt(state, recordId);
  if (record) dial(number, record);
  else if (dialing) {
    show(true);
    wire.fire('onClickToDial', { number, recordId: '', recordName: '', objectType: '' });
  }
});
mountPhone();

/** What a test can do to the page beyond clicking. */
Object.assign(window, {
  sandbox: {
    dial: (number: string) => {
      const record = shown();
      return record ? dial(number, record) : false;
    },
    open: navigate,
    fireNavigation: () => navigated('focus'),
    /** Refreshes the tab in front, which a console tells the phone. */
    refreshTab: () => navigated('tab-refresh'),
    /** Puts a new frame in place of the phone's, as a page refresh of the utility does. */
    recreateFrame: mountPhone,
    /** Closes the utility. */
    dropFrame: phone.drop,
    onStandby: phone.onStandby,
    /** Delivers the answers that the fault `host-held` kept, into the frame there is now. */
    releaseAnswers: wire.release,
    /** The page's message channels, as `lightning/messageService` reaches them. */
    channel: {
      subscribe: bus.subscribe,
      publish: (name: string, message: unknown): void => void bus.publish(name, message),
    },
    /** Publishes on a message channel as another component of the page would; answers whether the phone listens. */
    publish: bus.publish,
    /** Sends any message into the panel from a foreign origin. */
    strangerSays: (message: unknown) => strangerSays(message, phone.current()),
    events: () => events.map(({ channel, text: said }) => ({ channel, text: said })),
  },
});
