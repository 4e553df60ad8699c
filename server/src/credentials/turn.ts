/** TURN credentials (draft-uberti-behave-turn-rest): the TURN server checks them without asking us. Must never log or store one. */
import { createHmac } from 'node:crypto';

/** SHA-1, because TURN servers know nothing else. */
export function turnCredential(secret: string, name: string, expiresAtSeconds: number) {
  const username = `${expiresAtSeconds}:${name}`;
  return { username, credential: createHmac('sha1', secret).update(username).digest('base64') };
}
