/**
 * Owns the task queue of type Call: one person after the other, with the widget open. The next task does not dial by itself: HubSpot may send
 * nothing for it (the HubSpot contract, section 1.4).
 */
import { avatar, h } from '../../page/dom.ts';
import { nameOf, numberOf, type PortalState, type Reference } from './portal-state.ts';
import { countryOf, dialLink, type RecordActions } from './record-view.ts';

export interface TaskQueue {
  /** The person whose task is in front. */
  current(portal: PortalState): Reference | undefined;
  draw(portal: PortalState): Node[];
}

const reasons = ['Asked for a second offer', 'Has not answered the last mail', 'Contract runs out this month'];

export function createTaskQueue(actions: RecordActions, changed: () => void): TaskQueue {
  let done = 0;
  const tasks = (portal: PortalState): PortalState['contacts'] => portal.contacts.filter(numberOf).slice(0, 6);

  return {
    current(portal) {
      const task = tasks(portal)[done];
      return task && { type: 'contacts', id: task.id };
    },
    draw(portal) {
      const all = tasks(portal);
      const task = all[done];
      const number = task && numberOf(task);
      if (!task || !number) return [h('p', { class: 'empty' }, 'Every call of this queue is done.')];
      const next = (): void => {
        done += 1;
        changed();
      };
      return [
        h('p', { class: 'sub' }, `Call ${done + 1} of ${all.length}`),
        h(
          'div',
          { class: 'who', 'data-shown': task.id },
          avatar(nameOf('contacts', task), 'large'),
          h(
            'div',
            {},
            h('h1', {}, `Call ${nameOf('contacts', task)}`),
            h('p', { class: 'sub' }, reasons[done % reasons.length] ?? ''),
            dialLink(actions, number.number, number.source, { type: 'contacts', id: task.id }, countryOf(portal, task)),
          ),
        ),
        h(
          'div',
          { class: 'steps' },
          h('button', { type: 'button', class: 'primary', 'data-next-task': true, onclick: next }, 'Complete and next'),
          h('button', { type: 'button', class: 'plain', onclick: next }, 'Skip'),
        ),
      ];
    },
  };
}
