/**
 * Owns the phone's frame in the utility bar: its address with the parameters Lightning appends, dropping and making it anew, and the standby
 * address when the phone does not report itself in time (the Salesforce contract, section 1.1). Must never speak the wire.
 */
import { h } from '../../page/dom.ts';
import type { PageSetup } from './org-state.ts';

export interface PhoneFrame {
  current(): HTMLIFrameElement | undefined;
  /** Puts a new frame in place of the last one; nothing is remembered of it. */
  mount(): void;
  /** Takes the frame away, as closing the utility does. */
  drop(): void;
  /** The phone called `notifyInitializationComplete`. */
  ready(): void;
  /** Whether the standby address is shown. */
  onStandby(): boolean;
}

/** Where a browser session remembers that it is on standby: Lightning stays there until the browser is started again. */
const standbyKey = 'sandbox-phone-on-standby';

export function createPhoneFrame(setup: PageSetup, holder: HTMLElement, gone: () => void): PhoneFrame {
  const { standbyUrl, timeoutMs } = setup.callCenter;
  let frame: HTMLIFrameElement | undefined;
  let timer: number | undefined;

  function drop(): void {
    clearTimeout(timer);
    gone();
    frame = undefined;
    holder.replaceChildren();
  }

  function mount(): void {
    drop();
    const standby = standbyUrl !== null && sessionStorage.getItem(standbyKey) !== null;
    const address = standby ? standbyUrl : setup.panelUrl;
    const query = new URLSearchParams({
      mode: 'Lightning',
      ltn_app_id: '06mPc0000000001AAA',
      isdtp: 'vw',
      sfdcIframeOrigin: location.origin,
      clc: '1',
      nonce: crypto.randomUUID().replaceAll('-', ''),
    });
    frame = h('iframe', {
      class: 'openctiSoftPhone',
      title: 'Phone',
      name: 'softphone',
      allow: 'microphone; autoplay; speaker-selection',
      src: `${address}${address.includes('?') ? '&' : '?'}${query.toString()}`,
    });
    holder.replaceChildren(frame);
    // Both items or neither, and only while loading.
    if (!standby && standbyUrl !== null && timeoutMs !== null)
      timer = window.setTimeout(() => {
        sessionStorage.setItem(standbyKey, '1');
        mount();
      }, timeoutMs);
  }

  return {
    current: () => frame,
    mount,
    drop,
    ready: () => clearTimeout(timer),
    onStandby: () => standbyUrl !== null && frame?.src.startsWith(standbyUrl) === true,
  };
}
