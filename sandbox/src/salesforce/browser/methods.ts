/**
 * Owns what each Open CTI method does on the sandbox page (the Salesforce contract, section 1.5), through a `desk` that draws.
 * Must never touch the document or `postMessage`.
 */
import { postJson } from '../../page/dom.ts';
import { done, failure, value, type WireRequest, type WireResponse } from './host-wire.ts';
import { type OrgRecord, type OrgState, type PageSetup, recordAt, recordsIn, text, viewInfo } from './org-state.ts';

/** The page, as the methods see it. */
export interface Desk {
  readonly setup: PageSetup;
  state(): OrgState;
  shown(): OrgRecord | undefined;
  url(): string;
  open(id: string): void;
  search(term: string): void;
  newRecord(entity: string, defaults: Readonly<Record<string, unknown>>): void;
  clickToDial(enabled: boolean): void;
  panel: {
    visible(): boolean;
    show(visible: boolean): void;
    size(change: { width?: number; height?: number }): void;
    item(change: { label?: string; icon?: string }): void;
    title(change: { label?: string; icon?: string }): void;
    ready(): void;
  };
  refresh(): Promise<void>;
  /** Other components on the page see it in the event log, and the panel hears its own channel. */
  published(channel: string, message: unknown): void;
}

export async function perform(desk: Desk, request: WireRequest): Promise<WireResponse> {
  const args = request.args;
  const ask = async (path: string): Promise<WireResponse> => {
    const { value: reply } = await postJson(path, { user: desk.setup.user.username, args });
    return (reply as WireResponse | undefined) ?? failure('SERVER_ERROR', 'A problem was encountered on the server.');
  };
  switch (request.methodName) {
    case 'enableClickToDial':
    case 'disableClickToDial':
      desk.clickToDial(request.methodName === 'enableClickToDial');
      return done;
    case 'notifyInitializationComplete':
      desk.panel.ready();
      return done;
    case 'getAppViewInfo':
      return value(viewInfo(desk.shown(), desk.url()));
    case 'screenPop':
      return screenPop(desk, `${args.type}`, isRecord(args.params) ? args.params : {});
    case 'searchAndScreenPop':
      return searchAndScreenPop(desk, args);
    case 'saveLog': {
      const reply = await ask('/sandbox/log');
      return reply;
    }
    case 'runApex':
      return ask('/sandbox/apex');
    case 'getCallCenterSettings':
      return value(callCenterSettings(desk.setup.panelUrl));
    case 'getSoftphoneLayout':
      return value(softphoneLayout());
    case 'isSoftphonePanelVisible':
      return value({ visible: desk.panel.visible() });
    case 'setSoftphonePanelVisibility':
      if (typeof args.visible !== 'boolean') return badParameter('visible', 'boolean', args.visible);
      desk.panel.show(args.visible);
      return done;
    case 'setSoftphonePanelHeight':
      return within(args.heightPX, 'heightPX', 240, 2560, (height) => desk.panel.size({ height }));
    case 'setSoftphonePanelWidth':
      return within(args.widthPX, 'widthPX', 200, 1920, (width) => desk.panel.size({ width }));
    case 'setSoftphoneItemIcon':
    case 'setSoftphonePanelIcon': {
      if (typeof args.key !== 'string') return badParameter('key', 'string', args.key);
      desk.panel[request.methodName === 'setSoftphoneItemIcon' ? 'item' : 'title']({ icon: args.key });
      return done;
    }
    case 'setSoftphoneItemLabel':
    case 'setSoftphonePanelLabel': {
      if (typeof args.label !== 'string') return badParameter('label', 'string', args.label);
      desk.panel[request.methodName === 'setSoftphoneItemLabel' ? 'item' : 'title']({ label: args.label });
      return done;
    }
    case 'refreshView':
      await desk.refresh();
      return done;
    case 'subscribe':
    case 'unsubscribe':
      return done;
    case 'publish':
      desk.published(`${args.eventName}`, args.message);
      return done;
    case 'completeWork':
      return failure('GENERIC_ERROR', 'There is no high velocity sales work in the sandbox.');
    default:
      return failure('INVALID_PARAM', `Unknown method ${request.methodName}.`);
  }
}

function screenPop(desk: Desk, type: string, params: Readonly<Record<string, unknown>>): WireResponse {
  switch (type) {
    case 'sobject': {
      const id = typeof params.recordId === 'string' ? params.recordId : '';
      if (!recordAt(desk.state(), id)) return badParameter('recordId', 'record id', params.recordId);
      desk.open(id);
      return done;
    }
    case 'search': {
      const term = typeof params.searchString === 'string' ? params.searchString : '';
      if (term.length < 3) return failure('INVALID_PARAM', 'searchString needs at least 3 characters.');
      desk.search(term);
      return done;
    }
    case 'newRecord':
      if (typeof params.entityName !== 'string') return badParameter('entityName', 'string', params.entityName);
      desk.newRecord(params.entityName, isRecord(params.defaultFieldValues) ? params.defaultFieldValues : {});
      return done;
    case 'url': {
      const id = /\b(00[3Q1T]\w{12,15})\b/.exec(`${params.url}`)?.[1];
      if (id !== undefined && recordAt(desk.state(), id)) desk.open(id);
      return done;
    }
    case 'objecthome':
    case 'list':
      desk.search('');
      return done;
    default:
      return failure('INVALID_PARAM', `An invalid value was passed to the parameter type: ${type}.`);
  }
}

function searchAndScreenPop(desk: Desk, args: Readonly<Record<string, unknown>>): WireResponse {
  const term = typeof args.searchParams === 'string' ? args.searchParams : '';
  if (typeof args.callType !== 'string') return badParameter('callType', 'string', args.callType);
  if (term.length < 3) return failure('INVALID_PARAM', 'searchParams needs at least 3 characters.');
  const digits = term.replace(/\D/g, '');
  const hits = recordsIn(desk.state()).filter((record) => {
    if (record.kind === 'Task') return false;
    if (record.name.toLowerCase().includes(term.toLowerCase())) return true;
    return (
      digits.length > 2 &&
      [record.fields.Phone, record.fields.MobilePhone].some((phone) => text(phone).replace(/\D/g, '') === digits)
    );
  });
  const result: Record<string, unknown> = Object.fromEntries(
    hits.map((hit) => [
      hit.id,
      {
        Id: hit.id,
        Name: hit.name,
        RecordType: hit.kind,
        LastModifiedDate: hit.fields.LastModifiedDate,
        Phone: hit.fields.Phone,
      },
    ]),
  );
  const [first, second] = hits;
  const pop = !first
    ? { type: 'newRecord', params: { entityName: 'Contact', defaultFieldValues: args.defaultFieldValues ?? {} } }
    : second
      ? { type: 'search', params: { searchString: term } }
      : { type: 'sobject', params: { recordId: first.id } };
  if (args.deferred === true) result.SCREEN_POP_DATA = pop;
  else screenPop(desk, pop.type, pop.params);
  return value(result);
}

function callCenterSettings(panelUrl: string): Record<string, string> {
  return {
    '/reqGeneralInfo/reqInternalName': 'Patchcord',
    '/reqGeneralInfo/reqDisplayName': 'Patchcord',
    '/reqGeneralInfo/reqAdapterUrl': panelUrl,
    '/reqGeneralInfo/reqUseApi': 'true',
    '/reqGeneralInfo/reqSoftphoneHeight': '560',
    '/reqGeneralInfo/reqSoftphoneWidth': '360',
    '/reqGeneralInfo/reqSalesforceCompatibilityMode': 'Lightning',
    '/reqGeneralInfo/label': 'General Information',
    '/displayNameLabel': 'Display Name',
    '/internalNameLabel': 'Internal Name',
    '/label': 'Patchcord',
  };
}

function softphoneLayout(): Record<string, unknown> {
  const objects = {
    Contact: [
      { displayName: 'Name', apiName: 'Name' },
      { displayName: 'Phone', apiName: 'Phone' },
    ],
    Lead: [{ displayName: 'Name', apiName: 'Name' }],
    Account: [{ displayName: 'Account Name', apiName: 'Name' }],
  };
  const screenPopSettings = {
    NoMatch: { screenPopType: 'PopToEntity', screenPopData: 'Contact' },
    SingleMatch: { screenPopType: 'PopToEntity' },
    MultipleMatches: { screenPopType: 'PopToSearch' },
  };
  const layout = { callRelatedFields: ['ANI', 'DNIS'], objects, screenPopSettings };
  return { Internal: layout, Inbound: layout, Outbound: layout };
}

function within(given: unknown, name: string, low: number, high: number, use: (pixels: number) => void): WireResponse {
  if (typeof given !== 'number') return badParameter(name, 'numeric', given);
  if (given < low || given > high) return failure('INVALID_PARAM', `${name} must be between ${low} and ${high}.`);
  use(given);
  return done;
}

function badParameter(name: string, wanted: string, given: unknown): WireResponse {
  return failure(
    'INVALID_PARAM',
    `An invalid value was passed to the parameter ${name}: ${wanted} expected, ${given === undefined ? 'nothing' : typeof given} found.`,
  );
}

function isRecord(given: unknown): given is Record<string, unknown> {
  return typeof given === 'object' && given !== null && !Array.isArray(given);
}
