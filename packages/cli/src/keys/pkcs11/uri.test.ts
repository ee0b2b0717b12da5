import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePkcs11Uri } from "./uri.ts";

test("a URI names token, key, library and where its PIN is", () => {
  const uri = parsePkcs11Uri(
    "pkcs11:token=Release%20keys;serial=a%3bb;object=Gr%C3%B6%C3%9Fe;id=%01%ff;type=private;slot-id=7?module-path=/usr/lib/x.so&pin-source=file:/run/pin",
  );
  assert.deepEqual(
    { ...uri },
    {
      text: "pkcs11:token=Release%20keys;serial=a%3bb;object=Gr%C3%B6%C3%9Fe;id=%01%ff;type=private;slot-id=7",
      token: { token: "Release keys", serial: "a;b" },
      slotId: 7,
      object: "Größe",
      id: Uint8Array.of(1, 255),
      modulePath: "/usr/lib/x.so",
      pinSource: "file:/run/pin",
    },
  );
  assert.deepEqual({ ...parsePkcs11Uri("pkcs11:") }, { text: "pkcs11:", token: {} });
  assert.deepEqual(parsePkcs11Uri("pkcs11:object=ö").object, "ö");
});

test("a PIN in the URI is read, and stands in no text that is shown", () => {
  const uri = parsePkcs11Uri("pkcs11:token=a?pin-value=12%2634&module-name=softhsm2");
  assert.equal(uri.pinValue, "12&34");
  assert.equal(uri.moduleName, "softhsm2");
  assert.equal(uri.text, "pkcs11:token=a");
});

test("what is not understood might be what tells two keys apart, and is refused by its name", () => {
  const wrong: [string, RegExp][] = [
    ["pkcs11:tokn=a", /the attribute tokn/],
    ["pkcs11:x-vendor=a", /the attribute x-vendor/],
    ["pkcs11:token=a?x=b", /the attribute x/],
    ["pkcs11:token=a;token=b", /token twice/],
    ["pkcs11:token=a;", /a part without a name: an empty one/],
    ["pkcs11:token", /a part without a name: token/],
    ["pkcs11:=a", /a part without a name/],
    ["pkcs11:token=a%2", /a % in token/],
    ["pkcs11:token=a%zz", /a % in token/],
    ["pkcs11:token=%ff", /token in something else than UTF-8/],
    ["pkcs11:slot-id=x", /a slot-id that is no number/],
    ["pkcs11:type=cert", /is of type cert/],
    ["pkcs11:token=a?b?c", /more than one question mark/],
    ["pkcs11:?pin-value=1234&pin-source=file:/x", /both pin-source and pin-value/],
  ];
  for (const [uri, message] of wrong) {
    assert.throws(
      () => parsePkcs11Uri(uri),
      (error: Error & { exitCode?: number; hint?: string }) => {
        assert.match(error.message, message);
        assert.ok(error.hint);
        assert.ok(!`${error.message}${error.hint}`.includes("1234"));
        return error.exitCode === 2;
      },
      uri,
    );
  }
});
