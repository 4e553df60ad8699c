/**
 * Owns one extension on a page of the sandbox: its worker, what the worker asks, and the place it is drawn in. The extension is the genuine bundle of
 * `hubspot-extension/`; it sees what HubSpot would let it see, and nothing of the page.
 */
import { h, postJson } from '../../page/dom.ts';
import { words } from './drawn.ts';
import { drawTree } from './remote-tree.ts';
import { type CardContext, type FromWorker, type ToWorker, withFunctions } from './wire.ts';

export interface CardToMount {
  /** `uid` of its `*-hsmeta.json`: `patchcord_calls_card`, `patchcord_help_desk_card`, `patchcord_settings`. */
  readonly card: string;
  /** Who looks, at which account, and at which record; the settings page has none. Location, app and variables are the server's to say. */
  readonly context: Pick<CardContext, 'user' | 'portal' | 'crm'>;
}

export interface MountedCard {
  /** Ends the worker and empties the place. */
  remove(): void;
}

interface Described {
  readonly name: string;
  readonly location: string;
  readonly appId: number;
  readonly variables: Readonly<Record<string, string>>;
}

const routes = '/sandbox/cards';

/** Puts a card into `place` and keeps it there. What goes wrong is said in the place itself; nothing is thrown. */
export function mountCard(place: HTMLElement, { card, context }: CardToMount): MountedCard {
  if (document.getElementById('cards-css') === null)
    document.head.append(h('link', { id: 'cards-css', rel: 'stylesheet', href: `${routes}/cards.css` }));
  const note = h('p', { class: 'uie-note', role: 'alert', hidden: true });
  const drawn = h('div', { class: 'uie-card' });
  place.replaceChildren(note, drawn);
  const worker = new Worker(`${routes}/worker.js`, { name: card });
  const tree = drawTree(drawn);
  const send = (message: ToWorker) => worker.postMessage(message);
  const say = (text: string) => {
    note.textContent = text;
    note.hidden = text === '';
  };

  worker.addEventListener('error', ({ message }) => say(`The extension failed: ${message}`));
  worker.addEventListener('message', ({ data }: MessageEvent<FromWorker>) => {
    if (data.type === 'failed') say(`The extension failed: ${data.message}`);
    else if (data.type === 'action') act(data.name, data.args[0], say);
    else if (data.type === 'ask') void answer(data.id, data.question, data.value);
    else {
      const args = withFunctions(data.args, (id, given) => send({ type: 'call', id, args: given })) as never[];
      (tree.receive as (step: number, ...given: never[]) => void)(data.step, ...args);
    }
  });

  async function answer(id: number, question: string, value: unknown): Promise<void> {
    const { ok, value: said } = await postJson(`${routes}/${question}`, {
      user: context.user.id,
      ...(value as object),
    });
    if (ok) send({ type: 'answer', id, value: said });
    else send({ type: 'no-answer', id, message: words((said as { error?: unknown } | null)?.error) });
  }

  void fetch(`${routes}/card?uid=${encodeURIComponent(card)}`)
    .then((response) => response.json() as Promise<Described & { error?: string }>)
    .then(({ error, name, location, appId, variables }) => {
      if (error !== undefined) return say(error);
      const extension = { appId, appName: 'Patchcord', cardTitle: name };
      const bundle = `${routes}/bundle.js?uid=${encodeURIComponent(card)}`;
      send({ type: 'start', bundle, context: { ...context, location, extension, variables } });
    })
    .catch((error: unknown) => say(`The sandbox does not answer: ${String(error)}`));

  return {
    remove: () => {
      worker.terminate();
      tree.stop();
      place.replaceChildren();
    },
  };
}

/** What an extension may ask HubSpot's page to do. The rest has no meaning in the sandbox. */
function act(name: string, value: unknown, say: (text: string) => void): void {
  if (name === 'reloadPage') location.reload();
  else if (name === 'copyTextToClipboard') void navigator.clipboard.writeText(words(value));
  else if (name === 'addAlert') {
    const { title, message } = (value ?? {}) as { title?: unknown; message?: unknown };
    say([words(title), words(message)].filter((part) => part !== '').join(': '));
  }
}
