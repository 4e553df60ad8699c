/**
 * Owns the plain page sandbox: any web page of a company's own that frames the phone, with nothing of a CRM around it.
 * Must never be reachable from another machine.
 *
 * The wire between the page and the panel, both ways by `postMessage` with exact origins, every message `{ patchcord: 1, type, … }`:
 *
 * page → panel
 * - `hello { hostOrigin, locale? }` every 200 ms from the frame's load on, until the panel says `ready`
 * - `dial { number, country?, record?: { id, object, name } }` a number was clicked
 * - `record-shown { record: { id, object, name } | null }` what the agent looks at
 *
 * panel → page
 * - `ready` the hello was heard and its origin is on the list
 * - `open-record { record: { id, object } }`
 * - `state { state: 'idle' | 'ringing' | 'in-call' | 'wrap-up', label }`
 * - `height { height }` how tall the panel would like to be, in CSS pixels
 * - `log-saved { call, logId }` the call is logged
 */
import { type HttpReply, json, objectBody, startHttpServer, text } from '../http.ts';
import { type CallMe, type CallMeRequest, type DemoPerson, demoAgents, demoPeople, unknownCaller } from '../people.ts';
import { bundled } from './bundle.ts';
import { pageHtml } from './html.ts';

export interface PlainPageSandboxOptions {
  readonly port?: number;
  readonly host?: string;
  /** The panel's page for a plain host, e.g. `http://localhost:8080/page/`. */
  readonly panelUrl: string;
  readonly people?: readonly DemoPerson[];
  readonly onCallMe?: CallMe;
}

export interface PlainPageSandbox {
  readonly url: string;
  close(): Promise<void>;
}

export async function startPlainPageSandbox(options: PlainPageSandboxOptions): Promise<PlainPageSandbox> {
  const [script, css] = await Promise.all([
    bundled(import.meta.url, './browser/main.ts'),
    bundled(import.meta.url, './browser/page.css'),
  ]);
  const people = options.people ?? demoPeople;
  const html = pageHtml({
    title: 'Order desk (sandbox)',
    setup: { panelUrl: options.panelUrl, people, unknownCaller, agent: demoAgents[0] },
  });

  async function callMe(body: Record<string, unknown>): Promise<HttpReply> {
    const order: CallMeRequest = {
      from: `${body.from}`,
      agent: demoAgents[0].email,
      ...(typeof body.name === 'string' ? { name: body.name } : {}),
      ...(body.kind === 'contact' || body.kind === 'unknown' || body.kind === 'withheld' ? { kind: body.kind } : {}),
    };
    try {
      await options.onCallMe?.(order);
      return json(202, {});
    } catch (error) {
      return json(502, { error: error instanceof Error ? error.message : String(error) });
    }
  }

  const server = await startHttpServer({
    port: options.port ?? 0,
    host: options.host ?? 'localhost',
    handle: (request) => {
      if (request.method === 'POST' && request.path === '/sandbox/call-me') return callMe(objectBody(request) ?? {});
      if (request.path === '/page.js') return text(200, 'text/javascript', script);
      if (request.path === '/page.css') return text(200, 'text/css', css);
      return request.path === '/'
        ? text(200, 'text/html', html)
        : text(404, 'text/plain', 'Not here. The page is at /.');
    },
  });
  return { url: `${server.origin}/`, close: server.close };
}
