import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { type Device, enroll, openDevice } from "@tally/edge";
import type { DeviceList, Readiness } from "@tally/evidence";
import { backupPlane, type Plane, type PlaneOptions, restorePlane, startPlane } from "@tally/plane";

const name = "tally.test/restored";

/** A plane that can be stopped and started on another folder at the same address. */
class Place {
  plane: Plane;
  readonly #port: number;

  private constructor(plane: Plane) {
    this.plane = plane;
    this.#port = Number(new URL(plane.url).port);
  }

  static async start(t: TestContext, dir: string): Promise<Place> {
    const place = new Place(await startPlane({ dir, name, sealIntervalMs: 2 ** 30 }));
    t.after(() => place.plane.close());
    return place;
  }

  async restart(dir: string, options: Partial<PlaneOptions> = {}): Promise<void> {
    await this.plane.close();
    this.plane = await startPlane({ dir, name, port: this.#port, sealIntervalMs: 2 ** 30, ...options });
  }

  async admin<T>(method: string, path: string, body?: object): Promise<T> {
    const token = (await readFile(this.plane.adminTokenPath, "utf8")).trim();
    const response = await fetch(this.plane.url + path, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    return (await response.json()) as T;
  }

  async readiness(): Promise<Readiness> {
    return (await (await fetch(`${this.plane.url}/readyz`)).json()) as Readiness;
  }
}

async function scene(t: TestContext) {
  const folder = await mkdtemp(join(tmpdir(), "tally-restored-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const dir = join(folder, "plane");
  const place = await Place.start(t, dir);
  const trustPath = join(folder, "trust.json");
  await writeFile(trustPath, JSON.stringify(await place.admin("GET", "/api/v1/trust")));
  const { token } = await place.admin<{ token: string }>("POST", "/api/v1/enrolment-tokens", {});
  await enroll({ dir: join(folder, "device"), url: place.plane.url, token, trustPath });
  const device = await openDevice({ dir: join(folder, "device") });
  t.after(() => device.close());
  await device.sync();
  await place.plane.parts.sealer.seal();
  await device.sync();
  return { folder, dir, place, device };
}

const mirrored = async (place: Place, { deviceId }: Device) =>
  (await place.admin<DeviceList>("GET", `/api/v1/devices/${deviceId}`)).devices[0]!.mirroredSize;

test("restore of a backup, and a device with more: it shows the plane what it has published, and the plane refuses to sign", async (t) => {
  const { folder, dir, place, device } = await scene(t);
  await backupPlane({ dir, to: join(folder, "backup") });
  await place.plane.parts.sealer.seal();
  await device.sync();
  await restorePlane({ from: join(folder, "backup"), dir: join(folder, "again") });
  await place.restart(join(folder, "again"));
  await assert.rejects(device.sync(), { code: "plane-untrusted" });
  await place.plane.parts.sealer.seal().catch(() => {});
  const { ready, problem } = await place.readiness();
  assert.equal(ready, false);
  assert.match(problem ?? "", new RegExp(`the device ${device.origin} holds ${name}/log at size \\d+.*are lost here`));
  // The folder with the entries that were lost is the way on.
  await place.restart(dir);
  await device.sync();
  assert.equal((await place.readiness()).ready, true);
});

test("restore of a backup that lacks nothing of the plane's log: devices sync again and bring back what their mirrors lack", async (t) => {
  const { folder, dir, place, device } = await scene(t);
  await backupPlane({ dir, to: join(folder, "backup") });
  const before = await mirrored(place, device);
  // Entries of the device that the backup does not have; no checkpoint was published over them.
  await device.sync();
  const after = await mirrored(place, device);
  assert.ok(after > before);
  await rm(dir, { recursive: true });
  await restorePlane({ from: join(folder, "backup"), dir: join(folder, "again") });
  await place.restart(join(folder, "again"));
  assert.equal(await mirrored(place, device), before);
  assert.equal((await place.readiness()).ready, false, "it waits for its device");
  const report = await device.sync();
  assert.ok(report.mirrored > after);
  assert.equal(await mirrored(place, device), report.mirrored);
  await place.plane.parts.sealer.seal();
  assert.equal((await place.readiness()).ready, true);
});
