import { EdgeError, recoverDevice } from "@tally/edge";
import { deviceFolderOf, withDeviceFolder } from "../../device-folder.ts";
import { withJson } from "../../options.ts";
import type { Register } from "../../register.ts";
import { print, say } from "../../terminal/index.ts";
import { withDevice } from "../../with-device.ts";

interface Options {
  readonly dir?: string;
  readonly enrolmentToken?: string;
  readonly newKeys?: boolean;
  readonly json?: boolean;
}

/** `tally device recover`: a device whose ledger cannot go on begins a new epoch. */
export const recover: Register = (program, { terminal }) => {
  const command = program
    .command("recover")
    .description(
      "begin a new epoch where the ledger is damaged, went another way than the plane's, or its keys count no more",
    )
    .option("--new-keys", "make new keys for it, as after a compromise")
    .option("--enrolment-token <token>", "where the old keys are revoked: a token that `tally device token` made");
  withJson(withDeviceFolder(command)).action(async ({ enrolmentToken, newKeys, json, ...options }: Options) => {
    const dir = await deviceFolderOf(terminal, options);
    const { origin, epoch } = await recoverDevice({
      dir,
      ...(newKeys === true && { newKeys }),
      ...(enrolmentToken !== undefined && { token: enrolmentToken }),
    });
    print(terminal, json, { origin, epoch }, () => [origin]);
    const asked = await withDevice(dir, (device) => device.sync()).catch((error: unknown) => {
      if (error instanceof EdgeError && error.code === "awaiting") return undefined;
      throw error;
    });
    say(
      terminal,
      asked === undefined
        ? "it awaits acceptance, and records meanwhile: tally device accept"
        : "accepted: the plane takes its records",
    );
  });
};
