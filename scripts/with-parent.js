// Loaded before a program (`node --import`) by whoever starts it with an IPC channel: when the starter is gone, however it
// went, the channel closes and the program ends in good order too. Nothing is sent over it, and it keeps nothing alive.

if (process.channel) {
  process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
  process.channel.unref();
}
