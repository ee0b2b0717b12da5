// STOP, engineer of the plane: the lead has written packages/plane (access, audit, fleet, http, keys, log, mirror, store, parts.ts,
// start-plane.ts) while nothing of yours had landed; another engineer writes statements/. Do NOT write other sources in packages/plane
// and do not overwrite these. Your work from now on: TESTS of what is there, over real HTTP with temp dirs (packages/plane/src/**/*.test.ts):
// role x route table walk (routesOf in http/server.ts), enrolment one-time token + resend, sessions, sync with heads and cosignatures by a real Witness
// (serveWitness), restart keeps everything and never signs an inconsistent checkpoint, plane restored behind its witnesses refuses to sign,
// clone -> equivocated and blocked, wrong ordinal convicted, bodies bounded, kill -9 during sync then restart proves. Mend the bugs you find
// in small edits. Keep good ideas of yours as improvements to the existing files after it runs. Delete this file when read.
