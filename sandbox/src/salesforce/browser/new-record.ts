/** Owns the form that `screenPop` opens for a record that is not there yet. */
import { h, postJson } from '../../page/dom.ts';

/** The modal of a new record, prefilled; `saved` gets the new id, `cancelled` hears that none was wanted. It takes itself off the page. */
export function newRecordModal(
  open: { readonly entity: string; readonly values: Readonly<Record<string, string>> },
  user: string,
  saved: (id: string) => Promise<void>,
  cancelled: () => void,
): HTMLElement {
  const names = [
    ...new Set([
      ...Object.keys(open.values),
      ...(open.entity === 'Lead'
        ? ['FirstName', 'LastName', 'Company', 'Phone']
        : open.entity === 'Account'
          ? ['Name', 'Phone']
          : ['FirstName', 'LastName', 'Phone', 'Email']),
    ]),
  ];
  const said = h('p', { class: 'said', role: 'alert' });
  const close = (): void => backdrop.remove();
  const form = h(
    'form',
    {
      class: 'card modal',
      role: 'dialog',
      'aria-modal': 'true',
      'aria-label': `New ${open.entity}`,
      onsubmit: (event) => {
        event.preventDefault();
        const values = Object.fromEntries([...new FormData(form).entries()].filter(([, given]) => given !== ''));
        void postJson('/sandbox/records', { user: user, object: open.entity, values }).then(async ({ ok, value }) => {
          if (!ok) {
            said.textContent = (value as { error?: string } | undefined)?.error ?? 'It could not be saved.';
            return;
          }
          close();
          await saved((value as { id: string }).id);
        });
      },
    },
    h('h2', {}, `New ${open.entity}`),
    ...names.map((name) => h('label', {}, name, h('input', { class: 'entry', name, value: open.values[name] ?? '' }))),
    said,
    h(
      'div',
      { class: 'buttons' },
      h(
        'button',
        {
          type: 'button',
          class: 'plain',
          onclick: () => {
            close();
            cancelled();
          },
        },
        'Cancel',
      ),
      h('button', { type: 'submit', class: 'primary' }, 'Save'),
    ),
  );
  const backdrop = h('div', { class: 'backdrop' }, form);
  return backdrop;
}
