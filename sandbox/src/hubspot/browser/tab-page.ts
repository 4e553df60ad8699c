/**
 * Owns an ordinary tab of the HubSpot page: a record, the task queue or the help desk, the navigation bar with the phone's frame, and where a
 * click on a number goes. Must never speak the wire itself: `host-wire.ts` does.
 */
import { avatar, banner, followState, h, icon, postJson } from '../../page/dom.ts';
import { createCallers } from './callers.ts';
import { createCardColumn } from './card-column.ts';
import { createHelpDesk } from './help-desk.ts';
import { createPhoneFrame, frameTools } from './phone-frame.ts';
import {
  addressIn,
  entryOf,
  nameOf,
  type PortalState,
  type Reference,
  recordAddress,
  referenceIn,
  type Setup,
  typeIds,
} from './portal-state.ts';
import { joinAsTab } from './portal-tabs.ts';
import { rail, titleOf } from './rail.ts';
import { aboutView, associatedView, type RecordActions } from './record-view.ts';
import { createTaskQueue } from './task-queue.ts';
import { callsOn, timelineView } from './timeline-view.ts';

/** Draws the page into the document and keeps it up to date. */
export function showTab(setup: Setup): void {
  const me = `${setup.owner.firstName} ${setup.owner.lastName}`;
  let state: PortalState | undefined;
  let viewing = referenceIn(location);
  let drawn = '';

  const listPart = h('div', { class: 'people' });
  const leftPart = h('section', { class: 'card', 'aria-label': 'Record' });
  const activityPart = h('section', { class: 'card activity', 'aria-label': 'Activities' });
  const associationsPart = h('section', { class: 'card', 'aria-label': 'Associations' });
  const callers = createCallers(setup.owner.userId);
  const card = createCardColumn(setup);
  const cardsPart = h('div', { class: 'cards' }, card.element);
  const lintNote = h('a', { class: 'lint', href: '/sandbox/lint', target: '_blank', hidden: true });
  const toast = h('p', { class: 'toast', role: 'alert', hidden: true });

  const tabs = joinAsTab({
    userId: setup.owner.userId,
    tab: setup.page,
    windowUrl: addressIn(setup, '/calling-integration-popup-ui/:portal'),
    size: { width: setup.width, height: setup.height },
    show(target, newTab) {
      if (newTab) window.open(recordAddress(setup, target));
      else navigate(target);
    },
  });

  const phone =
    setup.location === 'none'
      ? undefined
      : createPhoneFrame(setup, {
          viewing: () => viewing,
          navigate(target, newTab) {
            if (newTab) window.open(recordAddress(setup, target));
            else navigate(target);
          },
          ready: () => {},
          live: () => {},
          lint(count) {
            lintNote.hidden = count === 0;
            lintNote.textContent = `${count} contract ${count === 1 ? 'finding' : 'findings'}`;
          },
          say,
          // Documented only as "ignored"; that the widget stays open is a guess.
          ignoresHideWidget: setup.place === 'tasks',
        });

  const actions: RecordActions = {
    addressOf: (target) => recordAddress(setup, target),
    following: (target) => (event) => {
      event.preventDefault();
      navigate(target);
    },
    dial,
  };
  const queue = setup.place === 'tasks' ? createTaskQueue(actions, draw) : undefined;
  const desk = setup.place === 'help-desk' ? createHelpDesk(setup.owner.userId, actions, draw) : undefined;

  function say(text: string): void {
    toast.textContent = text;
    toast.hidden = false;
    setTimeout(() => {
      toast.hidden = true;
    }, 6000);
  }

  /** Shows a record: as HubSpot does by a new page that drops the frame, or in place with `navigation=inplace`. */
  function navigate(target: Reference): void {
    const address =
      desk && target.type === 'tickets'
        ? addressIn(setup, `/help-desk/:portal/thread/${target.id}`)
        : recordAddress(setup, target);
    if (setup.fullNavigation || queue) {
      location.assign(address);
      return;
    }
    viewing = target;
    history.pushState(null, '', address);
    tabs.looked(viewing);
    draw();
  }

  /** A click on a number. `objectId` is the record on screen, `calleeInfo` the one being called: not always the same. */
  function dial(number: string, source: string, callee: Reference, country: string): void {
    const provider = state?.owners.find((one) => one.userId === setup.owner.userId)?.provider ?? 'ours';
    if (provider !== 'ours') {
      say(provider === 'hubspot' ? 'You chose HubSpot’s own calling: it would call now.' : 'You chose no calling app.');
      return;
    }
    const shown = viewing ?? callee;
    const kind = { contacts: 'CONTACT', companies: 'COMPANY', tickets: 'TICKET', deals: undefined }[shown.type];
    // From a conversation the viewed record is nobody, and from a deal it has no type: both were met in the field.
    const objectId = desk ? 0 : Number(shown.id);
    const data = {
      phoneNumber: number,
      phone_number: number,
      ownerId: Number(setup.owner.id),
      subjectId: objectId,
      objectId,
      ...(kind === undefined ? {} : { objectType: kind }),
      portalId: setup.portalId,
      countryCode: country,
      calleeInfo: { calleeId: Number(callee.id), calleeObjectTypeId: typeIds[callee.type] },
      startTimestamp: Date.now(),
      toPhoneNumberSrc: source,
      threadId: desk && viewing ? Number(viewing.id) : 0,
    };
    tabs.looked(viewing);
    if (setup.usesCallingWindow) {
      // HubSpot dials in the frame that owns the calls. That it opens the window by itself for this is a guess.
      void tabs.dialInWindow({ data, callee }).then((open) => {
        if (!open) say('The browser blocked the calling window. Allow pop-ups for this page and click again.');
      });
    } else if (phone) phone.dial({ data, callee });
    else say('No calling app is ready in this account.');
  }

  // ── Drawing ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  function draw(): void {
    if (!state) return;
    const portal = state;
    if (queue) viewing = queue.current(portal);
    const shown = viewing;
    const entry = entryOf(portal, shown);
    listPart.replaceChildren(...(desk ? desk.list(portal, shown) : people(portal)));
    if (queue) leftPart.replaceChildren(...queue.draw(portal));
    else if (desk && shown) leftPart.replaceChildren(...desk.thread(portal, shown));
    else if (shown && entry) leftPart.replaceChildren(...aboutView(portal, shown, entry, actions));
    else leftPart.replaceChildren(h('p', { class: 'empty' }, icon('person', 24), 'Choose a contact.'));
    associationsPart.replaceChildren(...(entry ? associatedView(portal, entry, actions) : []));
    associationsPart.hidden = associationsPart.childElementCount === 0;
    card.show(entry ? shown : undefined);
    drawActivities(portal, shown);
    callers.show(
      portal,
      viewing?.type === 'contacts' ? entry : portal.contacts.find((one) => one.id === entry?.contacts?.[0]),
    );
  }

  /** Drawn anew only when something in it changed: a recording goes on playing, a transcript stays open. */
  function drawActivities(portal: PortalState, shown: Reference | undefined): void {
    const calls = shown ? callsOn(portal, shown) : [];
    const now = JSON.stringify([shown, calls]);
    if (now === drawn || !shown) return;
    drawn = now;
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
      timelineView(portal, calls, shown),
    );
  }

  function people(portal: PortalState): Node[] {
    return portal.contacts.map((contact) => {
      const name = nameOf('contacts', contact);
      const target: Reference = { type: 'contacts', id: contact.id };
      return h(
        'a',
        {
          class: 'person',
          href: actions.addressOf(target),
          'data-contact': contact.id,
          title: name,
          'aria-current': viewing?.type === 'contacts' && viewing.id === contact.id ? 'page' : undefined,
          onclick: actions.following(target),
        },
        avatar(name),
        h('span', {}, name.split(' ')[0] ?? ''),
      );
    });
  }

  // ── The page ───────────────────────────────────────────────────────────────────────────────────────────────────────────

  const chooser = h(
    'select',
    {
      'aria-label': 'Signed in as',
      onchange: () => {
        const query = new URLSearchParams(location.search);
        query.set('user', chooser.value);
        location.assign(`${location.pathname}?${query.toString()}`);
      },
    },
    h('option', {}, me),
  );
  const provider = h(
    'select',
    {
      'aria-label': 'Make and receive calls through',
      onchange: () => void postJson('/sandbox/provider', { user: setup.owner.userId, provider: provider.value }),
    },
    h('option', { value: 'ours' }, setup.appName),
    h('option', { value: 'hubspot' }, 'HubSpot'),
    h('option', { value: 'none' }, 'nothing'),
  );
  const windowButton = h(
    'button',
    {
      type: 'button',
      class: 'plain window-button',
      'data-open-window': true,
      onclick: () =>
        void tabs.openWindow().then((open) => {
          if (!open) say('The browser blocked the calling window. Allow pop-ups for this page and click again.');
        }),
    },
    icon('phone', 15),
    'Calling window',
  );
  document.body.append(
    rail(setup),
    h(
      'div',
      { class: 'page' },
      banner('HubSpot', lintNote, h('label', {}, 'Calls through ', provider), h('label', {}, 'Signed in as ', chooser)),
      h(
        'header',
        { class: 'top' },
        h('strong', {}, titleOf(setup.place)),
        listPart,
        h('span', { class: 'push' }),
        setup.usesCallingWindow ? windowButton : '',
        avatar(me),
      ),
      h(
        'main',
        { class: phone ? 'with-phone' : '' },
        h('div', { class: 'left' }, leftPart, callers.element),
        h('div', { class: 'middle' }, activityPart),
        h('div', { class: 'right' }, cardsPart, associationsPart),
        phone?.element ?? '',
      ),
    ),
    toast,
  );

  phone?.load();
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
      tabs.looked(viewing);
    }
    provider.value = next.owners.find((one) => one.userId === setup.owner.userId)?.provider ?? 'ours';
    draw();
  });
  window.addEventListener('popstate', () => {
    viewing = referenceIn(location);
    draw();
  });
  for (const event of ['focus', 'pointerdown']) addEventListener(event, () => tabs.looked(viewing));
  tabs.onWindow((open) => {
    document.body.classList.toggle('window-open', open);
  });

  /** What a test can do to the page beyond clicking. */
  Object.assign(window, {
    sandbox: {
      ...(phone ? frameTools(phone) : {}),
      dial: (number: string) => viewing && dial(number, 'phone', viewing, 'US'),
      open: navigate,
      refresh: follower.refresh,
    },
  });
}
