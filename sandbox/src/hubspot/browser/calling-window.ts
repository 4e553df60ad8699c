/** Owns HubSpot's detached calling window: the panel's frame and nothing else, one per user. Must never show a record: it asks a tab. */
import { banner, h } from '../../page/dom.ts';
import { createPhoneFrame, frameTools } from './phone-frame.ts';
import { recordAddress, type Setup } from './portal-state.ts';
import { joinAsWindow } from './portal-tabs.ts';

export async function showCallingWindow(setup: Setup): Promise<void> {
  document.body.className = 'calling-window';
  const side = await joinAsWindow(setup.owner.userId, (order) => phone.dial(order));
  if (!side) {
    // Whether HubSpot lets a second one open is not known; a second owner of the calls would be wrong in any case.
    document.body.append(
      banner('HubSpot'),
      h('p', { class: 'empty' }, 'The calling window is open already. Close this one and go on in the other.'),
    );
    return;
  }
  const toast = h('p', { class: 'toast', role: 'alert', hidden: true });
  const phone = createPhoneFrame(setup, {
    viewing: side.viewing,
    navigate(target, newTab) {
      if (!side.show(target, newTab)) window.open(recordAddress(setup, target));
    },
    ready: side.ready,
    live(on) {
      document.title = on ? 'On a call (sandbox)' : 'Calling (sandbox, not HubSpot)';
    },
    lint: (count) => document.body.setAttribute('data-lint', `${count}`),
    say(text) {
      toast.textContent = text;
      toast.hidden = false;
      setTimeout(() => {
        toast.hidden = true;
      }, 6000);
    },
    ignoresHideWidget: false,
  });
  document.addEventListener('visibilitychange', () =>
    phone.wire.send('VISIBILITY_CHANGED', { isMinimized: document.hidden, isHidden: false }),
  );
  document.body.append(banner('HubSpot'), phone.element, toast);
  Object.assign(window, { sandbox: frameTools(phone) });
  phone.load();
}
