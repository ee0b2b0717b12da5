export { Channels, type ChannelsOptions } from "./channels.ts";
export { DeviceErasures, type DeviceErasuresOptions } from "./device-erasures.ts";
export { Identities, type IdentitiesOptions } from "./identities.ts";
export { Lineage, type LineageOptions } from "./lineage.ts";
export { PeopleKeys, type PeopleKeysOptions } from "./people-keys.ts";
export { Quarantines, type QuarantinesOptions } from "./quarantines.ts";
export { RevokedKeys } from "./revoked-keys.ts";
export { Rotations } from "./rotations.ts";
export { type ProvenPlace, Statements, type StatementsOptions } from "./statements.ts";
