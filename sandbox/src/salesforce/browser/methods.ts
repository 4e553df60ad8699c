/**
 * Owns what each Open CTI method does on the sandbox page (the Salesforce contract, section 1.5), through a `desk` that draws.
 * Must never touch the document or `postMessage`.
 */
import { postJson } from '../../page/dom.ts';
import { callCenterSettings, softphoneLayout } from './call-center.ts';
import type { Desk } from './desk.ts';
import { badParameter, done, failure, value, type WireRequest, type WireResponse } from './host-wire.ts';
import { isRecord, viewInfo } from './org-state.ts';
import { screenPop, searchAndScreenPop } from './screen-pop.ts';

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
    case 'saveLog':
      return ask('/sandbox/log');
    case 'runApex':
      return ask('/sandbox/apex');
    case 'getCallCenterSettings':
      return value(callCenterSettings(desk.setup));
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

function within(given: unknown, name: string, low: number, high: number, use: (pixels: number) => void): WireResponse {
  if (typeof given !== 'number') return badParameter(name, 'numeric', given);
  if (given < low || given > high) return failure('INVALID_PARAM', `${name} must be between ${low} and ${high}.`);
  use(given);
  return done;
}
