/** A check that cannot be made with what is at hand. */
export class NotMade extends Error {}
