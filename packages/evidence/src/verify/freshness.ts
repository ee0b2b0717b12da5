import type { Trust } from "../trust/index.ts";
import type { Checklist } from "./check.ts";
import type { PlaneLog } from "./plane-log.ts";

const name = { size: "minimum size", age: "age" };

/** Checks that the answer is no old state of the plane, as far as the trust file asks. `now` in milliseconds since 1970. */
export function checkFreshness(log: PlaneLog, trust: Trust, now: number | undefined, checklist: Checklist): void {
  const { checkpoint, notBefore } = log.newest;
  const about = checkpoint.origin;
  const { minimumPlaneSize: least, maximumAgeSeconds: most, skewSeconds } = trust;
  if (least !== undefined) {
    if (checkpoint.size >= least) checklist.good(name.size, about, `size ${checkpoint.size}, at least ${least}`);
    else checklist.bad(name.size, about, `size ${checkpoint.size} is below ${least}: an old state`);
  }
  if (most === undefined) return;
  if (now === undefined) {
    checklist.skipped(name.age, about, "no time was given to compare with");
  } else if (notBefore === null) {
    checklist.missing(name.age, about, `nobody states a time, and the trust file allows ${most} s`);
  } else {
    const age = Math.round((now - notBefore) / 1000);
    if (age > most) checklist.bad(name.age, about, `${age} s old, the trust file allows ${most} s: a stale answer`);
    else if (age < -skewSeconds) checklist.bad(name.age, about, `cosigned ${-age} s after the time that was given`);
    else checklist.good(name.age, about, `${age} s old`);
  }
}
