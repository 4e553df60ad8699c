/**
 * Quick keys and digits from the keyboard. Owns which key means what, by place on the keyboard so that Alt works alike everywhere; listed in
 * the help. Letters always need Alt (WCAG 2.1.4); digits count only where a keypad is open and nobody is typing into a field.
 */
import type { SoftphoneModel } from './softphone-model.ts';

/** Listens on the page until the returned function is called. */
export function startQuickKeys(page: Document, model: SoftphoneModel): () => void {
  function pressed(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey) return;
    const taken = event.altKey
      ? act(event.code, model, page)
      : event.key === 'Escape'
        ? leaveSheet(model, page)
        : typeDigit(event, model);
    if (taken) event.preventDefault();
  }
  page.addEventListener('keydown', pressed);
  return () => page.removeEventListener('keydown', pressed);
}

function act(code: string, model: SoftphoneModel, page: Document): boolean {
  const { screen, knocking, beside } = model.layout.value;
  const ringing = screen.kind === 'incoming' ? screen.call : knocking[0];
  const call = screen.kind === 'call' ? screen.call : null;
  switch (code) {
    case 'KeyA':
      if (ringing !== undefined) void model.answer(ringing.id);
      return ringing !== undefined;
    case 'KeyX':
      if (ringing !== undefined) void model.decline(ringing.id);
      else if (call !== null) void model.hangUp(call.id);
      return ringing !== undefined || call !== null;
    case 'KeyM':
      if (call !== null) void model.toggleMute(call);
      return call !== null;
    case 'KeyH':
      if (call !== null) void model.toggleHold(call);
      return call !== null;
    case 'KeyK':
      if (call?.phase === 'active') model.showSheet('keypad');
      return call !== null;
    case 'KeyT':
      if (call?.phase === 'active' && call.consultFor === null) model.showSheet('transfer');
      return call !== null;
    case 'KeyS': {
      const held = beside.find((other) => other.hold === 'on');
      if (held !== undefined) void model.swap(held.id);
      return held !== undefined;
    }
    case 'KeyG': {
      const held = beside.find((other) => other.hold === 'on');
      if (held !== undefined && model.features.value.conference.mostMembers > 1) void model.merge(held.id);
      return held !== undefined;
    }
    case 'KeyP':
      if (call?.phase !== 'active' || model.features.value.park === null) return false;
      void model.park(call.id);
      return true;
    case 'KeyN': {
      const note = page.querySelector<HTMLElement>('[data-note]');
      note?.focus();
      return note !== null;
    }
    default:
      return false;
  }
}

/** Escape closes what lies over the call, and the focus goes back to the control that opened it. */
function leaveSheet(model: SoftphoneModel, page: Document): boolean {
  const sheet = model.sheet.value;
  if (sheet === 'none' || page.querySelector(':popover-open') !== null) return false;
  page.querySelector<HTMLElement>(`[data-sheet="${sheet}"]`)?.focus();
  model.showSheet(sheet);
  return true;
}

function typeDigit(event: KeyboardEvent, model: SoftphoneModel): boolean {
  if (!/^[\d*#+]$/.test(event.key) || isTyping(event.target)) return false;
  const { screen } = model.layout.value;
  if (screen.kind === 'call' && screen.call.phase === 'active' && model.sheet.value === 'keypad') {
    if (event.key !== '+') void model.sendDigits(screen.call.id, event.key);
    return true;
  }
  if (screen.kind === 'ready' && model.tab.value === 'keypad') {
    model.typeNumber(model.dialText.value + event.key);
    return true;
  }
  return false;
}

function isTyping(target: EventTarget | null): boolean {
  const element = target as Partial<HTMLElement> | null;
  return element?.isContentEditable === true || /^(INPUT|TEXTAREA|SELECT)$/.test(element?.tagName ?? '');
}
