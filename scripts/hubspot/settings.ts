/**
 * The calling settings of the app as Patchcord needs them (HubSpot contract, section 1.9), and how they differ from what stands there. Pure: asks
 * nobody.
 */
import { isObject } from './api.ts';

export const apiVersions = ['v3', '2026-03', '2026-09'] as const;
export type ApiVersion = (typeof apiVersions)[number];

export interface CallingSettings {
  readonly name: string;
  readonly url: string;
  readonly width: number;
  readonly height: number;
  readonly isReady: boolean;
  readonly supportsCustomObjects: boolean;
  readonly supportsInboundCalling: boolean;
  readonly usesCallingWindow: boolean;
  readonly usesRemote: boolean;
}

export interface Difference {
  readonly name: string;
  readonly before: unknown;
  readonly after: unknown;
}

/** Where the settings of an app are, in the spelling of one version. `part`: '', `/recording` or `/channel-connection`. */
export function settingsPath(version: ApiVersion, appId: string, part = ''): string {
  return version === 'v3'
    ? `/crm/v3/extensions/calling/${appId}/settings${part}`
    : `/crm/extensions/calling/${version}/${appId}/settings${part}`;
}

export function wantedSettings(given: {
  readonly panelUrl: string;
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly isReady: boolean;
}): CallingSettings {
  return {
    name: given.name,
    url: given.panelUrl,
    width: given.width,
    height: given.height,
    isReady: given.isReady,
    // With it only the page may make logs, and the install asks for a right that ordinary users lack.
    supportsCustomObjects: false,
    // Without it incoming calls are ignored without a word, and the frame is the small widget.
    supportsInboundCalling: true,
    // The window survives a navigation; the frames of the tabs do not.
    usesCallingWindow: true,
    usesRemote: true,
  };
}

/** What is to be changed, in the order of `wanted`. What HubSpot keeps besides is its own matter. */
export function differences(wanted: object, found: unknown): readonly Difference[] {
  const there = isObject(found) ? found : {};
  return Object.entries(wanted)
    .filter(([name, value]) => there[name] !== value)
    .map(([name, after]) => ({ name, before: there[name], after }));
}

/** `isReady: false → true` */
export function inWords({ name, before, after }: Difference): string {
  const shown = (value: unknown): string => (value === undefined ? '(not set)' : JSON.stringify(value));
  return `${name}: ${shown(before)} → ${shown(after)}`;
}
