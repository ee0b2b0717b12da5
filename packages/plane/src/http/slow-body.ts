import type { IncomingMessage } from "node:http";

/** Of a body that may be of any length: less than this is no upload but somebody who holds a connection. */
const bytesPerSecond = 512;

/**
 * Ends a request whose body comes more slowly than 512 bytes a second, looked at every `windowMs`. One that the plane itself is
 * slow to take is left alone: it has bytes waiting.
 */
export function endSlowBody(request: IncomingMessage, windowMs: number): void {
  if (request.complete || request.method === "GET" || request.method === "HEAD") return;
  const { socket } = request;
  let before = socket.bytesRead;
  const timer = setInterval(() => {
    const came = socket.bytesRead - before;
    before = socket.bytesRead;
    if (request.complete) return done();
    if (request.readableLength > 0 || came >= (bytesPerSecond * windowMs) / 1000) return;
    socket.destroy();
  }, windowMs);
  timer.unref();
  const done = () => {
    clearInterval(timer);
    // A connection serves many requests.
    socket.off("close", done);
  };
  for (const event of ["close", "end"]) request.once(event, done);
  socket.once("close", done);
}
