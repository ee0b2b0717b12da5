// Loaded before a program (`node --import`) by whoever starts it with an IPC channel and TALLY_STARTED_BY, its process id: when
// the starter is gone, however it went, the channel closes and the program ends in good order too. Children of the program
// inherit the flag, but have another parent, and channels of their own for what they like.

const parent = process.ppid;

if (process.channel && process.env.TALLY_STARTED_BY === String(parent)) {
  process.once("disconnect", () => {
    // A program may let go of the channel by itself. And a dying process closes its channel a little before it is gone.
    const watch = setInterval(() => {
      if (process.ppid === parent) return;
      // Once: a second signal would cut short what the first has begun.
      clearInterval(watch);
      process.kill(process.pid, "SIGTERM");
    }, 50).unref();
  });
  process.channel.unref();
  // To the program it is as if it had been started without one.
  process.send = undefined;
}
