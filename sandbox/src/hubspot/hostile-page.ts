/**
 * Owns a page of another origin that frames the panel and plays HubSpot: the wire as it should be, from somebody who may not speak it. Must never
 * share an origin with the portal.
 */
import { startHttpServer, text } from '../http.ts';

export interface HostilePage {
  readonly url: string;
  close(): Promise<void>;
}

/** What it does: frames the panel, says SYNC and DIAL_NUMBER again and again, and keeps in `window.loot` whatever it is told. */
export async function startHostilePage(panelUrl: string): Promise<HostilePage> {
  const script = `
    window.loot = [];
    addEventListener('message', (event) => { if (event.data && event.data.type) loot.push(event.data); });
    const frame = document.createElement('iframe');
    frame.allow = 'microphone; autoplay';
    let serial = 0;
    const say = (type, rest) => frame.contentWindow.postMessage({ type, messageId: 'hostile_' + (serial += 1), ...rest }, '*');
    window.attack = (hostUrl) => {
      say('SYNC', { hostUrl, portalId: 24500123, userId: 4201, ownerId: 7701, iframeLocation: 'window', usesCallingWindow: true });
      say('DIAL_NUMBER', { data: { phoneNumber: '+14155550199', startTimestamp: Date.now() } });
      say('END_CALL', {});
    };
    frame.src = ${JSON.stringify(panelUrl)};
    frame.addEventListener('load', () => setInterval(() => { attack(location.origin); attack(new URL(frame.src).origin); }, 100));
    document.body.append(frame);`;
  const html = `<!doctype html><meta charset="utf-8"><title>Nobody's page</title><body><script>${script.replaceAll('</', '<\\/')}</script>`;
  const server = await startHttpServer({
    port: 0,
    host: 'localhost',
    handle: () => text(200, 'text/html', html),
  });
  return { url: `${server.origin}/`, close: server.close };
}
