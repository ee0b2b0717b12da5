import {
  type DeviceList,
  type DeviceStatus,
  envelopeMediaType,
  type FleetDecision,
  fleetDecisionStatement,
  generatePrivateKeyPem,
  publicKeyOfPem,
  publicKeyPem,
  type StatementSigner,
  signStatement,
  statementSignerFromPem,
} from "@tally/evidence";
import { type Answer, json } from "./plane-client.ts";
import type { TestPlane } from "./test-plane.ts";

/** Someone who manages the fleet of a test plane, and says so with signed statements. */
export class FleetManager {
  readonly #plane: TestPlane;
  readonly signer: StatementSigner;

  private constructor(plane: TestPlane, signer: StatementSigner) {
    this.#plane = plane;
    this.signer = signer;
  }

  static async of(
    plane: TestPlane,
    name = "operator",
    may: readonly string[] = ["manage-fleet"],
  ): Promise<FleetManager> {
    const pem = generatePrivateKeyPem("p-256");
    const key = publicKeyPem(publicKeyOfPem(pem).spki);
    const { status, text } = await plane.call("POST", "/api/v1/identities", {
      body: { name, key, may, repositories: ["*"] },
    });
    if (status !== 201) throw new Error(`${status} ${text}`);
    return new FleetManager(plane, statementSignerFromPem(pem));
  }

  /** The ledger as the plane has it. */
  async ledger(origin: string): Promise<DeviceStatus> {
    const { devices } = json<DeviceList>(await this.#plane.call("GET", "/api/v1/devices"));
    const found = devices.find((device) => device.origin === origin);
    if (found === undefined) throw new Error(`${origin} is not known`);
    return found;
  }

  async decide(decision: FleetDecision, token?: string): Promise<Answer> {
    const { bytes } = await signStatement(fleetDecisionStatement(decision), this.signer);
    return this.#plane.call("POST", "/api/v1/statements", {
      body: bytes,
      type: envelopeMediaType,
      ...(token !== undefined && { token }),
    });
  }

  async revoke(origin: string, compromiseTime: number | null, token?: string): Promise<Answer> {
    const { genesis: subject, keySetId: keyId } = await this.ledger(origin);
    return this.decide({ decision: "revoke", subject, origin, keyId, compromiseTime, reason: "stolen" }, token);
  }

  async accept(origin: string): Promise<Answer> {
    const { genesis: subject } = await this.ledger(origin);
    return this.decide({ decision: "accept-epoch", subject, origin, reason: "restored from the backup of Monday" });
  }

  async decommission(origin: string): Promise<Answer> {
    const { genesis: subject } = await this.ledger(origin);
    return this.decide({ decision: "decommission", subject, origin, reason: "worn out" });
  }

  async reinstate(origin: string): Promise<Answer> {
    const { genesis: subject, conflicts } = await this.ledger(origin);
    const settles = conflicts.map(({ evidence }) => evidence as typeof subject);
    return this.decide({ decision: "reinstate", subject, origin, reason: "looked into", settles });
  }
}
