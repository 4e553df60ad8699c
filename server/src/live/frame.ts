/**
 * One WebSocket frame, made once and written to many sockets. Owns the bytes of an unmasked, uncompressed text frame (RFC 6455, 5.2): what a
 * server sends when no extension was negotiated. Must never be used on a socket with compression.
 */

/** A whole text message as one final frame. */
export function textFrame(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const headLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = Buffer.allocUnsafe(headLength + length);
  frame[0] = 0x81;
  if (headLength === 2) frame[1] = length;
  else if (headLength === 4) {
    frame[1] = 126;
    frame.writeUInt16BE(length, 2);
  } else {
    frame[1] = 127;
    frame.writeBigUInt64BE(BigInt(length), 2);
  }
  frame.write(text, headLength);
  return frame;
}
