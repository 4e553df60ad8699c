/**
 * Owns the card that stands for a UI extension: it asks the relay, signed by the server, for the code that tells a phone whose it is.
 */
import { h, icon, postJson } from '../../page/dom.ts';

export function createPhoneCard(userId: number): HTMLElement {
  let pairing: { code?: string; expiresAt?: string | number; problem?: string; busy?: boolean } = {};
  const card = h('section', { class: 'card phone-card', 'aria-label': 'Phone card' });

  function drawCard(): void {
    const { code, expiresAt, problem, busy } = pairing;
    const until =
      expiresAt === undefined
        ? ''
        : ` It works until ${new Date(expiresAt).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' })}.`;
    card.replaceChildren(
      h('h2', {}, icon('link', 16), 'Phone', h('span', { class: 'tag' }, 'UI extension card')),
      code === undefined
        ? h(
            'p',
            { class: 'hint' },
            'Your phone has to know that it is yours. Get a code here and type it into the phone.',
          )
        : h(
            'div',
            { class: 'code' },
            h('output', { 'aria-label': 'Pairing code', 'data-code': code }, code),
            h(
              'button',
              { type: 'button', class: 'plain', onclick: () => void navigator.clipboard.writeText(code) },
              icon('copy', 15),
              'Copy',
            ),
          ),
      code === undefined ? '' : h('p', { class: 'hint' }, `Type it into the phone.${until}`),
      problem === undefined ? '' : h('p', { class: 'problem', role: 'alert' }, problem),
      h(
        'button',
        {
          type: 'button',
          class: code === undefined ? 'primary' : 'plain',
          disabled: busy === true,
          'data-pair': true,
          onclick: () => void pair(),
        },
        busy ? 'Asking the relay…' : code === undefined ? 'Connect my phone' : 'New code',
      ),
    );
  }

  async function pair(): Promise<void> {
    pairing = { busy: true };
    drawCard();
    const { ok, value } = await postJson('/sandbox/pair', { user: userId });
    const answer = (value ?? {}) as { code?: string; expiresAt?: string | number; error?: string };
    pairing = ok
      ? {
          ...(answer.code === undefined ? {} : { code: answer.code }),
          ...(answer.expiresAt === undefined ? {} : { expiresAt: answer.expiresAt }),
        }
      : { problem: answer.error ?? 'The relay gave no code.' };
    drawCard();
  }

  drawCard();
  return card;
}
