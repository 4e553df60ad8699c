/**
 * Owns the wire between the panel and a plain page that frames it: messages marked `patchcord: 1`, checked field by field. Documented in
 * README.md for whoever writes such a page. Functions only. Must never accept a message without its origin having been compared first.
 */
import type { RecordRef } from '@patchcord/call-protocol';
import type { DialRequest } from '../panel-contract.ts';

export type HostMessage =
  | { readonly type: 'hello'; readonly hostOrigin: string; readonly locale?: string }
  | ({ readonly type: 'dial' } & DialRequest)
  | { readonly type: 'record-shown'; readonly record: RecordRef | null };

export type PanelMessage =
  | { readonly type: 'ready' }
  | { readonly type: 'open-record'; readonly record: { readonly id: string; readonly object: string } }
  | { readonly type: 'state'; readonly state: string; readonly label: string }
  | { readonly type: 'height'; readonly height: number }
  | { readonly type: 'log-saved'; readonly call: string; readonly logId: string };

/** The message, or null when it is none of ours or malformed. */
export function readHostMessage(data: unknown): HostMessage | null {
  const message = objectOf(data);
  if (message?.patchcord !== 1) return null;
  if (message.type === 'hello') {
    const { hostOrigin, locale } = message;
    if (typeof hostOrigin !== 'string') return null;
    return { type: 'hello', hostOrigin, ...(typeof locale === 'string' ? { locale: locale.slice(0, 35) } : {}) };
  }
  if (message.type === 'record-shown') {
    if (message.record === null) return { type: 'record-shown', record: null };
    const record = readRecord(message.record);
    return record === null ? null : { type: 'record-shown', record };
  }
  if (message.type !== 'dial') return null;
  const number = typeof message.number === 'string' ? message.number.trim() : '';
  if (number === '' || number.length > 128) return null;
  const country = typeof message.country === 'string' && /^[A-Za-z]{2}$/.test(message.country) ? message.country : '';
  const record = readRecord(message.record);
  return {
    type: 'dial',
    number,
    ...(country === '' ? {} : { country: country.toUpperCase() }),
    ...(record === null ? {} : { record }),
  };
}

/** Puts our mark on a message. */
export function toWire(message: PanelMessage): PanelMessage & { readonly patchcord: 1 } {
  return { patchcord: 1, ...message };
}

function readRecord(value: unknown): RecordRef | null {
  const record = objectOf(value);
  const id = textOf(record?.id, 80);
  const object = textOf(record?.object, 80);
  if (id === '' || object === '') return null;
  const name = textOf(record?.name, 255);
  return { crm: 'page', object, id, ...(name === '' ? {} : { name }) };
}

function textOf(value: unknown, longest: number): string {
  return typeof value === 'string' && value.length <= longest ? value : '';
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | null {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null;
}
