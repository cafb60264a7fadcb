/** A time for people, to the minute: "1970-01-01 00:00 UTC". */
export function clockText(time: Date): string {
  return `${time.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
