/**
 * HubSpot's page of the suite, in the browser: mounts the phone's frame, runs the SYNC loop on every load of it, passes its messages on to the
 * account and the account's answers back. Written from the wire; decides nothing about what a message means.
 */
interface Told {
  readonly context: Readonly<Record<string, unknown>>;
  readonly phoneUrl: string;
}
interface Heard {
  readonly type: string;
  readonly messageId?: unknown;
  readonly data?: unknown;
}
type AccountWindow = Window & {
  accountTells(): Promise<Told>;
  accountHears(said: object): Promise<readonly { readonly type: string; readonly data?: unknown }[]>;
};

const account = window as unknown as AccountWindow;
const query = new URLSearchParams(location.search);
const isWindow = location.pathname.startsWith('/calling-integration-popup-ui/');
const frameLocation = isWindow ? 'window' : (query.get('location') ?? 'widget');
const usesCallingWindow = query.get('usesCallingWindow') !== 'false';
const syncEveryMs = 100;
const syncForMs = 30_000;

const raw: unknown[] = [];
let frame: HTMLIFrameElement | undefined;
let phoneOrigin = '';
let loads = 0;
let syncing: ReturnType<typeof setInterval> | undefined;
let acknowledged = false;
let syncs = 0;
let serial = 0;
let hearing: Promise<void> = Promise.resolve();
const tab = crypto.randomUUID().slice(0, 8);

const nextId = (): string => {
  serial += 1;
  return `host${tab}_${serial}`;
};

function post(message: unknown): void {
  frame?.contentWindow?.postMessage(message, phoneOrigin);
}

function say(type: string, data?: unknown, messageId: unknown = nextId()): void {
  post({ type, messageId, ...(data === undefined ? {} : { data }) });
}

async function sync(): Promise<void> {
  clearInterval(syncing);
  acknowledged = false;
  loads += 1;
  const { context } = await account.accountTells();
  const since = Date.now();
  const once = (): void => {
    if (acknowledged || Date.now() - since > syncForMs) {
      clearInterval(syncing);
      return;
    }
    syncs += 1;
    post({
      type: 'SYNC',
      messageId: nextId(),
      hostUrl: location.origin,
      iframeLocation: frameLocation,
      usesCallingWindow,
      ...context,
    });
  };
  syncing = setInterval(once, syncEveryMs);
  once();
}

async function hear({ type, messageId, data }: Heard): Promise<void> {
  const replies = await account.accountHears({
    ...{ frame: `${tab}/${loads}`, location: frameLocation, usesCallingWindow },
    ...{ type, messageId, data: data ?? {} },
  });
  for (const reply of replies) say(reply.type, reply.data);
  if (type !== 'NAVIGATE_TO_RECORD' || replies.length > 0 || isWindow) return;
  const { objectTypeId, objectId } = (data as { objectCoordinates: Record<string, unknown> }).objectCoordinates;
  location.assign(`/contacts/record/${objectTypeId}/${objectId}${location.search}`);
}

window.addEventListener('message', ({ source, origin, data }: MessageEvent<Heard | null>) => {
  if (source !== frame?.contentWindow || origin !== phoneOrigin) return;
  raw.push(data);
  if (typeof data !== 'object' || data === null || !data.type || !data.messageId) return;
  if (data.type === 'SYNC_ACK') acknowledged = true;
  hearing = hearing.then(() => hear(data));
});

async function mount(): Promise<void> {
  const { phoneUrl } = await account.accountTells();
  phoneOrigin = new URL(phoneUrl).origin;
  const element = document.createElement('iframe');
  element.allow = query.get('allow') ?? 'microphone; autoplay';
  element.id = 'phone';
  element.width = '400';
  element.height = '650';
  element.addEventListener('load', () => {
    if (!query.has('hold')) void sync();
  });
  element.src = phoneUrl;
  document.body.append(element);
  frame = element;
}

Object.assign(window, {
  hostPage: {
    post,
    say,
    raw,
    syncs: () => syncs,
    acknowledged: () => acknowledged,
    /** Everything that came from the phone so far was answered. */
    settled: () => hearing,
    /** SYNC, for the first time where it was held back, else once more. */
    greet: () => sync(),
  },
});
void mount();
