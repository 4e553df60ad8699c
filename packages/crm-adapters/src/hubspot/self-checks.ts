/**
 * Owns what can be looked at of the phone's frame inside HubSpot, in the order in which one thing needs the other, and says where it is put right.
 * Must never change anything, nor wait for HubSpot.
 */
import type { SelfCheck, SelfCheckResult } from '../panel-contract.ts';
import { type HostContext, isMirror } from './wire.ts';

export interface SelfCheckSubject {
  readonly window: Window;
  readonly hostOrigins: readonly string[];
  readonly context: () => HostContext | null;
  /** The calling window was opened from this frame and is still there. */
  readonly windowOpen: () => boolean;
  /** What HubSpot could not do since this frame was loaded. */
  readonly refusals: () => readonly string[];
}

type Policy = { allowsFeature(name: string): boolean } | undefined;

const good = (found: string): SelfCheckResult => ({ verdict: 'good', found });
const bad = (found: string, advice: string): SelfCheckResult => ({ verdict: 'bad', found, advice });
const unsure = (found: string, advice: string): SelfCheckResult => ({ verdict: 'unsure', found, advice });

const provider = 'Settings > Calling > Make and receive calls through';

/** See `PanelHost.selfChecks`. */
export function hubspotSelfChecks(subject: SelfCheckSubject): readonly SelfCheck[] {
  const { window } = subject;
  const check = (id: string, title: string, look: () => SelfCheckResult | Promise<SelfCheckResult>): SelfCheck => ({
    id,
    title,
    run: async () => look(),
  });
  return [
    check('framed', 'The page around the phone', () => {
      if (window.parent === window) return bad('There is none.', `Open the phone inside HubSpot: ${provider}.`);
      const around = window.location.ancestorOrigins?.[0];
      if (around === undefined) return unsure('This browser does not say.', 'Go by HubSpot’s greeting.');
      return subject.hostOrigins.includes(around)
        ? good(`${around} is on the list.`)
        : bad(`${around} is not on the list.`, 'Add it to the tenant’s host origins.');
    }),
    check('greeting', 'HubSpot’s greeting', () => {
      const context = subject.context();
      return context === null
        ? bad('HubSpot has not greeted the phone.', `Reload the page. Is Patchcord chosen under ${provider}?`)
        : good(`From account ${context.portalId ?? '(unnamed)'}.`);
    }),
    check('frame', 'Where calls live', () => {
      const context = subject.context();
      if (context === null) return unsure('HubSpot’s greeting would tell.', 'Put that right first.');
      if (context.location === 'window') return good('Here, in the calling window. Keep it open: calls need it.');
      if (!isMirror(context))
        return unsure(
          'In a frame of HubSpot’s page. Each new page interrupts the sound of a call.',
          'Set supportsInboundCalling and usesCallingWindow in the app’s calling settings.',
        );
      return subject.windowOpen()
        ? good('In the calling window, which is open.')
        : unsure('In the calling window. This frame cannot see it.', 'Open it where the phone says that it is closed.');
    }),
    check('storage', 'Storage of the browser', async () => {
      try {
        window.localStorage.getItem('');
        await window.navigator.locks.query();
        return good('The frames of this browser can agree on one phone.');
      } catch {
        return bad(
          'The browser keeps it from the phone: every tab would be a phone of its own.',
          'Allow this site to store data inside HubSpot (third-party data in the browser’s privacy settings).',
        );
      }
    }),
    check('microphone-policy', 'HubSpot’s leave to use the microphone', () => {
      const page = window.document as { permissionsPolicy?: Policy; featurePolicy?: Policy };
      const policy = page.permissionsPolicy ?? page.featurePolicy;
      if (policy === undefined) return unsure('This browser does not say.', 'Go by the line of the microphone.');
      return policy.allowsFeature('microphone')
        ? good('This frame has it.')
        : bad('This frame does not have it.', 'Use the calling window, or reload the page.');
    }),
    check('refusals', 'What HubSpot refused', () => {
      const refused = subject.refusals();
      return refused.length === 0
        ? good('Nothing since this frame was loaded.')
        : unsure(
            `${refused.join('; ')}.`,
            'The relay writes the logs all the same. If it stays, look at the app’s scopes.',
          );
    }),
  ];
}
