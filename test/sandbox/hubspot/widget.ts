/**
 * The widget side of the tests: HubSpot's genuine SDK in the frame, every handler kept in `heard`. Bundled by the test and served
 * as the panel's script.
 */
import CallingExtensions from '@hubspot/calling-extensions-sdk';

const names = [
  'onReady',
  'onDialNumber',
  'onEngagementCreated',
  'onCreateEngagementSucceeded',
  'onCreateEngagementFailed',
  'onUpdateEngagementSucceeded',
  'onUpdateEngagementFailed',
  'onCallerIdMatchSucceeded',
  'onCallerIdMatchFailed',
  'onNavigateToRecordFailed',
  'onFinalizeEngagementSucceeded',
  'onFinalizeEngagementFailed',
  'onVisibilityChanged',
  'onEndCall',
];
const heard: [string, unknown][] = [];
const eventHandlers = Object.fromEntries(names.map((name) => [name, (data: unknown) => heard.push([name, data])]));
type SdkClass = new (options: { debugMode: boolean; eventHandlers: Readonly<Record<string, unknown>> }) => object;
// The bundle takes the SDK's ESM build, where the class is the default; its types describe the CommonJS one.
const Sdk = CallingExtensions as unknown as SdkClass;
Object.assign(window, { cti: new Sdk({ debugMode: false, eventHandlers }), heard });
