/**
 * Owns the Lightning message channel between the phone and other components of the same Salesforce page: `{ news }` goes out, `{ command }` comes
 * in, each side ignores the other field. A page that refuses the channel or never answers leaves the phone without one. Must never believe a
 * message: any component of the org can publish.
 */
import { type PageCommand, readPageCommand } from '@patchcord/call-protocol';
import type { PageChannel } from '../panel-contract.ts';
import { listeners } from '../waiting.ts';
import type { OpenCtiPort } from './opencti.ts';
import { objectOf } from './wire.ts';

/** Open CTI's name of `Patchcord_Phone` in the org itself. */
const defaultChannel = 'Patchcord_Phone__c';

/** The channel's name as the call centre sets it; an empty or impossible one is the default. */
export function channelName(setting: string | undefined): string {
  return setting !== undefined && /^\w{1,80}__c$/.test(setting.trim()) ? setting.trim() : defaultChannel;
}

export interface SalesforceChannel extends PageChannel {
  /** Subscribes, once. */
  open(name: string): void;
  close(): void;
}

export function createSalesforceChannel(port: OpenCtiPort): SalesforceChannel {
  const heard = listeners<readonly [PageCommand]>();
  let name = '';
  /** The script knows a subscription by this very object. */
  let subscription: object | null = null;
  let closed = false;

  function hear(message: unknown): void {
    if (subscription === null || closed) return;
    const command = readPageCommand(objectOf(message).command);
    if (command !== null) heard.tell(command);
  }

  function leave(token: object): void {
    port.tell('unsubscribe', { subscription: token });
  }

  return {
    open(channel) {
      if (name !== '') return;
      name = channel;
      // Also an answer after the deadline opens the channel: until then nobody listens.
      port
        .ask('subscribe', { channelName: channel, listener: hear }, (response) => {
          const { success, subscription: token } = objectOf(response);
          if (success !== true || typeof token !== 'object' || token === null || subscription !== null) return;
          subscription = token;
          if (closed) leave(token);
        })
        .catch(() => {});
    },
    publish(news) {
      if (subscription !== null && !closed) port.tell('publish', { channelName: name, message: { news } });
    },
    onCommand: heard.add,
    close() {
      if (closed) return;
      closed = true;
      heard.clear();
      if (subscription !== null) leave(subscription);
    },
  };
}
