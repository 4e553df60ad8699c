/**
 * Connections on which nobody has asked anything yet: browsers open them ahead of time. Node calls only those idle that have been answered once, so
 * that a server that stops would wait for these until its deadline. Must never touch a connection with a request on it.
 */
import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/** Watches the server from now on; the returned function closes what is silent at that moment. */
export function watchSilentSockets(server: Server): () => void {
  const silent = new Set<Socket>();
  const spoke = ({ socket }: { readonly socket: Socket }): void => void silent.delete(socket);
  server.on('connection', (socket: Socket) => {
    silent.add(socket);
    socket.once('close', () => silent.delete(socket));
  });
  server.on('request', spoke);
  server.on('upgrade', spoke);
  return () => {
    for (const socket of silent) socket.destroy();
  };
}
