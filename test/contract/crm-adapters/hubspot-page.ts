/**
 * A HubSpot page around the genuine SDK, by hand: the SDK uses the real (jsdom) window, whose parent is replaced by ours. What the panel posts
 * is kept; what the page posts comes from the origin and the sender the test chooses.
 */
import { createHubSpotPanel, type HostCall, type PanelHost } from '@patchcord/crm-adapters/panel';

export const origin = 'https://app-eu1.hubspot.com';
export const portalId = 24_500_123;

export type Message = { type: string; messageId?: string; data?: Record<string, unknown> } & Record<string, unknown>;

export interface HubSpotPage {
  readonly host: PanelHost;
  readonly posted: { message: Message; targetOrigin: string }[];
  /** Any message, from anybody. */
  post(data: unknown, by?: { origin?: string; source?: unknown }): void;
  /** An honest message of HubSpot's page. */
  say(type: string, data?: object): void;
  sync(more?: object): void;
  /** What the panel said since INITIALIZED, which is the first. */
  sent(): Message[];
  types(): string[];
  close(): void;
}

export interface HubSpotPageOptions {
  readonly framed?: boolean;
  readonly origin?: string;
  readonly hostTimeoutMs?: number;
  /** What SYNC says beside the usual. */
  readonly sync?: object;
}

export function hubspotPage(options: HubSpotPageOptions = {}): HubSpotPage {
  const from = options.origin ?? origin;
  const posted: HubSpotPage['posted'] = [];
  const parent = {
    postMessage(message: Message, targetOrigin: string) {
      posted.push({ message: structuredClone(message), targetOrigin });
    },
  };
  const before = Object.getOwnPropertyDescriptor(window, 'parent');
  Object.defineProperty(window, 'parent', { configurable: true, value: options.framed === false ? window : parent });
  let serial = 0;
  const post: HubSpotPage['post'] = (data, by = {}) => {
    const event = new MessageEvent('message', { data, origin: by.origin ?? from });
    Object.defineProperty(event, 'source', { value: by.source ?? parent });
    window.dispatchEvent(event);
  };
  const host = createHubSpotPanel({
    window,
    hostOrigins: [origin],
    audience: 'https://relay.example',
    hostTimeoutMs: options.hostTimeoutMs ?? 2_000,
  });
  return {
    host,
    posted,
    post,
    say(type, data) {
      serial += 1;
      post({ type, messageId: `host_${serial}`, ...(data === undefined ? {} : { data }) });
    },
    sync: (more = {}) =>
      post({
        type: 'SYNC',
        messageId: 'host_sync',
        hostUrl: from,
        portalId,
        userId: 4201,
        ownerId: 7701,
        iframeLocation: 'window',
        usesCallingWindow: true,
        ...options.sync,
        ...more,
      }),
    sent: () => posted.map(({ message }) => message).filter(({ type }) => type !== 'SYNC_ACK'),
    types: () => posted.map(({ message }) => message.type),
    close() {
      host.stop();
      if (before !== undefined) Object.defineProperty(window, 'parent', before);
    },
  };
}

/** The pages of one test, closed by `closeAll`. */
export function hubspotPages(): {
  open(options?: HubSpotPageOptions): HubSpotPage;
  started(sync?: object): Promise<HubSpotPage>;
  closeAll(): void;
} {
  const pages: HubSpotPage[] = [];
  const open = (options: HubSpotPageOptions = {}): HubSpotPage => {
    // One window, one parent: the one before has to be gone.
    for (const page of pages.splice(0)) page.close();
    const page = hubspotPage(options);
    pages.push(page);
    return page;
  };
  return {
    open,
    async started(sync = {}) {
      const page = open({ sync });
      const starting = page.host.start();
      page.sync();
      await starting;
      return page;
    },
    closeAll() {
      for (const page of pages.splice(0)) page.close();
    },
  };
}

export function hostCall(id: string, more: Partial<HostCall> = {}): HostCall {
  return {
    id,
    direction: 'inbound',
    farSide: { number: '4155550101' },
    nearNumber: '+14155550190',
    startedAt: 1_790_000_000_000,
    ...more,
  };
}

/** A click in HubSpot: the agent looks at one contact and calls another. */
export const dialOf = (number: string, calleeId: string): object => ({
  phoneNumber: number,
  phone_number: number,
  ownerId: 7701,
  subjectId: 0,
  objectId: 9_999,
  objectType: 'CONTACT',
  portalId,
  countryCode: 'US',
  calleeInfo: { calleeId: Number(calleeId), calleeObjectTypeId: '0-1' },
  startTimestamp: 1_790_000_000_000,
  toPhoneNumberSrc: 'phone',
});
