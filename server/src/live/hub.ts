/**
 * Who is connected to this relay: agent → sockets. Owns fan-out inside this process; it may drop (a reader fills gaps from the store), it must
 * never wait and never let one slow socket hold another.
 */
import type { AgentId, Envelope, RelayMessage, TenantId } from '@patchcord/call-protocol';

/** One authenticated socket, as the hub sees it. */
export interface LiveSocket {
  /** Sends, or cuts the socket off when it has fallen too far behind. */
  send(message: RelayMessage): void;
  close(code: number, reason: string): void;
}

export class LiveHub {
  readonly #sockets = new Map<string, Set<LiveSocket>>();

  /** Adds a socket; call the result when it is gone. */
  add(tenant: TenantId, agent: AgentId, socket: LiveSocket): () => void {
    const key = keyOf(tenant, agent);
    const group = this.#sockets.get(key) ?? new Set();
    this.#sockets.set(key, group.add(socket));
    return () => {
      group.delete(socket);
      if (group.size === 0 && this.#sockets.get(key) === group) this.#sockets.delete(key);
    };
  }

  tell(tenant: TenantId, agent: AgentId, event: Envelope): void {
    for (const socket of this.#sockets.get(keyOf(tenant, agent)) ?? []) socket.send({ type: 'event', event });
  }

  /** Closes every socket of an agent. */
  end(tenant: TenantId, agent: AgentId, code: number, reason: string): void {
    for (const socket of [...(this.#sockets.get(keyOf(tenant, agent)) ?? [])]) socket.close(code, reason);
  }
}

function keyOf(tenant: TenantId, agent: AgentId): string {
  return `${tenant} ${agent}`;
}
