/** What a page of the portal tells of its frame: the panel's message, and in which frame of whom it was said. Owns the shape only. */
import type { ObjectType } from './properties.ts';
import type { Owner } from './rest-call.ts';

export interface PanelMessage {
  readonly type: string;
  readonly data: Readonly<Record<string, unknown>>;
}

export interface RecordReference {
  readonly type: ObjectType;
  readonly id: string;
}

export interface PageIdentity {
  readonly page: string;
  readonly owner: Owner;
  readonly location: 'widget' | 'remote' | 'window';
  readonly usesCallingWindow: boolean;
  /** What the calling settings say; without it INCOMING_CALL is ignored in silence. */
  readonly inboundSupported: boolean;
  /** The record on screen; for the calling window, that of the tab that was looked at last. */
  readonly viewing?: RecordReference | undefined;
  /** The record whose number was clicked, until its call starts. */
  readonly dialed?: RecordReference | undefined;
}
