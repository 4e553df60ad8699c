/**
 * Owns what can be looked at of a Salesforce set-up, in the order in which one thing needs the other. Says what was found and where in Setup it
 * is put right; what it opens or enables to see whether it can be, it gives back, however late the answer. Must never show an assertion.
 */
import { errorCode } from '@patchcord/call-protocol';
import type { SelfCheck, SelfCheckResult } from '../panel-contract.ts';
import type { HostAddress } from './host-address.ts';
import type { OpenCtiPort } from './opencti.ts';
import type { LoadedScript } from './script.ts';
import type { Outcome } from './wire.ts';

type Settings = ReadonlyMap<string, string>;

/** The panel, as the checks see it, connected or not. */
export interface SelfCheckSubject {
  readonly window: Window;
  readonly audience: string;
  /** Script hosts that were set and can't be any. */
  readonly impossibleScriptHosts: readonly string[];
  readonly port: OpenCtiPort;
  address(): HostAddress;
  /** @throws PatchcordError `host.*` */
  reach(): Promise<LoadedScript>;
  /** What the page answered to the panel, else what it answers now. @throws PatchcordError `host.*` */
  settings(): Promise<Settings>;
  channelName(settings: Settings): string;
  /** The phone wants numbers to be clicked: it works, and somebody is signed in. */
  clickable(): boolean;
  mintAssertion(): Promise<Outcome>;
  isAssertion(value: unknown): boolean;
}

const good = (found: string): SelfCheckResult => ({ verdict: 'good', found });
const bad = (found: string, advice: string): SelfCheckResult => ({ verdict: 'bad', found, advice });
const unsure = (found: string, advice: string): SelfCheckResult => ({ verdict: 'unsure', found, advice });

const classesPage = 'Setup > Apex Classes';
const centersPage = 'Setup > Call Centers';
const setsPage = 'Setup > Permission Sets';

/** Looks at the set-up, one thing each; see `PanelHost.selfChecks`. */
export function salesforceSelfChecks(subject: SelfCheckSubject): readonly SelfCheck[] {
  const { window, port, address } = subject;

  /** A check that needs what an earlier one looks at: where that fails, it can say nothing. */
  const check = (id: string, title: string, look: () => SelfCheckResult | Promise<SelfCheckResult>): SelfCheck => ({
    id,
    title,
    run: async () => {
      try {
        return await look();
      } catch (error) {
        const said = error instanceof Error ? error.message : 'No reason given.';
        return ['host.absent', 'host.not-authentic'].includes(errorCode(error))
          ? unsure('This could not be looked at: the phone is not inside a Salesforce page it trusts.', said)
          : bad('Salesforce’s page did not answer as it should.', said);
      }
    },
  });

  return [
    check('parameters', 'What Salesforce adds to the phone’s address', () => {
      if (window.parent === window)
        return bad('The phone was opened as a page of its own.', 'Open it from the utility bar of a Lightning app.');
      const read = address();
      return read.ok || read.about === 'origin'
        ? good('mode and sfdcIframeOrigin are there, once each.')
        : bad('mode and sfdcIframeOrigin are not there as Salesforce sends them.', read.reason);
    }),
    check('origin', 'The Salesforce page around the phone', () => {
      const read = address();
      if (read.ok)
        return window.location.ancestorOrigins === undefined
          ? unsure(
              `The address names ${read.origin}, which is on the list. This browser does not say who really frames the phone.`,
              'Chromium and Safari do; the relay checks who you are in any case.',
            )
          : good(`${read.origin} frames the phone and is on the list.`);
      return read.about === 'origin'
        ? bad('The page around the phone is not one it trusts.', read.reason)
        : unsure('Without the parameters nobody knows which page this is.', read.reason);
    }),
    check('script', 'Salesforce’s phone script', async () => {
      const wrong = subject.impossibleScriptHosts;
      const { from } = await subject.reach();
      const found = from === '' ? 'The script is there.' : `The script came from ${from}.`;
      return wrong.length === 0
        ? good(found)
        : unsure(
            `${found} The script host that was set (${wrong.join(' ').slice(0, 200)}) is no https origin of Salesforce and was left out.`,
            'Correct the script host in the tenant’s configuration, or take it out.',
          );
    }),
    check('call-center', 'Your call center', async () => {
      const settings = await subject.settings();
      const name = settings.get('/reqGeneralInfo/reqInternalName') ?? settings.get('/label') ?? 'unnamed';
      const url = /https?:\/\/[^\s)<"]+/.exec(settings.get('/reqGeneralInfo/reqAdapterUrl') ?? '')?.[0] ?? '';
      const ours = window.location.origin + window.location.pathname;
      if (addressOf(url) !== addressOf(ours))
        return unsure(
          `The adapter URL of your call center (${name}) is ${url || 'missing'}, this phone is ${ours}.`,
          `Where both are not the same phone, correct the CTI Adapter URL under ${centersPage} > ${name} > Edit.`,
        );
      const standby = settings.get('/reqGeneralInfo/reqStandbyUrl');
      const timeout = Number.parseInt(settings.get('/reqGeneralInfo/reqTimeout') ?? '', 10);
      if (standby !== undefined && !(timeout >= 10_000))
        return unsure(
          `You are in the call center ${name}. After ${Number.isNaN(timeout) ? 'a while' : `${timeout} ms`} it gives up on the phone and keeps its standby URL until the browser is closed.`,
          `Raise reqTimeout to 10000 ms or more under ${centersPage} > ${name} > Edit, or remove the standby URL.`,
        );
      return good(`You are in the call center ${name}, and its adapter URL is this phone.`);
    }),
    check('apex', 'Who vouches for you', async () => {
      await subject.reach();
      const answer = await subject.mintAssertion();
      if (!answer.ok) return apexRefusal(answer.reason, subject.audience);
      return subject.isAssertion(answer.value)
        ? good('The Apex class PatchcordIdentity vouches for you.')
        : bad(
            'The Apex class PatchcordIdentity answered without an assertion.',
            `Deploy the classes of this version again (${classesPage}).`,
          );
    }),
    check('message-channel', 'The message channel of the page', async () => {
      const name = subject.channelName(await subject.settings());
      const advice = `Deploy the message channel ${name.replace(/__c$/, '')}. The phone works without it; components beside it on the page don’t.`;
      const answer = await port.ask('subscribe', { channelName: name, listener: () => {} }, (response) => {
        const token = (response as { readonly subscription?: unknown } | null)?.subscription;
        // It answers only when nobody else of this page is subscribed, so that nobody waits for it.
        if (typeof token === 'object' && token !== null) port.tell('unsubscribe', { subscription: token });
      });
      return answer.ok
        ? good(`${name} is open.`)
        : bad(`Salesforce does not open the channel ${name} (${answer.reason}).`, advice);
    }),
    check('click-to-dial', 'Numbers on the page', async () => {
      await subject.reach();
      const answer = await port.ask('enableClickToDial', {}, () => {
        // Nobody would hear the clicks.
        if (!subject.clickable()) port.tell('disableClickToDial', {});
      });
      return answer.ok
        ? good('Phone fields can be clicked.')
        : bad(
            `Salesforce does not make numbers clickable (${answer.reason}).`,
            `Look at ${centersPage} > Manage Call Center Users: you must be among them. Reload the page afterwards.`,
          );
    }),
  ];
}

/** Salesforce tells a class that is not there and a class the agent may not use in the same words. */
function apexRefusal(reason: string, audience: string): SelfCheckResult {
  if (/audience/i.test(reason))
    return bad(`Apex refused the relay’s address (${reason}).`, `The relay’s public URL (${audience}) must be https.`);
  if (/certificat|\bJWS\b|data not available|keystore/i.test(reason))
    return bad(
      `Apex could not sign (${reason}).`,
      'Create a self-signed certificate with the unique name Patchcord under Setup > Certificate and Key Management.',
    );
  if (/not access|no access|access to|permission|privilege|insufficient/i.test(reason))
    return bad(
      `You may not use the Apex class PatchcordIdentity (${reason}).`,
      `Assign the permission set Patchcord Agent to this user: ${setsPage} > Patchcord Agent > Manage Assignments.`,
    );
  if (/could not (?:load|find)|not found|invalid class|does not exist/i.test(reason))
    return bad(
      `Salesforce finds no Apex class PatchcordIdentity that you may use (${reason}).`,
      `Look under ${classesPage}. Where it is missing, deploy the classes; where it is there, assign the permission set Patchcord Agent to this user (${setsPage} > Patchcord Agent > Manage Assignments).`,
    );
  return bad(
    `Apex did not vouch for you (${reason}).`,
    `Look at the class PatchcordIdentity under ${classesPage}, and at Setup > Debug Logs while you try again.`,
  );
}

/** Origin and path without a final slash: what Salesforce adds behind them is its own. */
function addressOf(url: string): string {
  if (!URL.canParse(url)) return '';
  const { origin, pathname } = new URL(url);
  return origin + pathname.replace(/\/$/, '');
}
