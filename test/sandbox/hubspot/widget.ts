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
const cti = new CallingExtensions({ debugMode: false, eventHandlers } as ConstructorParameters<
  typeof CallingExtensions
>[0]);
Object.assign(window, { cti, heard });
