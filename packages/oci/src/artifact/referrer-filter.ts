import type { Annotations, Descriptor } from "./descriptor.ts";

/**
 * Annotations by which a referrer can be found without being opened. They are what whoever pushed it says of it, and
 * prove nothing:
 *
 *     tally.device     the device whose records are in it
 *     tally.time.from  when the first of them was made, as the device's clock had it: RFC 3339
 *     tally.time.to    the last of them
 */
export const referrerAnnotations = Object.freeze({
  device: "tally.device",
  from: "tally.time.from",
  to: "tally.time.to",
});

/** What to list of a subject's referrers; what is absent does not restrict. */
export interface ReferrerFilter {
  readonly artifactType?: string;
  /** The device that `tally.device` names. */
  readonly device?: string;
  /** Milliseconds since 1970: what reaches to this time or beyond. What says no time is left out. */
  readonly since?: number;
  /** What begins before this time. */
  readonly until?: number;
}

/** A filter given in short, by artifact type alone. */
export function asFilter(filter: string | ReferrerFilter): ReferrerFilter {
  return typeof filter === "string" ? { artifactType: filter } : filter;
}

/** The parts of a filter by the query parameter that carries each, which is also its name in `OCI-Filters-Applied`. */
export const filterParameters = Object.freeze({
  artifactType: "artifactType",
  device: "tally.device",
  since: "tally.since",
  until: "tally.until",
});

/** What a descriptor's annotations say that can be filtered by. */
export interface ReferrerTraits {
  readonly device: string | undefined;
  /** First and last millisecond; where there are no times of Tally's, both are `org.opencontainers.image.created`. */
  readonly time: readonly [from: number, to: number] | undefined;
}

/** Ids of devices are 32 hex digits; nothing longer than this is indexed or asked for. */
const longestDevice = 128;

export function isDeviceName(text: string): boolean {
  return /^[\x21-\x7e]+$/.test(text) && text.length <= longestDevice;
}

export function traitsOf(annotations: Annotations = {}): ReferrerTraits {
  const said = (key: string) => (Object.hasOwn(annotations, key) ? annotations[key] : undefined);
  const device = said(referrerAnnotations.device);
  const created = said("org.opencontainers.image.created");
  const from = parseTime(said(referrerAnnotations.from) ?? created ?? "");
  const to = parseTime(said(referrerAnnotations.to) ?? created ?? "");
  return {
    device: device !== undefined && isDeviceName(device) ? device : undefined,
    time: from === undefined || to === undefined || from > to ? undefined : [from, to],
  };
}

/** Whether a descriptor is one that the filter asks for. */
export function matchesFilter({ artifactType, annotations }: Descriptor, filter: ReferrerFilter): boolean {
  if (filter.artifactType !== undefined && filter.artifactType !== artifactType) return false;
  if (filter.device === undefined && filter.since === undefined && filter.until === undefined) return true;
  const { device, time } = traitsOf(annotations);
  if (filter.device !== undefined && filter.device !== device) return false;
  if (filter.since === undefined && filter.until === undefined) return true;
  return time !== undefined && time[1] >= (filter.since ?? 0) && time[0] < (filter.until ?? Number.POSITIVE_INFINITY);
}

/** A moment of RFC 3339, from 1970 on, in milliseconds; undefined for any other text. */
export function parseTime(text: string): number | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const time = Date.parse(text);
  return time >= 0 ? time : undefined;
}

export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString();
}
